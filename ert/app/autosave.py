"""When an open plan saves itself: a moment after an edit ended, at the latest a while after the first unsaved one."""

from __future__ import annotations

import attrs

from ert.errors import LockHeld, Unavailable

QUIET_S = 2.0
LATEST_S = 45.0  # with a save's own time still within the minute that is promised
RETRY_S = 15.0
TRIED_AGAIN = (Unavailable, LockHeld)  # what passes without anybody doing something here


@attrs.define(kw_only=True)
class Autosave:
    """The rule, without a clock: whoever calls it says what time it is (seconds, steady).

    Edits that follow one another join one revision. A dose under way is waited for, so that it is saved with the plan,
    but never beyond `LATEST_S`. A save that failed because the world failed is tried again; a conflict, a refusal or
    damage waits for a person.
    """

    is_on: bool = True
    _first_s: float | None = None
    _last_s: float = 0.0
    _not_before_s: float = 0.0
    _is_waiting: bool = False

    def edited(self, now_s: float) -> None:
        """Something changed that is not saved."""
        if self._first_s is None:
            self._first_s = now_s
        self._last_s = now_s

    def saved(self) -> None:
        """Nothing is unsaved, and nothing stands in the way."""
        self._first_s, self._not_before_s, self._is_waiting = None, 0.0, False

    def failed(self, error: BaseException, now_s: float) -> None:
        """A save failed."""
        if isinstance(error, TRIED_AGAIN):
            self._not_before_s = now_s + RETRY_S
        else:
            self._is_waiting = True

    @property
    def is_waiting_for_a_person(self) -> bool:
        """True after a failure that trying again does not cure."""
        return self._is_waiting

    def is_due(self, now_s: float, *, is_computing: bool) -> bool:
        """Whether to save now."""
        if not self.is_on or self._first_s is None or self._is_waiting or now_s < self._not_before_s:
            return False
        is_quiet = now_s - self._last_s >= QUIET_S and not is_computing
        return is_quiet or now_s - self._first_s >= LATEST_S
