"""Clearing away what interrupted saves left in the opened site: once a day for all workstations, while nobody waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ert.app.jobs import JobContext
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.tissue_library import Run
from ert.domain.sweep import Swept
from ert.errors import Cancelled, LockHeld


@guarded
class Housekeeping:
    """Every method may run on any thread.

    Parameters
    ----------
    store : SiteStore
        The site.
    db : Run
        Runs a function where the site's database may be used.
    """

    def __init__(self, store: SiteStore, db: Run) -> None:
        self._store = store
        self._db = db
        self._busy = threading.Lock()
        self._is_closing = threading.Event()

    def sweep_if_due(self, ctx: JobContext) -> Swept | None:
        """Clear away unused files if nobody did so for a day; None if it is not due or a colleague is at it.

        Raises
        ------
        Refused, Unavailable, Untrusted, LockLost
            It stopped; the next time goes on.
        """
        if self._is_closing.is_set() or not self._db(self._store.is_sweep_due):
            return None
        try:
            return self._sweep(ctx)
        except LockHeld:
            return None  # a backup or another workstation's sweep: there is another hour

    def sweep(self, ctx: JobContext) -> Swept:
        """Clear away unused files now; raises `LockHeld` while a backup is made or a colleague does so."""
        return self._sweep(ctx)

    def cancel(self) -> None:
        """Ask what runs to stop, and let nothing begin: the site is about to be closed."""
        self._is_closing.set()

    def stop(self) -> None:
        """Stop what runs and wait for it: the keys are about to be forgotten."""
        self._is_closing.set()
        with self._busy:
            pass

    def _sweep(self, ctx: JobContext) -> Swept:
        with self._busy:
            return self._store.sweep(progress=self._watched(ctx))

    def _watched(self, ctx: JobContext) -> Callable[[float, str], None]:
        def progress(fraction: float, text: str) -> None:
            ctx.check()
            if self._is_closing.is_set():
                raise Cancelled("The site is being closed.")
            ctx.progress(fraction, text)

        return progress
