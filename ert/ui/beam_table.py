"""The beam table's model: one column a beam, one row a property, each with its unit, check and edit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QFont

from ert.domain.angle_scale import AngleAxis, AngleScale, room_angle_text
from ert.domain.beam import Beam
from ert.domain.device import ApertureSource
from ert.domain.machine import Machine
from ert.errors import ErtError, Refused
from ert.ui import beam_edits
from ert.ui.numbers import format_number, parse_number
from ert.ui.theme import TEXT_DIM
from ert.ui.widgets import plain_tip

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

Index = QModelIndex | QPersistentModelIndex
ChoicesRole = Qt.ItemDataRole.UserRole + 1
StepRole = Qt.ItemDataRole.UserRole + 2
_ROOT = QModelIndex()
SOURCE_NAMES = {
    ApertureSource.TARGET: "Target + margin",
    ApertureSource.RECTANGLE: "Rectangle",
    ApertureSource.ELLIPSE: "Ellipse",
    ApertureSource.OPEN: "Open applicator",
    ApertureSource.EDITED: "Edited by hand",
    ApertureSource.IMPORTED: "Imported",
}


@attrs.frozen(kw_only=True)
class BeamRow:
    """One property.

    Attributes
    ----------
    name, unit : shown in the row header.
    field : the beam's field whose stated reason belongs to this row.
    text : what a cell shows and an editor starts with.
    shown : what a cell shows instead while it is not edited; None for the same.
    change : a new beam from typed or chosen text; None where the value follows from others.
    choices : what may be chosen; None where text is typed.
    is_open : whether this beam's cell can be edited now.
    step : what one turn of the wheel, or one press of an arrow key, adds to the number; None where nothing turns.
    """

    name: str
    unit: str = ""
    field: str = ""
    text: Callable[[PlanWorkspace, Beam], str]
    shown: Callable[[PlanWorkspace, Beam], str] | None = None
    change: Callable[[PlanWorkspace, Beam, str], Beam] | None = None
    choices: Callable[[PlanWorkspace, Beam], Sequence[str]] | None = None
    is_open: Callable[[Beam], bool] = lambda _beam: True
    step: float | None = None


def _angle_row(
    axis: AngleAxis, field: str, *, read: Callable[[Beam], float], write: Callable[[Beam, float], Beam]
) -> BeamRow:
    """An IEC 61217 angle; beside it, where its scale differs, what the room shows."""

    def change(_ws: PlanWorkspace, beam: Beam, text: str) -> Beam:
        what = f"The {axis.value} angle"
        return write(beam, parse_number(text, what=what, unit="°", minimum=-360, maximum=360))

    def shown(workspace: PlanWorkspace, beam: Beam) -> str:
        text = format_number(read(beam), 1)
        machine = machine_of(workspace, beam)
        if machine is None or machine.configuration.scale is AngleScale.IEC_61217:
            return text
        return f"{text}  (room {room_angle_text(read(beam), axis, machine.configuration.scale)})"

    return BeamRow(
        name=f"{axis.value.capitalize()} IEC", unit="°", field=field, shown=shown, change=change, step=1.0,
        text=lambda _ws, beam: format_number(read(beam), 1),
    )  # fmt: skip


def _isocentre_row(axis: int) -> BeamRow:
    def change(_ws: PlanWorkspace, beam: Beam, text: str) -> Beam:
        value = parse_number(text, what=f"The isocentre's {'xyz'[axis]}", unit="cm", minimum=-300, maximum=300)
        point = list(beam.isocentre_cm)
        point[axis] = value
        return attrs.evolve(beam, isocentre_cm=(point[0], point[1], point[2]))

    return BeamRow(
        name=f"Isocentre {'xyz'[axis]}", unit="cm", field="isocentre_cm", change=change, step=0.1,
        text=lambda _ws, beam: format_number(beam.isocentre_cm[axis], 2),
    )  # fmt: skip


def _targets(workspace: PlanWorkspace) -> dict[str, int]:
    return {s.name: s.number for s in workspace.structures.structures if s.role.is_target and not s.is_empty}


def _target_name(workspace: PlanWorkspace, beam: Beam) -> str:
    if beam.target_number is None:
        return "–"
    return workspace.structures.structure(beam.target_number).name


def _energies(workspace: PlanWorkspace, beam: Beam) -> list[str]:
    return [f"{m.energy_mev:g}" for m in workspace.models.package(beam.machine_name).models]


def _applicators(workspace: PlanWorkspace, beam: Beam) -> list[str]:
    machine = workspace.models.package(beam.machine_name).machine
    return [a.id for a in machine.applicators if machine.offers(a.id, beam.energy_mev) or a.id == beam.applicator_id]


def machine_of(workspace: PlanWorkspace, beam: Beam) -> Machine | None:
    """The version of the machine a beam was planned with; None if the site lacks it (the plan checks say so)."""
    try:
        return workspace.models.of_beam(beam)[0]
    except Refused:
        return None


def _machine_text(workspace: PlanWorkspace, beam: Beam) -> str:
    """The machine's name; one that is not the current version says so, and choosing the name again takes that."""
    machine = machine_of(workspace, beam)
    if machine is None or machine == workspace.models.package(machine.name).machine:
        return beam.machine_name
    return f"{beam.machine_name} (older version)"


