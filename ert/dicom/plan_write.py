"""`Plan` → RT Plan for electrons (DICOM PS3.3 A.20, C.8.8.14)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import attrs
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ert.dicom.attributes import DEMO_COMMENT, Origin, StudyAttributes, decimal, long, new_object, person, save, short
from ert.dicom.beam_write import beam_item
from ert.dicom.headers import RT_PLAN, RT_STRUCTURE_SET
from ert.domain.image import CtImage
from ert.domain.machine import Machine
from ert.domain.patient import Patient
from ert.domain.plan import Plan
from ert.domain.structure import StructureRole, StructureSet
from ert.errors import ExportRejected

_GY_DIGITS = 4
_MU_DIGITS = 4


@attrs.frozen(kw_only=True)
class PlanReview:
    """Who approved a plan, and when (UTC)."""

    reviewer: str
    reviewed_at: dt.datetime


def write_rt_plan(
    path: Path,
    *,
    patient: Patient,
    study: StudyAttributes,
    image: CtImage,
    structures: StructureSet,
    structure_set_sop_uid: str,
    plan: Plan,
    machines: Mapping[str, Machine],
    is_demo: bool,
    sop_instance_uid: str,
    series_uid: str,
    origin: Origin,
    beam_dose_gy: Mapping[int, float] | None = None,
    review: PlanReview | None = None,
) -> None:
    """Write a plan: unapproved, or with who approved it (PS3.3 C.8.8.16, Approval Module).

    Parameters
    ----------
    structure_set_sop_uid : str
        Of the RT Structure Set that is exported with it.
    machines : mapping
        By name; every beam's machine.
    is_demo : bool
        True marks the plan as not for clinical use.
    beam_dose_gy : mapping, optional
        Dose of one fraction of each beam, by number, at the prescription's reference; written as Beam Dose.
    review : PlanReview, optional
        Who approved it; None writes UNAPPROVED.

    Raises
    ------
    ExportRejected
        If a beam lacks monitor units or SSD, its machine is unknown, or a name does not fit DICOM.
    """
    if not plan.beams:
        raise ExportRejected(f"Plan '{plan.name}' has no beam.")
    made_date, made_time = f"{origin.made_at:%Y%m%d}", f"{origin.made_at:%H%M%S}"
    ds = new_object(
        RT_PLAN,
        sop_instance_uid,
        "RTPLAN",
        patient=patient,
        study=study,
        series_uid=series_uid,
        series_number=102,
        series_description=f"ERT plan {plan.name}",
        instance_number=1,
        origin=origin,
    )
    ds.FrameOfReferenceUID = UID(image.frame_of_reference_uid)
    ds.PositionReferenceIndicator = ""
    ds.RTPlanLabel, ds.RTPlanName = short(plan.name), long(plan.name)
    ds.RTPlanDate, ds.RTPlanTime = made_date, made_time
    ds.RTPlanGeometry = "PATIENT"
    ds.RTPlanDescription = " - ".join(t for t in (DEMO_COMMENT if is_demo else "", plan.description) if t)[:1024]
    if is_demo:
        ds.PlanIntent = "RESEARCH"
    ds.DoseReferenceSequence = [_dose_reference(plan, structures)]
    ds.FractionGroupSequence = [_fraction_group(plan, beam_dose_gy or {})]
    boluses = tuple(
        o.structure_number
        for o in plan.overrides
        if structures.structure(o.structure_number).role is StructureRole.BOLUS
    )
    ds.BeamSequence = [beam_item(beam, _machine(machines, beam.machine_name), boluses) for beam in plan.beams]
    setup = Dataset()
    setup.PatientSetupNumber = "1"
    setup.PatientPosition = image.patient_position
    setup.SetupTechnique = "ISOCENTRIC"
    ds.PatientSetupSequence = [setup]
    reference = Dataset()
    reference.ReferencedSOPClassUID = UID(RT_STRUCTURE_SET)
    reference.ReferencedSOPInstanceUID = UID(structure_set_sop_uid)
    ds.ReferencedStructureSetSequence = [reference]
    _say_who_approved(ds, review)
    save(ds, path)


def _say_who_approved(ds: Dataset, review: PlanReview | None) -> None:
    ds.ApprovalStatus = "UNAPPROVED" if review is None else "APPROVED"
    if review is not None:
        ds.ReviewDate, ds.ReviewTime = f"{review.reviewed_at:%Y%m%d}", f"{review.reviewed_at:%H%M%S}"
        ds.ReviewerName = person(review.reviewer)


def _machine(machines: Mapping[str, Machine], name: str) -> Machine:
    if name not in machines:
        raise ExportRejected(f"Machine '{name}' is not known here.", hint="Add its machine package to the site.")
    return machines[name]


def _dose_reference(plan: Plan, structures: StructureSet) -> Dataset:
    """The prescription: total dose to the target volume."""
    target = structures.structure(plan.prescription.target_number)
    reference = Dataset()
    reference.DoseReferenceNumber = "1"
    reference.DoseReferenceStructureType = "VOLUME"
    reference.ReferencedROINumber = str(target.number)
    reference.DoseReferenceDescription = long(target.name)
    reference.DoseReferenceType = "TARGET"
    reference.TargetPrescriptionDose = decimal(plan.prescription.dose_gy, _GY_DIGITS)
    return reference


def _fraction_group(plan: Plan, beam_dose_gy: Mapping[int, float]) -> Dataset:
    group = Dataset()
    group.FractionGroupNumber = "1"
    group.NumberOfFractionsPlanned = str(plan.prescription.fractions)
    group.NumberOfBeams = str(len(plan.beams))
    group.NumberOfBrachyApplicationSetups = "0"
    references = []
    for beam in plan.beams:
        if beam.mu is None:
            raise ExportRejected(
                f"Beam '{beam.name}' has no monitor units.", hint="Compute the dose and normalise the plan first."
            )
        reference = Dataset()
        reference.ReferencedBeamNumber = str(beam.number)
        reference.BeamMeterset = decimal(beam.mu, _MU_DIGITS)
        if beam.number in beam_dose_gy:
            reference.BeamDose = decimal(beam_dose_gy[beam.number], _GY_DIGITS)
        references.append(reference)
    group.ReferencedBeamSequence = references
    return group
