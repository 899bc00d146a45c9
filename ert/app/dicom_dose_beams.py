"""From the beams of an RT Plan to beams of a commissioned machine; everything that does not fit is refused by name."""

from __future__ import annotations

import attrs

from ert.devices.aperture_fit import applicator_region
from ert.dicom.plan import ImportedPlan
from ert.dicom.plan_beam import ImportedBeam
from ert.domain.beam import Beam
from ert.domain.beam_model import MachinePackage
from ert.domain.device import Aperture, ApertureSource, Outline, to_outline
from ert.domain.machine import Applicator, Machine
from ert.errors import InvalidPlan
from ert.geometry.polygon import Region

_AREA_TOLERANCE = 1e-6
_ENERGY_TOLERANCE_MEV = 0.01
_SIZE_TOLERANCE_CM = 0.1
_SAD_TOLERANCE_CM = 0.05


@attrs.frozen(kw_only=True)
class PlannedBeam:
    """One beam ready to be computed: MU of one fraction, SSD as the plan states it, notes on how it was read."""

    beam: Beam
    mu: float
    stated_ssd_cm: float | None
    notes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class PlannedBeams:
    """All beams of a plan, and its fractions."""

    beams: tuple[PlannedBeam, ...]
    fractions: int
    notes: tuple[str, ...]


def planned_beams(plan: ImportedPlan, package: MachinePackage) -> PlannedBeams:
    """The beams of a plan on a machine.

    Raises
    ------
    InvalidPlan
        Naming every beam that cannot be computed and why: photon beams, energies or applicators the machine lacks,
        missing monitor units, devices ERT does not compute. The dose of some beams is not the dose of the plan, so
        none is computed then.
    """
    machine = package.machine
    wrong = [f"{r.sentence}{_lacking(r.energy_mev, package)}" for r in plan.refused]
    setup_only = []
    for left in plan.left_out:
        if left.delivery_type in ("", "TREATMENT"):
            wrong.append(f"Beam {left.number} '{left.name}' is a {left.radiation_type.lower()} treatment beam.")
        else:
            setup_only.append(f"Beam {left.number} '{left.name}' ({left.delivery_type.lower()}) gives no dose.")
    found = []
    for imported in plan.beams:
        try:
            found.append(_planned(imported, machine, package))
        except InvalidPlan as refused:
            wrong.append(f"Beam {imported.number} '{imported.name}': {refused}")
    if not wrong and not found:
        wrong.append("It has no electron beam.")
    if plan.fractions is None or plan.fractions < 1:
        wrong.append("It does not say in how many fractions it is given.")
    if wrong or plan.fractions is None:
        raise InvalidPlan(f"RT Plan '{plan.label}' cannot be computed. {' '.join(wrong)}")
    return PlannedBeams(beams=tuple(found), fractions=plan.fractions, notes=tuple(setup_only))


def _lacking(energy_mev: float | None, package: MachinePackage) -> str:
    """That the machine lacks an energy, as a further sentence; empty where it has it or nothing is known."""
    if energy_mev is None or _matching_energy(energy_mev, package) is not None:
        return ""
    return f" {_energy_sentence(energy_mev, package)}"


def _energy_sentence(energy_mev: float, package: MachinePackage) -> str:
    known = ", ".join(f"{e:g}" for e in package.machine.energies_mev)
    return f"Machine '{package.machine.name}' has no {energy_mev:g} MeV; it has {known} MeV."


def _matching_energy(energy_mev: float, package: MachinePackage) -> float | None:
    near = [e for e in package.machine.energies_mev if abs(e - energy_mev) <= _ENERGY_TOLERANCE_MEV]
    return near[0] if near else None