def _energy_text(workspace: PlanWorkspace, beam: Beam) -> str:
    """The energy, and whether a physicist has released its beam model, and as which version."""
    if machine_of(workspace, beam) is None:
        return f"{beam.energy_mev:g}"
    standing = workspace.releases.best_standing(workspace.models.with_model_of(beam))
    return f"{beam.energy_mev:g}  ({standing.short_text})"


def _machines(workspace: PlanWorkspace, _beam: Beam) -> list[str]:
    return list(dict.fromkeys(p.machine.name for p in workspace.models.packages))


def _set_source(workspace: PlanWorkspace, beam: Beam, text: str) -> Beam:
    source = next(s for s, name in SOURCE_NAMES.items() if name == text)
    return beam_edits.with_aperture_source(workspace, beam, source)


def _sources(_ws: PlanWorkspace, beam: Beam) -> list[str]:
    made = [SOURCE_NAMES[s] for s in (ApertureSource.TARGET, ApertureSource.RECTANGLE, ApertureSource.ELLIPSE)]
    names = [*made, SOURCE_NAMES[ApertureSource.OPEN], SOURCE_NAMES[ApertureSource.EDITED]]
    own = SOURCE_NAMES[beam.aperture.source]
    return names if own in names else [*names, own]


def _set_margin(workspace: PlanWorkspace, beam: Beam, text: str) -> Beam:
    margin_cm = parse_number(text, what="The margin", unit="cm", minimum=0, maximum=5)
    return beam_edits.with_margin(workspace, beam, margin_cm)


def _set_width(workspace: PlanWorkspace, beam: Beam, text: str) -> Beam:
    return beam_edits.with_size(workspace, beam, width_cm=_size_cm(text, "The width"), height_cm=None)


def _set_height(workspace: PlanWorkspace, beam: Beam, text: str) -> Beam:
    return beam_edits.with_size(workspace, beam, width_cm=None, height_cm=_size_cm(text, "The height"))


def _size_cm(text: str, what: str) -> float:
    return parse_number(text, what=what, unit="cm", minimum=0.5, maximum=40)


def _margin_text(_ws: PlanWorkspace, beam: Beam) -> str:
    margin_cm = beam.aperture.margin_cm
    return "–" if margin_cm is None else format_number(margin_cm, 2)


def _is_sized(beam: Beam) -> bool:
    return beam.aperture.source in (ApertureSource.RECTANGLE, ApertureSource.ELLIPSE)


def _set_name(_ws: PlanWorkspace, beam: Beam, text: str) -> Beam:
    return attrs.evolve(beam, name=text.strip() or beam.name)


def _set_weight(_ws: PlanWorkspace, beam: Beam, text: str) -> Beam:
    return attrs.evolve(beam, weight=parse_number(text, what="The weight", unit="", minimum=0.001, maximum=1000))


def _set_mu(_ws: PlanWorkspace, beam: Beam, text: str) -> Beam:
    return attrs.evolve(beam, mu=parse_number(text, what="Monitor units", unit="MU", minimum=0.1, maximum=9999))


