"""Reader of a beam data folder: what a physicist measured, checked line by line."""

from __future__ import annotations

import csv
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.identity import read_only
from ert.domain.machine import Applicator, Machine
from ert.errors import InvalidBeamData

Float = NDArray[np.float64]
FORMAT = 1
INDEX_NAME = "beam_data.toml"
OPEN = "open"
_DEFAULT_SIGMA_FRAC = 0.01
_CUTOUT = re.compile(r"^(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)$")
_DEPTH_COLUMN = re.compile(r"^dose_(\d+(?:\.\d+)?)cm$")
_AIR_COLUMN = re.compile(r"^fluence_(\d+(?:\.\d+)?)$")
_KINDS = ("depth_dose", "profile", "output_factors", "in_air_profile")


@attrs.frozen(kw_only=True)
class Field:
    """One measured field: applicator, opening at the isocentre plane, distance."""

    applicator_id: str
    cutout: str
    width_cm: float
    height_cm: float
    ssd_cm: float

    @property
    def name(self) -> str:
        """For tables: applicator, cutout, SSD."""
        return f"{self.applicator_id} {self.cutout} SSD {self.ssd_cm:g}"


@attrs.frozen(kw_only=True)
class Curve:
    """A depth dose (positions are depths) or a profile (positions across the beam at `depth_cm`).

    Attributes
    ----------
    kind : "depth_dose" or "profile"; axis : "crossline" or "inline" for profiles.
    position_cm, dose, sigma : measured points; dose in cGy/MU (`is_absolute`) or percent of its own maximum.
    """

    kind: str
    field: Field
    file: str
    axis: str = ""
    depth_cm: float = math.nan
    position_cm: Float = attrs.field(converter=read_only, repr=False)
    dose: Float = attrs.field(converter=read_only, repr=False)
    sigma: Float = attrs.field(converter=read_only, repr=False)
    is_absolute: bool = True

    @property
    def name(self) -> str:
        """For tables and legends."""
        at = f", {self.axis} at {self.depth_cm:g} cm" if self.kind == "profile" else ", depth dose"
        return self.field.name + at


@attrs.frozen(kw_only=True)
class Output:
    """A measured output, cGy/MU at the depth of maximum, with one relative standard deviation."""

    field: Field
    cgy_per_mu: float
    relative_sigma: float
    depth_of_maximum_cm: float


@attrs.frozen(kw_only=True)
class AirProfile:
    """Relative fluence across the beam in air at one distance from the nominal source."""

    applicator_id: str
    distance_cm: float
    width_cm: float
    position_cm: Float = attrs.field(converter=read_only, repr=False)
    fluence: Float = attrs.field(converter=read_only, repr=False)
    sigma: Float = attrs.field(converter=read_only, repr=False)


@attrs.frozen(kw_only=True)
class EnergyData:
    """Everything measured at one energy; `missing` names what the index lists but the folder lacks."""

    energy_mev: float
    curves: tuple[Curve, ...]
    outputs: tuple[Output, ...]
    air_profiles: tuple[AirProfile, ...]
    missing: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class BeamData:
    """A whole beam data folder."""

    name: str
    origin: str
    machine: Machine
    reference: Field
    reference_cgy_per_mu: float
    energies: tuple[EnergyData, ...]
    notes: tuple[str, ...] = ()


def _refuse(where: str, what: str, todo: str) -> InvalidBeamData:
    return InvalidBeamData(f"{where}: {what}", hint=todo)


