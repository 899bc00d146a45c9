"""Dose–volume metrics of every structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from ert.domain.dvh import Dvh
from ert.ui.delegates import SwatchDelegate
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


class MetricTableModel(QAbstractTableModel):
    """One row a structure; doses in the unit the whole page uses, those of a preview dim and below its name."""

    def __init__(self, workspace: ShownPlan, state: ViewState) -> None:
        super().__init__()
        self._workspace, self._state = workspace, state
        self._rows: list[tuple[Dvh, list[float | None]]] = []
        state.dose_display_changed.connect(self.refresh)

    def refresh(self) -> None:
        """Take the present histograms."""
        self.beginResetModel()
        workspace = self._workspace
        self._rows = [
            (dvh, [workspace.shown_metric(dvh.structure_number, name) for name in _DOSE_METRICS])
            for dvh in workspace.shown_dvhs
        ]
        self.endResetModel()

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
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        unit = "Gy" if self._state.dose_display.is_absolute else "%"
        structure = "PREVIEW\nnot to report" if self._is_preview else "Structure"
        return ("", structure, "Volume\ncm³", *(f"{name}\n{unit}" for name in _DOSE_METRICS))[section]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Numbers."""
        if not index.isValid():
            return None
        dvh, values = self._rows[index.row()]
        column = index.column()
        looks = {
            Qt.ItemDataRole.DecorationRole: QColor(*dvh.colour) if column == 0 else None,
            Qt.ItemDataRole.TextAlignmentRole: _RIGHT if column > 1 else None,
            Qt.ItemDataRole.ToolTipRole: _tip(dvh),
            Qt.ItemDataRole.ForegroundRole: QColor(TEXT_DIM) if column > _VOLUME and self._is_preview else None,
        }
        if role != Qt.ItemDataRole.DisplayRole or column == 0:
            return looks.get(Qt.ItemDataRole(role))
        return (dvh.name, format_number(dvh.volume_cc, 1), *map(self._dose_text, values))[column - 1]

    @property
    def _is_preview(self) -> bool:
        """Whether the figures are of a dose that is not the plan's own."""
        return bool(self._rows) and not self._workspace.dose.is_current

    def _dose_text(self, gy: float | None) -> str:
        if gy is None:
            return "–"
        if self._state.dose_display.is_absolute:
            return format_number(gy, 2)
        return format_number(100.0 * gy / self._workspace.plan.prescription.dose_gy, 1)


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
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.metric_table)
        self.refresh()

    def refresh(self) -> None:
        """Plan, dose or histograms changed."""
        self.metrics.refresh()