ROWS: tuple[BeamRow, ...] = (
    BeamRow(name="Name", field="name", text=lambda _ws, b: b.name, change=_set_name),
    BeamRow(
        name="Target", field="target_number", text=_target_name,
        change=lambda w, b, text: attrs.evolve(b, target_number=_targets(w)[text]),
        choices=lambda w, _b: list(_targets(w)),
    ),
    BeamRow(
        name="Machine", field="machine_name", text=_machine_text,
        change=beam_edits.with_machine, choices=_machines,
    ),
    BeamRow(
        name="Energy", unit="MeV", field="energy_mev", text=lambda _ws, b: f"{b.energy_mev:g}",
        shown=_energy_text, change=lambda w, b, text: w.tools.with_energy(b, float(text)), choices=_energies,
    ),
    BeamRow(
        name="Applicator", field="applicator_id", text=lambda _ws, b: b.applicator_id,
        change=lambda _ws, b, text: attrs.evolve(b, applicator_id=text), choices=_applicators,
    ),
    _angle_row(
        AngleAxis.GANTRY, "gantry_deg",
        read=lambda b: b.gantry_deg, write=lambda b, angle_deg: attrs.evolve(b, gantry_deg=angle_deg),
    ),
    _angle_row(
        AngleAxis.COLLIMATOR, "collimator_deg",
        read=lambda b: b.collimator_deg, write=lambda b, angle_deg: attrs.evolve(b, collimator_deg=angle_deg),
    ),
    _angle_row(
        AngleAxis.COUCH, "couch_deg",
        read=lambda b: b.couch_deg, write=lambda b, angle_deg: attrs.evolve(b, couch_deg=angle_deg),
    ),
    _isocentre_row(0),
    _isocentre_row(1),
    _isocentre_row(2),
    BeamRow(
        name="SSD", unit="cm", field="ssd_cm",
        text=lambda _ws, b: "misses" if b.ssd_cm is None else format_number(b.ssd_cm, 2),
    ),
    BeamRow(
        name="Aperture", field="aperture", text=lambda _ws, b: SOURCE_NAMES[b.aperture.source],
        change=_set_source, choices=_sources,
    ),
    BeamRow(
        name="Margin", unit="cm", field="margin_cm", text=_margin_text, change=_set_margin, step=0.1,
        is_open=lambda b: b.aperture.source is ApertureSource.TARGET,
    ),
    BeamRow(
        name="Width X", unit="cm", field="width_cm", change=_set_width, is_open=_is_sized, step=0.1,
        text=lambda _ws, b: format_number(b.aperture.bounds_cm[1] - b.aperture.bounds_cm[0], 2),
    ),
    BeamRow(
        name="Height Y", unit="cm", field="height_cm", change=_set_height, is_open=_is_sized, step=0.1,
        text=lambda _ws, b: format_number(b.aperture.bounds_cm[3] - b.aperture.bounds_cm[2], 2),
    ),
    BeamRow(name="Area", unit="cm²", field="area", text=lambda _ws, b: format_number(b.aperture.area_cm2, 1)),
    BeamRow(
        name="Algorithm", field="algorithm", text=beam_edits.algorithm_text, shown=beam_edits.algorithm_shown,
        change=beam_edits.with_algorithm_named,
        choices=beam_edits.algorithm_choices,
    ),
    BeamRow(name="Weight", field="weight", text=lambda _ws, b: format_number(b.weight, 3), change=_set_weight),
    BeamRow(
        name="MU / fraction", unit="", field="mu", change=_set_mu, is_open=lambda _b: True,
        text=lambda _ws, b: "–" if b.mu is None else format_number(b.mu, 1),
    ),
)  # fmt: skip
MU_ROW = next(n for n, row in enumerate(ROWS) if row.field == "mu")


