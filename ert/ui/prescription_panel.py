"""The prescription: target, dose, fractions, how the plan is normalised; and how the dose is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
from PySide6.QtWidgets import QComboBox, QFormLayout, QGroupBox, QVBoxLayout, QWidget

from ert.app.tissue_library import CurveStanding, Standing
from ert.domain.algorithm import Algorithm
from ert.domain.image import CtCurve
from ert.domain.materials import default_ct_curve
from ert.domain.monte_carlo_model import LEAST_UNCERTAINTY_PCT, MOST_UNCERTAINTY_PCT
from ert.domain.plan import (
    MAX_DOSE_GY,
    MAX_FRACTIONS,
    DoseTo,
    Normalisation,
    Plan,
    Prescription,
    free_point_name,
    with_point,
)
from ert.domain.statements import (
    ALGORITHM_NAMES,
    NORMALISATION_NAMES,
    algorithm_statement,
    normalisation_sentence,
)
from ert.domain.structure import PointKind, PointOfInterest
from ert.errors import ErtError
from ert.ui.number_edit import NumberEdit
from ert.ui.numbers import format_number, format_quantity
from ert.ui.view_state import ViewState
from ert.ui.widgets import MessageStrip, dim_label, plain_tip, push_button, text_label

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

_WITH_PERCENT = frozenset({Normalisation.ISODOSE, Normalisation.MAXIMUM})
_NO_POINT = (
    "The plan has no reference point. Put the crosshair where the dose is wanted and press “Point at crosshair”; "
    "then choose this normalisation."
)
_DOSE_TO = tuple((medium, medium.phrase.capitalize()) for medium in DoseTo)


def combo(name: str, items: list[tuple[object, str]]) -> QComboBox:
    """A combo box with data behind its texts; Qt hands a text enumeration back as plain text."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(10)
    for data, text in items:
        box.addItem(text, data)
    return box