def _planned(imported: ImportedBeam, machine: Machine, package: MachinePackage) -> PlannedBeam:
    problems = []
    energy_mev = _matching_energy(imported.energy_mev, package)
    if energy_mev is None:
        problems.append(_energy_sentence(imported.energy_mev, package))
    if imported.mu is None:
        problems.append("It has no monitor units (Beam Meterset).")
    if abs(imported.sad_cm - machine.sad_cm) > _SAD_TOLERANCE_CM:
        problems.append(f"Its source to axis distance is {imported.sad_cm:g} cm, the machine's {machine.sad_cm:g} cm.")
    if problems or energy_mev is None or imported.mu is None:
        raise InvalidPlan(" ".join(problems))
    applicator, how = match_applicator(imported, machine)
    outline, clipped = opening(imported, applicator)
    beam = Beam(
        number=imported.number,
        name=imported.name,
        machine_name=machine.name,
        energy_mev=energy_mev,
        applicator_id=applicator.id,
        model_digest=package.model(energy_mev).digest,
        machine_digest=machine.digest,
        isocentre_cm=imported.isocentre_cm,
        gantry_deg=imported.gantry_deg,
        collimator_deg=imported.collimator_deg,
        couch_deg=imported.couch_deg,
        aperture=Aperture(
            outline_cm=outline,
            source=ApertureSource.OPEN if imported.block is None else ApertureSource.IMPORTED,
            material=machine.insert_material,
            thickness_cm=machine.insert_thickness_cm,
        ),
        mu=imported.mu,
    )
    return PlannedBeam(
        beam=beam, mu=imported.mu, stated_ssd_cm=imported.ssd_cm, notes=(*imported.notes, *how, *clipped)
    )


def match_applicator(imported: ImportedBeam, machine: Machine) -> tuple[Applicator, tuple[str, ...]]:
    """The machine's applicator that a plan means: by its ID, else by its size; and a note where it was by size.

    Raises
    ------
    InvalidPlan
        If the plan names none, none fits, or the ID names one and the size another.
    """
    wanted = imported.applicator_id.strip().casefold()
    size = imported.applicator_size_cm
    has = ", ".join(f"{a.id} ({a.opening_x_cm:g} × {a.opening_y_cm:g} cm)" for a in machine.applicators)
    by_id = [a for a in machine.applicators if wanted and a.id.casefold() == wanted]
    if by_id:
        if size is not None and not _fits(by_id[0], size):
            raise InvalidPlan(
                f"Its applicator '{imported.applicator_id}' measures {size[0]:g} × {size[1]:g} cm in the plan; on the "
                f"machine '{by_id[0].id}' is {by_id[0].opening_x_cm:g} × {by_id[0].opening_y_cm:g} cm."
            )
        return by_id[0], ()
    if size is None:
        named = f"'{imported.applicator_id}', which tells no size" if wanted else "no applicator"
        raise InvalidPlan(f"It names {named}. Machine '{machine.name}' has {has}.")
    by_size = [a for a in machine.applicators if _fits(a, size)]
    if len(by_size) != 1:
        raise InvalidPlan(
            f"No applicator of machine '{machine.name}' measures {size[0]:g} × {size[1]:g} cm like "
            f"'{imported.applicator_id}'; it has {has}."
        )
    note = f"applicator '{imported.applicator_id}' was taken as '{by_size[0].id}' because of its size."
    return by_size[0], (note,)


def opening(imported: ImportedBeam, applicator: Applicator) -> tuple[Outline, tuple[str, ...]]:
    """The outline of the opening at the isocentre plane, and a note if the applicator cuts into the cutout.

    The applicator's own opening where the plan has no block.

    Raises
    ------
    InvalidPlan
        If the block's outline crosses itself, lies outside the applicator or falls into several openings.
    """
    whole = applicator_region(applicator)
    if imported.block is None:
        return to_outline(whole.outlines()[0]), ()
    drawn = imported.block.outline_cm
    cutout = Region.from_outlines([drawn])
    drawn_cm2 = Aperture(outline_cm=drawn).area_cm2
    if abs(cutout.area_cm2 - drawn_cm2) > _AREA_TOLERANCE * drawn_cm2 or len(cutout.outlines()) != 1:
        raise InvalidPlan("The outline of its block crosses itself.")
    inside = cutout.intersection(whole)
    if inside.area_cm2 >= cutout.area_cm2 * (1 - _AREA_TOLERANCE):
        return drawn, ()
    if len(inside.outlines()) != 1:
        raise InvalidPlan(f"Its block and applicator '{applicator.id}' do not leave one opening.")
    lost_cm2 = cutout.area_cm2 - inside.area_cm2
    note = f"{lost_cm2:.2f} cm² of the block's opening lie outside applicator '{applicator.id}' and count as blocked."
    return to_outline(inside.outlines()[0]), (note,)


def _fits(applicator: Applicator, size_cm: tuple[float, float]) -> bool:
    return (
        abs(applicator.opening_x_cm - size_cm[0]) <= _SIZE_TOLERANCE_CM
        and abs(applicator.opening_y_cm - size_cm[1]) <= _SIZE_TOLERANCE_CM
    )