class _Section:
    """One table of the index with its place in messages."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values = values
        self.where = where

    def number(self, key: str) -> float:
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise _refuse(self.where, f"'{key}' must be a positive number, found {value!r}.", "Correct the index.")
        return float(value)

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise _refuse(self.where, f"'{key}' must be a text, found {value!r}.", "Correct the index.")
        return value


def read_beam_data(folder: Path, *, energies_mev: Sequence[float] | None = None) -> BeamData:
    """Read a beam data folder, version 1.

    Parameters
    ----------
    folder : holds `beam_data.toml` and the CSV files it lists.
    energies_mev : read only these; None for all listed.

    Raises
    ------
    InvalidBeamData
        With file, line, what is wrong and what to do. A listed file that is absent is not refused but named in
        `EnergyData.missing`, as long as the reference field of its energy stays complete.
    """
    index = folder / INDEX_NAME
    try:
        tree = tomllib.loads(index.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _refuse(str(folder), f"there is no {INDEX_NAME}.", "Choose a beam data folder.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise _refuse(INDEX_NAME, f"it cannot be read ({exc}).", "Correct the file.") from exc
    if tree.get("format") != FORMAT:
        raise _refuse(INDEX_NAME, f"format is {tree.get('format')!r}, not {FORMAT}.", "Use a newer ERT or convert it.")
    applicators = _applicators(tree)
    energies = _energies(tree, energies_mev)
    machine = _machine(tree, applicators, energies)
    reference_table = _Section(_table(tree, "reference"), f"{INDEX_NAME} [reference]")
    reference = _field(reference_table, machine)
    data = tuple(_read_energy(folder, tree, e, machine) for e in energies)
    for energy in data:
        _require_reference(energy, reference)
    return BeamData(
        name=machine.name,
        origin=str(tree.get("origin", "")),
        machine=machine,
        reference=reference,
        reference_cgy_per_mu=reference_table.number("output_cgy_per_mu"),
        energies=data,
    )


def _table(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = tree.get(name)
    if not isinstance(value, dict):
        raise _refuse(INDEX_NAME, f"the table [{name}] is missing.", "Add it; see the format of beam data folders.")
    return value


def _tables(tree: Mapping[str, Any], name: str) -> list[_Section]:
    value = tree.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
        raise _refuse(INDEX_NAME, f"there is no [[{name}]] table.", "Add one for each.")
    return [_Section(v, f"{INDEX_NAME} [[{name}]] {k + 1}") for k, v in enumerate(value)]


def _applicators(tree: Mapping[str, Any]) -> tuple[Applicator, ...]:
    found = [
        Applicator(id=s.text("id"), opening_x_cm=s.number("opening_x_cm"), opening_y_cm=s.number("opening_y_cm"))
        for s in _tables(tree, "applicator")
    ]
    return tuple(sorted(found, key=lambda a: a.area_cm2))


def _energies(tree: Mapping[str, Any], wanted: Sequence[float] | None) -> tuple[float, ...]:
    listed = sorted({s.number("nominal_mev") for s in _tables(tree, "energy")})
    if wanted is None:
        return tuple(listed)
    for energy in wanted:
        if float(energy) not in listed:
            known = ", ".join(f"{e:g}" for e in listed)
            raise _refuse(INDEX_NAME, f"there is no data for {energy:g} MeV.", f"It lists {known} MeV.")
    return tuple(sorted({float(e) for e in wanted}))


def _machine(tree: Mapping[str, Any], applicators: tuple[Applicator, ...], energies: tuple[float, ...]) -> Machine:
    s = _Section(_table(tree, "machine"), f"{INDEX_NAME} [machine]")
    return Machine(
        name=_Section(tree, INDEX_NAME).text("name"),
        sad_cm=s.number("sad_cm"),
        insert_distance_cm=s.number("insert_downstream_face_cm"),
        insert_thickness_cm=s.number("insert_thickness_cm"),
        insert_material=s.text("insert_material"),
        applicators=applicators,
        energies_mev=energies,
    )


def _field(s: _Section, machine: Machine) -> Field:
    applicator_id, cutout = s.text("applicator"), s.text("cutout")
    return _make_field(applicator_id, cutout, s.number("ssd_cm"), machine, s.where)


def _make_field(applicator_id: str, cutout: str, ssd_cm: float, machine: Machine, where: str) -> Field:
    known = {a.id: a for a in machine.applicators}
    if applicator_id not in known:
        raise _refuse(where, f"applicator '{applicator_id}' is not listed.", f"Listed are {', '.join(known)}.")
    applicator = known[applicator_id]
    width, height = applicator.opening_x_cm, applicator.opening_y_cm
    if cutout != OPEN:
        match = _CUTOUT.match(cutout)
        if match is None:
            raise _refuse(where, f"cutout '{cutout}' is not understood.", "Write 'open' or width x height, '4x6'.")
        width, height = float(match[1]), float(match[2])
        if width > applicator.opening_x_cm or height > applicator.opening_y_cm or min(width, height) <= 0:
            raise _refuse(where, f"cutout '{cutout}' does not fit applicator '{applicator_id}'.", "Correct the index.")
    return Field(applicator_id=applicator_id, cutout=cutout, width_cm=width, height_cm=height, ssd_cm=ssd_cm)


def _read_energy(folder: Path, tree: Mapping[str, Any], energy_mev: float, machine: Machine) -> EnergyData:
    curves: list[Curve] = []
    outputs: list[Output] = []
    air: list[AirProfile] = []
    missing: list[str] = []
    for s in _tables(tree, "file"):
        name, kind = s.text("path"), s.text("kind")
        if kind not in _KINDS:
            raise _refuse(s.where, f"kind '{kind}' is not known.", f"Kinds are {', '.join(_KINDS)}.")
        if s.number("energy_mev") != energy_mev:
            continue
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise _refuse(s.where, f"'{name}' lies outside the folder.", "List only files inside it.")
        if not path.is_file():
            missing.append(f"{name} ({kind.replace('_', ' ')}) is listed but not there")
            continue
        table = _Csv(path, name)
        if kind == "depth_dose":
            curves.append(_depth_dose(table, _field(s, machine)))
        elif kind == "profile":
            curves.extend(_profiles(table, _field(s, machine), str(s.values.get("axis", "crossline"))))
        elif kind == "output_factors":
            outputs.extend(_outputs(table, machine))
        else:
            air.extend(_air_profiles(table, s.text("applicator"), machine, s.where))
    return EnergyData(
        energy_mev=energy_mev,
        curves=tuple(curves),
        outputs=tuple(outputs),
        air_profiles=tuple(air),
        missing=tuple(missing),
    )


class _Csv:
    """A CSV file with a header and rows of numbers; refusals name file and line."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = [(n, row) for n, row in enumerate(csv.reader(file), start=1) if any(c.strip() for c in row)]
        except (UnicodeDecodeError, csv.Error) as exc:
            raise _refuse(name, f"it is not a CSV text file ({exc}).", "Export it again as CSV in UTF-8.") from exc
        if len(lines) < 2:
            raise _refuse(name, "it has no rows below the header.", "Export it again.")
        self.header = [c.strip() for c in lines[0][1]]
        self.rows = lines[1:]
        for n, row in self.rows:
            if len(row) != len(self.header):
                raise _refuse(
                    f"{name}, line {n}", f"{len(row)} columns, the header has {len(self.header)}.", "Correct the line."
                )

    def require(self, column: str) -> int:
        if column not in self.header:
            raise _refuse(f"{self.name}, line 1", f"column '{column}' is missing.", "Name the columns as documented.")
        return self.header.index(column)

    def text(self, column: str) -> list[str]:
        at = self.require(column)
        return [row[at].strip() for _, row in self.rows]

    def numbers(self, column: str, *, is_negative_allowed: bool = False) -> Float:
        at = self.require(column)
        values = np.empty(len(self.rows))
        for k, (n, row) in enumerate(self.rows):
            try:
                values[k] = float(row[at])
            except ValueError:
                values[k] = math.nan
            if not math.isfinite(values[k]) or (values[k] < 0 and not is_negative_allowed):
                raise _refuse(
                    f"{self.name}, line {n}", f"'{row[at]}' in column '{column}' is no usable number.", "Correct it."
                )
        return values

    def rising(self, column: str, *, is_negative_allowed: bool = False) -> Float:
        values = self.numbers(column, is_negative_allowed=is_negative_allowed)
        falls = np.nonzero(np.diff(values) <= 0)[0]
        if len(falls):
            line = self.rows[int(falls[0]) + 1][0]
            raise _refuse(f"{self.name}, line {line}", f"'{column}' does not rise.", "Sort the rows, no repeats.")
        return values

    def sigma(self, column: str, dose: Float) -> Float:
        """The column of standard deviations with a floor, or 1 % of the maximum where it is missing."""
        top = float(dose.max())
        if column not in self.header:
            return np.full_like(dose, _DEFAULT_SIGMA_FRAC * top)
        return np.maximum(self.numbers(column), 1e-4 * top)


