"""What the patient page offers for the chosen patient's record."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from ert.app.jobs import Lane
from ert.app.patient_rows import PatientRow
from ert.app.session import SiteSession
from ert.domain.account import Right
from ert.domain.administration import PatientRecord
from ert.errors import NotFound
from ert.ui.anonymise_dialog import AnonymiseDialog
from ert.ui.merge_dialog import MergeDialog, UnmergeDialog
from ert.ui.record_dialogs import CorrectDialog, RecordDialog, StateDialog
from ert.ui.widgets import tool_button

Records = tuple[PatientRecord, ...]


class RecordActions(QObject):
    """Actions on the record of the chosen patient, in a button's menu and in the tree's.

    Parameters
    ----------
    session : SiteSession
        The site.
    chosen : callable
        The row of the chosen patient; None if nothing is chosen.
    changed, failed : callable
        Told what happened, or why not.
    parent : QWidget
        Dialogs stand over it.
    """

    def __init__(
        self,
        session: SiteSession,
        chosen: Callable[[], PatientRow | None],
        *,
        changed: Callable[[str], object],
        failed: Callable[[BaseException], object],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._session, self._chosen, self._parent = session, chosen, parent
        self._changed, self._failed = changed, failed
        self.dialog: RecordDialog | None = None
        self.correct = self._action("Correct the identity…", lambda row: self._open(row, self._correct))
        self.merge = self._action("Merge with another record…", lambda row: self._open(row, self._merge))
        self.unmerge = self._action("Take a merge apart…", lambda row: self._open(row, self._unmerge))
        self.state = self._action("Make inactive…", lambda row: self._open(row, self._state))
        self.anonymise = self._action("Anonymised copy…", lambda row: self._open(row, self._anonymise))
        self.all = (self.correct, self.merge, self.unmerge, self.state, self.anonymise)
        self.button = tool_button(
            "patient", "Correct, merge, put aside or copy the chosen patient's record", text="Record"
        )
        self.button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.button)
        menu.addActions(list(self.all))
        self.button.setMenu(menu)
        self.update_state()

    def _action(self, text: str, slot: Callable[[PatientRow], object]) -> QAction:
        action = QAction(text, self._parent)

        def run() -> None:
            row = self._chosen()
            if row is not None:
                slot(row)

        action.triggered.connect(lambda _checked=False: run())
        return action

    def update_state(self) -> None:
        """Offer what fits the chosen patient."""
        row = self._chosen()
        for action in (*self.all,):
            action.setEnabled(row is not None)
        self.button.setEnabled(row is not None)
        self.unmerge.setEnabled(row is not None and bool(row.merged))
        self.merge.setEnabled(row is not None and not row.merged)
        self.anonymise.setEnabled(row is not None and bool(row.courses))
        rights = self._session.account.rights
        for action, right in (
            (self.correct, Right.ADMINISTER),
            (self.merge, Right.ADMINISTER),
            (self.unmerge, Right.ADMINISTER),
            (self.state, Right.PLAN),
            (self.anonymise, Right.PLAN),
        ):
            action.setEnabled(action.isEnabled() and right in rights)
        self.state.setText("Make active…" if row is not None and not row.is_active else "Make inactive…")

    def _open(self, row: PatientRow, make: Callable[[PatientRow, PatientRecord, Records], RecordDialog]) -> None:
        """Read the records as they are now, then ask."""
        self._session.jobs.submit(
            Lane.IO,
            lambda _ctx: self._session.administration.records(),
            title="Reading the records",
            can_stop=False,
            supersedes="records",
            on_done=lambda records: self._show(row, make, records),
            on_failed=self._told,
        )

    def _show(
        self, row: PatientRow, make: Callable[[PatientRow, PatientRecord, Records], RecordDialog], records: Records
    ) -> None:
        record = next((r for r in records if r.patient.id == row.patient.id), None)
        if record is None:
            self._told(NotFound("This patient's record is not there any more.", hint="Read the list again."))
            return
        dialog = self.dialog = make(row, record, records)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.changed.connect(self._changed)
        dialog.open()

    def _told(self, error: BaseException) -> None:
        self._failed(error)

    def _correct(self, _row: PatientRow, record: PatientRecord, _records: Records) -> RecordDialog:
        return CorrectDialog(self._session, record, self._parent)

    def _merge(self, _row: PatientRow, record: PatientRecord, records: Records) -> RecordDialog:
        return MergeDialog(self._session, record, records, self._parent)

    def _unmerge(self, row: PatientRow, _record: PatientRecord, records: Records) -> RecordDialog:
        merged = [r for r in records if r.merged_into == row.patient.id]
        return UnmergeDialog(self._session, row.patient, merged, self._parent)

    def _state(self, _row: PatientRow, record: PatientRecord, _records: Records) -> RecordDialog:
        return StateDialog(self._session, record, self._parent)

    def _anonymise(self, _row: PatientRow, record: PatientRecord, _records: Records) -> RecordDialog:
        return AnonymiseDialog(self._session, record, self._parent)
