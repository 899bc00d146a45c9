"""The history of a plan: its revisions, what changed between any two, and who did what; the log of the whole site."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Lane
from ert.app.plan_history import ACTIVITY_LIMIT
from ert.app.session import SiteSession
from ert.domain.account import Right
from ert.domain.activity import Activity, RevisionInfo
from ert.domain.plan_difference import Change
from ert.ui.change_tree import ChangeTree
from ert.ui.failures import sentence_of
from ert.ui.studio_tables import FactTable
from ert.ui.widgets import MessageStrip, dim_label, push_button, section_title

T = TypeVar("T")
_REVISION_HEAD = ("Revision", "Saved", "By", "Computer", "Why")
_ACTIVITY_HEAD = ("No.", "When", "Who", "Computer", "What", "Of", "Rev.", "Detail")
_DETAIL = len(_ACTIVITY_HEAD) - 1


class HistoryDialog(QDialog):
    """Revisions with their differences, and the activity log.

    Parameters
    ----------
    plan_id, plan_name : str
        Whose history; empty for the log of the whole site only.

    Signals
    -------
    look_wanted(revision), restore_wanted(revision) : asked for with the buttons.
    """

    look_wanted = Signal(int)
    restore_wanted = Signal(int)

    def __init__(
        self, session: SiteSession, *, plan_id: str = "", plan_name: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._plan_id = session, plan_id
        self._revisions: tuple[RevisionInfo, ...] = ()
        self.setWindowTitle(f"History of '{plan_name}'" if plan_id else "Activity log of the site")
        self.resize(1180, 660)
        self.message = MessageStrip()
        self.revisions = FactTable("Revisions", _REVISION_HEAD, stretch=4)
        self.before, self.after = QComboBox(), QComboBox()
        self.changes = ChangeTree("Differences")
        self.activity = FactTable("Activity", _ACTIVITY_HEAD, stretch=5)
        self.activity.horizontalHeader().setSectionResizeMode(_DETAIL, QHeaderView.ResizeMode.Interactive)
        self.activity.setColumnWidth(_DETAIL, 330)
        self.count = dim_label()
        self.look = push_button("Look at it", "eye", "Open the chosen revision in a window of its own, read-only")
        self.restore = push_button(
            "Restore…", "undo", "Save the chosen revision's content as the newest revision; those in between stay"
        )
        self.export = push_button(
            "Export as CSV…", "export", "Write the whole log as a table; it holds patients' names"
        )
        self.close_button = push_button("Close", "close", "Leave the history")
        self.tabs = QTabWidget()
        self._build()
        may_export = Right.ADMINISTER in session.account.rights
        self.export.setEnabled(may_export)
        if not may_export:
            self.export.setToolTip("Exporting the log needs an administrator's account")
        self.refresh()

    def _build(self) -> None:
        self.tabs.setDocumentMode(True)
        if self._plan_id:
            self.tabs.addTab(self._revisions_tab(), "Revisions")
        self.tabs.addTab(self._activity_tab(), "Who did what")
        slots: tuple[tuple[object, Callable[[], object]], ...] = (
            (self.look, lambda: self.look_wanted.emit(self.chosen_revision)),
            (self.restore, lambda: self.restore_wanted.emit(self.chosen_revision)),
            (self.export, self._ask_export),
            (self.close_button, self.reject),
        )
        for button, slot in slots:
            button.setAutoDefault(False)  # type: ignore[attr-defined]
            button.clicked.connect(lambda _checked=False, slot=slot: slot())  # type: ignore[attr-defined]
        bottom = QHBoxLayout()
        bottom.addStretch(1)
        bottom.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.message)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(bottom)

    def _revisions_tab(self) -> QWidget:
        self.revisions.itemSelectionChanged.connect(self._row_chosen)
        for box, name in ((self.before, "Compare from"), (self.after, "Compare to")):
            box.setAccessibleName(name)
            box.activated.connect(lambda _n: self.compare())
        left, right = QWidget(), QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 8, 0, 0)
        column.addWidget(self.revisions, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.look)
        buttons.addWidget(self.restore)
        buttons.addStretch(1)
        column.addLayout(buttons)
        compare = QHBoxLayout()
        for widget in (section_title("What changed from"), self.before, section_title("to"), self.after):
            compare.addWidget(widget)
        compare.addStretch(1)
        side = QVBoxLayout(right)
        side.setContentsMargins(8, 8, 0, 0)
        side.addLayout(compare)
        side.addWidget(self.changes, 1)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(right)
        split.setSizes([560, 600])
        split.setChildrenCollapsible(False)
        return split

    def _activity_tab(self) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 8, 0, 0)
        column.addWidget(self.activity, 1)
        row = QHBoxLayout()
        row.addWidget(self.count, 1)
        row.addWidget(self.export)
        column.addLayout(row)
        return whole

    # ---- content -------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read revisions and log anew, in the background."""
        history, plan_id = self._session.history, self._plan_id

        def read() -> tuple[tuple[RevisionInfo, ...], tuple[Activity, ...]]:
            if not plan_id:
                return (), history.site_activity()
            return history.revisions(plan_id), history.activity(plan_id)

        self._run("Reading the history", read, self._show)

    def _show(self, found: tuple[tuple[RevisionInfo, ...], tuple[Activity, ...]]) -> None:
        self._revisions, entries = found
        rows = [
            (f"r{r.revision}", f"{r.saved_at.astimezone():%Y-%m-%d %H:%M:%S}", r.saved_by, r.host, r.reason)
            for r in self._revisions
        ]
        self.revisions.show_rows(rows)
        for box in (self.before, self.after):
            box.clear()
            for r in self._revisions:
                box.addItem(f"r{r.revision}", r.revision)
        if self._revisions:
            self.revisions.selectRow(0)
        self.activity.show_rows([_activity_row(e) for e in entries])
        more = f"The newest {ACTIVITY_LIMIT} rows; the export holds all." if len(entries) == ACTIVITY_LIMIT else ""
        self.count.setText(more or f"{len(entries)} rows. Reading, exporting and printing stand here too.")

    @property
    def chosen_revision(self) -> int:
        """The revision of the selected row; 0 if none is."""
        rows = {index.row() for index in self.revisions.selectedIndexes()}
        return self._revisions[min(rows)].revision if rows else 0

    def _row_chosen(self) -> None:
        """Compare the chosen revision with the one before it."""
        revision = self.chosen_revision
        newest = self._revisions[0].revision if self._revisions else 0
        self.look.setEnabled(revision > 0)
        self.restore.setEnabled(0 < revision < newest)
        if revision:
            self.before.setCurrentIndex(max(0, self.before.findData(max(1, revision - 1))))
            self.after.setCurrentIndex(self.after.findData(revision))
            self.compare()

    def compare(self) -> None:
        """Show what differs between the two chosen revisions."""
        before, after = self.before.currentData(), self.after.currentData()
        if before is None or after is None:
            return
        history, plan_id = self._session.history, self._plan_id

        def show(changes: tuple[Change, ...]) -> None:
            if (before, after) == (self.before.currentData(), self.after.currentData()):
                self.changes.empty_text = "The first revision" if before == after == 1 else "No difference"
                self.changes.show_changes(changes, before=f"r{before}", after=f"r{after}")

        self._run("Comparing revisions", lambda: history.difference(plan_id, before, after), show)

    # ---- actions -------------------------------------------------------------------------------------------------

    def _ask_export(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Activity log", "activity.csv", "Table (*.csv)")
        if chosen:
            self.export_to(Path(chosen))

    def export_to(self, path: Path) -> None:
        """Write the log as CSV, in the background."""
        history, plan_id = self._session.history, self._plan_id

        def written(count: int) -> None:
            self.message.show_note(f"{count} rows were written to {path}. They hold patients' names.")
            self.refresh()

        self._run("Writing the activity log", lambda: history.export_activity(path, record=plan_id), written)

    def _run(self, title: str, work: Callable[[], T], on_done: Callable[[T], None]) -> None:
        self._session.jobs.submit(
            Lane.IO, lambda _ctx: work(), title=title, can_stop=False, on_done=on_done, on_failed=self._failed
        )

    def _failed(self, error: BaseException) -> None:
        self.message.show_error(sentence_of(error))


def _activity_row(entry: Activity) -> tuple[str, ...]:
    revision = "" if entry.revision is None else f"r{entry.revision}"
    return (
        str(entry.number),
        f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}",
        entry.user,
        entry.host,
        entry.event,
        entry.subject,
        revision,
        entry.detail,
    )
