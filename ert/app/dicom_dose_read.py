"""Everything a dose from DICOM needs, read and checked to belong together before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from ert.app.dicom_dose_beams import PlannedBeams, planned_beams
from ert.app.dicom_dose_inputs import external_of, read_course, read_curve, read_overrides
from ert.app.dose_service import Models
from ert.app.jobs import JobContext
from ert.commissioning.package import read_package
from ert.dicom.importing import ImportedCourse
from ert.dicom.plan import ImportedPlan, read_rt_plan
from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import MachinePackage
from ert.domain.image import CtCurve, DensityOverride
from ert.domain.monte_carlo_model import MonteCarloSettings
from ert.domain.plan import DoseGridSpec, DoseTo
from ert.domain.record import Severity
from ert.domain.structure import Structure, StructureRole
from ert.errors import ImportRejected, InvalidPlan


@attrs.frozen(kw_only=True)
class DicomDoseJob:
    """What is to be computed from what, as given on the command line; without an algorithm, by that of new plans."""

    ct_folder: Path
    structures_file: Path
    plan_file: Path
    machine_package: Path
    out_folder: Path
    algorithm: str | None = None
    grid_cm: float = 0.25
    ct_curve_file: Path | None = None
    overrides_file: Path | None = None
    dose_to: DoseTo = DoseTo.MEDIUM
    monte_carlo: MonteCarloSettings = MonteCarloSettings()
    resume_folder: Path | None = None


@attrs.frozen(kw_only=True)
class DoseInputs:
    """Everything that was read."""

    job: DicomDoseJob
    algorithm: Algorithm
    package: MachinePackage
    plan: ImportedPlan
    course: ImportedCourse
    external: Structure
    curve: CtCurve
    overrides: tuple[DensityOverride, ...]
    beams: PlannedBeams
    notes: tuple[str, ...]


def part_of(ctx: JobContext, start_frac: float, share_frac: float) -> Callable[[float, str], None]:
    """A progress function for a part of a job."""

    def report(fraction: float, text: str = "") -> None:
        ctx.progress(start_frac + share_frac * fraction, text)

    return report


def read_inputs(job: DicomDoseJob, ctx: JobContext) -> DoseInputs:
    """Read and check all inputs.

    Raises
    ------
    Refused
        Any of its kinds, naming what cannot be used or does not belong to the rest.
    """
    DoseGridSpec(spacing_cm=job.grid_cm)
    package = read_package(job.machine_package)
    algorithm = Algorithm(job.algorithm or Models((package,)).planning_algorithm)
    curve = read_curve(job.ct_curve_file)
    if not job.plan_file.is_file():
        raise ImportRejected(f"Plan file '{job.plan_file}' does not exist.")
    plan = read_rt_plan(job.plan_file)
    beams = planned_beams(plan, package)
    ctx.check()
    course = read_course(job.ct_folder, job.structures_file, progress=part_of(ctx, 0.0, 0.3), check=ctx.check)
    overrides = read_overrides(job.overrides_file, course.structures)
    notes = [*_check_same_patient(plan, course), *beams.notes, *_bolus_notes(plan, course, overrides)]
    notes += [f.sentence for f in (*plan.findings, *course.findings) if f.severity is Severity.WARNING]
    return DoseInputs(
        job=job,
        algorithm=algorithm,
        package=package,
        plan=plan,
        course=course,
        external=external_of(course.structures),
        curve=curve,
        overrides=overrides,
        beams=beams,
        notes=tuple(dict.fromkeys(notes)),
    )


def _check_same_patient(plan: ImportedPlan, course: ImportedCourse) -> list[str]:
    """Refuse a plan of another patient, frame of reference or position; name links that the files do not give."""
    patient, image, structures = course.patient, course.image, course.structures
    if plan.person.patient_id and plan.person.patient_id != patient.medical_record_number:
        raise ImportRejected(
            f"The plan is of patient '{plan.person.patient_id}', the CT of '{patient.medical_record_number}'.",
            hint="Choose files of one patient.",
        )
    frame = plan.frame_of_reference_uid
    if frame and frame != image.frame_of_reference_uid:
        raise ImportRejected("The plan was made in another frame of reference than the CT.", hint="Choose its own CT.")
    if plan.patient_position and plan.patient_position != image.patient_position:
        raise ImportRejected(
            f"The plan treats the patient in position {plan.patient_position}, the CT was taken in "
            f"{image.patient_position}.",
            hint="Choose the CT the plan was made on.",
        )
    is_linked = bool(plan.structure_set_uid) and plan.structure_set_uid == structures.sop_instance_uid
    if plan.structure_set_uid and not is_linked and not frame:
        raise ImportRejected(
            "The plan was made on another structure set, and no frame of reference ties it to this CT.",
            hint="Choose the structure set of the plan.",
        )
    if is_linked:
        return []
    if plan.structure_set_uid:
        return ["The plan refers to another structure set than the one given; both lie in the CT's frame of reference."]
    return [] if frame else ["The plan names neither structure set nor frame of reference: nothing ties it to this CT."]


def _bolus_notes(plan: ImportedPlan, course: ImportedCourse, overrides: Sequence[DensityOverride]) -> list[str]:
    """Refuse a beam whose bolus has no material; name boluses that no beam uses and that have none."""
    given = {o.structure_number for o in overrides}
    structures = {s.number: s for s in course.structures.structures}
    for beam in plan.beams:
        for number in beam.bolus_numbers:
            if number not in structures or structures[number].is_empty:
                raise InvalidPlan(f"Beam '{beam.name}' has a bolus (structure {number}) that is not contoured.")
            if number not in given:
                name = structures[number].name
                raise InvalidPlan(
                    f"Beam '{beam.name}' has the bolus '{name}', which has no material.",
                    hint=f'Give one with --overrides: [{{"structure": "{name}", "material": "water"}}]',
                )
    idle = [s.name for s in structures.values() if s.role is StructureRole.BOLUS and s.number not in given]
    return [f"Structure '{name}' is a bolus without a material; it is not part of the dose." for name in idle]
