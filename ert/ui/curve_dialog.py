"""The site's CT curves: choose one, see table and plot side by side, edit, save as the next version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QInputDialog,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.domain.ct_curve import ProblemLevel, SiteCtCurve
from ert.domain.identity import new_id
from ert.domain.image import CtCurve
from ert.domain.library import LibraryEntry
from ert.domain.materials import default_ct_curve
from ert.domain.record import Severity
from ert.errors import Refused
from ert.ui.curve_editor import CurveEditor
from ert.ui.failures import sentence_of
from ert.ui.theme import TEXT_DIM
from ert.ui.widgets import MessageStrip, dim_label, push_button

_LEVELS = {ProblemLevel.REFUSED: Severity.BLOCKER, ProblemLevel.SUSPICIOUS: Severity.WARNING}
_CSV = "CT curve (*.csv)"


class CurvesDialog(QDialog):
    """List, table, plot.

    Signals
    -------
    library_changed : a curve was stored or withdrawn.
    """

    library_changed = Signal()

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("CT curves of the site")
        self.resize(1180, 650)
        self._session, self._library = session, session.library
        self._entry: LibraryEntry[SiteCtCurve] | None = None  # None is a curve that is not stored yet
        self._is_edited = False
        self.list = QListWidget()
        self.message = MessageStrip()
        self.editor = CurveEditor(self.message)
        self.state = dim_label()
        self._buttons()
        self._build()
        self.editor.edited.connect(self._edited)
        self.list.currentRowChanged.connect(self._chosen)
        self.editor.version.activated.connect(lambda _n: self._show_version())
        self._fill_list()

    def _buttons(self) -> None:
        make = push_button
        self.new = make("New", "new", "Begin a curve with the points of the default one")
        self.withdraw = make("Withdraw…", "stop", "Keep this curve from being chosen")
        self.save = make("Save", "save", "Store the curve")
        self.close_button = make("Close", "close", "Leave the CT curves")
        pairs: tuple[tuple[Any, Callable[[], object]], ...] = (
            (self.new, self.begin_new),
            (self.withdraw, self._ask_withdraw),
            (self.save, self.submit),
            (self.close_button, self.reject),
        )
        for button, slot in pairs:
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, slot=slot: slot())

    def _build(self) -> None:
        self.list.setAccessibleName("CT curves")
        layout = QVBoxLayout(self)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self._left())
        split.addWidget(self.editor)
        split.setStretchFactor(1, 1)
        split.setSizes([210, 950])
        split.setChildrenCollapsible(False)
        layout.addWidget(self.message)
        layout.addWidget(split, 1)
        bottom = QHBoxLayout()
        bottom.addWidget(self.state, 1)
        for button in (self.withdraw, self.save, self.close_button):
            bottom.addWidget(button)
        layout.addLayout(bottom)

    def _left(self) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.list, 1)
        column.addWidget(self.new)
        return whole

    # ---- what is shown -------------------------------------------------------------------------------------------

    def _fill_list(self, select_id: str = "") -> None:
        with QSignalBlocker(self.list):
            self.list.clear()
            for entry in self._library.curves:
                mark = "" if entry.is_in_use else "  (withdrawn)"
                item = QListWidgetItem(f"{entry.value.name}   v{entry.revision}{mark}")
                item.setData(Qt.ItemDataRole.UserRole, entry.value.id)
                if not entry.is_in_use:
                    item.setForeground(QColor(TEXT_DIM))
                self.list.addItem(item)
        ids = [entry.value.id for entry in self._library.curves]
        if ids:
            with QSignalBlocker(self.list):
                self.list.setCurrentRow(ids.index(select_id) if select_id in ids else 0)
            self._show_curve(self._library.curve_history(ids[self.list.currentRow()]))
        else:
            self._show_new()

    def _chosen(self, row: int) -> None:
        if row < 0:
            return
        wanted = str(self.list.item(row).data(Qt.ItemDataRole.UserRole))
        if not self._may_leave():
            kept = "" if self._entry is None else self._entry.value.id
            with QSignalBlocker(self.list):
                ids = [entry.value.id for entry in self._library.curves]
                self.list.setCurrentRow(ids.index(kept) if kept in ids else -1)
            return
        self._show_curve(self._library.curve_history(wanted))

    def _show_curve(self, history: tuple[LibraryEntry[SiteCtCurve], ...]) -> None:
        self.editor.version.clear()
        for entry in history:
            state = "" if entry.is_in_use else ", withdrawn"
            self.editor.version.addItem(
                f"Version {entry.revision}, {entry.saved_at.astimezone():%Y-%m-%d %H:%M}, {entry.saved_by}{state}",
                entry,
            )
        self._show_version()

    def _show_version(self) -> None:
        if self._is_edited and not self._may_leave():
            return
        entry: LibraryEntry[SiteCtCurve] = self.editor.version.currentData()
        is_newest = self.editor.version.currentIndex() == 0
        self._entry, self._is_edited = entry, False
        self._open(entry.value, is_open=is_newest, is_new=False)
        self.save.setText("Save as new version")
        self.withdraw.setEnabled(is_newest and entry.is_in_use)

    def begin_new(self) -> None:
        """Begin a curve of its own with the default points."""
        if self._may_leave():
            with QSignalBlocker(self.list):
                self.list.setCurrentRow(-1)
            self._show_new()

    def _show_new(self) -> None:
        self._entry, self._is_edited = None, False
        self.editor.version.clear()
        self.editor.version.addItem("Not stored yet")
        draft = SiteCtCurve(
            curve=CtCurve(name="", points=default_ct_curve().points), scanner="", kvp=120,
            measured_on=dt.datetime.now().astimezone().date(), author=self._session.user_name,
        )  # fmt: skip
        self._open(draft, is_open=True, is_new=True)
        self.save.setText("Save")
        self.withdraw.setEnabled(False)
        self.editor.name.setFocus()

    def _open(self, value: SiteCtCurve, *, is_open: bool, is_new: bool) -> None:
        self.editor.show_curve(value, is_open=is_open, is_new=is_new)
        self.save.setEnabled(is_open)
        self.state.setText("" if is_open else "An earlier version can be looked at and exported, not changed.")

    def _edited(self) -> None:
        self._is_edited = True

    # ---- actions -------------------------------------------------------------------------------------------------

    def submit(self) -> None:
        """Store what was entered; a refusal is shown here, and the cell it is about is chosen."""
        try:
            value = self.editor.draft(new_id() if self._entry is None else self._entry.value.id)
            if self._entry is not None and value == self._entry.value and self._entry.is_in_use:
                raise Refused("Nothing was changed; there is nothing to save.")  # noqa: TRY301
        except Refused as error:
            self.editor.choose_refused_cell()
            self.message.show_error(str(error))
            return
        library, base = self._library, 0 if self._entry is None else self._entry.revision
        self._run(lambda: library.save_curve(value, base_revision=base), "Storing the CT curve")

    def _run(self, work: Callable[[], LibraryEntry[SiteCtCurve]], title: str) -> None:
        self.message.clear()
        self.save.setEnabled(False)
        self._session.jobs.submit(
            Lane.IO, lambda _ctx: work(), title=title, on_done=self._stored, on_failed=self._failed
        )

    def _stored(self, entry: LibraryEntry[SiteCtCurve]) -> None:
        self._is_edited = False
        self._fill_list(entry.value.id)
        verb = "is stored" if entry.is_in_use else "is withdrawn"
        self.message.show_note(f"CT curve '{entry.value.name}', version {entry.revision}, {verb}.")
        self.library_changed.emit()

    def _failed(self, error: BaseException) -> None:
        self.save.setEnabled(True)
        self.message.show_error(sentence_of(error))

    def _ask_withdraw(self) -> None:
        entry = self._entry
        if entry is None:
            return
        reason, is_given = QInputDialog.getText(self, "Withdraw a CT curve", f"Why must '{entry.value.name}' go?")
        if is_given:
            self.withdraw_chosen(reason)

    def withdraw_chosen(self, reason: str) -> None:
        """Withdraw the curve shown."""
        entry, library = self._entry, self._library
        if entry is not None:
            self._run(lambda: library.withdraw_curve(entry.value.id, reason), "Withdrawing the CT curve")

    def _may_leave(self) -> bool:
        """Ask about edits that are not stored."""
        if not self._is_edited:
            return True
        question = "The curve shown has changes that are not stored. Discard them?"
        buttons = QMessageBox.StandardButton.Discard | QMessageBox.StandardButton.Cancel
        answer = QMessageBox.question(self, "CT curves", question, buttons, QMessageBox.StandardButton.Cancel)
        if answer == QMessageBox.StandardButton.Discard:
            self._is_edited = False
            return True
        return False

    def reject(self) -> None:
        """Close, after asking about edits."""
        if self._may_leave():
            super().reject()
