"""The general part of a machine's configuration: names, the room's scale, limits, clearance."""

from __future__ import annotations

import attrs
from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLineEdit, QVBoxLayout, QWidget

from ert.domain.angle_scale import AngleScale
from ert.domain.machine import Machine
from ert.domain.machine_configuration import AngleRange, HeadCylinder, MachineConfiguration
from ert.errors import Refused
from ert.ui.machine_tables import number_text, read_number
from ert.ui.prescription_panel import combo
from ert.ui.widgets import dim_label, section_title, text_label

_TEXTS = (
    ("treatment_machine_name", "Treatment machine name"),
    ("manufacturer", "Manufacturer"),
    ("model_name", "Model"),
    ("serial_number", "Serial number"),
)
_RANGES = (
    ("gantry", "Gantry", "°"),
    ("collimator", "Collimator", "°"),
    ("couch", "Couch", "°"),
    ("ssd", "SSD", "cm"),
    ("mu", "MU of one beam", "MU"),
)
_SINGLES = (
    ("clearance", "Clearance wanted", "cm"),
    ("tray", "Source to block tray", "cm"),
    ("head_radius", "Collimator head, radius", "cm"),
    ("head_face", "Collimator head, face from source", "cm"),
)
_SCALE_TEXT = (
    "Plans, tables and files hold IEC 61217 angles; the room's reading is shown beside them where its scale differs. "
    "Check it at the machine: set a gantry, collimator and couch angle of 10° and compare."
)


