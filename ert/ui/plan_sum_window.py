"""The sum of plans: three slices, histograms, metrics, and what each plan adds at a point."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from ert.app.plan_sum import PlanSum, SummedPlan
from ert.geometry.grid import Float3
from ert.ui.delegates import SwatchDelegate
from ert.ui.dose_plane import dose_at
from ert.ui.evaluation_panel import MetricTableModel
from ert.ui.numbers import format_number, format_quantity
from ert.ui.page_header import ElidedLabel, PageHeader
from ert.ui.plots import DvhPlot
from ert.ui.sections import Sections
from ert.ui.slice_view import SliceView
from ert.ui.tables import result_table
from ert.ui.view_state import ViewState
from ert.ui.widgets import dim_label

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_COLUMNS = ("Plan", "Revision", "Prescribed", "Highest", "Engine")


class PartsModel(QAbstractTableModel):
    """The plans that were added."""

    def __init__(self, parts: tuple[SummedPlan, ...]) -> None:
        super().__init__()
        self._parts = parts

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Plans."""
        return 0 if parent.isValid() else len(self._parts)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Name, revision, prescription, highest dose, engine."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Column names."""
        is_shown = orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return _COLUMNS[section] if is_shown else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Texts."""
        if not index.isValid() or role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        part = self._parts[index.row()]
        plan, prescription = part.stored.plan, part.stored.plan.prescription
        return (
            plan.name,
            f"r{part.stored.revision}, {part.stored.saved_at.astimezone():%Y-%m-%d %H:%M}",
            f"{format_number(prescription.dose_gy, 2)} Gy in {prescription.fractions}",
            format_quantity(float(part.gy.max()), 2, "Gy"),
            part.engine,
        )[index.column()]


class PlanSumWindow(QWidget):
    """A window of its own; it shows the revisions that were added, whatever happens to the plans.

    Parameters
    ----------
    plan_sum : PlanSum
    site_text, user_name, emergency : for the header.
    """

    def __init__(
        self,
        plan_sum: PlanSum,
        *,
        site_text: str,
        user_name: str,
        emergency: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.plan_sum = plan_sum
        names = " + ".join(p.stored.plan.name for p in plan_sum.parts)
        self.setWindowTitle(f"Sum of plans: {names}")
        is_demo = any(p.is_demo for p in plan_sum.models.packages)
        self.header = PageHeader(site_text=site_text, user_name=user_name, is_demo=is_demo, emergency=emergency)
        self.header.show_patient(plan_sum.patient, f"{plan_sum.course.name}  ·  Sum of plans: {names}")
        self.state = ViewState(plan_sum.dose.max_point_cm or (0.0, 0.0, 0.0), self)
        self.state.set_dose_display(attrs.evolve(self.state.dose_display, is_absolute=True))
        sections = Sections(plan_sum.image, plan_sum.structures)
        self.slices = {axis: SliceView(plan_sum, self.state, axis, sections=sections) for axis in (2, 1, 0)}
        self.dvh = DvhPlot()
        self.metrics = MetricTableModel(plan_sum, self.state)
        self.parts = PartsModel(plan_sum.parts)
        self.probe = ElidedLabel()
        self.probe.setContentsMargins(8, 2, 8, 2)
        self._build()
        self.state.crosshair_changed.connect(lambda: self._show_probe(None))
        self.state.dose_display_changed.connect(self._show_dvh)
        for view in self.slices.values():
            view.pointed_at.connect(self._show_probe)
        for key, action in (("G", self.state.toggle_unit), ("W", self.state.toggle_wash), ("Esc", self.close)):
            QShortcut(QKeySequence(key), self, action)
        self.metrics.refresh()
        self._show_dvh()
        self._show_probe(None)
        self.resize(1280, 720)

    def _build(self) -> None:
        side = QSplitter(Qt.Orientation.Vertical)
        side.addWidget(self.slices[1])
        side.addWidget(self.slices[0])
        views = QSplitter(Qt.Orientation.Horizontal)
        views.addWidget(self.slices[2])
        views.addWidget(side)
        views.setSizes([600, 330])
        parts = result_table(self.parts, "Plans in the sum", stretch=0)
        metrics = result_table(self.metrics, "Dose-volume metrics of the sum", stretch=1)
        metrics.setItemDelegateForColumn(0, SwatchDelegate(metrics))
        reference_gy = self.plan_sum.plan.prescription.dose_gy
        figures = dim_label(
            f"100 % = {format_number(reference_gy, 2)} Gy.  Highest "
            f"{format_quantity(self.plan_sum.dose.max_gy, 2, 'Gy')}, {self.plan_sum.dose_name}."
        )
        notes = dim_label("\n".join(self.plan_sum.notes))
        for label in (figures, notes):
            label.setWordWrap(True)
        judged = QWidget()
        column = QVBoxLayout(judged)
        column.setContentsMargins(6, 6, 6, 6)
        for widget, stretch in ((parts, 2), (figures, 0), (self.dvh, 5), (metrics, 4), (notes, 0)):
            column.addWidget(widget, stretch)
        whole = QSplitter(Qt.Orientation.Horizontal)
        whole.addWidget(views)
        whole.addWidget(judged)
        whole.setSizes([840, 520])
        for splitter in (side, views, whole):
            splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(whole, 1)
        layout.addWidget(self.probe)

    def _show_dvh(self) -> None:
        plan_sum = self.plan_sum
        self.dvh.show_dvhs(
            plan_sum.dvhs,
            prescribed_gy=plan_sum.plan.prescription.dose_gy,
            is_absolute=self.state.dose_display.is_absolute,
            hidden=self.state.visibility.hidden_structures,
            dose_name=f"Sum, {plan_sum.dose_name}",
        )

    def probe_text(self, point_cm: Float3) -> str:
        """Position, what each plan adds there, and the sum."""
        x, y, z = (format_number(v, 2) for v in point_cm)
        place = f"x {x}  y {y}  z {z} cm (DICOM)"
        grid = self.plan_sum.dose.grid
        if grid is None or not np.all(np.isfinite(point_cm)):
            return place
        doses = [(p.stored.plan.name, dose_at(p.gy, grid, point_cm)) for p in self.plan_sum.parts]
        known = [(name, gy) for name, gy in doses if gy is not None]
        if len(known) < len(doses):
            return f"{place}   ·   outside dose grid"
        terms = "  +  ".join(f"{name} {format_number(gy, 2)}" for name, gy in known)
        return f"{place}   ·   {terms}  =  {format_quantity(sum(gy for _, gy in known), 2, 'Gy')}"

    def _show_probe(self, point_cm: Float3 | None) -> None:
        self.probe.set_full_text(self.probe_text(point_cm or self.state.crosshair_cm))