class BeamTableModel(QAbstractTableModel):
    """Beams of a plan; a refused edit changes nothing and is reported.

    Signals
    -------
    refused(sentence) : why a cell did not take what was typed.
    """

    refused = Signal(str)

    def __init__(self, workspace: PlanWorkspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._beams: tuple[Beam, ...] = workspace.plan.beams

    @property
    def beams(self) -> tuple[Beam, ...]:
        """In order of the columns."""
        return self._beams

    def refresh(self) -> None:
        """Take the plan's beams as they are now, without losing the selection where only values changed."""
        beams = self._workspace.plan.beams
        if [b.number for b in beams] != [b.number for b in self._beams]:
            self.beginResetModel()
            self._beams = beams
            self.endResetModel()
        elif beams:
            self._beams = beams
            self.dataChanged.emit(self.index(0, 0), self.index(len(ROWS) - 1, len(beams) - 1))
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(beams) - 1)

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Properties."""
        return 0 if parent.isValid() else len(ROWS)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Beams."""
        return 0 if parent.isValid() else len(self._beams)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Beam numbers above, property names with their units at the left."""
        if orientation == Qt.Orientation.Vertical and role == Qt.ItemDataRole.DisplayRole:
            row = ROWS[section]
            return f"{row.name}  {row.unit}" if row.unit else row.name
        if orientation == Qt.Orientation.Horizontal and section < len(self._beams):
            if role == Qt.ItemDataRole.DisplayRole:
                return f"Beam {self._beams[section].number}"
            if role == Qt.ItemDataRole.ForegroundRole:
                return QColor(*self._beams[section].colour)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Text, alignment, colour, reason and choices of a cell."""
        if not index.isValid():
            return None
        answers: dict[int, Callable[[BeamRow, Beam], object]] = {
            Qt.ItemDataRole.DisplayRole: self._shown,
            Qt.ItemDataRole.EditRole: self._text,
            Qt.ItemDataRole.ToolTipRole: self._tip,
            Qt.ItemDataRole.ForegroundRole: self._colour,
            Qt.ItemDataRole.FontRole: self._font,
            ChoicesRole: self._choices,
            StepRole: lambda row, _beam: row.step,
        }
        answer = answers.get(role)
        return None if answer is None else answer(ROWS[index.row()], self._beams[index.column()])

    def _text(self, row: BeamRow, beam: Beam) -> str:
        return row.text(self._workspace, beam)

    def _shown(self, row: BeamRow, beam: Beam) -> str:
        return (row.shown or row.text)(self._workspace, beam)

    def _colour(self, row: BeamRow, beam: Beam) -> QColor | None:
        return None if self.is_editable(row, beam) else QColor(TEXT_DIM)

    def _font(self, row: BeamRow, beam: Beam) -> QFont | None:
        """Italic where the program proposed the value."""
        if not self.reason(row, beam):
            return None
        font = QFont()
        font.setItalic(True)
        return font

    def _choices(self, row: BeamRow, beam: Beam) -> list[str] | None:
        return None if row.choices is None else list(row.choices(self._workspace, beam))

    @staticmethod
    def reason(row: BeamRow, beam: Beam) -> str | None:
        """Why the program proposed this value; None if a person entered it or it follows from others."""
        return next((text for field, text in beam.reasons if field == row.field), None)

    def _tip(self, row: BeamRow, beam: Beam) -> str | None:
        reason = self.reason(row, beam)
        return None if reason is None else plain_tip(reason)

    def is_editable(self, row: BeamRow, beam: Beam) -> bool:
        """Whether a cell takes input now; MU only where the plan is not normalised."""
        if row.change is None or not row.is_open(beam):
            return False
        return row.field != "mu" or self._workspace.plan.prescription.normalisation == "FIXED_MU"

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Selectable; editable where the value is the user's."""
        flags = super().flags(index)
        if index.isValid() and self.is_editable(ROWS[index.row()], self._beams[index.column()]):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: ANN401
        """Apply a typed or chosen value as one undoable edit."""
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        row, beam = ROWS[index.row()], self._beams[index.column()]
        text = str(value)
        change = row.change
        if change is None or text == row.text(self._workspace, beam):
            return False
        try:
            edit = beam_edits.change_beam(
                self._workspace, beam.number, lambda b: change(self._workspace, b, text), field=row.field
            )
            self._workspace.apply(f"{row.name} of {beam.name}", edit)
        except ErtError as error:
            self.refused.emit(f"{beam.name}, {row.name}: {error}")
            return False
        return True
