"""The prescription: target, dose, fractions, how the plan is normalised; and how the dose is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
from PySide6.QtWidgets import QComboBox, QFormLayout, QGroupBox, QLabel, QVBoxLayout, QWidget

from ert.domain.plan import MAX_DOSE_GY, MAX_FRACTIONS, Algorithm, DoseTo, Normalisation, Plan, Prescription
from ert.errors import ErtError
from ert.ui.number_edit import NumberEdit
from ert.ui.numbers import format_quantity
from ert.ui.widgets import MessageStrip, dim_label

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

NORMALISATIONS = (
    (Normalisation.ISODOSE, "Isodose of the maximum"),
    (Normalisation.D95, "Target D95%"),
    (Normalisation.POINT, "Reference point"),
    (Normalisation.FIXED_MU, "Monitor units as entered"),
)
_ALGORITHMS = (
    (Algorithm.PENCIL_BEAM, "Pencil beam"),
    (Algorithm.PBRA, "Pencil beam redefinition (PBRA)"),
)
_DOSE_TO = ((DoseTo.MEDIUM, "Dose to medium"), (DoseTo.WATER, "Dose to water"))


def combo(name: str, items: list[tuple[object, str]]) -> QComboBox:
    """A combo box with data behind its texts; Qt hands a text enumeration back as plain text."""
    box = QComboBox()
    box.setAccessibleName(name)
    for data, text in items:
        box.addItem(text, data)
    return box


class PrescriptionPanel(QWidget):
    """Fields of the prescription; each finished entry is one undoable edit."""

    def __init__(self, workspace: PlanWorkspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._is_filling = False
        self.message = MessageStrip()
        targets = [(s.number, s.name) for s in workspace.structures.structures if s.role.is_target and not s.is_empty]
        self.target = combo("Target", list(targets))
        self.dose = NumberEdit("The prescribed dose", "Gy", minimum=0.01, maximum=MAX_DOSE_GY)
        self.fractions = NumberEdit("The number of fractions", "", decimals=0, minimum=1, maximum=MAX_FRACTIONS)
        self.per_fraction = QLabel()
        self.normalisation = combo("Normalisation", list(NORMALISATIONS))
        self.percent = NumberEdit("The prescription isodose", "%", decimals=1, minimum=50, maximum=110)
        self.point = combo("Reference point", [])
        self.rule = dim_label()
        self.dose_to = combo("Dose to", list(_DOSE_TO))
        self.spacing = NumberEdit("The dose grid spacing", "cm", minimum=0.1, maximum=1.0)
        self.engine = combo("Algorithm", list(_ALGORITHMS))
        self.curve = QLabel()
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
        norm_form.addRow("Isodose", self.percent)
        norm_form.addRow("Point", self.point)
        norm_form.addRow(self.rule)
        computing = QGroupBox("Dose calculation")
        computing_form = QFormLayout(computing)
        computing_form.addRow("Algorithm", self.engine)
        computing_form.addRow("Stated as", self.dose_to)
        computing_form.addRow("Grid spacing", self.spacing)
        computing_form.addRow("CT curve", self.curve)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.message)
        for box in (ordered, norm, computing):
            layout.addWidget(box)
        layout.addStretch(1)
        self._norm_form = norm_form
        self.target.activated.connect(lambda _n: self._set_target(self.target.currentData()))
        self.dose.entered.connect(self._set_dose)
        self.fractions.entered.connect(self._set_fractions)
        self.normalisation.activated.connect(
            lambda _n: self._set_normalisation(Normalisation(self.normalisation.currentData()))
        )
        self.percent.entered.connect(self._set_percent)
        self.point.activated.connect(lambda _n: self._set_point(self.point.currentData()))
        self.dose_to.activated.connect(
            lambda _n: self._apply("Dose to", lambda p: attrs.evolve(p, dose_to=DoseTo(self.dose_to.currentData())))
        )
        self.engine.activated.connect(
            lambda _n: self._apply(
                "Algorithm", lambda p: attrs.evolve(p, algorithm=Algorithm(self.engine.currentData()))
            )
        )
        self.spacing.entered.connect(self._set_spacing)
        for edit in (self.dose, self.fractions, self.percent, self.spacing):
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
            self.point.addItem(point.name, point.id)
        self.point.setCurrentIndex(self.point.findData(given.point_id))
        self._norm_form.setRowVisible(self.percent, given.normalisation is Normalisation.ISODOSE)
        self._norm_form.setRowVisible(self.point, given.normalisation is Normalisation.POINT)
        self.rule.setText(self._rule_text(given))
        self.engine.setCurrentIndex(self.engine.findData(plan.algorithm))
        self.dose_to.setCurrentIndex(self.dose_to.findData(plan.dose_to))
        self.spacing.set_value(plan.dose_grid.spacing_cm)
        self.curve.setText(plan.ct_curve.name)

    def _rule_text(self, given: Prescription) -> str:
        dose = format_quantity(given.dose_gy, 2, "Gy")
        target = self._workspace.structures.structure(given.target_number).name
        if given.normalisation is Normalisation.ISODOSE:
            return f"The {given.percent:g} % isodose of the plan's maximum receives {dose}."
        if given.normalisation is Normalisation.D95:
            return f"95 % of {target} receives at least {dose}."
        if given.normalisation is Normalisation.POINT:
            return f"The reference point receives {dose}."
        return "Nothing is scaled: enter monitor units in the beam table."

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

    def _set_normalisation(self, wanted: Normalisation) -> None:
        points = self._workspace.plan.points
        point_id = self._workspace.plan.prescription.point_id
        if wanted is Normalisation.POINT and point_id is None and points:
            point_id = points[0].id
        self._prescribe("Normalisation", lambda given: attrs.evolve(given, normalisation=wanted, point_id=point_id))

    def _set_spacing(self, value: float) -> None:
        self._apply(
            "Dose grid spacing", lambda p: attrs.evolve(p, dose_grid=attrs.evolve(p.dose_grid, spacing_cm=value))
        )

    def _prescribe(self, label: str, change: Callable[[Prescription], Prescription]) -> None:
        self._apply(label, lambda plan: attrs.evolve(plan, prescription=change(plan.prescription)))

    def _apply(self, label: str, edit: Callable[[Plan], Plan]) -> None:
        self.message.clear()
        try:
            self._workspace.apply(label, edit)
        except ErtError as error:
            self.message.show_error(str(error))
        self.refresh()
