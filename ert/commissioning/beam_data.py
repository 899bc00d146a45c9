"""Reader of a beam data folder: what a physicist measured, checked line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from ert.commissioning.check_files import read_checks
from ert.commissioning.configuration_file import CONFIGURATION_NAME, read_configuration
from ert.commissioning.curve_files import (
    Csv,
    listed_file,
    read_air_profiles,
    read_cutout_factors,
    read_depth_dose,
    read_outputs,
    read_profiles,
    refuse,
)
from ert.commissioning.index_tables import read_field, read_machine, read_toml, table, tables
from ert.commissioning.measured import AirProfile, BeamData, Curve, EnergyData, Field, Insert, Output
from ert.commissioning.plausible import require_plausible
from ert.domain.machine import Machine
from ert.domain.machine_configuration import ApplicatorSetting
from ert.errors import InvalidBeamData, Refused

FORMAT = 1
INDEX_NAME = "beam_data.toml"
_KINDS = ("depth_dose", "profile", "output_factors", "in_air_profile", "cutout_factors")


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
    tree = read_toml(folder / INDEX_NAME, INDEX_NAME, absent=f"there is no {INDEX_NAME}.")
    if tree.get("format") != FORMAT:
        raise refuse(INDEX_NAME, f"format is {tree.get('format')!r}, not {FORMAT}.", "Use a newer ERT or convert it.")
    energies = _energies(tree, energies_mev)
    machine = _configured(read_machine(tree, INDEX_NAME, energies), folder, listed_mev=_energies(tree, None))
    reference_table = table(tree, "reference", INDEX_NAME)
    reference = read_field(reference_table, machine)
    data = tuple(_read_energy(folder, tree, e, machine) for e in energies)
    for energy in data:
        _require_reference(energy, reference)
        require_plausible(energy, reference, machine.sad_cm)
    return BeamData(
        name=machine.name,
        origin=str(tree.get("origin", "")),
        machine=machine,
        reference=reference,
        reference_cgy_per_mu=reference_table.number("output_cgy_per_mu"),
        energies=data,
    )


def _energies(tree: Mapping[str, Any], wanted: Sequence[float] | None) -> tuple[float, ...]:
    listed = sorted({s.number("nominal_mev") for s in tables(tree, "energy", INDEX_NAME)})
    if wanted is None:
        return tuple(listed)
    for energy in wanted:
        if float(energy) not in listed:
            known = ", ".join(f"{e:g}" for e in listed)
            raise refuse(INDEX_NAME, f"there is no data for {energy:g} MeV.", f"It lists {known} MeV.")
    return tuple(sorted({float(e) for e in wanted}))


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


def _read_energy(folder: Path, tree: Mapping[str, Any], energy_mev: float, machine: Machine) -> EnergyData:
    curves: list[Curve] = []
    outputs: list[Output] = []
    air: list[AirProfile] = []
    inserts: list[Insert] = []
    missing: list[str] = []
    for s in tables(tree, "file", INDEX_NAME):
        name, kind = s.text("path"), s.text("kind")
        if kind not in _KINDS:
            raise refuse(s.where, f"kind '{kind}' is not known.", f"Kinds are {', '.join(_KINDS)}.")
        if s.number("energy_mev") != energy_mev:
            continue
        path = listed_file(folder, name, s.where)
        if not path.is_file():
            missing.append(f"{name} ({kind.replace('_', ' ')}) is listed but not there")
            continue
        content = Csv(path, name)
        if kind == "depth_dose":
            curves.append(read_depth_dose(content, read_field(s, machine)))
        elif kind == "profile":
            curves.extend(read_profiles(content, read_field(s, machine), str(s.values.get("axis", "crossline"))))
        elif kind == "output_factors":
            outputs.extend(read_outputs(content, machine))
        elif kind == "cutout_factors":
            inserts.extend(read_cutout_factors(content, machine))
        else:
            air.extend(read_air_profiles(content, s.text("applicator"), machine, s.where))
    checks, absent = read_checks(folder, tree, energy_mev, machine, INDEX_NAME)
    return EnergyData(
        energy_mev=energy_mev,
        curves=tuple(sorted(curves, key=lambda c: (*_place(c.field, machine), c.kind, c.axis, c.depth_cm, c.file))),
        outputs=tuple(sorted(outputs, key=lambda o: _place(o.field, machine))),
        air_profiles=tuple(sorted(air, key=lambda a: (a.applicator_id, a.distance_cm))),
        inserts=tuple(inserts),
        checks=checks,
        missing=(*missing, *absent),
    )


def _place(field: Field, machine: Machine) -> tuple[float, float, float, float, str]:
    """Where a field stands in a fixed order, so that a fit does not depend on the order files are listed in."""
    applicator = machine.applicator(field.applicator_id)
    return (applicator.area_cm2, field.width_cm * field.height_cm, field.width_cm, field.ssd_cm, field.applicator_id)


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
