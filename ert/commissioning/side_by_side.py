"""Computations that do not ask one another, on all processors at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Found = TypeVar("Found")
Task = Generator[None, None, Found]
_POLL_S = 0.05
_QUEUED = 1
"""Pieces that wait for a thread, so that none stands still while this one gives out the next."""


def side_by_side(
    tasks: Iterable[Task[Found]], check: Callable[[], None] | None, *, threads: int | None = None
) -> list[Found]:
    """What the tasks return, in their order; no result depends on how many threads there are.

    A task yields where it may go on later, perhaps on another thread: they take turns, so that three of a kind keep two
    processors busy to the end. No task is on two threads at a time.

    Parameters
    ----------
    tasks : what takes long in them must let go of Python's lock.
    check : called on this thread while it waits; if it raises, or a task does, the others end where they next yield.
    threads : None for one a processor.
    """
    given, found = list(tasks), dict[int, Found]()
    waiting, running = deque(range(len(given))), dict[Future[bool], int]()
    count = threads or os.cpu_count() or 1

    def go_on(number: int) -> bool:
        """Whether there is more to do."""
        try:
            next(given[number])
        except StopIteration as end:
            found[number] = end.value
            return False
        return True

    with ThreadPoolExecutor(count) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < count + _QUEUED:
                    number = waiting.popleft()
                    running[pool.submit(go_on, number)] = number
                done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                if check is not None:
                    check()
                for future in done:
                    number = running.pop(future)
                    if future.result():
                        waiting.append(number)
        finally:
            for future in running:
                future.cancel()
    return [found[number] for number in range(len(given))]
