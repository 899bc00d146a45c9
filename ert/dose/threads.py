"""Threads of the kernels: while a dose is computed each has a processor of its own.

Left to itself the operating system lets two threads that are woken at the same moment run one after the other on one
processor: both slept there, and neither runs long enough to be moved. On two processors that was a quarter of the time
of a dose. No result depends on where a thread runs.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numba

import ert.dose.lean_loading  # noqa: F401 — before any kernel is loaded

_TASKS = Path("/proc/self/task")


def kernel_threads() -> tuple[int, ...]:
    """Ids of numba's threads in this process; none where they cannot be told.

    They are those that appear when numba starts them: asked for the first time after that, none are known. A thread of
    another kind that starts at that very moment is moved once, and free again when the dose is there.
    """
    return _started(os.getpid())


@functools.lru_cache(maxsize=1)
def _started(_process: int) -> tuple[int, ...]:
    if not (hasattr(os, "sched_setaffinity") and _TASKS.is_dir()):
        return ()  # not Linux
    before = set(_ids())
    numba.get_num_threads()  # starts them
    return tuple(sorted(set(_ids()) - before))


def _ids() -> list[int]:
    return [int(path.name) for path in _TASKS.iterdir()]


@contextlib.contextmanager
def own_processors(threads: Sequence[int]) -> Iterator[None]:
    """Keep each of these threads to a processor of its own; nothing happens unless there are as many of both."""
    allowed = sorted(os.sched_getaffinity(0)) if threads else []
    if len(threads) != len(allowed):
        yield
        return
    try:
        for thread, processor in zip(threads, allowed, strict=True):
            _move(thread, [processor])
        yield
    finally:
        for thread in threads:
            _move(thread, allowed)


def _move(thread: int, processors: Sequence[int]) -> None:
    with contextlib.suppress(OSError):  # where the system forbids it a dose comes later, and is the same
        os.sched_setaffinity(thread, processors)
