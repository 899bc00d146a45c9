"""When somebody was last seen at the keyboard or the mouse."""

from __future__ import annotations

import time
from collections.abc import Callable


def awake_or_asleep_s() -> float:
    """Seconds that only ever rise, also while the computer sleeps: who opens the lid again has been away."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class IdleClock:
    """How long nobody was seen.

    Parameters
    ----------
    clock : callable
        Seconds that only ever rise.
    """

    def __init__(self, clock: Callable[[], float] = awake_or_asleep_s) -> None:
        self._clock = clock
        self._seen_s = clock()

    def seen(self) -> None:
        """Somebody pressed a key or moved the mouse."""
        self._seen_s = self._clock()

    @property
    def idle_s(self) -> float:
        """Seconds since then."""
        return self._clock() - self._seen_s
