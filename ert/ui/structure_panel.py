"""The structures: colour, name, role, visibility; nothing is recoloured silently."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QTableView, QVBoxLayout, QWidget

from ert.domain.structure import Structure, StructureRole
from ert.ui.delegates import SwatchDelegate
from ert.ui.theme import TEXT_DIM
from ert.ui.view_state import ViewState
from ert.ui.widgets import push_button

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_COLUMNS = ("", "Structure", "Type", "Contours")
_SWATCH, _NAME, _ROLE, _COUNT = range(4)
_ROLE_NAMES = {StructureRole.EXTERNAL: "External", StructureRole.ORGAN: "Organ", StructureRole.AVOIDANCE: "Avoidance",
               StructureRole.BOLUS: "Bolus", StructureRole.SUPPORT: "Support", StructureRole.CONTROL: "Control",
               StructureRole.OTHER: "–"}  # fmt: skip


class StructureTableModel(QAbstractTableModel):
    """Structures with a check box for visibility."""

    def __init__(self, workspace: PlanWorkspace, state: ViewState) -> None:
        super().__init__()
        self._workspace, self._state = workspace, state
        self.structures: tuple[Structure, ...] = workspace.structures.structures
        state.visibility_changed.connect(self._seen_changed)

    def refresh(self) -> None:
        """The plan's materials may have changed."""
        self._seen_changed()

    def _seen_changed(self) -> None:
        if self.structures:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.structures) - 1, len(_COLUMNS) - 1))

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Structures."""
        return 0 if parent.isValid() else len(self.structures)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Swatch, name, type, contours."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Column names."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Text, swatch, check state."""
        if not index.isValid():
            return None
        answers: dict[int, Callable[[Structure, int], object]] = {
            Qt.ItemDataRole.DecorationRole: self._swatch,
            Qt.ItemDataRole.CheckStateRole: self._tick,
            Qt.ItemDataRole.ForegroundRole: self._colour,
            Qt.ItemDataRole.ToolTipRole: self._tip,
            Qt.ItemDataRole.TextAlignmentRole: self._alignment,
            Qt.ItemDataRole.DisplayRole: self._text,
        }
        answer = answers.get(role)
        return None if answer is None else answer(self.structures[index.row()], index.column())

    @staticmethod
    def _swatch(structure: Structure, column: int) -> QColor | None:
        return QColor(*structure.colour) if column == _SWATCH else None

    def _tick(self, structure: Structure, column: int) -> Qt.CheckState | None:
        if column != _NAME:
            return None
        is_hidden = structure.number in self._state.visibility.hidden_structures
        return Qt.CheckState.Unchecked if is_hidden or structure.is_empty else Qt.CheckState.Checked

    @staticmethod
    def _colour(structure: Structure, _column: int) -> QColor | None:
        return QColor(TEXT_DIM) if structure.is_empty else None

    def _tip(self, structure: Structure, _column: int) -> str:
        if structure.is_empty:
            return "Nothing was contoured."
        material = self._material(structure)
        return f"ROI number {structure.number}" + (f", taken to be {material}" if material else "")

    def _material(self, structure: Structure) -> str:
        """Name of the material that the plan gives a structure; empty if none."""
        found = (o for o in self._workspace.plan.overrides if o.structure_number == structure.number)
        return next((o.material.name for o in found), "")

    @staticmethod
    def _alignment(_structure: Structure, column: int) -> int | None:
        return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter) if column == _COUNT else None

    def _text(self, structure: Structure, column: int) -> str | None:
        if column == _NAME:
            return structure.name
        if column == _ROLE:
            name, material = _ROLE_NAMES.get(structure.role, structure.role.value), self._material(structure)
            return f"{name} = {material}" if material else name
        if column == _COUNT:
            return "empty" if structure.is_empty else str(len(structure.contours))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Names carry the check box."""
        flags = super().flags(index)
        if index.isValid() and index.column() == _NAME and not self.structures[index.row()].is_empty:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: ANN401
        """Show or hide."""
        if role != Qt.ItemDataRole.CheckStateRole or index.column() != _NAME:
            return False
        is_visible = Qt.CheckState(value) == Qt.CheckState.Checked
        self._state.set_structure_visible(self.structures[index.row()].number, is_visible=is_visible)
        return True


class StructurePanel(QWidget):
    """Table of structures."""

    def __init__(self, workspace: PlanWorkspace, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.model = StructureTableModel(workspace, state)
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setItemDelegateForColumn(_SWATCH, SwatchDelegate(self.table))
        self.table.setAccessibleName("Structures")
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(23)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        every = push_button("Show all", "eye", "Show every structure")
        none = push_button("Hide all", "eye-off", "Hide every structure")
        every.clicked.connect(lambda: self._set_all(is_visible=True))
        none.clicked.connect(lambda: self._set_all(is_visible=False))
        buttons = QHBoxLayout()
        buttons.addWidget(every)
        buttons.addWidget(none)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(buttons)
        layout.addWidget(self.table, 1)

    def _set_all(self, *, is_visible: bool) -> None:
        for structure in self.model.structures:
            self._state.set_structure_visible(structure.number, is_visible=is_visible)
