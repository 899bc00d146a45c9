"""Two engines on the open plan side by side: doses, gamma, points and structures, and the traffic light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QColor, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QProgressBar, QSplitter, QVBoxLayout, QWidget

from ert.app.dose_service import Models
from ert.app.dose_state import DoseState
from ert.app.second_check import Comparison, Engine, other_algorithm
from ert.domain.algorithm import Algorithm
from ert.domain.dvh import Dvh
from ert.domain.image import CtImage
from ert.domain.plan import Plan
from ert.domain.second_check import Light
from ert.domain.statements import ALGORITHM_NAMES
from ert.domain.structure import StructureSet
from ert.errors import ErtError, Refused
from ert.geometry.grid import VoxelGrid
from ert.ui.dose_words import engine_words
from ert.ui.failures import sentence_of
from ert.ui.gamma_view import GammaView
from ert.ui.numbers import format_number
from ert.ui.page_header import LIGHT_COLOURS, ElidedLabel, PageHeader
from ert.ui.sections import Sections
from ert.ui.slice_view import SliceView
from ert.ui.tables import result_table
from ert.ui.view_state import ViewState
from ert.ui.widgets import MessageStrip, push_button, text_label

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

LIGHTS = {
    Light.GREEN: (LIGHT_COLOURS[Light.GREEN], "Within tolerance"),
    Light.AMBER: (LIGHT_COLOURS[Light.AMBER], "Outside tolerance"),
    Light.RED: (LIGHT_COLOURS[Light.RED], "Outside the action limit"),
}
_COLUMNS = ("Point or structure", "Quantity", "First\nGy", "Second\nGy", "Difference\n% of prescribed")
_AXIAL = 2


@attrs.frozen(kw_only=True, eq=False)
class ComparedDose:
    """What a slice view shows of one engine's dose."""

    image: CtImage
    structures: StructureSet
    models: Models
    plan: Plan
    dose: DoseState
    shown_dvhs: tuple[Dvh, ...] = ()

    def shown_metric(self, structure_number: int, metric: str) -> float | None:
        """None: the table beside has the figures."""
        return None


