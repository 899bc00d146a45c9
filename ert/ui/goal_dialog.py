"""Writing a clinical goal: structure, metric, comparison, value."""

from __future__ import annotations

import re

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from ert.domain.plan import Goal
from ert.domain.structure import StructureSet
from ert.errors import Refused
from ert.ui.numbers import parse_number
from ert.ui.prescription_panel import combo
from ert.ui.widgets import MessageStrip, dim_label

_METRIC = re.compile(r"(?:D\d+(?:\.\d+)?(?:%|cc)|V\d+(?:\.\d+)?(?:Gy|%)|Mean|Max|Min)")
_EXAMPLES = "Metrics: D95%  D2cc  V20Gy  V90%  Mean  Max  Min"


def make_goal(structure_number: int, metric: str, comparison: str, value_text: str, unit: str) -> Goal:
    """A goal from what was typed.

    Raises
    ------
    Refused
        If the metric is not understood, its unit does not fit, or the value is no number.
    """
    metric = metric.strip()
    if not _METRIC.fullmatch(metric):
        raise Refused(f"'{metric}' is no metric.", hint=_EXAMPLES)
    allowed = ("%", "cc") if metric.startswith("V") else ("Gy", "%")
    if unit not in allowed:
        raise Refused(f"{metric} is stated in {' or '.join(allowed)}, not in {unit}.")
    value = parse_number(value_text, what="The goal", unit=unit, minimum=0, maximum=100000)
    return Goal(structure_number=structure_number, metric=metric, comparison=comparison, value=value, unit=unit)


class GoalDialog(QDialog):
    """Asks for one goal.

    Attributes
    ----------
    goal : what was entered; None until accepted.
    """

    def __init__(self, structures: StructureSet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add goal")
        self.goal: Goal | None = None
        self.structure = combo("Structure", [(s.number, s.name) for s in structures.structures if not s.is_empty])
        self.metric_name = QLineEdit("D95%")
        self.metric_name.setAccessibleName("Metric")
        self.comparison = combo("Comparison", [(">=", "at least"), ("<=", "at most")])
        self.value = QLineEdit("90")
        self.value.setAccessibleName("Value")
        self.unit = combo("Unit", [(u, u) for u in ("%", "Gy", "cc")])
        self.message = MessageStrip()
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow("Structure", self.structure)
        form.addRow("Metric", self.metric_name)
        form.addRow("must be", self.comparison)
        form.addRow("Value", self.value)
        form.addRow("Unit", self.unit)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(dim_label(_EXAMPLES))
        layout.addWidget(self.message)
        layout.addWidget(buttons)

    def _accept(self) -> None:
        try:
            self.goal = make_goal(
                self.structure.currentData(),
                self.metric_name.text(),
                self.comparison.currentData(),
                self.value.text(),
                self.unit.currentData(),
            )
        except Refused as error:
            self.message.show_error(str(error))
            return
        self.accept()
