"""Semantic validation of a set of DICOM files before it leaves the program: each file, and how they fit together.

Third-party checkers judge syntax and modules; what they let pass although a plan could not be treated from it (a
missing applicator, a wrong count, a dangling reference) is found here. Every finding is a blocker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pydicom.dataset import Dataset, FileDataset

from ert.dicom import headers, values
from ert.dicom.boundary import dicom_boundary, read_dataset
from ert.dicom.headers import to_person
from ert.dicom.validate_plan import check_plan
from ert.dicom.validate_rules import Checker, check_values
from ert.dicom.validate_volume import check_ct, check_dose, check_structures, referenced_beams
from ert.domain.record import Finding, Severity
from ert.errors import ImportRejected

_IDENTITY = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "PatientID",
)  # fmt: skip
_RULES: dict[str, Callable[[Dataset, Checker], None]] = {
    headers.RT_PLAN: check_plan,
    headers.RT_DOSE: check_dose,
    headers.RT_STRUCTURE_SET: check_structures,
    headers.CT_IMAGE: check_ct,
}


def validate_files(paths: Sequence[Path], *, check: Callable[[], None] = lambda: None) -> tuple[Finding, ...]:
    """Findings about files that are to be released together; none if they may be.

    Parameters
    ----------
    paths : sequence of Path
        RT Plan, RT Structure Set, RT Doses and CT images of one plan.
    check : callable, optional
        Called for every file; raises to stop.
    """
    findings: list[Finding] = []
    kept: list[tuple[str, FileDataset]] = []
    for path in paths:
        check()
        checker = Checker(path.name)
        try:
            dataset = read_dataset(path)
            with dicom_boundary(path.name):
                _check_file(dataset, checker)
            if "PixelData" in dataset:
                del dataset.PixelData
            kept.append((path.name, dataset))
        except ImportRejected as refused:
            checker.add("unreadable", refused.sentence)
        findings.extend(checker.findings)
    with dicom_boundary("files"):
        findings.extend(_check_set(kept))
    return tuple(findings)


def _check_file(dataset: FileDataset, checker: Checker) -> None:
    checker.require(dataset, _IDENTITY)
    sop_class = values.text(dataset, "SOPClassUID")
    rule = _RULES.get(sop_class)
    if rule is None:
        checker.add("kind", f"'{sop_class}' is no kind of object that ERT releases.")
        return
    rule(dataset, checker)
    if sop_class != headers.CT_IMAGE:  # CT is passed on as it arrived, with its scanner's habits
        checker.present(dataset, ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"))
        checker.present(dataset, ("PatientName", "PatientBirthDate", "PatientSex", "Manufacturer", "SeriesNumber"))
        checker.require(dataset, ("StudyID", "InstanceNumber"))
        check_values(dataset, checker)


def _check_set(kept: list[tuple[str, FileDataset]]) -> list[Finding]:
    """Rules between files: one patient, study and frame; references that lead somewhere; doses that belong to beams."""
    checker = Checker("The set of files")
    uids = Counter(values.text(d, "SOPInstanceUID") for _name, d in kept)
    if any(number > 1 for number in uids.values()):
        checker.add("duplicate", "two objects have the same SOP Instance UID.")
    for what, keyword in (("studies", "StudyInstanceUID"), ("frames of reference", "FrameOfReferenceUID")):
        if len({values.text(d, keyword) for _name, d in kept}) > 1:
            checker.add("mixed", f"the objects belong to different {what}.")
    for name, dataset in kept[1:]:
        difference = to_person(kept[0][1]).disagreement(to_person(dataset))
        if difference:
            checker.add("mixed", f"'{name}' belongs to another patient: {difference}.")
            break
    by_class = {
        sop: [d for _name, d in kept if values.text(d, "SOPClassUID") == sop]
        for sop in (headers.RT_PLAN, headers.RT_DOSE, headers.RT_STRUCTURE_SET, headers.CT_IMAGE)
    }
    _check_structure_references(by_class, checker)
    _check_plan_references(by_class, checker)
    return checker.findings


def _check_structure_references(by_class: dict[str, list[FileDataset]], checker: Checker) -> None:
    images = {values.text(d, "SOPInstanceUID") for d in by_class[headers.CT_IMAGE]}
    for structures in by_class[headers.RT_STRUCTURE_SET]:
        referenced = {
            values.text(image, "ReferencedSOPInstanceUID")
            for item in values.items(structures, "ROIContourSequence")
            for contour in values.items(item, "ContourSequence")
            for image in values.items(contour, "ContourImageSequence")
        }
        if images and not referenced <= images:
            checker.add("reference", "the structure set refers to CT images that are not among the files.")


def _check_plan_references(by_class: dict[str, list[FileDataset]], checker: Checker) -> None:
    structures = {values.text(d, "SOPInstanceUID"): d for d in by_class[headers.RT_STRUCTURE_SET]}
    for plan in by_class[headers.RT_PLAN]:
        for reference in values.items(plan, "ReferencedStructureSetSequence"):
            uid = values.text(reference, "ReferencedSOPInstanceUID")
            if structures and uid not in structures:
                checker.add("reference", "the plan refers to a structure set that is not among the files.")
            elif structures:
                _check_roi_references(plan, structures[uid], checker)
    plans = {values.text(d, "SOPInstanceUID"): d for d in by_class[headers.RT_PLAN]}
    for dose in by_class[headers.RT_DOSE]:
        for reference in values.items(dose, "ReferencedRTPlanSequence"):
            uid = values.text(reference, "ReferencedSOPInstanceUID")
            if plans and uid not in plans:
                checker.add("reference", "a dose refers to a plan that is not among the files.")
            elif plans:
                numbers = {values.text(b, "BeamNumber") for b in values.items(plans[uid], "BeamSequence")}
                if not set(referenced_beams(dose)) <= numbers:
                    checker.add("reference", "a dose refers to a beam that the plan does not have.")


def _check_roi_references(plan: Dataset, structures: Dataset, checker: Checker) -> None:
    numbers = {values.text(r, "ROINumber") for r in values.items(structures, "StructureSetROISequence")}
    wanted = {values.text(r, "ReferencedROINumber") for r in values.items(plan, "DoseReferenceSequence")} - {""}
    for beam in values.items(plan, "BeamSequence"):
        wanted |= {values.text(b, "ReferencedROINumber") for b in values.items(beam, "ReferencedBolusSequence")}
    if not wanted <= numbers:
        checker.add("reference", "the plan refers to a structure that the structure set does not have.")


def blockers(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that forbid release."""
    return tuple(f for f in findings if f.severity is Severity.BLOCKER)
