"""Action levels of the hand check of monitor units, as a page of the machines dialog."""

from __future__ import annotations

import attrs
from PySide6.QtCore import QLocale, Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QVBoxLayout, QWidget

from ert.domain.machine import Machine
from ert.domain.machine_configuration import MachineConfiguration
from ert.domain.monitor_units import PUBLISHED_LEVELS, ActionLevels
from ert.errors import Refused
from ert.ui.machine_tables import number_text, read_number
from ert.ui.widgets import dim_label, push_button, section_title, text_label

_FIELDS = (
    ("investigate_pct", "Engine against hand check: investigate above", "%"),
    ("action_pct", "Engine against hand check: act before treating above", "%"),
    ("action_mu", "… and above", "MU"),
    ("ways_investigate_pct", "Factors and the three ways to the cutout factor: investigate above", "%"),
    ("ways_action_pct", "Factors and the three ways to the cutout factor: act above", "%"),
    ("minimum_mu", "Question beams of less than", "MU"),
)
_TEXT = (
    "Plan checks, the monitor unit tab and the signable sheets judge by these levels; each of them names the source. "
    "Beams keep the levels of the machine version they were planned with."
)


class MuLevelsForm(QWidget):
    """Fields of the levels; read all at once.

    Signals
    -------
    changed : something was typed or reset.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.numbers = {key: QLineEdit() for key, _, _ in _FIELDS}
        self.source = QLineEdit()
        self.published_button = push_button("Published levels", "undo", f"Take the {PUBLISHED_LEVELS}")
        self.published_button.setAutoDefault(False)
        grid = QGridLayout()
        grid.setVerticalSpacing(6)
        grid.addWidget(section_title("Action levels of the hand check"), 0, 0, 1, 3)
        for row, (key, name, unit) in enumerate(_FIELDS, start=1):
            line = self.numbers[key]
            line.setLocale(QLocale.c())
            line.setAccessibleName(f"{name}, {unit}")
            line.setMaximumWidth(90)
            for column, widget in enumerate((text_label(name), line, text_label(unit))):
                grid.addWidget(widget, row, column)
        self.source.setAccessibleName("Whose levels these are")
        row = len(_FIELDS) + 1
        grid.addWidget(text_label("Whose levels these are"), row, 0)
        grid.addWidget(self.source, row, 1, 1, 4)
        grid.addWidget(self.published_button, row + 1, 1, 1, 2)
        grid.setColumnStretch(3, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(dim_label(_TEXT))
        layout.addLayout(grid)
        layout.addStretch(1)
        for line in (*self.numbers.values(), self.source):
            line.textEdited.connect(self.changed)
        self.published_button.clicked.connect(self._take_published)

    def show_machine(self, machine: Machine) -> None:
        """Show the levels of a machine."""
        self._show(machine.configuration.mu_levels)

    def _show(self, levels: ActionLevels) -> None:
        for key, line in self.numbers.items():
            line.setText(number_text(getattr(levels, key)))
        self.source.setText(levels.source)
        self.source.setCursorPosition(0)

    def _take_published(self) -> None:
        self._show(ActionLevels())
        self.changed.emit()

    def into(self, configuration: MachineConfiguration) -> MachineConfiguration:
        """The configuration with what the fields hold; raises `Refused`."""
        values: dict[str, float] = {}
        for key, name, unit in _FIELDS:
            value = read_number(self.numbers[key].text(), what=f"{name}:", unit=unit)
            if value is None:
                raise Refused(f"A level of the monitor unit check is missing: {name.lower()} … {unit}.")
            values[key] = value
        return attrs.evolve(configuration, mu_levels=ActionLevels(**values, source=self.source.text().strip()))