class CompareWindow(QWidget):
    """A window of its own; it shows the state of the plan that was compared, and says if the plan has changed since."""

    def __init__(
        self,
        workspace: PlanWorkspace,
        state: ViewState,
        *,
        site_text: str,
        user_name: str,
        emergency: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        title = f"Second check of {workspace.plan.name}"
        self.setWindowTitle(title)
        is_demo = any(p.is_demo for p in workspace.models.packages)
        self.header = PageHeader(site_text=site_text, user_name=user_name, is_demo=is_demo, emergency=emergency)
        self.header.show_patient(workspace.patient, f"{workspace.course.name}  ·  {title}")
        self._workspace = workspace
        self.state = ViewState(state.crosshair_cm, self)
        self.state.set_dose_display(attrs.evolve(state.dose_display, has_uncertainty=False))
        self.first, self.second = QComboBox(), QComboBox()
        self.run = push_button("Compare", "compute", "Compute both doses where they are not known, and compare them")
        self.cancel = push_button("Cancel", "cancel", "Stop the comparison")
        self.progress = QProgressBar()
        self.light, self.gamma_words, self.fate = text_label(), text_label(), text_label()
        self.message = MessageStrip()
        self.gamma = GammaView(workspace.image, self.state)
        self.views = QSplitter(Qt.Orientation.Horizontal)
        self.model = QStandardItemModel(0, len(_COLUMNS))
        self.comparison: Comparison | None = None
        self._build()
        self._unsubscribe = workspace.subscribe(lambda _changes: self._show_fate())
        self._is_closed = self._is_running = False
        self._show_running(is_running=False)
        self.resize(1180, 680)

    def _build(self) -> None:
        self._offer_engines()
        self.model.setHorizontalHeaderLabels(list(_COLUMNS))
        self.run.clicked.connect(self.start)
        self.cancel.clicked.connect(self._workspace.checks.stop)
        self.progress.setRange(0, 100)
        self.progress.setAccessibleName("Comparison progress")
        bar = QHBoxLayout()
        for widget in (self.first, self.second, self.run, self.progress, self.cancel):
            bar.addWidget(widget)
        bar.addStretch(1)
        for label in (self.light, self.gamma_words, self.fate):
            label.setWordWrap(True)
        judged = QWidget()
        column = QVBoxLayout(judged)
        for label in (self.light, self.gamma_words, self.fate):
            column.addWidget(label)
        column.addWidget(result_table(self.model, "Points and structures by both engines", stretch=0), 1)
        self.views.addWidget(self.gamma)
        whole = QSplitter(Qt.Orientation.Vertical)
        whole.addWidget(self.views)
        whole.addWidget(judged)
        whole.setSizes([360, 300])
        whole.setChildrenCollapsible(False)
        body = QVBoxLayout()
        body.setContentsMargins(9, 6, 9, 9)
        body.addLayout(bar)
        body.addWidget(self.message)
        body.addWidget(whole, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.header)
        layout.addLayout(body, 1)

    def _offer_engines(self) -> None:
        """Of a plan with one engine any two; of a mixed one also each beam's own and each beam's other engine."""
        used = self._workspace.plan.algorithms
        own = used[0] if len(used) == 1 else None
        for box, name, mixed in (
            (self.first, "First engine", "As planned, beam by beam"),
            (self.second, "Second engine", "Each beam's other engine"),
        ):
            box.setAccessibleName(name)
            if own is None:
                box.addItem(mixed, None)
            for algorithm, text in ALGORITHM_NAMES.items():
                box.addItem(f"{text} (the plan's)" if algorithm is own else text, algorithm)
        if own is not None:
            self.first.setCurrentIndex(self.first.findData(own))
            self.second.setCurrentIndex(self.second.findData(other_algorithm(own)))

    # ---- comparing -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Compare the chosen engines on the plan as it is."""
        self.message.clear()
        workspace = self._workspace
        if not workspace.dose.is_current:
            self.message.show_warning("The plan has no dose of its own yet; compute it first.")
            return
        engines = (_chosen(self.first), _chosen(self.second))
        workspace.checks.compare(
            workspace.plan,
            engines,
            on_done=self._arrived,
            on_failed=self._failed,
            on_cancelled=self._cancelled,
            on_progress=self._progressed,
        )
        self._show_running(is_running=True)

    def close_window(self) -> None:
        """Close, if the user has not done so."""
        if not self._is_closed:
            self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop comparing; nobody would see it."""
        self._is_closed = True
        self._unsubscribe()
        if self._is_running:  # not the check that began by itself
            self._workspace.checks.stop()
        super().closeEvent(event)

    def _cancelled(self) -> None:
        if not self._is_closed:
            self._show_running(is_running=False)

    def _progressed(self, fraction: float, _text: str) -> None:
        if not self._is_closed:
            self.progress.setValue(round(100 * fraction))

    def _show_running(self, *, is_running: bool) -> None:
        self._is_running = is_running
        self.run.setEnabled(not is_running)
        self.progress.setVisible(is_running)
        self.cancel.setVisible(is_running)
        self.progress.setValue(0)

    def _failed(self, error: BaseException) -> None:
        if self._is_closed:
            return
        self._show_running(is_running=False)
        self.message.show_error(sentence_of(error))

    def _arrived(self, comparison: Comparison) -> None:
        if self._is_closed:
            return
        self._show_running(is_running=False)
        self.show_comparison(comparison)
        try:
            self._workspace.checks.keep(comparison, self._workspace.stored)
        except ErtError as error:
            self.message.show_note(sentence_of(error))
        self._show_fate()

    def show_comparison(self, comparison: Comparison) -> None:
        """Show doses, gamma, light and figures."""
        self.comparison = comparison
        check = comparison.check
        colour, words = LIGHTS[check.light]
        self.light.setText(
            f"● {words}:  {engine_words(check.first_engine)}  against  {engine_words(check.second_engine)}"
        )
        self.light.setStyleSheet(f"color: {colour}; font-weight: 600;")
        widened = ", its criterion widened by one standard error" if comparison.gamma.is_widened else ""
        reference = check.gamma_reference.split(",")[0]
        self.gamma_words.setText(
            f"{check.gamma_text} with gamma at most 1; reference {reference}{widened}. "
            f"Judged by {check.tolerances_source}."
        )
        self.gamma.show_gamma(comparison.gamma.gamma, _grid_of(comparison.first))
        self._show_slices(comparison)
        self.model.removeRows(0, self.model.rowCount())
        for value in check.values:
            texts = (
                value.subject, value.quantity, format_number(value.first_gy, 2), format_number(value.second_gy, 2),
                format_number(value.difference_pct, 1),
            )  # fmt: skip
            items = [QStandardItem(text) for text in texts]
            items[-1].setForeground(QColor(LIGHTS[value.light][0]))
            items[-1].setToolTip(f"{LIGHTS[value.light][1]}; percent of the prescribed dose")
            for item in items[2:]:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            for item in items:
                item.setEditable(False)
            self.model.appendRow(items)

    def _show_slices(self, comparison: Comparison) -> None:
        workspace = self._workspace
        while self.views.count() > 1:
            old = self.views.widget(0)
            if old is not None:
                old.setParent(None)
                old.deleteLater()
        sections = Sections(workspace.image, workspace.structures)
        for place, dose in enumerate((comparison.first, comparison.second)):
            shown = ComparedDose(
                image=workspace.image, structures=workspace.structures, models=workspace.models, plan=comparison.plan,
                dose=dose,
            )  # fmt: skip
            named = QWidget()
            column = QVBoxLayout(named)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(2)
            name = ElidedLabel()
            name.set_full_text(f"{('First', 'Second')[place]}: {engine_words(dose.engine)}")
            column.addWidget(name)
            column.addWidget(SliceView(shown, self.state, _AXIAL, sections=sections), 1)
            self.views.insertWidget(place, named)
        self.views.setSizes([1000, 1000, 1000])

    def _show_fate(self) -> None:
        """Whether the comparison on screen is of the plan as it is, and kept."""
        if self.comparison is None:
            return
        workspace, check = self._workspace, self.comparison.check
        is_kept = any(k.check == check for k in workspace.checks.kept)
        if check.plan_digest != workspace.plan.digest:
            text = "OUT OF DATE: the plan was edited after this comparison."
        else:
            text = "Kept with the plan as its second check." if is_kept else "Not kept with the plan."
        self.fate.setText(text)


def _chosen(box: QComboBox) -> Engine:
    """Qt keeps the text of a StrEnum only; None is the choice beam by beam."""
    data = box.currentData()
    return None if data is None else Algorithm(data)


def _grid_of(state: DoseState) -> VoxelGrid:
    if state.grid is None:
        raise Refused("A dose without a grid cannot be shown.")
    return state.grid