class MachineForm(QWidget):
    """Fields of one machine; read all at once.

    Signals
    -------
    changed : something was typed or chosen.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.texts = {key: _line(name) for key, name in _TEXTS}
        self.ranges = {key: (_line(f"{n}, from, {u}"), _line(f"{n}, to, {u}")) for key, n, u in _RANGES}
        self.singles = {key: _line(f"{name}, {unit}") for key, name, unit in _SINGLES}
        self.scale = combo("Scale of the room", [(s, s.value) for s in AngleScale])
        self.symmetric = QCheckBox("Jaws of a pair move together only (written as X and Y, not ASYMX and ASYMY)")
        self._build()
        for line in self.findChildren(QLineEdit):
            line.textEdited.connect(self.changed)
        self.scale.activated.connect(self.changed)
        self.symmetric.clicked.connect(self.changed)

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setVerticalSpacing(5)
        grid.setHorizontalSpacing(8)
        for row, (key, name) in enumerate(_TEXTS):
            grid.addWidget(text_label(name), row, 0)
            grid.addWidget(self.texts[key], row, 1, 1, 3)
        grid.addWidget(text_label("Scale of the room"), len(_TEXTS), 0)
        grid.addWidget(self.scale, len(_TEXTS), 1, 1, 3)
        grid.addWidget(dim_label(_SCALE_TEXT), len(_TEXTS) + 1, 0, 1, 4)
        grid.addWidget(self.symmetric, len(_TEXTS) + 2, 0, 1, 4)
        limits = QGridLayout()
        limits.setVerticalSpacing(5)
        limits.setHorizontalSpacing(8)
        limits.addWidget(section_title("Limits (angles IEC 61217, rising through 0°)"), 0, 0, 1, 5)
        for row, (key, name, unit) in enumerate(_RANGES, start=1):
            low, high = self.ranges[key]
            for column, widget in enumerate((text_label(name), low, text_label("to"), high, text_label(unit))):
                limits.addWidget(widget, row, column)
        for row, (key, name, unit) in enumerate(_SINGLES, start=len(_RANGES) + 1):
            limits.addWidget(text_label(name), row, 0)
            limits.addWidget(self.singles[key], row, 1)
            limits.addWidget(text_label(unit), row, 2)
        limits.setColumnStretch(5, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(12)
        layout.addLayout(grid)
        layout.addLayout(limits)
        layout.addStretch(1)

    def show_machine(self, machine: Machine) -> None:
        """Show a machine's configuration."""
        found = machine.configuration
        for key, line in self.texts.items():
            line.setText(str(getattr(found, key)))
        self.texts["treatment_machine_name"].setPlaceholderText(machine.name)
        limits = {
            **{key: (r.from_deg, r.to_deg) for key, r in (
                ("gantry", found.gantry), ("collimator", found.collimator), ("couch", found.couch))},
            "ssd": (found.ssd_min_cm, found.ssd_max_cm),
            "mu": (found.min_mu, found.max_mu),
        }  # fmt: skip
        for key, pair in limits.items():
            for line, value in zip(self.ranges[key], pair, strict=True):
                line.setText(number_text(value))
        head = found.head
        head_cm = (None, None) if head is None else (head.radius_cm, head.face_distance_cm)
        singles = (found.clearance_cm, found.tray_distance_cm, *head_cm)
        for line, value in zip(self.singles.values(), singles, strict=True):
            line.setText(number_text(value))
        self.singles["tray"].setPlaceholderText(number_text(machine.insert_distance_cm))
        self.scale.setCurrentIndex(self.scale.findData(found.scale))
        self.symmetric.setChecked(found.has_symmetric_jaws)

    def into(self, configuration: MachineConfiguration) -> MachineConfiguration:
        """The configuration with what the fields hold; raises `Refused`."""
        ssd, mu = self._pair("ssd"), self._pair("mu")
        clearance_cm = self._single("clearance")
        if clearance_cm is None:
            raise Refused("The clearance wanted is missing.", hint="Enter 0 to be warned of collisions only.")
        return attrs.evolve(
            configuration,
            treatment_machine_name=self.texts["treatment_machine_name"].text().strip(),
            manufacturer=self.texts["manufacturer"].text().strip(),
            model_name=self.texts["model_name"].text().strip(),
            serial_number=self.texts["serial_number"].text().strip(),
            gantry=self._angles("gantry"),
            collimator=self._angles("collimator"),
            couch=self._angles("couch"),
            scale=AngleScale(self.scale.currentData()),
            ssd_min_cm=ssd[0],
            ssd_max_cm=ssd[1],
            min_mu=mu[0],
            max_mu=mu[1],
            clearance_cm=clearance_cm,
            tray_distance_cm=self._single("tray"),
            head=self._head(),
            has_symmetric_jaws=self.symmetric.isChecked(),
        )

    def _pair(self, key: str) -> tuple[float | None, float | None]:
        name, unit = next((n, u) for k, n, u in _RANGES if k == key)
        low, high = (read_number(line.text(), what=f"{name}:", unit=unit) for line in self.ranges[key])
        return low, high

    def _angles(self, key: str) -> AngleRange:
        low_deg, high_deg = self._pair(key)
        if low_deg is None and high_deg is None:
            return AngleRange()
        if low_deg is None or high_deg is None:
            raise Refused(f"The {key} range needs both angles, or none if every angle can be set.")
        return AngleRange(from_deg=low_deg, to_deg=high_deg)

    def _single(self, key: str) -> float | None:
        name, unit = next((n, u) for k, n, u in _SINGLES if k == key)
        return read_number(self.singles[key].text(), what=f"{name}:", unit=unit)

    def _head(self) -> HeadCylinder | None:
        radius_cm, face_cm = self._single("head_radius"), self._single("head_face")
        if radius_cm is None and face_cm is None:
            return None
        if radius_cm is None or face_cm is None:
            raise Refused("The collimator head needs a radius and a face distance, or neither.")
        return HeadCylinder(radius_cm=radius_cm, face_distance_cm=face_cm)


def _line(name: str) -> QLineEdit:
    line = QLineEdit()
    line.setLocale(QLocale.c())
    line.setAccessibleName(name)
    line.setAlignment(Qt.AlignmentFlag.AlignLeft)
    return line
