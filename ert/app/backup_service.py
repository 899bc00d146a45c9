"""Backups of the opened site: made while everybody works, and told of when they fail to appear."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path

import attrs

from ert.app.jobs import JobContext
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.tissue_library import Run
from ert.domain.backup import BackupInfo, Retention, is_due, is_overdue
from ert.domain.record import Finding, Severity
from ert.errors import Cancelled, ErtError, Refused

FILES_LEVEL = 3


@attrs.frozen(kw_only=True)
class BackupPlan:
    """Where backups of a site go on this workstation, how often, and which are kept.

    Attributes
    ----------
    folder : None until one was chosen.
    every_hours : while the window is open; 0 for never.
    rule : which backups are kept; an empty one removes none.
    """

    folder: Path | None = None
    every_hours: int = 0
    rule: Retention = attrs.field(factory=Retention)


@attrs.frozen(kw_only=True)
class BackupStanding:
    """How a site's backups stand.

    Attributes
    ----------
    last : when the newest complete one was begun.
    is_due : the schedule asks for one now.
    finding : what somebody should look at; None if all is well.
    """

    last: dt.datetime | None
    is_due: bool
    finding: Finding | None


@guarded
class BackupService:
    """Makes, lists and verifies backups of one opened site; every method may run on any thread.

    Parameters
    ----------
    store : SiteStore
        The site.
    db : Run
        Runs a function where the site's database may be used.
    clock : callable
        Returns the time in UTC.
    """

    def __init__(self, store: SiteStore, db: Run, clock: Callable[[], dt.datetime] | None = None) -> None:
        self._store = store
        self._db = db
        self._clock = clock if clock is not None else lambda: dt.datetime.now(dt.UTC)
        self._busy = threading.Lock()
        self._is_closing = threading.Event()

    def make(self, plan: BackupPlan, ctx: JobContext, *, level: int = FILES_LEVEL) -> BackupInfo:
        """Make a backup, note it in the history, remove those the rule no longer keeps.

        Raises
        ------
        Refused
            No folder was chosen, or it cannot be used.
        Unavailable, Untrusted
            There is no new backup; earlier ones are as they were.
        """
        folder = _folder_of(plan)
        with self._busy:
            progress = self._watched(ctx)
            progress(0.0, "Copying the database")
            pending = self._db(lambda: self._store.start_backup(folder))
            info = pending.finish(level=level, progress=progress)
            self._db(lambda: self._store.record_event("backup made", detail=info.backup_id))
            if info.is_good and not plan.rule.is_empty:
                self._store.backups(folder).prune(plan.rule, progress)
        return info

    def backups(self, plan: BackupPlan) -> tuple[BackupInfo, ...]:
        """All backups in the plan's folder, oldest first."""
        return self._store.backups(_folder_of(plan)).backups()

    def verify(self, plan: BackupPlan, backup_id: str, ctx: JobContext, *, level: int) -> tuple[Finding, ...]:
        """What is wrong with a backup; empty if nothing is."""
        with self._busy:
            shelf = self._store.backups(_folder_of(plan))
            return shelf.verify(backup_id, level=level, progress=self._watched(ctx))

    def standing(self, plan: BackupPlan) -> BackupStanding:
        """How the site's backups stand now."""
        if self._store.is_restored_copy:
            return BackupStanding(last=None, is_due=False, finding=None)
        if plan.folder is None:
            none = _warning("No folder for backups of this site was chosen on this computer: Site, Backups…")
            return BackupStanding(last=None, is_due=False, finding=none)
        now = self._clock()
        try:
            newest = self._store.backups(plan.folder).newest_good()
        except ErtError as error:
            return BackupStanding(last=None, is_due=plan.every_hours > 0, finding=_warning(str(error)))
        last = None if newest is None else newest.created
        if plan.every_hours == 0:
            return BackupStanding(last=last, is_due=False, finding=None)
        finding = None
        if is_overdue(last, now, plan.every_hours):
            said = "There is no complete backup yet"
            if last is not None:
                said = f"The last backup is of {last:%Y-%m-%d %H:%M} UTC"
            finding = _warning(f"{said}; one is wanted every {plan.every_hours} hours. Look at the backup folder.")
        return BackupStanding(last=last, is_due=is_due(last, now, plan.every_hours), finding=finding)

    def cancel(self) -> None:
        """Ask what runs to stop, and let nothing begin: the site is about to be closed."""
        self._is_closing.set()

    def stop(self) -> None:
        """Stop what runs and wait for it: the keys are about to be forgotten."""
        self.cancel()
        with self._busy:
            pass

    def _watched(self, ctx: JobContext) -> Callable[[float, str], None]:
        def progress(fraction: float, text: str) -> None:
            ctx.check()
            if self._is_closing.is_set():
                raise Cancelled("The site is being closed.")
            ctx.progress(fraction, text)

        return progress


def _folder_of(plan: BackupPlan) -> Path:
    if plan.folder is None:
        raise Refused("No folder for backups was chosen.", hint="Choose one, best on another disk.")
    return plan.folder


def _warning(sentence: str) -> Finding:
    return Finding(severity=Severity.WARNING, code="BACKUP-OVERDUE", sentence=sentence)
