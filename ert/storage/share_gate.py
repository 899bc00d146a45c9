"""What keeps a share that hangs, fails or is away from holding anything up: a budget of time and a circuit breaker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ert.errors import ErtError
from ert.logs import Public

T = TypeVar("T")
BUDGET_S = 1.0
PAUSE_S = 60.0
FAILURES_UNTIL_OPEN = 2
_MAXIMUM_STUCK = 4
_LOG = logging.getLogger(__name__)


class ShareGate:
    """Lets work through to a share.

    Each access runs on a daemon thread of its own: one that hangs in the system cannot be stopped, and threads of a
    pool would keep the program from ending. After `FAILURES_UNTIL_OPEN` failures in a row nothing is tried for
    `PAUSE_S`; then one attempt decides.

    Parameters
    ----------
    now_s : callable
        A steady clock, seconds.
    """

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until_s: float | None = None
        self._stuck: list[threading.Thread] = []

    @property
    def is_open(self) -> bool:
        """True while the share is left alone."""
        return self.remaining_s > 0 or self._open_until_s is not None

    @property
    def remaining_s(self) -> float:
        """How long it is left alone still."""
        until = self._open_until_s
        return 0.0 if until is None else max(0.0, until - self._now_s())

    def run(self, fn: Callable[[], T], *, budget_s: float = BUDGET_S) -> T | None:
        """What `fn` returns; None if it failed, took too long, or the share is left alone. Never raises those."""
        if not self._admits():
            return None
        future: Future[T] = Future()
        thread = threading.Thread(target=_settle, args=(future, fn), daemon=True, name="net-dose-cache")
        thread.start()
        try:
            value = future.result(timeout=budget_s)
        except (OSError, ErtError) as error:  # `TimeoutError` is an `OSError`
            with self._lock:
                self._stuck.append(thread)
            self.failed(error)
            return None
        self.succeeded()
        return value

    def attempt(self, fn: Callable[[], object]) -> bool:
        """Run `fn` on this thread, however long it takes; False if it failed or the share is left alone."""
        if not self._admits():
            return False
        try:
            fn()
        except (OSError, ErtError) as error:
            self.failed(error)
            return False
        self.succeeded()
        return True

    def succeeded(self) -> None:
        """The share works."""
        with self._lock:
            self._failures, self._open_until_s = 0, None

    def failed(self, error: OSError | ErtError) -> None:
        """An access failed."""
        with self._lock:
            self._failures += 1
            was_open = self._open_until_s is not None
            if was_open or self._failures >= FAILURES_UNTIL_OPEN:
                self._open_until_s = self._now_s() + PAUSE_S
            is_news = self._open_until_s is not None and not was_open
        if is_news:
            _LOG.warning("the network cache is left alone for a minute: %s", Public(type(error).__name__))

    def _admits(self) -> bool:
        with self._lock:
            self._stuck = [t for t in self._stuck if t.is_alive()]
            if len(self._stuck) >= _MAXIMUM_STUCK:
                return False
            if self._open_until_s is None:
                return True
            if self._now_s() < self._open_until_s:
                return False
            self._open_until_s = self._now_s() + PAUSE_S  # this one decides; others wait for it
            return True


def _settle(future: Future[T], fn: Callable[[], T]) -> None:
    try:
        future.set_result(fn())
    except BaseException as error:  # noqa: BLE001 - it belongs to who waits
        future.set_exception(error)
