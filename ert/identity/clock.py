"""The wall clock as far as a sign-in trusts it: never back, and a jump is written down."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

STEP_S = 120.0
_LOG = logging.getLogger(__name__)


class WallClock:
    """Seconds since 1970 that never go back while the program runs.

    Parameters
    ----------
    wall, steady : callable
        The clock of the computer, and seconds that only ever rise.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()
        self._seen_s = wall()
        self._last_s, self._last_steady_s = self._seen_s, steady()

    def now_s(self) -> float:
        """Return the later of the time now and the latest time seen: a clock put back makes nothing valid again."""
        with self._lock:
            wall_s, steady_s = self._wall(), self._steady()
            step_s = (wall_s - self._last_s) - (steady_s - self._last_steady_s)
            if abs(step_s) > STEP_S:
                _LOG.warning("the clock of this computer was moved by %.0f s", step_s)
            self._last_s, self._last_steady_s = wall_s, steady_s
            self._seen_s = max(self._seen_s, wall_s)
            return self._seen_s

    @property
    def is_behind(self) -> bool:
        """Whether the clock of the computer now says less than it did before."""
        with self._lock:
            return self._seen_s - self._wall() > STEP_S
