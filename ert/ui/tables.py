"""What tables of results share: their look, and the model of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()


class RowsModel(QAbstractTableModel):
    """A table of a list: fixed heads, rows counted from 1; what a cell says is the subclass's own.

    Parameters
    ----------
    heads : of the columns, with units.
    items : gives what the rows are of, as it is now.
    """

    def __init__(self, heads: Sequence[str], items: Callable[[], Sequence[object]]) -> None:
        super().__init__()
        self._heads, self._items = tuple(heads), items

    def rowCount(self, parent: Index = ROOT) -> int:
        """Items."""
        return 0 if parent.isValid() else len(self._items())

    def columnCount(self, parent: Index = ROOT) -> int:
        """Heads."""
        return 0 if parent.isValid() else len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Names with units; rows are counted in their order."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return self._heads[section] if orientation == Qt.Orientation.Horizontal else str(section + 1)


def result_table(model: QAbstractTableModel, name: str, *, stretch: int) -> QTableView:
    """A compact table; the column ``stretch`` takes the room that is left."""
    table = QTableView()
    table.setModel(model)
    table.setAccessibleName(name)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(21)
    table.setShowGrid(False)
    table.setAlternatingRowColors(True)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setMinimumSectionSize(24)
    header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)
    header.setStyleSheet("QHeaderView::section { padding: 3px 2px; }")
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
    return table
