"""Long readings step back while somebody types, clicks or scrolls.

One Python program computes on one thread at a time. A reading that goes on while the window paints costs every call
into the window up to five thousandths of a second, and a list of many rows is painted with thousands of calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_REST_S = 0.15  # a fast typist's next letter comes within it
_LONGEST_S = 0.5


class Courtesy:
    """Between those who work at the window and the readings behind it.

    Parameters
    ----------
    now_s, wait : callable
        A steady clock in seconds, and how to let seconds pass.
    """

    def __init__(
        self, *, now_s: Callable[[], float] = time.monotonic, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._now_s, self._wait = now_s, wait
        self._rests_until_s = float("-inf")

    def somebody_works(self) -> None:
        """Somebody pressed a key, a button or turned the wheel, just now."""
        self._rests_until_s = self._now_s() + _REST_S

    def give_way(self) -> None:
        """Wait until nobody has been seen for a moment; never longer than half a second, so that readings end."""
        end_s = self._now_s() + _LONGEST_S
        while (left_s := min(self._rests_until_s, end_s) - self._now_s()) > 0:
            self._wait(left_s)
