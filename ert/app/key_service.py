"""Renewing the keys of the opened site: what the window and the command line share."""

from __future__ import annotations

import attrs

from ert.app.jobs import JobContext
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.record_ports import PendingCode
from ert.app.tissue_library import Run
from ert.domain.site_keys import KeyState
from ert.errors import Cancelled, StaleRevision, Untrusted


@attrs.frozen(kw_only=True)
class RenewedFiles:
    """What writing files anew did: how many, and the ids of those that are damaged and stayed as they were."""

    renewed: int
    damaged: int


@guarded
class KeyService:
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

    def state(self) -> KeyState:
        """How the keys stand."""
        return self._db(self._store.keys.state)

    def prepare_recovery_code(self) -> PendingCode:
        """Begin a new recovery code."""
        return self._db(self._store.keys.prepare_recovery_code)

    def confirm_recovery_code(self, pending: PendingCode, typed: str) -> None:
        """Put it into use if it was typed back right."""
        self._db(lambda: pending.confirm(typed))

    def renew_master_key(self) -> None:
        """Put a fresh master key into use."""
        self._db(self._store.keys.renew_master_key)

    def renew_files(self, ctx: JobContext) -> RenewedFiles:
        """Write every file of earlier data keys anew, one by one, so that others are never kept waiting for long.

        May be stopped between two files and gone on with later. Damaged files are passed over; the site check names
        them.
        """
        files = self._db(self._store.keys.earlier_files)
        total, done, renewed, damaged = max(1, sum(f.size for f in files)), 0, 0, 0
        try:
            for file in files:
                ctx.check()
                ctx.progress(done / total, "Writing files under the new keys")
                done += file.size
                try:
                    self._db(lambda file=file: self._store.keys.renew_file(file))  # type: ignore[misc]
                    renewed += 1
                except StaleRevision:
                    continue  # a colleague's window does the same
                except Untrusted:
                    damaged += 1
        except Cancelled:
            self._note(renewed)
            raise
        self._note(renewed)
        ctx.progress(1.0, "")
        return RenewedFiles(renewed=renewed, damaged=damaged)

    def _note(self, renewed: int) -> None:
        if renewed:
            self._db(lambda: self._store.keys.note_renewed_files(renewed))