def _depth_dose(table: _Csv, field: Field) -> Curve:
    is_absolute = "dose_cgy_per_mu" in table.header
    unit = "cgy_per_mu" if is_absolute else "percent"
    dose = table.numbers(f"dose_{unit}")
    depth = table.rising("depth_cm")
    if dose.max() <= 0 or len(depth) < 10:
        raise _refuse(table.name, "a depth dose needs ten points and a dose above zero.", "Export it again.")
    return Curve(
        kind="depth_dose",
        field=field,
        file=table.name,
        position_cm=depth,
        dose=dose,
        sigma=table.sigma(f"sigma_{unit}", dose),
        is_absolute=is_absolute,
    )


def _profiles(table: _Csv, field: Field, axis: str) -> list[Curve]:
    if axis not in ("crossline", "inline"):
        raise _refuse(table.name, f"axis '{axis}' is not known.", "Use 'crossline' (bev x) or 'inline' (bev y).")
    position = table.rising("position_cm", is_negative_allowed=True)
    curves = []
    for column in table.header:
        match = _DEPTH_COLUMN.match(column)
        if match is None:
            continue
        dose = table.numbers(column)
        if dose.max() <= 0:
            raise _refuse(table.name, f"column '{column}' holds no dose.", "Export it again.")
        curves.append(
            Curve(
                kind="profile",
                field=field,
                file=table.name,
                axis=axis,
                depth_cm=float(match[1]),
                position_cm=position,
                dose=dose,
                sigma=table.sigma(f"sigma_{match[1]}cm", dose),
            )
        )
    if not curves:
        raise _refuse(
            f"{table.name}, line 1", "there is no column 'dose_<depth>cm'.", "Name the columns as documented."
        )
    return curves


