"""Reader of a beam data folder: what a physicist measured, checked line by line."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from ert.commissioning.configuration_file import CONFIGURATION_NAME, read_configuration
from ert.commissioning.curve_files import (
    Csv,
    make_field,
    read_air_profiles,
    read_depth_dose,
    read_outputs,
    read_profiles,
    refuse,
)
from ert.commissioning.measured import AirProfile, BeamData, Curve, EnergyData, Field, Output
from ert.domain.machine import Applicator, Machine
from ert.domain.machine_configuration import ApplicatorSetting
from ert.errors import InvalidBeamData, Refused

FORMAT = 1
INDEX_NAME = "beam_data.toml"
_KINDS = ("depth_dose", "profile", "output_factors", "in_air_profile")


class _Section:
    """One table of the index with its place in messages."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values = values
        self.where = where

    def number(self, key: str) -> float:
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise refuse(self.where, f"'{key}' must be a positive number, found {value!r}.", "Correct the index.")
        return float(value)

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise refuse(self.where, f"'{key}' must be a text, found {value!r}.", "Correct the index.")
        return value


def read_beam_data(folder: Path, *, energies_mev: Sequence[float] | None = None) -> BeamData:
    """Read a beam data folder, version 1.

    Parameters
    ----------
    folder : holds `beam_data.toml`, the CSV files it lists, and may hold a `machine_configuration.toml`.
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
        raise refuse(str(folder), f"there is no {INDEX_NAME}.", "Choose a beam data folder.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise refuse(INDEX_NAME, f"it cannot be read ({exc}).", "Correct the file.") from exc
    if tree.get("format") != FORMAT:
        raise refuse(INDEX_NAME, f"format is {tree.get('format')!r}, not {FORMAT}.", "Use a newer ERT or convert it.")
    applicators = _applicators(tree)
    energies = _energies(tree, energies_mev)
    machine = _configured(_machine(tree, applicators, energies), folder, listed_mev=_energies(tree, None))
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
        raise refuse(INDEX_NAME, f"the table [{name}] is missing.", "Add it; see the format of beam data folders.")
    return value


def _tables(tree: Mapping[str, Any], name: str) -> list[_Section]:
    value = tree.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
        raise refuse(INDEX_NAME, f"there is no [[{name}]] table.", "Add one for each.")
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
            raise refuse(INDEX_NAME, f"there is no data for {energy:g} MeV.", f"It lists {known} MeV.")
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


def _configured(machine: Machine, folder: Path, *, listed_mev: tuple[float, ...]) -> Machine:
    """The machine with the folder's configuration, if it has one, as far as it concerns the energies that are read."""
    path = folder / CONFIGURATION_NAME
    if not path.is_file():
        return machine
    configuration = read_configuration(path)
    try:
        attrs.evolve(machine, energies_mev=listed_mev, configuration=configuration)
    except Refused as exc:
        raise InvalidBeamData(f"'{path.name}': {exc.sentence}", hint=exc.hint) from exc
    read_mev = machine.energies_mev
    jaws = tuple(j for j in configuration.jaws if j.energy_mev is None or j.energy_mev in read_mev)
    settings = tuple(_with_energies(s, read_mev) for s in configuration.applicators)
    return attrs.evolve(machine, configuration=attrs.evolve(configuration, jaws=jaws, applicators=settings))


def _with_energies(setting: ApplicatorSetting, read_mev: tuple[float, ...]) -> ApplicatorSetting:
    """The setting without energies that are not read; switched off if none of its own is left."""
    kept = tuple(e for e in setting.energies_mev if e in read_mev)
    is_left = bool(kept) or not setting.energies_mev
    return attrs.evolve(setting, energies_mev=kept, is_available=setting.is_available and is_left)


def _field(s: _Section, machine: Machine) -> Field:
    applicator_id, cutout = s.text("applicator"), s.text("cutout")
    return make_field(applicator_id, cutout, s.number("ssd_cm"), machine, s.where)


def _read_energy(folder: Path, tree: Mapping[str, Any], energy_mev: float, machine: Machine) -> EnergyData:
    curves: list[Curve] = []
    outputs: list[Output] = []
    air: list[AirProfile] = []
    missing: list[str] = []
    for s in _tables(tree, "file"):
        name, kind = s.text("path"), s.text("kind")
        if kind not in _KINDS:
            raise refuse(s.where, f"kind '{kind}' is not known.", f"Kinds are {', '.join(_KINDS)}.")
        if s.number("energy_mev") != energy_mev:
            continue
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise refuse(s.where, f"'{name}' lies outside the folder.", "List only files inside it.")
        if not path.is_file():
            missing.append(f"{name} ({kind.replace('_', ' ')}) is listed but not there")
            continue
        table = Csv(path, name)
        if kind == "depth_dose":
            curves.append(read_depth_dose(table, _field(s, machine)))
        elif kind == "profile":
            curves.extend(read_profiles(table, _field(s, machine), str(s.values.get("axis", "crossline"))))
        elif kind == "output_factors":
            outputs.extend(read_outputs(table, machine))
        else:
            air.extend(read_air_profiles(table, s.text("applicator"), machine, s.where))
    return EnergyData(
        energy_mev=energy_mev,
        curves=tuple(curves),
        outputs=tuple(outputs),
        air_profiles=tuple(air),
        missing=tuple(missing),
    )


def _require_reference(energy: EnergyData, reference: Field) -> None:
    """Refuse an energy whose open reference field lacks depth dose, profiles or output."""
    wanted = {
        "a depth dose": any(c.kind == "depth_dose" and c.field == reference for c in energy.curves),
        "profiles": any(c.kind == "profile" and c.field == reference for c in energy.curves),
        "an output factor": any(o.field == reference for o in energy.outputs),
    }
    lacking = [name for name, is_there in wanted.items() if not is_there]
    if lacking:
        raise refuse(
            f"{INDEX_NAME}, {energy.energy_mev:g} MeV",
            f"the reference field {reference.name} has no {' and no '.join(n.split(' ', 1)[-1] for n in lacking)}.",
            "Measure them, or leave this energy out with --energies.",
        )
