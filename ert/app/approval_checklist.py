"""What whoever approves confirms line by line, in the plan's own figures.

After AAPM MPPG 11.a (J Appl Clin Med Phys 22(9), 2021, 4–26) and TG-275 (Med Phys 47, 2020, e236–e272): what of their
checks of a plan concerns electrons, and a program cannot decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from ert.domain.approval import Confirmed
from ert.domain.beam import Beam
from ert.domain.image import CtImage
from ert.domain.patient import Patient
from ert.domain.plan import Normalisation, Plan
from ert.domain.structure import StructureRole, StructureSet


def checklist(plan: Plan, *, patient: Patient, image: CtImage, structures: StructureSet) -> tuple[Confirmed, ...]:
    """The lines of one plan; codes are unique."""
    return tuple(_lines(plan, patient, image, structures))


def _lines(plan: Plan, patient: Patient, image: CtImage, structures: StructureSet) -> Iterator[Confirmed]:
    target = structures.structure(plan.prescription.target_number)
    yield Confirmed(
        code="identity",
        sentence=f"The patient is {patient.display_name}, {patient.medical_record_number}; the CT "
        f"'{image.description or 'without a description'}' is of this patient and this course.",
    )
    yield Confirmed(
        code="laterality", sentence=f"Target '{target.name}' lies on the side and at the site that is to be treated."
    )
    yield Confirmed(code="prescription", sentence=f"As ordered: {_prescription(plan)} to '{target.name}'.")
    for beam in plan.beams:
        yield Confirmed(code=f"beam {beam.number}", sentence=_beam(beam))
    yield Confirmed(code="materials", sentence=_materials(plan, structures))
    yield Confirmed(
        code="evaluation", sentence="Coverage of the target, maximum and doses to organs at risk are acceptable."
    )


def _prescription(plan: Plan) -> str:
    ordered = plan.prescription
    text = f"{ordered.dose_gy:g} Gy in {ordered.fractions} fractions ({ordered.dose_gy / ordered.fractions:g} Gy each)"
    if ordered.normalisation in (Normalisation.ISODOSE, Normalisation.MAXIMUM):
        text += f", {ordered.percent:g} % isodose"
    return text


def _beam(beam: Beam) -> str:
    x0, x1, y0, y1 = beam.aperture.bounds_cm
    ssd = "–" if beam.ssd_cm is None else f"{beam.ssd_cm:.1f}"
    mu = "–" if beam.mu is None else f"{beam.mu:g}"
    return (
        f"Beam {beam.number} '{beam.name}': {beam.energy_mev:g} MeV on {beam.machine_name}, applicator "
        f"{beam.applicator_id}, cutout {x1 - x0:.1f} × {y1 - y0:.1f} cm, gantry {beam.gantry_deg:g}°, couch "
        f"{beam.couch_deg:g}°, SSD {ssd} cm, {mu} MU a fraction can be set up and treated so."
    )


def _materials(plan: Plan, structures: StructureSet) -> str:
    if not plan.overrides:
        return "There is no bolus and no changed density in this plan, and none is needed."
    parts = []
    for override in plan.overrides:
        structure = structures.structure(override.structure_number)
        kind = "bolus" if structure.role is StructureRole.BOLUS else "density"
        parts.append(f"{kind} '{structure.name}' as {override.material.name}")
    return f"Bolus and densities are right, and will be there at treatment: {', '.join(parts)}."
