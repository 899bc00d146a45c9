"""What watches over an open plan's keeping: it saves by itself, shows who else is here, and asks when two collide."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from ert.app.autosave import TRIED_AGAIN, Autosave
from ert.app.changes import Changes
from ert.app.jobs import JobContext, Lane
from ert.app.plan_history import Conflict, kept_reason
from ert.domain.activity import Presence
from ert.domain.record import PlanHead
from ert.errors import DiskFull, ErtError, StaleRevision
from ert.ui.conflict_dialog import Choice, ConflictDialog
from ert.ui.failures import sentence_of

if TYPE_CHECKING:
    from ert.ui.plan_page import PlanPage

_TICK_MS = 500
_LOOK_EVERY_TICKS = 10  # every five seconds: who is here, and whether somebody saved
_BEAT_EVERY_TICKS = 30
_GB = 1e9


class PlanKeeper(QObject):
    """Autosave, presence and conflicts of one planning page.

    Parameters
    ----------
    page : PlanPage
        Its workspace is watched, messages stand on it.

    Attributes
    ----------
    autosave : the rule.
    others : who else has the plan open.
    dialog : the conflict being shown.

    Signals
    -------
    look_wanted(revision) : show that revision beside.
    """

    look_wanted = Signal(int)

    def __init__(self, page: PlanPage) -> None:
        super().__init__(page)
        self._page, self._session, self._workspace = page, page.session, page.workspace
        self.autosave = Autosave(is_on=not self._is_idle)
        self.others: tuple[Presence, ...] = ()
        self.dialog: ConflictDialog | None = None
        self._seen_revision = self._workspace.revision
        self._told_keep_error: BaseException | None = None
        self._asked: BaseException | None = None
        self._ticks = 0
        self._is_looking = False
        self._was_edited = False
        self._is_closed = False  # callbacks of jobs may come after the page went
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)
        if not self._is_idle:
            plan_id, people = self._workspace.plan.id, self._session.store.people
            self._session.jobs.submit(Lane.NET, lambda _ctx: people.enter(plan_id), title="Presence", can_stop=False)
            self._timer.start()
        if self._workspace.is_dirty:  # edits that were restored
            self.changed(Changes(plan=True))

    @property
    def _is_idle(self) -> bool:
        """Nothing to watch: an earlier revision, or a copy in which nothing can be saved."""
        store = self._session.store
        return self._workspace.is_read_only or store.is_restored_copy or bool(store.read_only_reason)

    @property
    def presence_text(self) -> str:
        """Who else is here, for the page's head; empty if nobody is."""
        names = sorted({f"{p.user} ({p.host})" for p in self.others})
        return f"also open: {', '.join(names)}" if names else ""

    # ---- following -----------------------------------------------------------------------------------------------

    def changed(self, changes: Changes) -> None:
        """The workspace changed."""
        workspace, now_s = self._workspace, time.monotonic()
        if workspace.keeping.has_edits:
            self._was_edited = True
        # a dose that arrives changes monitor units: worth saving behind an edit, never for having opened the plan
        has_dose = self._was_edited and workspace.dose.status == "current"
        if changes.plan and workspace.is_dirty and (workspace.keeping.has_edits or has_dose):
            self.autosave.edited(now_s)
        if not workspace.is_dirty and workspace.save_error is None:
            self.autosave.saved()
        if changes.saved:
            self._tell_keep_error()
            error = workspace.save_error
            if error is not None and error is not self._asked:
                self._asked = error
                self.autosave.failed(error, now_s)
                if isinstance(error, StaleRevision):
                    self.show_conflict()

    def failure_text(self, error: BaseException) -> str:
        """What the strip says of a save that failed: why, what is left, where the edits are, what happens next."""
        parts = [f"NOT SAVED. {sentence_of(error)}"]
        if isinstance(error, DiskFull):
            parts.append(self._free_text())
        kept = self._workspace.keeping.kept_at
        if kept is None:
            parts.append("Your edits are still open here.")
        else:
            parts.append(f"Your edits are open here and kept on this workstation ({kept.astimezone():%H:%M:%S}).")
        if isinstance(error, TRIED_AGAIN) and self.autosave.is_on:
            parts.append("Saving is tried again by itself.")
        return " ".join(part for part in parts if part)

    def _free_text(self) -> str:
        try:
            free = shutil.disk_usage(self._session.site_path).free
        except OSError:
            return ""
        return f"{free / _GB:.2f} GB are free there."

    def _tell_keep_error(self) -> None:
        error = self._workspace.keeping.keep_error
        if error is not None and error is not self._told_keep_error:
            self._page.message.show_error(sentence_of(error))
        self._told_keep_error = error

    # ---- by itself -----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        workspace = self._workspace
        is_computing = workspace.dose.status == "computing"
        if not workspace.keeping.is_saving and self.autosave.is_due(time.monotonic(), is_computing=is_computing):
            self._autosave()
        if self._ticks % _LOOK_EVERY_TICKS == 0:
            self.look()
        self._ticks += 1

    def _autosave(self) -> None:
        if not self._workspace.is_dirty:
            self.autosave.saved()
            return
        try:
            self._workspace.save(reason="autosave")
        except ErtError as error:  # the right to save was taken away meanwhile
            self.autosave.failed(error, time.monotonic())
            self._page.message.show_error(f"NOT SAVED. {sentence_of(error)}")

    def look(self) -> None:
        """See who else has the plan open, and whether somebody saved it."""
        if self._is_looking:
            return  # the share hangs: what was asked will be answered, or not
        self._is_looking = True
        plan_id, people = self._workspace.plan.id, self._session.store.people

        is_beating = self._ticks % _BEAT_EVERY_TICKS == 0

        def who(_ctx: JobContext) -> tuple[Presence, ...]:
            if is_beating:
                people.beat()
            return people.others(plan_id)

        self._session.jobs.submit(
            Lane.NET, who, title="Presence", can_stop=False, on_done=self._look_further, on_failed=self._not_found
        )

    def _look_further(self, others: tuple[Presence, ...]) -> None:
        if self._is_closed:
            return
        self._show_others(others)
        reason = self._session.store.read_only_reason
        if reason and self.autosave.is_on:  # it was not so when the plan was opened
            self.autosave.is_on = False
            self._page.message.show_error(reason)
        plan_id, history = self._workspace.plan.id, self._session.history

        def newest(_ctx: JobContext) -> tuple[PlanHead, ...]:
            try:
                return (history.head(plan_id),)
            except ErtError:
                return ()  # while the site does not answer; every save tells that better

        title = "Looking for a newer revision"
        self._session.jobs.submit(
            Lane.DB, newest, title=title, can_stop=False, on_done=self._show_head, on_failed=self._not_found
        )

    def _looked(self) -> None:
        self._is_looking = False

    def _not_found(self, _error: BaseException) -> None:
        self._looked()

    def _show_others(self, others: tuple[Presence, ...]) -> None:
        come = [p for p in others if p not in self.others]
        if others == self.others or self._is_closed:
            return
        self.others = others
        for presence in come:
            self._page.message.show_warning(
                f"{presence.user} has this plan open too, on {presence.host} since "
                f"{presence.since.astimezone():%H:%M}. Who saves second will be asked."
            )
        self._page.plan_shown.emit()

    def _show_head(self, found: tuple[PlanHead, ...]) -> None:
        self._looked()
        for head in found:
            self._compare_head(head)

    def _compare_head(self, head: PlanHead) -> None:
        """Somebody saved: say so before the edits here collide with it."""
        workspace = self._workspace
        if (
            self._is_closed
            or head.revision <= max(self._seen_revision, workspace.revision)
            or workspace.keeping.is_saving
        ):
            return
        self._seen_revision = head.revision
        if workspace.is_dirty and workspace.save_error is None:
            self.show_conflict()
        elif not workspace.is_dirty:
            self._page.message.show_warning(
                f"{head.saved_by} saved revision {head.revision} of this plan at "
                f"{head.saved_at.astimezone():%H:%M:%S}; you see revision {workspace.revision}. "
                "Compare and take it with Plan, Newest revision…"
            )

    # ---- conflict ------------------------------------------------------------------------------------------------

    def show_conflict(self) -> None:
        """Show what a colleague saved beside what was edited here, and ask."""
        workspace, history = self._workspace, self._session.history
        mine, base = workspace.plan, workspace.revision
        names = {s.number: s.name for s in workspace.structures.structures}
        self._session.jobs.submit(
            Lane.IO,
            lambda _ctx: history.conflict(mine, base_revision=base, structures=names),
            title="Comparing with the colleague's revision",
            supersedes=f"conflict {mine.id}",
            on_done=self._ask,
            on_failed=self._not_compared,
        )

    def _not_compared(self, error: BaseException) -> None:
        if not self._is_closed:
            self._page.message.show_error(sentence_of(error))

    def _ask(self, conflict: Conflict) -> None:
        if self._is_closed:
            return
        if self._workspace.revision != conflict.base.revision or conflict.theirs.revision == conflict.base.revision:
            self._page.message.show_note(f"You see the newest revision, r{self._workspace.revision}.")
            return
        self.close_dialog()
        self._seen_revision = max(self._seen_revision, conflict.theirs.revision)
        dialog = self.dialog = ConflictDialog(conflict, self._page)
        dialog.chosen.connect(lambda choice: self.decide(choice, conflict))
        dialog.finished.connect(self._forget_dialog)
        dialog.open()

    def decide(self, choice: Choice, conflict: Conflict) -> None:
        """Do what was chosen; a refusal is told."""
        try:
            self._decide(choice, conflict)
        except ErtError as error:
            self._page.message.show_error(sentence_of(error))

    def _decide(self, choice: Choice, conflict: Conflict) -> None:
        workspace, theirs = self._workspace, conflict.theirs
        if choice is Choice.LOOK:
            self.look_wanted.emit(theirs.revision)
        elif choice is Choice.SAVE_AS_NEW:
            self._page.actions_.save_as.trigger()
        elif choice is Choice.KEEP_MINE:
            self.autosave.saved()
            workspace.keeping.rebase(theirs)
            workspace.save(reason=kept_reason(theirs))
        else:
            self.autosave.saved()
            workspace.apply(f"Take revision {theirs.revision} by {theirs.saved_by}", lambda _plan: theirs.plan)
            workspace.keeping.rebase(theirs)

    def _forget_dialog(self) -> None:
        self.dialog = None

    def close_dialog(self) -> None:
        """Take a conflict that is shown away, undecided."""
        if self.dialog is not None:
            dialog, self.dialog = self.dialog, None
            dialog.reject()
            dialog.deleteLater()

    def close(self) -> None:
        """Stop watching; the plan is no longer open here."""
        self._is_closed = True
        self._timer.stop()
        self.close_dialog()
        if not self._is_idle:
            plan_id, people = self._workspace.plan.id, self._session.store.people
            self._session.jobs.submit(Lane.NET, lambda _ctx: people.leave(plan_id), title="Presence", can_stop=False)
