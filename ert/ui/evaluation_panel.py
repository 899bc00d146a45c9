"""Dose–volume metrics of every structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QVBoxLayout, QWidget

from ert.domain.dvh import Dvh
from ert.ui.delegates import SwatchDelegate
from ert.ui.isodose import Colour
from ert.ui.numbers import format_number
from ert.ui.tables import result_table
from ert.ui.theme import TEXT_DIM, WARN
from ert.ui.view_state import ViewState
from ert.ui.widgets import plain_tip

if TYPE_CHECKING:
    from ert.ui.shown_plan import ShownPlan

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_NAME, _VOLUME = 1, 2
_DOSE_METRICS = ("Min", "Mean", "Max", "D95%", "D50%", "D2%")
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


@attrs.frozen(kw_only=True)
class _Row:
    """A structure's texts as they are shown; painting asks for each of them again and again."""

    number: int
    colour: Colour
    tip: str
    texts: tuple[str, ...]


class MetricTableModel(QAbstractTableModel):
    """One row a structure; doses in the unit the whole page uses, those of a preview dim and below its name."""

    def __init__(self, workspace: ShownPlan, state: ViewState) -> None:
        super().__init__()
        self._workspace, self._state = workspace, state
        self._rows: list[_Row] = []
        self._is_preview = False
        self._heads = self._head_texts()
        state.dose_display_changed.connect(self.refresh)

    def refresh(self) -> None:
        """Take the present histograms; the heads say what they are of. Columns that still fit stay as wide."""
        workspace = self._workspace
        rows = [self._row(dvh) for dvh in workspace.shown_dvhs]
        is_preview = bool(rows) and not workspace.dose.is_current
        heads = self._head_texts(is_preview=is_preview)
        if heads != self._heads or not _fits(rows, self._rows):
            self.beginResetModel()
            self._rows, self._heads, self._is_preview = rows, heads, is_preview
            self.endResetModel()
            return
        before, self._rows = self._rows, rows
        for number, (old, new) in enumerate(zip(before, rows, strict=True)):
            if old != new:
                self.dataChanged.emit(self.index(number, 0), self.index(number, self.columnCount() - 1))

    def _head_texts(self, *, is_preview: bool = False) -> tuple[str, ...]:
        unit = "Gy" if self._state.dose_display.is_absolute else "%"
        structure = "PREVIEW\nnot to report" if is_preview else "Structure"
        return ("", structure, "Volume\ncm³", *(f"{name}\n{unit}" for name in _DOSE_METRICS))

    def _row(self, dvh: Dvh) -> _Row:
        values = (self._workspace.shown_metric(dvh.structure_number, name) for name in _DOSE_METRICS)
        texts = ("", dvh.name, format_number(dvh.volume_cc, 1), *map(self._dose_text, values))
        return _Row(number=dvh.structure_number, colour=dvh.colour, tip=_tip(dvh), texts=texts)

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Structures with a histogram."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Swatch, name, volume, metrics."""
        return 0 if parent.isValid() else 3 + len(_DOSE_METRICS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Names with units."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.ForegroundRole and section == _NAME and self._is_preview:
            return QColor(WARN)
        return self._heads[section] if role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Numbers."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return row.texts[column] or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column > 1 else None
        if role == Qt.ItemDataRole.ForegroundRole:
            return QColor(TEXT_DIM) if column > _VOLUME and self._is_preview else None
        if role == Qt.ItemDataRole.DecorationRole:
            return QColor(*row.colour) if column == 0 else None
        return row.tip if role == Qt.ItemDataRole.ToolTipRole else None

    def _dose_text(self, gy: float | None) -> str:
        if gy is None:
            return "–"
        if self._state.dose_display.is_absolute:
            return format_number(gy, 2)
        return format_number(100.0 * gy / self._workspace.plan.prescription.dose_gy, 1)


def _fits(rows: list[_Row], before: list[_Row]) -> bool:
    """Whether these are the same structures and no column's longest text is longer than it was."""
    if not rows or [row.number for row in rows] != [row.number for row in before]:
        return False
    new, old = (zip(*(row.texts for row in some), strict=True) for some in (rows, before))
    return all(max(map(len, now)) <= max(map(len, then)) for now, then in zip(new, old, strict=True))


def _tip(dvh: Dvh) -> str:
    if dvh.outside_cc <= 0:
        return plain_tip(dvh.name)
    outside = f"{format_number(dvh.outside_cc, 1)} cm³ lie outside the dose grid and count as receiving nothing."
    return plain_tip(f"{dvh.name}: {outside}")


class EvaluationPanel(QWidget):
    """Metrics of every structure; the swatches are those of the histograms' curves."""

    def __init__(self, workspace: ShownPlan, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.metrics = MetricTableModel(workspace, state)
        self.metric_table = result_table(self.metrics, "Dose-volume metrics", stretch=_NAME)
        self.metric_table.setItemDelegateForColumn(0, SwatchDelegate(self.metric_table))
        self.metric_table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        head = self.metric_table.horizontalHeader()
        for column in range(self.metrics.columnCount()):
            if column != _NAME:  # by itself Qt measures every cell of the table for each that changes
                head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
        self.metrics.modelReset.connect(self._fit_columns)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.metric_table)
        self.refresh()

    def _fit_columns(self) -> None:
        for column in range(self.metrics.columnCount()):
            if column != _NAME:
                self.metric_table.resizeColumnToContents(column)

    def refresh(self) -> None:
        """Plan, dose or histograms changed."""
        self.metrics.refresh()
