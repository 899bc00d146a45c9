"""What a beam's machine has to say about it: angles, SSD, monitor units, applicator, materials, clearance, version."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ert.app.dose_service import Models
from ert.domain.angle_scale import AngleAxis, room_angle_text
from ert.domain.beam import Beam
from ert.domain.device import ApertureSource
from ert.domain.machine import Machine
from ert.domain.plan import Plan
from ert.domain.record import Finding, Severity
from ert.errors import ExportRejected, Refused
from ert.geometry.clearance import Clearance

_SSD_TOLERANCE_CM = 0.05
_LENGTH_TOLERANCE_CM = 1e-6


def machine_findings(
    plan: Plan, beam: Beam, models: Models, clearance: Callable[[Plan, Beam], Clearance | None]
) -> Iterator[Finding]:
    """Findings of one beam against the version of the machine it was planned with; nothing if the site lacks that.

    What the machine cannot do is a blocker. Codes: gantry-limit, collimator-limit, couch-limit, machine-ssd, mu-limit,
    energy, applicator-off, applicator-energy, block-material, jaws-unknown, collision, clearance, box-assumed,
    machine-version.
    """
    try:
        machine, _model = models.of_beam(beam)
        machine.applicator(beam.applicator_id)
    except Refused:
        return  # the plan's other checks say so
    yield from _angle_findings(beam, machine)
    yield from _limit_findings(beam, machine)
    yield from _applicator_findings(beam, machine)
    yield from _block_findings(beam, machine)
    yield from _clearance_findings(beam, machine, clearance(plan, beam))
    yield from _version_findings(beam, machine, models)


def machines_of(plan: Plan, models: Models) -> dict[str, Machine]:
    """The machines of a plan's beams, by name.

    Raises
    ------
    ExportRejected
        If two beams were planned with different versions of one machine.
    """
    found: dict[str, Machine] = {}
    for beam in plan.beams:
        machine = models.of_beam(beam)[0]
        if found.setdefault(machine.name, machine).digest != machine.digest:
            raise ExportRejected(
                f"The beams of '{plan.name}' were planned with different versions of machine '{machine.name}'.",
                hint="Choose the machine anew for each beam, so that all use its current version.",
            )
    return found


def _found(beam: Beam, severity: Severity, code: str, sentence: str) -> Finding:
    return Finding(severity=severity, code=code, sentence=f"Beam '{beam.name}': {sentence}", subject=beam.name)


def _angle_findings(beam: Beam, machine: Machine) -> Iterator[Finding]:
    configuration = machine.configuration
    axes = (
        (AngleAxis.GANTRY, beam.gantry_deg, configuration.gantry),
        (AngleAxis.COLLIMATOR, beam.collimator_deg, configuration.collimator),
        (AngleAxis.COUCH, beam.couch_deg, configuration.couch),
    )
    for axis, angle_deg, allowed in axes:
        if not allowed.holds(angle_deg):
            room = f"{room_angle_text(angle_deg, axis, configuration.scale)}° {configuration.scale.value}"
            yield _found(
                beam,
                Severity.BLOCKER,
                f"{axis.value}-limit",
                f"{machine.name} cannot set the {axis.value} to {angle_deg:.1f}° (IEC 61217; {room} in the room); it "
                f"goes from {allowed.text}.",
            )


def _limit_findings(beam: Beam, machine: Machine) -> Iterator[Finding]:
    configuration = machine.configuration
    if beam.energy_mev not in machine.energies_mev:
        yield _found(beam, Severity.BLOCKER, "energy", f"{machine.name} has no {beam.energy_mev:g} MeV.")
    low, high = configuration.ssd_min_cm, configuration.ssd_max_cm
    if beam.ssd_cm is not None and _is_outside(beam.ssd_cm, low, high, _SSD_TOLERANCE_CM):
        yield _found(
            beam,
            Severity.BLOCKER,
            "machine-ssd",
            f"SSD {beam.ssd_cm:.1f} cm is outside {_range_text(low, high)} cm, the machine's limits.",
        )
    least, most = configuration.min_mu, configuration.max_mu
    if beam.mu is not None and _is_outside(beam.mu, least, most, 0.0):
        yield _found(
            beam,
            Severity.BLOCKER,
            "mu-limit",
            f"{beam.mu:.1f} MU per fraction are outside {_range_text(least, most)} MU, what the machine gives as one "
            "beam.",
        )


def _is_outside(value: float, low: float | None, high: float | None, tolerance: float) -> bool:
    return (low is not None and value < low - tolerance) or (high is not None and value > high + tolerance)


def _range_text(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"{low:g}\N{EN DASH}{high:g}"


def _applicator_findings(beam: Beam, machine: Machine) -> Iterator[Finding]:
    setting = machine.configuration.applicator(beam.applicator_id)
    if not setting.is_available:
        sentence = f"applicator {beam.applicator_id} is switched off in the machine's configuration."
        yield _found(beam, Severity.BLOCKER, "applicator-off", sentence)
    if setting.energies_mev and beam.energy_mev not in setting.energies_mev:
        known = ", ".join(f"{e:g}" for e in setting.energies_mev)
        yield _found(
            beam,
            Severity.BLOCKER,
            "applicator-energy",
            f"applicator {beam.applicator_id} is not used with {beam.energy_mev:g} MeV, only with {known} MeV.",
        )
    if machine.jaws_cm(beam.applicator_id, beam.energy_mev) is None:
        yield _found(
            beam,
            Severity.WARNING,
            "jaws-unknown",
            f"the machine states no jaws for applicator {beam.applicator_id} at {beam.energy_mev:g} MeV; an RT Plan "
            "would carry the applicator's opening.",
        )


def _block_findings(beam: Beam, machine: Machine) -> Iterator[Finding]:
    aperture = beam.aperture
    if aperture.source is ApertureSource.OPEN:
        return
    offered = machine.configuration.block_materials
    known = [(machine.insert_material.casefold(), machine.insert_thickness_cm)]
    known += [(m.name.casefold(), m.thickness_cm) for m in offered]
    is_known = any(
        name == aperture.material.casefold() and abs(thick_cm - aperture.thickness_cm) <= _LENGTH_TOLERANCE_CM
        for name, thick_cm in known
    )
    if not is_known:
        names = ", ".join(dict.fromkeys(f"{name} {thick_cm:g} cm" for name, thick_cm in known))
        yield _found(
            beam,
            Severity.WARNING,
            "block-material",
            f"a cutout of {aperture.thickness_cm:g} cm {aperture.material} is not among those of {machine.name} "
            f"({names}).",
        )


def _clearance_findings(beam: Beam, machine: Machine, found: Clearance | None) -> Iterator[Finding]:
    if found is None:
        return
    place = ", ".join(f"{v:.1f}" for v in found.point_cm).replace("-", "\N{MINUS SIGN}")
    where = f"at ({place}) cm"
    wanted_cm = machine.configuration.clearance_cm
    if found.distance_cm <= 0:
        yield _found(
            beam,
            Severity.BLOCKER,
            "collision",
            f"'{found.structure}' reaches {abs(found.distance_cm):.1f} cm into {found.body} {where}.",
        )
    elif found.distance_cm < wanted_cm:
        yield _found(
            beam,
            Severity.WARNING,
            "clearance",
            f"only {found.distance_cm:.1f} cm between '{found.structure}' and {found.body} {where}; {wanted_cm:g} cm "
            "are wanted.",
        )
    if machine.configuration.applicator(beam.applicator_id).box_cm is None:
        yield _found(
            beam,
            Severity.NOTE,
            "box-assumed",
            f"the outer box of applicator {beam.applicator_id} is not configured; clearance was judged with a frame "
            f"{machine.applicator(beam.applicator_id).outer_margin_cm:g} cm wide that ends at the insert.",
        )


def _version_findings(beam: Beam, machine: Machine, models: Models) -> Iterator[Finding]:
    newest = models.newest_version_of(machine)
    if newest != machine:
        yield _found(
            beam,
            Severity.WARNING,
            "machine-version",
            f"it was planned with configuration {machine.configuration.revision} of machine '{machine.name}', now "
            f"there is {newest.configuration.revision}; it is checked against and exported with the older one. Choose "
            "the machine anew to take the current one.",
        )
