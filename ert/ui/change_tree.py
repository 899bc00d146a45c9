"""What differs between two states of a plan: one branch for each beam, point or part, one line for each value."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from ert.domain.plan_difference import Change
from ert.ui.icons import icon
from ert.ui.theme import TEXT_DIM, WARN
from ert.ui.widgets import plain_tip

_WHAT, _BEFORE, _AFTER = range(3)
_CONTESTED_TIP = "Changed by both"
_DERIVED_TIP = "Follows from other values"


class ChangeTree(QTreeWidget):
    """A read-only tree of changes.

    Parameters
    ----------
    name : str
        For screen readers.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setColumnCount(3)
        self.setHeaderLabels(["What", "Before", "After"])
        self.setAlternatingRowColors(True)
        self.setRootIsDecorated(False)
        self.setIndentation(14)
        self.setUniformRowHeights(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.empty_text = "No difference"
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_WHAT, QHeaderView.ResizeMode.ResizeToContents)
        for column in (_BEFORE, _AFTER):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)

    def show_changes(
        self,
        changes: Sequence[Change],
        *,
        before: str = "Before",
        after: str = "After",
        contested: Collection[str] = frozenset(),
    ) -> None:
        """Show changes; ``before`` and ``after`` head the columns, keys in ``contested`` are marked."""
        self.clear()
        self.setHeaderLabels(["What", before, after])
        branches: dict[str, QTreeWidgetItem] = {}
        for change in changes:
            branch = branches.get(change.place)
            if branch is None:
                branch = branches[change.place] = QTreeWidgetItem(self, [change.place])
                branch.setFirstColumnSpanned(True)
                font = branch.font(_WHAT)
                font.setBold(True)
                branch.setFont(_WHAT, font)
            self._add(branch, change, is_contested=change.key in contested)
        self.expandAll()
        self.viewport().update()

    @staticmethod
    def _add(branch: QTreeWidgetItem, change: Change, *, is_contested: bool) -> None:
        line = QTreeWidgetItem(branch, [change.what, change.before, change.after])
        why = f"{_CONTESTED_TIP}. " if is_contested else f"{_DERIVED_TIP}. " if change.is_derived else ""
        tip = plain_tip(f"{why}{change.sentence}")
        for column in (_WHAT, _BEFORE, _AFTER):
            line.setToolTip(column, tip)
            if is_contested:
                line.setForeground(column, QColor(WARN))
            elif change.is_derived or not change.is_dosimetric:
                line.setForeground(column, QColor(TEXT_DIM))
        if is_contested:
            line.setIcon(_WHAT, icon("warning", WARN))

    def paintEvent(self, event: QPaintEvent) -> None:
        """An empty tree says that nothing differs."""
        super().paintEvent(event)
        if self.topLevelItemCount() == 0 and self.empty_text:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(TEXT_DIM))
            painter.drawText(self.viewport().rect(), int(Qt.AlignmentFlag.AlignCenter), self.empty_text)
            painter.end()
