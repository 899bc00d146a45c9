"""Tables of a machine's configuration: applicators, jaws, cutouts. Cells are text and are read all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from ert.domain.machine import Machine
from ert.domain.machine_configuration import ApplicatorSetting, BlockMaterial, JawSetting
from ert.errors import Refused
from ert.ui.numbers import format_number, parse_number
from ert.ui.theme import TEXT_DIM

_ENTERED = 2


@attrs.frozen(kw_only=True)
class Column:
    """One column: its head, the unit typed numbers may carry, and whether it can be edited."""

    head: str
    unit: str = ""
    is_open: bool = True


def number_text(value: float | None) -> str:
    """A number with up to three decimals; empty where there is none."""
    if value is None:
        return ""
    text = format_number(value, 3)
    return text.rstrip("0").rstrip(".")


def read_number(
    text: str, *, what: str, unit: str, minimum: float = -math.inf, maximum: float = math.inf
) -> float | None:
    """A typed number, None if nothing is typed; raises `Refused` as `parse_number` does."""
    if not text.strip():
        return None
    return parse_number(text, what=what, unit=unit, minimum=minimum, maximum=maximum)


class ConfigurationTable(QTableWidget):
    """A table of texts with fixed columns."""

    def __init__(self, name: str, columns: Sequence[Column], parent: QWidget | None = None) -> None:
        super().__init__(0, len(columns), parent)
        self.columns_ = tuple(columns)
        self.setAccessibleName(name)
        self.setHorizontalHeaderLabels([f"{c.head}\n{c.unit}" if c.unit else c.head for c in columns])
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(24)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setMinimumSectionSize(64)
        header.setStretchLastSection(not columns[-1].unit)

    def show_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Show texts, row by row."""
        was_blocked = self.blockSignals(True)  # noqa: FBT003 - Qt's own signature
        self.setRowCount(0)
        for row in rows:
            self.add_row(row)
        self.blockSignals(was_blocked)

    def add_row(self, texts: Sequence[str]) -> None:
        """Append a row."""
        row = self.rowCount()
        self.insertRow(row)
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            if not self.columns_[column].is_open:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                item.setForeground(QColor(TEXT_DIM))
            if self.columns_[column].unit:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, column, item)

    def text(self, row: int, column: int) -> str:
        """What stands in a cell."""
        item = self.item(row, column)
        return "" if item is None else item.text().strip()

    def number(self, row: int, column: int, what: str) -> float | None:
        """The number in a cell; None if it is empty."""
        found = self.columns_[column]
        return read_number(self.text(row, column), what=f"{what}, {found.head},", unit=found.unit)

    def needed(self, row: int, column: int, what: str) -> float:
        """The number in a cell that must hold one."""
        value = self.number(row, column, what)
        if value is None:
            raise Refused(f"{what}: {self.columns_[column].head} is missing.")
        return value


