"""Machines of a site: another configuration as a new version, and what a machine is in plain values."""

from __future__ import annotations

from typing import Any

import attrs

from ert.app.dose_service import Models
from ert.domain.acceptance import AcceptanceTest
from ert.domain.angle_scale import AngleScale, to_room_jaws
from ert.domain.beam_model import BeamModel, MachinePackage, MeasuredRange
from ert.domain.machine import Applicator, Machine
from ert.domain.machine_configuration import MachineConfiguration
from ert.errors import Conflict, Refused


def configured(package: MachinePackage, configuration: MachineConfiguration, models: Models) -> MachinePackage:
    """The next version of a machine: the same beam models, another configuration, its revision counted on.

    Raises
    ------
    Conflict
        If the package is not the newest of its machine.
    Refused
        If the configuration names what the machine does not have, or says what it says now.
    """
    name = package.machine.name
    newest = models.package(name)
    if newest.digest != package.digest:
        raise Conflict(
            f"Machine '{name}' was changed meanwhile (revision {newest.machine.configuration.revision}).",
            hint="Look at its current configuration, then change that.",
        )
    present = package.machine.configuration
    if attrs.evolve(configuration, revision=present.revision) == present:
        raise Refused(f"The configuration of machine '{name}' is that already; nothing was saved.")
    revision = 1 + max(p.machine.configuration.revision for p in models.versions(name))
    machine = attrs.evolve(package.machine, configuration=attrs.evolve(configuration, revision=revision))
    return attrs.evolve(package, machine=machine)


def refuse_other_geometry(package: MachinePackage, models: Models) -> None:
    """Refuse a package that has a beam model the site knows on a machine with other distances, insert or openings.

    A dose is named by its beam model; the same model must not mean two doses.
    """
    digests = {m.digest for m in package.models}
    for known in models.packages:
        if known.machine.dosimetric_digest == package.machine.dosimetric_digest:
            continue
        if digests & {m.digest for m in known.models}:
            raise Refused(
                f"This site has a beam model of '{package.machine.name}' on a machine with other distances, insert or "
                f"applicators ('{known.machine.name}'); the package was not added.",
                hint="Commission the machine as it is now.",
            )


def machine_summary(package: MachinePackage) -> dict[str, Any]:
    """A machine package in plain values, for commands and screens; angles are IEC 61217, lengths cm."""
    machine, configuration = package.machine, package.machine.configuration
    return {
        "name": machine.name,
        "revision": configuration.revision,
        "is_demo": package.is_demo,
        "origin": package.origin,
        "digest": package.digest,
        "machine_digest": machine.digest,
        "treatment_machine_name": machine.treatment_name,
        "manufacturer": configuration.manufacturer,
        "model_name": configuration.model_name,
        "serial_number": configuration.serial_number,
        "sad_cm": machine.sad_cm,
        "insert_distance_cm": machine.insert_distance_cm,
        "insert_thickness_cm": machine.insert_thickness_cm,
        "insert_material": machine.insert_material,
        "tray_distance_cm": configuration.tray_distance_cm or machine.insert_distance_cm,
        "scale": configuration.scale.value,
        "limits": _limits(configuration),
        "clearance_cm": configuration.clearance_cm,
        "collimator_head": None if configuration.head is None else attrs.asdict(configuration.head),
        "mu_action_levels": attrs.asdict(configuration.mu_levels),
        "has_symmetric_jaws": configuration.has_symmetric_jaws,
        "applicators": [_applicator(machine, a) for a in machine.applicators],
        "block_materials": [attrs.asdict(m) for m in configuration.block_materials],
        "energies": [_energy(m) for m in package.models],
        "acceptance": [
            {"energy_mev": of.energy_mev, "engine": of.engine, "tests": [acceptance_summary(t) for t in of.tests]}
            for of in package.acceptance
        ],
    }


def _limits(configuration: MachineConfiguration) -> dict[str, Any]:
    ranges = {"gantry": configuration.gantry, "collimator": configuration.collimator, "couch": configuration.couch}
    return {
        **{f"{name}_deg": [r.from_deg, r.to_deg] for name, r in ranges.items()},
        "ssd_cm": [configuration.ssd_min_cm, configuration.ssd_max_cm],
        "mu": [configuration.min_mu, configuration.max_mu],
    }


def _applicator(machine: Machine, applicator: Applicator) -> dict[str, Any]:
    setting = machine.configuration.applicator(applicator.id)
    width_cm, height_cm, face_cm = machine.outer_box_cm(applicator.id)
    return {
        "id": applicator.id,
        "opening_cm": [applicator.opening_x_cm, applicator.opening_y_cm],
        "outer_box_cm": [width_cm, height_cm],
        "face_distance_cm": face_cm,
        "is_box_assumed": setting.box_cm is None,
        "is_available": setting.is_available,
        "energies_mev": list(setting.energies_mev or machine.energies_mev),
        "accessory_code": setting.accessory_code,
        "tray_id": setting.tray_id,
        "block_accessory_code": setting.block_accessory_code,
        "jaws_cm": {f"{e:g}": _jaws(machine, applicator.id, e) for e in machine.energies_mev},
    }


def _jaws(machine: Machine, applicator_id: str, energy_mev: float) -> list[float] | None:
    jaws = machine.jaws_cm(applicator_id, energy_mev)
    return None if jaws is None else list(jaws)


def room_jaws_text(machine: Machine, applicator_id: str, energy_mev: float) -> str:
    """X1, X2, Y1, Y2 as the room shows them, cm; IEC 61217 where the room's signs are not known to us."""
    jaws = machine.jaws_cm(applicator_id, energy_mev)
    if jaws is None:
        return "not stated"
    scale = machine.configuration.scale
    if scale is not AngleScale.ELEKTA_NATIVE:
        jaws = to_room_jaws(jaws, scale)
    else:
        scale = AngleScale.IEC_61217
    parts = (f"{name} {value:g}" for name, value in zip(("X1", "X2", "Y1", "Y2"), jaws, strict=True))
    return f"{', '.join(parts)} ({scale.value})".replace("-", "\N{MINUS SIGN}")


def _energy(model: BeamModel) -> dict[str, Any]:
    return {
        "energy_mev": model.energy_mev,
        "model_digest": model.digest,
        "is_demo": model.is_demo,
        "r90_cm": model.summary.r90_cm,
        "r50_cm": model.summary.r50_cm,
        "rp_cm": model.summary.rp_cm,
        "ssd_cm": [model.validity.ssd_min_cm, model.validity.ssd_max_cm],
        "smallest_cutout_side_cm": model.validity.min_side_cm,
        **measured_summary(model.validity.measured),
    }


def measured_summary(measured: MeasuredRange | None) -> dict[str, Any]:
    """Depths and incidence a model was measured at; None where the package does not say."""
    return {
        "measured_depth_cm": None if measured is None else [measured.depth_min_cm, measured.depth_max_cm],
        "verified_incidence_deg": None if measured is None else measured.incidence_max_deg,
    }


def acceptance_summary(test: AcceptanceTest) -> dict[str, Any]:
    """One row of an acceptance table."""
    return {
        "test": test.number,
        "description": test.description,
        "tolerance": test.tolerance,
        "worst": test.found,
        "where": test.where,
        "verdict": test.verdict.value,
    }
