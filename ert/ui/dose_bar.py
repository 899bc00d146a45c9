"""What the dose is, whether it is the plan's, and how far a computation is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QProgressBar, QToolButton, QVBoxLayout, QWidget

from ert.domain.statements import engine_label, engine_statement
from ert.ui.dose_words import final_run_text, preview_name
from ert.ui.icons import icon
from ert.ui.numbers import format_quantity
from ert.ui.page_header import ElidedLabel
from ert.ui.theme import BAD, GOOD, TEXT_DIM, WARN
from ert.ui.view_state import ViewState
from ert.ui.widgets import plain_tip, push_button, set_style, text_label

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

_LOOKS = {
    "none": ("note", TEXT_DIM, "No dose"),
    "current": ("ok", GOOD, "Dose up to date"),
    "preview": ("stale", WARN, "PREVIEW"),
    "computing": ("stale", WARN, "Computing"),
    "stale": ("warning", WARN, "OUT OF DATE"),
    "failed": ("stop", BAD, "No dose"),
}


class DoseBar(QWidget):
    """Unit switch, meaning of 100 %, maximum, and the state of the dose with the action that fits it."""

    def __init__(self, workspace: PlanWorkspace, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self._state = workspace, state
        self.percent_button, self.gy_button = QToolButton(), QToolButton()
        self.reference, self.maximum, self.algorithm = ElidedLabel(), text_label(), text_label()
        self.medium = text_label()
        self.status_icon, self._shown_icon = text_label(), ""
        self.status = ElidedLabel()
        self.progress = QProgressBar()
        self.cancel = push_button("Cancel", "cancel", "Stop computing the dose")
        self.compute = push_button("Compute", "compute", "Compute the dose of the plan as it is now")
        self.final = push_button(
            "Final dose",
            "compute",
            "Compute the plan's own dose by Monte Carlo; any edit of the plan ends it  (Shift+F5)",
        )
        self._build()
        state.dose_display_changed.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        group = QButtonGroup(self)
        for button, text, tip in (
            (self.percent_button, "%", "Show dose in percent of the prescription  (%)"),
            (self.gy_button, "Gy", "Show dose in Gy  (%)"),
        ):
            button.setText(text)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setCheckable(True)
            group.addButton(button)
        self.percent_button.clicked.connect(lambda: self._set_absolute(is_absolute=False))
        self.gy_button.clicked.connect(lambda: self._set_absolute(is_absolute=True))
        self.algorithm.setObjectName("dim")
        self.progress.setRange(0, 100)
        self.progress.setFixedWidth(90)
        self.progress.setAccessibleName("Dose computation progress")
        self.cancel.clicked.connect(self._workspace.cancel_dose)
        self.compute.clicked.connect(self._workspace.compute_dose)
        self.final.clicked.connect(self._workspace.compute_final_dose)
        self.status.setMinimumWidth(110)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 0)
        layout.setSpacing(6)
        layout.addWidget(self.percent_button)
        layout.addWidget(self.gy_button)
        self.medium.setObjectName("dim")
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addWidget(self.maximum)
        below.addWidget(self.medium, 1)
        layout.addLayout(_stacked(self.reference, below), 1)
        layout.addSpacing(8)
        layout.addWidget(self.status_icon)
        layout.addLayout(_stacked(self.status, self.algorithm), 1)
        layout.addWidget(self.progress)
        layout.addWidget(self.cancel)
        layout.addWidget(self.compute)
        layout.addWidget(self.final)
        for part in self.findChildren(QWidget):
            part.ensurePolished()
        self.setMinimumHeight(self.sizeHint().height())  # with all its parts: else all views shrink as a run begins

    def _set_absolute(self, *, is_absolute: bool) -> None:
        if self._state.dose_display.is_absolute != is_absolute:
            self._state.toggle_unit()

    def refresh(self) -> None:
        """Plan, dose or unit changed."""
        plan, dose = self._workspace.plan, self._workspace.dose
        is_absolute = self._state.dose_display.is_absolute
        self.percent_button.setChecked(not is_absolute)
        self.gy_button.setChecked(is_absolute)
        target = self._workspace.structures.structure(plan.prescription.target_number).name
        self.reference.set_full_text(f"100 % = {format_quantity(plan.prescription.dose_gy, 2, 'Gy')} {target}")
        self._show_maximum()
        self.medium.setText(plan.dose_to.phrase)
        self.medium.setToolTip("What the plan's dose is stated to; chosen in the prescription panel")
        self._show_algorithm()
        name, colour, text = _LOOKS[str(dose.status)]
        if name != self._shown_icon:
            self._shown_icon = name
            self.status_icon.setPixmap(icon(name, colour).pixmap(QSize(18, 18)))
        set_style(self.status, f"color: {colour}; font-weight: 600;")
        is_waiting = dose.status == "preview" and dose.final_run is None
        is_old = dose.is_outdated and dose.status in ("computing", "stale")
        short = "OUT OF DATE" if is_old else text if is_waiting else ""
        self.status.set_full_text(self._status_text(text), short=short)
        is_computing = dose.status == "computing" or dose.final_run is not None
        self.progress.setVisible(is_computing)
        self.cancel.setVisible(is_computing)
        self.progress.setValue(round(dose.fraction * 100))
        self.compute.setVisible(dose.status in ("stale", "failed") and bool(plan.beams))
        is_live = dose.preview is not None and dose.preview.is_live
        self.final.setVisible(dose.status == "preview" and dose.final_run is None and not is_live)
        self.final.setText("Resume final dose" if dose.is_resumable else "Final dose")

    def _status_text(self, text: str) -> str:
        dose = self._workspace.dose
        if dose.final_run is not None:
            return final_run_text(dose.final_run, dose.message, wanted_pct=self._workspace.plan.uncertainty_pct)
        if dose.status == "preview":
            return f"{text}: {dose.message}"
        if dose.status == "computing":
            shown = dose.message if dose.message.startswith(("Dose", "Preparing")) else text
            return f"OUT OF DATE: {shown}" if dose.is_outdated else shown
        if dose.status in ("failed", "stale") and dose.message:
            return f"{text}: {dose.message}"
        if dose.status == "none" and not self._workspace.plan.beams:
            return "No dose: the plan has no beam"
        return text

    def _show_algorithm(self) -> None:
        """What made the dose on screen, also an old one, and how far to trust it."""
        dose = self._workspace.dose
        engine = dose.picture_engine
        self.algorithm.setVisible(bool(engine))
        if not engine:
            return
        said = [engine_statement(engine), f"Computed by {engine}."]
        text = engine_label(engine)
        if dose.preview is not None and dose.plan_gy is None:
            said.append("A preview: it is not the plan's dose, and is not reported, exported or kept.")
            text = preview_name(dose.preview)
        elif dose.uncertainty is not None:
            said.append(dose.uncertainty.sentence)
            text = f"{text}, ± {format_quantity(dose.uncertainty.mean_pct, 1, '%')}"
        self.algorithm.setText(text)
        self.algorithm.setToolTip(plain_tip("\n".join(said)))

    def _show_maximum(self) -> None:
        dose, plan = self._workspace.dose, self._workspace.plan
        if dose.status != "current":
            self.maximum.setText("max –")
            return
        percent = 100.0 * dose.max_gy / plan.prescription.dose_gy
        self.maximum.setText(f"max {format_quantity(dose.max_gy, 2, 'Gy')} ({format_quantity(percent, 1, '%')})")


def _stacked(above: QWidget, below: QWidget | QHBoxLayout) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(0)
    column.addWidget(above)
    if isinstance(below, QWidget):
        column.addWidget(below)
    else:
        column.addLayout(below)
    return column
