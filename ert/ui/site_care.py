"""What the window does for the site as a whole: verify it, back it up on time, say when backups fail to appear."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from PySide6.QtCore import QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow

from ert.app.backup_service import BackupStanding
from ert.app.jobs import Job, JobContext, Jobs, Lane
from ert.app.session import SiteSession
from ert.domain.backup import BackupInfo
from ert.domain.record import Finding
from ert.ui.backup_settings import backup_plan
from ert.ui.backups_dialog import BackupsDialog
from ert.ui.check_dialog import CheckDialog
from ert.ui.dialogs import FindingsDialog, check_summary
from ert.ui.failures import sentence_of
from ert.ui.theme import TEXT_DIM, WARN
from ert.ui.widgets import MessageStrip, text_label

_LOOK_EVERY_MS = 60_000
_AFTER_FAILURE_LOOKS = 15  # minutes before a failed backup is tried again by itself
_TIDY_EVERY_LOOKS = 60  # first a minute after opening, when nobody waits for the screen any more


class SiteCare:
    """Actions of the Site menu, and the watch over the schedule.

    Parameters
    ----------
    window : QMainWindow
        Dialogs stand over it; it owns the actions.
    jobs : Jobs
        Dispatches to the window's thread.
    message : MessageStrip
        Where outcomes are told.
    """

    def __init__(self, window: QMainWindow, jobs: Jobs, message: MessageStrip) -> None:
        self._window, self._jobs, self._message = window, jobs, message
        self._session: SiteSession | None = None
        self._job: Job[BackupInfo] | None = None
        self._told: Finding | None = None
        self._pause = 0
        self._looks = 0
        self.dialog: BackupsDialog | None = None
        self.status = text_label()
        self.status.setAccessibleName("Backups")
        self.check_action = self._action("Verify the site…", self.choose_check)
        self.backup_action = self._action("Back up now…", self.back_up)
        self.backups_action = self._action("Backups…", self.show_backups)
        self.actions = (self.check_action, self.backup_action, self.backups_action)
        self._timer = QTimer(window)
        self._timer.setInterval(_LOOK_EVERY_MS)
        self._timer.timeout.connect(self._tick)

    def _action(self, text: str, slot: Callable[[], object]) -> QAction:
        action = QAction(text, self._window)
        action.triggered.connect(lambda _checked=False: slot())
        self._window.addAction(action)
        return action

    def set_session(self, session: SiteSession | None) -> None:
        """A site was opened, or left."""
        if session is None and self._session is not None:
            self._session.backups.cancel()
            self._session.housekeeping.cancel()
        self._session, self._told, self._pause, self._looks = session, None, 0, 0
        self.status.setText("")
        if session is None:
            self._timer.stop()
        else:
            self._timer.start()
            self.look()

    # ---- check ---------------------------------------------------------------------------------------------------

    def choose_check(self) -> None:
        """Ask how thoroughly, then verify."""
        if self._session is None:
            return
        dialog = CheckDialog(self._window, database_place=self._session.store.database_place)
        dialog.wanted.connect(self.check)
        dialog.open()

    def check(self, level: int) -> None:
        """Verify the site in the background."""
        session = self._session
        if session is None:
            return
        self._jobs.submit(
            Lane.IO,
            lambda ctx: session.check(level=level, ctx=ctx),
            title=f"Verifying the site (level {level})",
            on_done=lambda findings: self._show_check(findings, level),
            on_failed=self._failed,
        )

    def _show_check(self, findings: tuple[Finding, ...], level: int) -> None:
        named = [attrs.evolve(f, sentence=f"{f.sentence} ({f.subject})") if f.subject else f for f in findings]
        FindingsDialog("Site check", check_summary(findings, level), named, self._window).open()

    # ---- backups -------------------------------------------------------------------------------------------------

    def show_backups(self) -> None:
        """Settings and list."""
        if self._session is None:
            return
        dialog = self.dialog = BackupsDialog(self._session, self._window)
        dialog.backup_wanted.connect(self.back_up)
        dialog.plan_changed.connect(self.look)
        dialog.finished.connect(self._forget_dialog)
        dialog.open()

    def _forget_dialog(self) -> None:
        self.dialog = None

    def back_up(self) -> None:
        """Make a backup in the background; asks for a folder if none was chosen."""
        session = self._session
        if session is None or self._job is not None:
            return
        plan = backup_plan(session.store.site_id)
        if plan.folder is None:
            self.show_backups()
            return

        def work(ctx: JobContext) -> BackupInfo:
            return session.backups.make(plan, ctx)

        self._job = self._jobs.submit(
            Lane.IO,
            work,
            title="Backing up",
            on_done=self._made,
            on_failed=self._backup_failed,
            on_cancelled=lambda: self._ended(_AFTER_FAILURE_LOOKS),
        )

    def _made(self, info: BackupInfo) -> None:
        self._ended(0)
        if info.is_good:
            self._strip.show_note(f"Backup {info.backup_id}: complete and verified, {info.new_bytes / 1e6:.1f} MB new.")
        else:
            self._strip.show_error(
                f"The site is damaged: backup {info.backup_id} is incomplete ({info.flaws[0]}). Verify the site and "
                "call physics."
            )

    def _backup_failed(self, error: BaseException) -> None:
        self._ended(_AFTER_FAILURE_LOOKS)
        self._strip.show_error(f"There is no new backup. {sentence_of(error)}")

    def _ended(self, pause: int) -> None:
        self._job, self._pause = None, pause
        if self.dialog is not None:
            self.dialog.refresh()
        self.look()

    @property
    def _strip(self) -> MessageStrip:
        """Where it is read: in the dialog if that is open."""
        return self._message if self.dialog is None else self.dialog.message

    def _tick(self) -> None:
        self.look()
        if self._looks % _TIDY_EVERY_LOOKS == 0:
            self.tidy()
        self._looks += 1

    def tidy(self) -> None:
        """Clear away unused files in the background if nobody at this site did so for a day; told when it fails."""
        session = self._session
        if session is None or self._job is not None:
            return
        self._jobs.submit(
            Lane.IO,
            session.housekeeping.sweep_if_due,
            title="Clearing away unused files",
            supersedes="clear away unused files",
            on_failed=self._failed,
        )

    def look(self) -> None:
        """See how the backups stand; start one if it is due."""
        session = self._session
        if session is None:
            return
        plan = backup_plan(session.store.site_id)
        self._jobs.submit(
            Lane.IO,
            lambda _ctx: session.backups.standing(plan),
            title="Looking at the backups",
            supersedes="look at backups",
            on_done=lambda standing: self._stands(session, standing),
            on_failed=self._failed,
        )

    def _stands(self, session: SiteSession, standing: BackupStanding) -> None:
        if session is not self._session:
            return
        last = "never" if standing.last is None else f"{standing.last.astimezone():%Y-%m-%d %H:%M}"
        self.status.setText("" if session.store.is_restored_copy else f"Last backup: {last}")
        self.status.setStyleSheet(f"color: {TEXT_DIM if standing.finding is None else WARN};")
        self.status.setToolTip("" if standing.finding is None else standing.finding.sentence)
        if self._pause > 0:
            self._pause -= 1
        elif standing.is_due and self._job is None:
            self.back_up()
            return
        is_wanted = backup_plan(session.store.site_id).folder is not None
        if is_wanted and standing.finding is not None and standing.finding != self._told and self._job is None:
            self._message.show_warning(standing.finding.sentence)
        self._told = standing.finding

    def _failed(self, error: BaseException) -> None:
        self._strip.show_error(sentence_of(error))
