"""What the window does for the records' past: the history, revisions to look at, edits found after a crash."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMessageBox

from ert.app.jobs import JobContext, Lane
from ert.app.plan_history import refuse_same, restore_reason
from ert.domain.draft import Draft, DraftsFound
from ert.domain.record import StoredPlan
from ert.errors import Refused
from ert.ui.drafts_dialog import DraftsDialog
from ert.ui.failures import sentence_of
from ert.ui.history_dialog import HistoryDialog

if TYPE_CHECKING:
    from ert.app.session import SiteSession
    from ert.app.workspace import PlanWorkspace
    from ert.ui.main_window import MainWindow
    from ert.ui.revision_window import RevisionWindow


class RecordCare:
    """Actions of the Site menu on the past, and the offer of unsaved edits at sign-in.

    Parameters
    ----------
    window : MainWindow
        Dialogs stand over it.

    Attributes
    ----------
    actions : for the menu.
    drafts, history : the dialogs, while they are shown.
    looks : windows on earlier revisions.
    """

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.drafts: DraftsDialog | None = None
        self.history: HistoryDialog | None = None
        self.looks: list[RevisionWindow] = []
        self.history_action = QAction("History of the plan…", window)
        self.activity_action = QAction("Activity log…", window)
        self.history_action.setShortcut("Ctrl+H")
        self.history_action.triggered.connect(lambda _checked=False: self.show_history())
        self.activity_action.triggered.connect(lambda _checked=False: self.show_activity())
        self.actions = (self.history_action, self.activity_action)
        window.addActions(list(self.actions))

    def set_session(self, session: SiteSession | None) -> None:
        """A site was opened, or left."""
        self.close_looks()
        if session is None:
            return
        if session.store.read_only_reason:
            self._window.message.show_error(session.store.read_only_reason)
        session.jobs.submit(
            Lane.JOURNAL,
            lambda _ctx: session.store.drafts.left_over(),
            title="Looking for unsaved edits",
            can_stop=False,
            on_done=lambda found: self._offer(session, found),
            on_failed=self._failed,
        )

    def close_looks(self) -> None:
        """Close the windows on earlier revisions."""
        for look in tuple(self.looks):
            look.close()

    def _failed(self, error: BaseException) -> None:
        self._window.message.show_error(sentence_of(error))

    # ---- unsaved edits -------------------------------------------------------------------------------------------

    def _offer(self, session: SiteSession, found: DraftsFound) -> None:
        if session is not self._window.session or not (found.drafts or found.unreadable):
            return
        dialog = self.drafts = DraftsDialog(session, found, self._window)
        dialog.restore_wanted.connect(partial(self.restore_draft, session))
        dialog.open()

    def restore_draft(self, session: SiteSession, draft: Draft) -> None:
        """Open the plan at the revision the edits began with, and put them on it, unsaved."""

        def opened(workspace: PlanWorkspace) -> None:
            if self._window.plan_page is not None or session is not self._window.session:
                workspace.close()
                self._window.message.show_note("The edits were not restored: another plan is open. They are kept.")
                return
            try:
                workspace.apply("Restore unsaved edits", lambda _plan: draft.plan)
            except Refused as error:
                workspace.close()
                self._failed(error)
                return
            workspace.keeping.take_over(draft.draft_id, self._failed)
            self._window.show_workspace(workspace)

        def work(ctx: JobContext) -> PlanWorkspace:
            return session.open_plan(draft.plan.id, ctx, revision=draft.base_revision)

        session.jobs.submit(
            Lane.IO, work, title="Opening the plan", can_stop=False, on_done=opened, on_failed=self._failed
        )

    # ---- history -------------------------------------------------------------------------------------------------

    def show_activity(self) -> None:
        """Who did what in the site."""
        session = self._window.session
        if session is not None:
            self.history = HistoryDialog(session, parent=self._window)
            self.history.open()

    def show_history(self) -> None:
        """The history of the open plan, or of the one that is selected."""
        session, page = self._window.session, self._window.plan_page
        if session is None:
            return
        if page is not None:
            plan_id, name = page.workspace.plan.id, page.workspace.plan.name
        else:
            head = None if self._window.patient_page is None else self._window.patient_page.chosen_plan
            if head is None:
                self._window.message.show_note("Choose a plan first; then its history can be shown.")
                return
            plan_id, name = head.plan_id, head.name
        dialog = self.history = HistoryDialog(session, plan_id=plan_id, plan_name=name, parent=self._window)
        dialog.look_wanted.connect(lambda revision: self.look_at(plan_id, revision))
        dialog.restore_wanted.connect(lambda revision: self._ask_restore(dialog, plan_id, revision))
        dialog.open()

    def look_at(self, plan_id: str, revision: int) -> None:
        """Open a revision read-only, in a window of its own."""
        session = self._window.session
        if session is None:
            return
        session.jobs.submit(
            Lane.IO,
            lambda ctx: session.open_plan(plan_id, ctx, revision=revision, is_read_only=True),
            title=f"Opening revision {revision}",
            can_stop=False,
            on_done=lambda workspace: self._show_look(session, workspace),
            on_failed=self._failed,
        )

    def _show_look(self, session: SiteSession, workspace: PlanWorkspace) -> None:
        from ert.ui.revision_window import RevisionWindow

        if session is not self._window.session:
            workspace.close()
            return
        look = RevisionWindow(workspace, session)
        self.looks.append(look)
        look.destroyed.connect(lambda _object=None: self.looks.remove(look))
        look.show()

    def _ask_restore(self, dialog: HistoryDialog, plan_id: str, revision: int) -> None:
        question = (
            f"Save the content of revision {revision} as the newest revision? What was saved in between stays in the "
            "history."
        )
        buttons = QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel
        answer = QMessageBox.question(
            dialog, "Restore a revision", question, buttons, QMessageBox.StandardButton.Cancel
        )
        if answer == QMessageBox.StandardButton.Yes:
            self.restore(dialog, plan_id, revision)

    def restore(self, dialog: HistoryDialog, plan_id: str, revision: int) -> None:
        """Bring a revision back: as an edit of the plan that is open, or in the site if it is not."""
        session, page = self._window.session, self._window.plan_page
        if session is None:
            return
        if page is not None and page.workspace.plan.id == plan_id:
            session.jobs.submit(
                Lane.IO,
                lambda _ctx: session.history.plan(plan_id, revision),
                title=f"Reading revision {revision}",
                on_done=lambda old: self._restore_open(dialog, page.workspace, old),
                on_failed=dialog._failed,
            )
            return
        session.jobs.submit(
            Lane.IO,
            lambda _ctx: session.history.restore(plan_id, revision),
            title=f"Restoring revision {revision}",
            can_stop=False,
            on_done=lambda stored: self._restored(dialog, revision, stored),
            on_failed=dialog._failed,
        )

    def _restore_open(self, dialog: HistoryDialog, workspace: PlanWorkspace, old: StoredPlan) -> None:
        try:
            refuse_same(old, workspace.plan)
            workspace.apply(f"Restore revision {old.revision}", lambda _plan: old.plan)
        except Refused as error:
            dialog.message.show_error(str(error))
            return
        workspace.save(
            lambda: self._restored(dialog, old.revision, workspace.stored), reason=restore_reason(old.revision)
        )

    def _restored(self, dialog: HistoryDialog, revision: int, stored: StoredPlan) -> None:
        if self.history is dialog and dialog.isVisible():
            dialog.message.show_note(f"Revision {revision} is restored as revision {stored.revision}.")
            dialog.refresh()
        if self._window.patient_page is not None and self._window.plan_page is None:
            self._window.patient_page.refresh(select_plan=stored.plan.id)