def _outputs(table: _Csv, machine: Machine) -> list[Output]:
    columns = [table.text("applicator"), table.text("cutout")]
    ssd, dose = table.numbers("ssd_cm"), table.numbers("output_cgy_per_mu")
    depth = table.numbers("depth_of_maximum_cm")
    sigma = table.numbers("relative_sigma") if "relative_sigma" in table.header else np.full_like(dose, 0.01)
    return [
        Output(
            field=_make_field(a, c, float(ssd[k]), machine, f"{table.name}, line {table.rows[k][0]}"),
            cgy_per_mu=float(dose[k]),
            relative_sigma=max(float(sigma[k]), 1e-4),
            depth_of_maximum_cm=float(depth[k]),
        )
        for k, (a, c) in enumerate(zip(*columns, strict=True))
    ]


def _air_profiles(table: _Csv, applicator_id: str, machine: Machine, where: str) -> list[AirProfile]:
    field = _make_field(applicator_id, OPEN, machine.sad_cm, machine, where)
    position = table.rising("position_cm", is_negative_allowed=True)
    found = []
    for column in table.header:
        match = _AIR_COLUMN.match(column)
        if match is None:
            continue
        fluence = table.numbers(column)
        if fluence.max() <= 0:
            raise _refuse(table.name, f"column '{column}' holds no fluence.", "Export it again.")
        found.append(
            AirProfile(
                applicator_id=applicator_id,
                distance_cm=float(match[1]),
                width_cm=field.width_cm,
                position_cm=position,
                fluence=fluence,
                sigma=np.maximum(table.sigma(f"sigma_{match[1]}", fluence), 0.005 * fluence.max()),
            )
        )
    return found


def _require_reference(energy: EnergyData, reference: Field) -> None:
    """Refuse an energy whose open reference field lacks depth dose, profiles or output."""
    wanted = {
        "a depth dose": any(c.kind == "depth_dose" and c.field == reference for c in energy.curves),
        "profiles": any(c.kind == "profile" and c.field == reference for c in energy.curves),
        "an output factor": any(o.field == reference for o in energy.outputs),
    }
    lacking = [name for name, is_there in wanted.items() if not is_there]
    if lacking:
        raise _refuse(
            f"{INDEX_NAME}, {energy.energy_mev:g} MeV",
            f"the reference field {reference.name} has no {' and no '.join(n.split(' ', 1)[-1] for n in lacking)}.",
            "Measure them, or leave this energy out with --energies.",
        )