class PrescriptionPanel(QWidget):
    """Fields of the prescription; each finished entry is one undoable edit."""

    def __init__(self, workspace: PlanWorkspace, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self._state = workspace, state
        self._is_filling = False
        self.message = MessageStrip()
        targets = [(s.number, s.name) for s in workspace.structures.structures if s.role.is_target and not s.is_empty]
        self.target = combo("Target", list(targets))
        self.dose = NumberEdit("The prescribed dose", "Gy", minimum=0.01, maximum=MAX_DOSE_GY)
        self.fractions = NumberEdit("The number of fractions", "", decimals=0, minimum=1, maximum=MAX_FRACTIONS)
        self.per_fraction = text_label()
        self.normalisation = combo("Normalisation", list(NORMALISATION_NAMES.items()))
        self.percent_name = text_label("Percent")  # of what, the choice above says
        self.percent = NumberEdit("The prescription percentage", "%", decimals=1, minimum=50, maximum=110)
        self.point = combo("Reference point", [])
        self.new_point = push_button(
            "Point at crosshair", "add", "Make a reference point of this plan where the crosshair is"
        )
        self.rule = dim_label()
        self.dose_to = combo("Dose to", list(_DOSE_TO))
        self.spacing = NumberEdit("The dose grid spacing", "cm", minimum=0.1, maximum=1.0)
        self.engine = combo("Algorithm", list(ALGORITHM_NAMES.items()))
        self.uncertainty = NumberEdit(
            "The Monte Carlo's uncertainty",
            "%",
            decimals=1,
            minimum=LEAST_UNCERTAINTY_PCT,
            maximum=MOST_UNCERTAINTY_PCT,
        )
        self.curve = combo("CT curve", [])
        self.curve_state, self.trust = dim_label(), dim_label()
        self._build()
        self.refresh()

    def _build(self) -> None:
        ordered = QGroupBox("Prescription")
        form = QFormLayout(ordered)
        form.addRow("Target", self.target)
        form.addRow("Dose", self.dose)
        form.addRow("Fractions", self.fractions)
        form.addRow("Per fraction", self.per_fraction)
        norm = QGroupBox("Normalisation")
        norm_form = QFormLayout(norm)
        norm_form.addRow("Prescribe to", self.normalisation)
        norm_form.addRow(self.percent_name, self.percent)
        norm_form.addRow("Point", self.point)
        norm_form.addRow("", self.new_point)
        norm_form.addRow(self.rule)
        computing = QGroupBox("Dose calculation")
        computing_form = QFormLayout(computing)
        computing_form.addRow("Algorithm", self.engine)
        computing_form.addRow("Uncertainty", self.uncertainty)
        computing_form.addRow("Stated as", self.dose_to)
        computing_form.addRow("Grid spacing", self.spacing)
        computing_form.addRow("CT curve", self.curve)
        computing_form.addRow(self.curve_state)
        computing_form.addRow(self.trust)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(3)
        for box_form in (form, norm_form, computing_form):  # everything has to fit 768 lines
            box_form.setVerticalSpacing(3)
            box_form.setContentsMargins(4, 3, 4, 3)
        layout.addWidget(self.message)
        for box in (ordered, norm, computing):
            layout.addWidget(box)
        layout.addStretch(1)
        self._norm_form, self._computing_form = norm_form, computing_form
        self.target.activated.connect(lambda _n: self._set_target(self.target.currentData()))
        self.dose.entered.connect(self._set_dose)
        self.fractions.entered.connect(self._set_fractions)
        self.normalisation.activated.connect(
            lambda _n: self._set_normalisation(Normalisation(self.normalisation.currentData()))
        )
        self.percent.entered.connect(self._set_percent)
        self.new_point.clicked.connect(self._add_point)
        self.point.activated.connect(lambda _n: self._set_point(self.point.currentData()))
        self.dose_to.activated.connect(
            lambda _n: self._apply("Dose to", lambda p: attrs.evolve(p, dose_to=DoseTo(self.dose_to.currentData())))
        )
        self.engine.activated.connect(
            lambda _n: self._apply(
                "Algorithm", lambda p: attrs.evolve(p, algorithm=Algorithm(self.engine.currentData()))
            )
        )
        self.uncertainty.entered.connect(
            lambda value: self._apply("Uncertainty", lambda p: attrs.evolve(p, uncertainty_pct=value))
        )
        self.spacing.entered.connect(self._set_spacing)
        self.curve.activated.connect(lambda _n: self._set_curve(self.curve.currentData()))
        for edit in (self.dose, self.fractions, self.percent, self.uncertainty, self.spacing):
            edit.refused.connect(self.message.show_error)

    def refresh(self) -> None:
        """Show the plan's values."""
        plan = self._workspace.plan
        given = plan.prescription
        self.target.setCurrentIndex(self.target.findData(given.target_number))
        self.dose.set_value(given.dose_gy)
        self.fractions.set_value(float(given.fractions))
        self.per_fraction.setText(format_quantity(given.dose_gy / given.fractions, 2, "Gy"))
        self.normalisation.setCurrentIndex(self.normalisation.findData(given.normalisation))
        self.percent.set_value(given.percent)
        self.point.clear()
        for point in plan.points:
            x, y, z = (format_number(v, 2) for v in point.position_cm)
            self.point.addItem(f"{point.name}  ({x}, {y}, {z}) cm", point.id)
        self.point.setCurrentIndex(self.point.findData(given.point_id))
        self._norm_form.setRowVisible(self.percent, given.normalisation in _WITH_PERCENT)
        self._norm_form.setRowVisible(self.point, bool(plan.points))
        self.rule.setText(normalisation_sentence(plan, self._workspace.structures))
        self.engine.setCurrentIndex(self.engine.findData(plan.algorithm))
        self.uncertainty.set_value(plan.uncertainty_pct)
        self._computing_form.setRowVisible(self.uncertainty, Algorithm.MONTE_CARLO in plan.algorithms)
        self.trust.setText(_trust_text(plan))
        self.dose_to.setCurrentIndex(self.dose_to.findData(plan.dose_to))
        self.spacing.set_value(plan.dose_grid.spacing_cm)
        self._show_curves(plan.ct_curve)

    def _show_curves(self, kept: CtCurve) -> None:
        """The site's curves in use, the default one, and the plan's own where it is none of these."""
        library = self._workspace.library
        known = [(f"{e.value.name}, version {e.revision}", e.value.curve) for e in library.curves_in_use]
        known.append((f"{default_ct_curve().name} (default)", default_ct_curve()))
        standing = library.standing_of(kept)
        if all(curve != kept for _, curve in known):
            version = "" if standing.used is None else f", version {standing.used.revision}"
            known.insert(0, (f"{kept.name}{version} ({standing.standing.value})", kept))
        self.curve.clear()
        for text, curve in known:
            self.curve.addItem(text, curve)
        self.curve.setCurrentIndex(next(n for n, (_, curve) in enumerate(known) if curve == kept))
        self.curve.setToolTip(plain_tip(self.curve.currentText()))  # a clinic's names may be longer than the field
        self.curve_state.setText(f"{_about(standing)} Digest {kept.digest[:8]}.")

    # ---- edits ---------------------------------------------------------------------------------------------------

    def _set_target(self, number: int) -> None:
        self._prescribe("Target", lambda given: attrs.evolve(given, target_number=number))

    def _set_dose(self, dose_gy: float) -> None:
        self._prescribe("Prescribed dose", lambda given: attrs.evolve(given, dose_gy=dose_gy))

    def _set_percent(self, percent: float) -> None:
        self._prescribe("Prescription isodose", lambda given: attrs.evolve(given, percent=percent))

    def _set_point(self, point_id: str) -> None:
        self._prescribe("Reference point", lambda given: attrs.evolve(given, point_id=point_id))

    def _set_fractions(self, value: float) -> None:
        if value != int(value):
            self.message.show_error("The number of fractions must be a whole number.")
            self.refresh()
            return
        self._prescribe("Fractions", lambda given: attrs.evolve(given, fractions=int(value)))

    def _set_normalisation(self, chosen: str) -> None:
        wanted = Normalisation(chosen)  # Qt keeps the text of a StrEnum only
        points = self._workspace.plan.points
        point_id = self._workspace.plan.prescription.point_id
        if wanted is Normalisation.POINT and point_id is None:
            if not points:
                self.refresh()
                self.message.show_warning(_NO_POINT)
                return
            point_id = points[0].id
        self._prescribe("Normalisation", lambda given: attrs.evolve(given, normalisation=wanted, point_id=point_id))

    def _add_point(self) -> None:
        name = free_point_name(self._workspace.plan)
        point = PointOfInterest(name=name, position_cm=self._state.crosshair_cm, kind=PointKind.REFERENCE)
        self._apply(f"Add point {name}", lambda plan: with_point(plan, point))

    def _set_spacing(self, value: float) -> None:
        self._apply(
            "Dose grid spacing", lambda p: attrs.evolve(p, dose_grid=attrs.evolve(p.dose_grid, spacing_cm=value))
        )

    def _set_curve(self, curve: CtCurve) -> None:
        self._apply("CT curve", lambda plan: attrs.evolve(plan, ct_curve=curve))

    def _prescribe(self, label: str, change: Callable[[Prescription], Prescription]) -> None:
        self._apply(label, lambda plan: attrs.evolve(plan, prescription=change(plan.prescription)))

    def _apply(self, label: str, edit: Callable[[Plan], Plan]) -> None:
        self.message.clear()
        try:
            self._workspace.apply(label, edit)
        except ErtError as error:
            self.message.show_error(str(error))
        self.refresh()


def _trust_text(plan: Plan) -> str:
    """How far to trust each engine in use, and which beams choose their own."""
    own = [b.name for b in plan.beams if b.algorithm is not None]
    said = [algorithm_statement(algorithm) for algorithm in plan.algorithms]
    return " ".join([*said, *([f"Chosen in the beam table: {', '.join(own)}."] if own else [])])


def _about(standing: CurveStanding) -> str:
    used = standing.used
    if used is not None:
        return f"{used.value.scanner}, {used.value.kvp} kV, measured {used.value.measured_on}, {used.value.author}."
    if standing.standing is Standing.DEFAULT:
        return "No scanner's: ICRU 46 tissues at 120 kV."
    return "None of this site's curves."
