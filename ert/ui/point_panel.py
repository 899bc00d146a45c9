"""The plan's points with their doses: made at the crosshair, named, found again, removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ert.app.point_doses import PointDose, point_doses
from ert.domain.plan import Plan, free_point_name, with_point, without_point
from ert.domain.structure import PointKind, PointOfInterest
from ert.errors import ErtError
from ert.ui.numbers import format_number
from ert.ui.tables import result_table
from ert.ui.view_state import ViewState
from ert.ui.widgets import MessageStrip, dim_label, plain_tip, push_button

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_FIXED = 3  # name, position, total; a column a beam follows
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


class PointTableModel(QAbstractTableModel):
    """One row a point; its name can be edited.

    Signals
    -------
    renamed(point_id, name) : the user typed another name.
    """

    renamed = Signal(str, str)

    def __init__(self, workspace: PlanWorkspace, state: ViewState) -> None:
        super().__init__()
        self._workspace, self._state = workspace, state
        self.rows: tuple[PointDose, ...] = ()
        state.dose_display_changed.connect(self.refresh)

    def refresh(self) -> None:
        """Take the present points and doses."""
        self.beginResetModel()
        self.rows = point_doses(self._workspace.plan, self._workspace.dose)
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Points."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Name, position, total, and each beam."""
        return 0 if parent.isValid() else _FIXED + len(self._workspace.plan.beams)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Names with units."""
        if orientation != Qt.Orientation.Horizontal or role != Qt.ItemDataRole.DisplayRole:
            return None
        unit = "Gy" if self._state.dose_display.is_absolute else "%"
        beams = (f"{beam.name}\n{unit}" for beam in self._workspace.plan.beams)
        return ("Point", "x, y, z\ncm (DICOM)", f"Plan\n{unit}", *beams)[section]

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Names can be typed."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == 0 else flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Texts."""
        if not index.isValid():
            return None
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.TextAlignmentRole and column > 0:
            return _RIGHT
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(row.problem or row.point.name)
        is_text = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole)
        return self._text(row, column) if is_text else None

    def _text(self, row: PointDose, column: int) -> str:
        if column == 0:
            return row.point.name
        if column == 1:
            return ", ".join(format_number(v, 2) for v in row.point.position_cm)
        doses = (row.total_gy, *row.beams_gy)
        return self._dose_text(doses[column - 2]) if column - 2 < len(doses) else "–"

    def _dose_text(self, gy: float | None) -> str:
        if gy is None:
            return "–"
        if self._state.dose_display.is_absolute:
            return format_number(gy, 2)
        return format_number(100.0 * gy / self._workspace.plan.prescription.dose_gy, 1)

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: ANN401
        """Ask for another name."""
        if role != Qt.ItemDataRole.EditRole or index.column() != 0:
            return False
        self.renamed.emit(self.rows[index.row()].point.id, str(value).strip())
        return True


class PointPanel(QWidget):
    """Table of points with the buttons that change it."""

    def __init__(self, workspace: PlanWorkspace, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self._state = workspace, state
        self.model = PointTableModel(workspace, state)
        self.message = MessageStrip()
        self.stated = dim_label()
        self.table = result_table(self.model, "Dose at points", stretch=0)
        self.add_button = push_button("At crosshair", "add", "Make a point of this plan where the crosshair is")
        self.go_button = push_button("Go to", "search", "Move the crosshair to the chosen point")
        self.remove_button = push_button("Remove", "remove", "Remove the chosen point")
        heads = QHBoxLayout()
        heads.addWidget(self.stated)
        heads.addStretch(1)
        for button, action in (
            (self.add_button, self._add), (self.go_button, self._go), (self.remove_button, self._remove),
        ):  # fmt: skip
            button.clicked.connect(action)
            heads.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(3)
        layout.addLayout(heads)
        layout.addWidget(self.message)
        layout.addWidget(self.table, 1)
        self.model.renamed.connect(self._rename)
        self.table.doubleClicked.connect(lambda index: self._go() if index.column() > 0 else None)
        self.table.selectionModel().currentChanged.connect(lambda *_: self._follow_choice())
        self.model.modelReset.connect(self._follow_choice)
        self.refresh()

    def refresh(self) -> None:
        """Plan or dose changed."""
        self.stated.setText(self._workspace.plan.dose_to.phrase.capitalize())
        self.stated.setToolTip(plain_tip("Dose of the whole course"))
        self.model.refresh()

    @property
    def _chosen(self) -> PointOfInterest | None:
        row = self.table.currentIndex().row()
        return self.model.rows[row].point if 0 <= row < len(self.model.rows) else None

    def _follow_choice(self) -> None:
        for button in (self.go_button, self.remove_button):
            button.setEnabled(self._chosen is not None)

    def _add(self) -> None:
        name = free_point_name(self._workspace.plan)
        point = PointOfInterest(name=name, position_cm=self._state.crosshair_cm, kind=PointKind.REFERENCE)
        self._apply(f"Add point {name}", lambda plan: with_point(plan, point))

    def _go(self) -> None:
        if self._chosen is not None:
            self._state.set_crosshair(self._chosen.position_cm)

    def _remove(self) -> None:
        point = self._chosen
        if point is not None:
            self._apply(f"Remove point {point.name}", lambda plan: without_point(plan, point.id))

    def _rename(self, point_id: str, name: str) -> None:
        self._apply("Rename point", lambda plan: with_point(plan, attrs.evolve(plan.point(point_id), name=name)))

    def _apply(self, label: str, edit: Callable[[Plan], Plan]) -> None:
        self.message.clear()
        try:
            self._workspace.apply(label, edit)
        except ErtError as error:
            self.message.show_error(str(error))
        self.refresh()
