"""Work that only one may do at a time, as services do it: the lock is taken and given back where the database lives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ert.app.record_ports import ExclusiveLocks, LockLease
from ert.app.tissue_library import Run


@contextlib.contextmanager
def holding(locks: ExclusiveLocks, run: Run, take: Callable[[], LockLease]) -> Iterator[None]:
    """Hold an exclusive lock meanwhile; what is decided on is to be read within.

    Parameters
    ----------
    locks : ExclusiveLocks
        Of the opened site.
    run : Run
        Runs a function where the site's database may be used.
    take : callable
        Takes it: one of the methods of `locks`.

    Raises
    ------
    LockHeld
        A colleague has it: who, where, since when.
    """
    lease = run(take)
    try:
        yield
    finally:
        run(lambda: locks.release(lease))
