"""The look of tables that show results."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView


def result_table(model: QAbstractItemModel, name: str, *, stretch: int) -> QTableView:
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
