"""The isodose table: level in percent and Gy, colour, dashes, visibility; presets; wash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QSlider,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ert.errors import Refused
from ert.ui.delegates import CellDelegate, SwatchDelegate
from ert.ui.isodose import PRESETS, IsodoseLevel
from ert.ui.number_edit import NumberEdit
from ert.ui.numbers import format_number, format_quantity, parse_number
from ert.ui.prescription_panel import combo
from ert.ui.view_state import ViewState
from ert.ui.widgets import MessageStrip, text_label, tool_button

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_NO_CHOICES = Qt.ItemDataRole.UserRole + 1
_COLUMNS = ("", "Level  %", "Dose  Gy", "Dashed")
_SWATCH, _PERCENT, _GY, _DASHED = range(4)
MAX_PERCENT = 200.0


class IsodoseTableModel(QAbstractTableModel):
    """Levels of the shared view state, highest first; % and Gy are both editable.

    Signals
    -------
    refused(sentence) : why a level was not taken.
    """

    refused = Signal(str)

    def __init__(self, workspace: PlanWorkspace, state: ViewState) -> None:
        super().__init__()
        self._workspace, self._state = workspace, state
        self.levels: tuple[IsodoseLevel, ...] = ()
        state.dose_display_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Take the levels over."""
        self.beginResetModel()
        self.levels = tuple(sorted(self._state.dose_display.levels, key=lambda level: -level.percent))
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Levels."""
        return 0 if parent.isValid() else len(self.levels)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Colour, percent, Gy, dashes."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Column names with units."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Numbers, swatch and check boxes."""
        if not index.isValid():
            return None
        level, column = self.levels[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._text(level, column)
        if column == _SWATCH:
            return self._swatch(level, role)
        if role == Qt.ItemDataRole.CheckStateRole and column in (_PERCENT, _DASHED):
            is_on = level.is_visible if column == _PERCENT else level.is_dashed
            return Qt.CheckState.Checked if is_on else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (_PERCENT, _GY):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    @staticmethod
    def _swatch(level: IsodoseLevel, role: int) -> QColor | str | None:
        if role == Qt.ItemDataRole.DecorationRole:
            return QColor(*level.colour)
        return "Double-click to choose a colour" if role == Qt.ItemDataRole.ToolTipRole else None

    def _text(self, level: IsodoseLevel, column: int) -> str | None:
        if column == _PERCENT:
            return f"{level.percent:g}"
        if column == _GY:
            return format_number(self._prescribed_gy * level.percent / 100.0, 2)
        return None

    @property
    def _prescribed_gy(self) -> float:
        return self._workspace.plan.prescription.dose_gy

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Numbers editable, check boxes checkable."""
        flags = super().flags(index)
        if index.column() in (_PERCENT, _GY):
            flags |= Qt.ItemFlag.ItemIsEditable
        if index.column() in (_PERCENT, _DASHED):
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: ANN401
        """Take a new level, or a tick."""
        level, column = self.levels[index.row()], index.column()
        if role == Qt.ItemDataRole.CheckStateRole:
            is_on = Qt.CheckState(value) == Qt.CheckState.Checked
            is_visible = is_on if column == _PERCENT else level.is_visible
            is_dashed = level.is_dashed if column == _PERCENT else is_on
            self.replace(level, attrs.evolve(level, is_visible=is_visible, is_dashed=is_dashed))
            return True
        if role != Qt.ItemDataRole.EditRole:
            return False
        try:
            percent = self._free_percent(str(value), column, level)
        except Refused as error:
            self.refused.emit(str(error))
            return False
        self.replace(level, attrs.evolve(level, percent=percent))
        return True

    def _free_percent(self, text: str, column: int, level: IsodoseLevel) -> float:
        """What was typed for a level, in percent; `Refused` if another level stands there."""
        percent = self._percent(text, column)
        if any(other.percent == percent for other in self.levels if other is not level):
            raise Refused(f"There is a level of {percent:g} % already.")
        return percent

    def _percent(self, text: str, column: int) -> float:
        if column == _GY:
            top_gy = MAX_PERCENT * self._prescribed_gy / 100.0
            gy = parse_number(text, what="The level", unit="Gy", minimum=0.01, maximum=top_gy)
            return 100.0 * gy / self._prescribed_gy
        return parse_number(text, what="The level", unit="%", minimum=1, maximum=MAX_PERCENT)

    def replace(self, old: IsodoseLevel, new: IsodoseLevel) -> None:
        """Put one level in another's place."""
        self._set(tuple(new if level is old else level for level in self.levels))

    def remove(self, row: int) -> None:
        """Take a level away."""
        self._set(tuple(level for n, level in enumerate(self.levels) if n != row))

    def add(self) -> None:
        """Add a level five percent below the lowest, or at 100 %."""
        lowest = min((level.percent for level in self.levels), default=105.0)
        percent = max(lowest - 5.0, lowest / 2)
        self._set((*self.levels, IsodoseLevel(percent=round(percent, 2), colour=(220, 220, 220))))

    def _set(self, levels: tuple[IsodoseLevel, ...]) -> None:
        self._state.set_dose_display(attrs.evolve(self._state.dose_display, levels=levels))


class IsodosePanel(QWidget):
    """Isodose table with presets and the wash's settings."""

    def __init__(self, workspace: PlanWorkspace, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self._state = workspace, state
        self.model = IsodoseTableModel(workspace, state)
        self.message = MessageStrip()
        self.reference = text_label()
        self.table = QTableView()
        self.preset = combo("Isodose preset", [(levels, name) for name, levels in PRESETS.items()])
        self.has_lines = QCheckBox("Isodose lines  (I)")
        self.has_wash = QCheckBox("Colour wash  (W)")
        self.threshold = NumberEdit("The wash threshold", "%", decimals=0, minimum=0, maximum=100)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self._build()
        self.model.refused.connect(self.message.show_error)
        self.threshold.refused.connect(self.message.show_error)
        state.dose_display_changed.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setItemDelegate(CellDelegate(_NO_CHOICES, table))
        table.setItemDelegateForColumn(_SWATCH, SwatchDelegate(table))
        table.setAccessibleName("Isodose levels")
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(23)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        table.horizontalHeader().setSectionResizeMode(_SWATCH, QHeaderView.ResizeMode.Fixed)
        table.setColumnWidth(_SWATCH, 34)
        table.doubleClicked.connect(self._choose_colour)
        add = tool_button("add", "Add a level")
        remove = tool_button("remove", "Remove the chosen level")
        add.clicked.connect(self.model.add)
        remove.clicked.connect(self._remove)
        self.preset.activated.connect(self._use_preset)
        self.opacity.setRange(5, 90)
        self.opacity.setAccessibleName("Wash opacity")
        self.opacity.valueChanged.connect(lambda v: self._change(opacity_frac=v / 100))
        self.has_lines.toggled.connect(lambda on: self._change(has_lines=on))
        self.has_wash.toggled.connect(lambda on: self._change(has_wash=on))
        self.threshold.entered.connect(lambda v: self._change(threshold_percent=v))
        top = QHBoxLayout()
        top.addWidget(self.preset, 1)
        top.addWidget(add)
        top.addWidget(remove)
        ticks = QHBoxLayout()
        ticks.addWidget(self.has_lines)
        ticks.addWidget(self.has_wash)
        ticks.addStretch(1)
        wash = QHBoxLayout()
        wash.addWidget(text_label("Wash from"))
        self.threshold.setMaximumWidth(70)
        wash.addWidget(self.threshold)
        wash.addWidget(text_label("opacity"))
        wash.addWidget(self.opacity, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.reference)
        layout.addLayout(top)
        layout.addWidget(self.message)
        layout.addWidget(table, 1)
        layout.addLayout(ticks)
        layout.addLayout(wash)

    def refresh(self) -> None:
        """Plan or display changed."""
        display, plan = self._state.dose_display, self._workspace.plan
        target = self._workspace.structures.structure(plan.prescription.target_number).name
        self.reference.setText(f"100 % = {format_quantity(plan.prescription.dose_gy, 2, 'Gy')}  {target}")
        for box, value in ((self.has_lines, display.has_lines), (self.has_wash, display.has_wash)):
            box.blockSignals(True)
            box.setChecked(value)
            box.blockSignals(False)
        self.opacity.blockSignals(True)
        self.opacity.setValue(round(display.opacity_frac * 100))
        self.opacity.blockSignals(False)
        self.threshold.set_value(display.threshold_percent)

    def _change(self, **changes: Any) -> None:  # noqa: ANN401
        self._state.set_dose_display(attrs.evolve(self._state.dose_display, **changes))

    def _use_preset(self, _index: int) -> None:
        self._change(levels=PRESETS[self.preset.currentText()])

    def _remove(self) -> None:
        index = self.table.currentIndex()
        if index.isValid():
            self.model.remove(index.row())

    def _choose_colour(self, index: QModelIndex) -> None:
        if index.column() != _SWATCH:
            return
        level = self.model.levels[index.row()]
        colour = QColorDialog.getColor(QColor(*level.colour), self, f"Colour of {level.percent:g} %")
        if colour.isValid():
            chosen = (colour.red(), colour.green(), colour.blue())
            self.model.replace(level, attrs.evolve(level, colour=chosen))