class ApplicatorTable(ConfigurationTable):
    """Outer boxes, energies and codes of the applicators."""

    def __init__(self, parent: QWidget | None = None) -> None:
        columns = (
            Column(head="Applicator", is_open=False),
            Column(head="Opening", unit="cm", is_open=False),
            Column(head="Outer width X", unit="cm"),
            Column(head="Outer height Y", unit="cm"),
            Column(head="Face from source", unit="cm"),
            Column(head="Energies", unit="MeV"),
            Column(head="In use"),
            Column(head="Accessory code"),
            Column(head="Tray id"),
            Column(head="Cutout code"),
        )
        super().__init__("Applicators", columns, parent)

    def show_machine(self, machine: Machine) -> None:
        """Show the settings of all applicators."""
        rows = []
        for applicator in machine.applicators:
            setting = machine.configuration.applicator(applicator.id)
            opening = f"{number_text(applicator.opening_x_cm)} × {number_text(applicator.opening_y_cm)}"
            box = (number_text(v) for v in (setting.width_cm, setting.height_cm, setting.face_distance_cm))
            energies = ", ".join(f"{e:g}" for e in setting.energies_mev)
            codes = (setting.accessory_code, setting.tray_id, setting.block_accessory_code)
            rows.append((applicator.id, opening, *box, energies, "yes" if setting.is_available else "no", *codes))
        self.show_rows(rows)

    def settings(self) -> tuple[ApplicatorSetting, ...]:
        """What stands in the table; raises `Refused`."""
        found = []
        for row in range(self.rowCount()):
            applicator_id = self.text(row, 0)
            what = f"Applicator {applicator_id}"
            in_use = self.text(row, 6).lower()
            if in_use not in ("yes", "no"):
                raise Refused(f"{what}: “In use” must be yes or no, not '{in_use}'.")
            setting = ApplicatorSetting(
                applicator_id=applicator_id,
                width_cm=self.number(row, 2, what),
                height_cm=self.number(row, 3, what),
                face_distance_cm=self.number(row, 4, what),
                energies_mev=self._energies(row, what),
                is_available=in_use == "yes",
                accessory_code=self.text(row, 7),
                tray_id=self.text(row, 8),
                block_accessory_code=self.text(row, 9),
            )
            if setting != ApplicatorSetting(applicator_id=applicator_id):
                found.append(setting)
        return tuple(found)

    def _energies(self, row: int, what: str) -> tuple[float, ...]:
        parts = [part for part in self.text(row, 5).replace(";", ",").split(",") if part.strip()]
        return tuple(sorted({parse_number(part, what=f"{what}, an energy,", unit="MeV") for part in parts}))


class JawTable(ConfigurationTable):
    """Jaw positions of each applicator, for one energy or for all that have none of their own."""

    def __init__(self, parent: QWidget | None = None) -> None:
        sides = (Column(head=side, unit="cm") for side in ("X1", "X2", "Y1", "Y2"))
        columns = (Column(head="Applicator"), Column(head="Energy, empty for all", unit="MeV"), *sides)
        super().__init__("Jaws", columns, parent)

    def show_machine(self, machine: Machine) -> None:
        """Show all jaw settings."""
        jaws = machine.configuration.jaws
        self.show_rows([(j.applicator_id, *(number_text(v) for v in (j.energy_mev, *j.positions_cm))) for j in jaws])

    def settings(self) -> tuple[JawSetting, ...]:
        """What stands in the table, without rows that are empty; raises `Refused`."""
        found = []
        for row in range(self.rowCount()):
            if not any(self.text(row, column) for column in range(self.columnCount())):
                continue
            applicator_id = self.text(row, 0)
            what = f"Jaws, row {row + 1}"
            x1_cm, x2_cm, y1_cm, y2_cm = (self.needed(row, _ENTERED + n, what) for n in range(4))
            found.append(
                JawSetting(
                    applicator_id=applicator_id,
                    energy_mev=self.number(row, 1, what),
                    x1_cm=x1_cm,
                    x2_cm=x2_cm,
                    y1_cm=y1_cm,
                    y2_cm=y2_cm,
                )
            )
        return tuple(found)


class MaterialTable(ConfigurationTable):
    """Materials and thicknesses of cutouts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        columns = (Column(head="Material"), Column(head="Density", unit="g/cm³"), Column(head="Thickness", unit="cm"))
        super().__init__("Cutout materials", columns, parent)

    def show_machine(self, machine: Machine) -> None:
        """Show all materials."""
        materials = machine.configuration.block_materials
        self.show_rows([(m.name, number_text(m.density_g_cm3), number_text(m.thickness_cm)) for m in materials])

    def settings(self) -> tuple[BlockMaterial, ...]:
        """What stands in the table, without rows that are empty; raises `Refused`."""
        found = []
        for row in range(self.rowCount()):
            if not any(self.text(row, column) for column in range(self.columnCount())):
                continue
            name = self.text(row, 0)
            what = f"Material '{name}'"
            density, thickness = self.needed(row, 1, what), self.needed(row, 2, what)
            found.append(BlockMaterial(name=name, density_g_cm3=density, thickness_cm=thickness))
        return tuple(found)
