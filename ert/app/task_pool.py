"""Processes of this computer for dose tasks. Nothing heavy is imported here: a new process reads this first."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from ert.errors import Refused


@contextmanager
def local_pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes (spawned, so that none inherits keys, threads or an open database), sharing the processors.

    They end with the block; if it is left by an error or Ctrl-C, at once.

    Raises
    ------
    Refused
        If fewer than one is asked for.
    """
    if processes < 1:
        raise Refused(f"At least one process is needed, not {processes}.", hint="Leave out --processes.")
    threads = max(1, (os.cpu_count() or 1) // processes)
    pool = ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare, initargs=(threads,)
    )
    others = set(multiprocessing.active_children())
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        raise
    pool.shutdown(wait=True)


def _prepare(threads: int) -> None:
    """Before numba is imported: this process's share of the processors; Ctrl-C is the parent's to answer."""
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def answer(data: bytes) -> tuple[bytes, ...]:
    """Answer a dose task in a worker, which imports the engine only now."""
    from ert.app.dose_task import run_dose_task  # noqa: PLC0415 - its processors are told first

    return run_dose_task(data)
