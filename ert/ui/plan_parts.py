"""The panels of the planning page and where they stand; what they show and follow is the page's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QTabWidget, QVBoxLayout, QWidget

from ert.ui.beam_panel import BeamPanel
from ert.ui.evaluation_panel import EvaluationPanel
from ert.ui.findings_panel import FindingsPanel
from ert.ui.goal_panel import GoalPanel
from ert.ui.isodose_panel import IsodosePanel
from ert.ui.mu_panel import MuPanel
from ert.ui.override_panel import OverridePanel
from ert.ui.point_panel import PointPanel
from ert.ui.prescription_panel import PrescriptionPanel
from ert.ui.structure_panel import StructurePanel
from ert.ui.view_grid import ViewGrid
from ert.ui.view_state import ViewState

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

TABS = ("Beams", "Structures", "Materials", "Isodoses", "Prescription")


class PlanParts(QWidget):
    """Makes the panels and puts them in their places, a part with each method.

    Attributes
    ----------
    workspace, state, views, beams : made by the page before.
    """

    workspace: PlanWorkspace
    state: ViewState
    views: ViewGrid
    beams: BeamPanel

    def _make_tissue(self) -> None:
        self.structures = StructurePanel(self.workspace, self.state)
        self.overrides = OverridePanel(self.workspace, self.state)
        self.isodoses = IsodosePanel(self.workspace, self.state)

    def _make_prescription(self) -> None:
        self.prescription = PrescriptionPanel(self.workspace, self.state)

    def _make_results(self) -> None:
        self.evaluation = EvaluationPanel(self.workspace, self.state)
        self.points = PointPanel(self.workspace, self.state)
        self.goals = GoalPanel(self.workspace)
        self.monitor_units = MuPanel(self.workspace)
        self.findings = FindingsPanel()

    def _build_tabs(self) -> None:
        self._tabs = QTabWidget()
        self._tabs.setObjectName("planTabs")  # all five names are to be read on a small screen
        self._tabs.setDocumentMode(True)
        self._tabs.setAccessibleName("Plan panels")
        panels = (self.beams, self.structures, self.overrides, self.isodoses, self.prescription)
        for widget, name in zip(panels, TABS, strict=True):
            self._tabs.addTab(widget, name)

    def _build_judgement(self) -> None:
        self.judgement = QTabWidget()
        self.judgement.setDocumentMode(True)
        self.judgement.setAccessibleName("Evaluation panels")
        self.judgement.addTab(self.evaluation, "Dose")
        self.judgement.addTab(self.points, "Points")
        self.judgement.addTab(self.monitor_units, "Monitor units")

    def _build_bottom(self) -> None:
        self._bottom = QSplitter(Qt.Orientation.Horizontal)
        self._dvh_place = QWidget()
        QVBoxLayout(self._dvh_place).setContentsMargins(0, 0, 0, 0)
        judged = QSplitter(Qt.Orientation.Vertical)
        judged.addWidget(self.findings)
        judged.addWidget(self.goals)
        judged.setSizes([100, 100])
        places: tuple[tuple[QWidget, int], ...] = (
            (self._dvh_place, 25),
            (self.judgement, 44),
            (judged, 31),
        )
        for place, weight in places:
            self._bottom.addWidget(place)
            self._bottom.setStretchFactor(self._bottom.count() - 1, weight)
        self._bottom.setSizes([228, 432, 338])
        for splitter in (self._bottom, judged):
            splitter.setChildrenCollapsible(False)

    def _build_columns(self) -> None:
        left = QSplitter(Qt.Orientation.Vertical)
        left.addWidget(self.views)
        left.addWidget(self._bottom)
        left.setStretchFactor(0, 64)
        left.setStretchFactor(1, 36)
        left.setSizes([640, 320])
        whole = QSplitter(Qt.Orientation.Horizontal)
        whole.addWidget(left)
        whole.addWidget(self._tabs)
        whole.setStretchFactor(0, 1)
        whole.setStretchFactor(1, 0)
        whole.setSizes([1200, 340])
        for splitter in (left, whole):
            splitter.setChildrenCollapsible(False)
        self._columns = whole
