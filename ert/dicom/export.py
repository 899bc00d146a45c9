"""One plan as a folder of DICOM files: CT as it arrived, structures, plan, doses; validated before anything appears.

Files are written into a temporary folder beside their destination, judged (`ert.dicom.validate`), read back and
compared with the plan they were made from (`ert.dicom.readback`), and only then moved into place: all, or none.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.dicom.attributes import DEMO_COMMENT, Origin, StudyAttributes, read_study
from ert.dicom.beam_write import jaw_positions_cm
from ert.dicom.ct import write_ct_copies
from ert.dicom.deidentify import give_identity
from ert.dicom.dose_write import DoseLabels, write_rt_dose
from ert.dicom.plan_write import PlanReview, write_rt_plan
from ert.dicom.readback import compare_dose, compare_plan
from ert.dicom.structures_write import write_structures
from ert.dicom.uids import uid_for
from ert.dicom.validate import validate_files
from ert.domain.identity import array_digest, digest_of
from ert.domain.image import CtImage
from ert.domain.machine import Machine
from ert.domain.patient import Patient
from ert.domain.plan import Plan
from ert.domain.record import DicomFile, Finding, Severity
from ert.domain.structure import StructureSet
from ert.errors import ExportRejected
from ert.geometry.grid import VoxelGrid

_OUR_FILES = ("rtplan.dcm", "rtstruct.dcm", "rtdose_plan.dcm", "rtdose_beam_*.dcm", "CT_*.dcm")


@attrs.frozen(kw_only=True)
class ExportDose:
    """Dose of a plan, in Gy for the whole course.

    Attributes
    ----------
    grid : VoxelGrid
    plan_gy : float32 [z, y, x].
    beams_gy : by beam number.
    engine : name and version, or which beam by which.
    beam_engines : name and version of each beam's, by beam number.
    """

    grid: VoxelGrid
    plan_gy: NDArray[np.float32] = attrs.field(eq=False, repr=False)
    beams_gy: Mapping[int, NDArray[np.float32]] = attrs.field(eq=False, repr=False)
    engine: str
    beam_engines: Mapping[int, str]


@attrs.frozen(kw_only=True)
class ExportSource:
    """Everything that is exported.

    Attributes
    ----------
    ct_files : the original CT files in the order of ``image.sop_instance_uids``, taken one at a time; may be empty.
    machines : by name.
    is_demo : True if a beam model in it must never treat.
    is_identity_changed : True if the patient's record was corrected or merged after the CT came: only then may the CT
        name another identity, and is given the present one. Otherwise such a CT is another patient's, and refused.
    approval : who approved the plan; None if nobody did.
    dose : None exports the plan without dose.
    beam_dose_gy : dose of one fraction of each beam at the prescription's reference, by number; may be empty.
    """

    patient: Patient
    image: CtImage
    structures: StructureSet
    plan: Plan
    machines: Mapping[str, Machine]
    ct_files: Iterable[DicomFile]
    origin: Origin
    is_demo: bool = False
    is_identity_changed: bool = False
    approval: PlanReview | None = None
    dose: ExportDose | None = None
    beam_dose_gy: Mapping[int, float] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class ExportedFiles:
    """What was written, and what the user should know of it (never a blocker)."""

    paths: tuple[Path, ...]
    findings: tuple[Finding, ...]


def _no_progress(_fraction: float, _text: str) -> None:
    return None


def export_course_plan(
    folder: Path,
    source: ExportSource,
    *,
    progress: Callable[[float, str], None] = _no_progress,
    check: Callable[[], None] = lambda: None,
) -> ExportedFiles:
    """Write a plan and all that belongs to it.

    UIDs follow from content: exporting the same revision again gives the same files byte for byte, any change gives
    new UIDs.

    Parameters
    ----------
    folder : Path
        Created if it does not exist. Files of another export in it are never overwritten.
    progress : callable, optional
        Called with a fraction 0–1 and a text.
    check : callable, optional
        Called often; raises to stop; nothing is left behind then.

    Raises
    ------
    ExportRejected
        If the plan is not complete, a file would not be valid or not read back as it was meant, or the folder holds
        another export.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".ert-export-", dir=folder))
    try:
        writer = _Writer(work, source)
        progress(0.0, "Writing CT, structures and plan")
        writer.write_ct(check)
        writer.write_structures_and_plan()
        check()
        progress(0.4, "Writing dose")
        writer.write_doses(check)
        progress(0.7, "Checking the files")
        _refuse_invalid(validate_files(writer.paths, check=check))
        compare_plan(work / "rtplan.dcm", source.plan, source.machines)
        if source.dose is not None:
            compare_dose(work / "rtdose_plan.dcm", source.dose.grid, source.dose.plan_gy)
            for number, gy in source.dose.beams_gy.items():
                check()
                compare_dose(work / f"rtdose_beam_{number}.dcm", source.dose.grid, gy)
        check()
        paths = _move_into_place(writer.paths, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    progress(1.0, f"{len(paths)} files written")
    findings = (*_jaw_findings(source), *_identity_findings(is_given=writer.is_identity_given))
    return ExportedFiles(paths=paths, findings=findings)


class _Writer:
    def __init__(self, work: Path, source: ExportSource) -> None:
        self.work = work
        self.source = source
        self.paths: list[Path] = []
        self.is_identity_given = False
        self.study = StudyAttributes(uid=source.image.study_instance_uid, date="", time="")
        self.key = _content_key(source)
        self.structures_uid = uid_for("RTSTRUCT", self.key)
        self.plan_uid = uid_for("RTPLAN", self.key)

    def write_ct(self, check: Callable[[], None]) -> None:
        def contents() -> Iterable[tuple[str, bytes]]:
            for file in self.source.ct_files:
                check()
                yield file.sop_instance_uid, file.content

        self.paths += write_ct_copies(self.work, contents())
        for path in self.paths if self.source.is_identity_changed else ():
            check()
            self.is_identity_given |= give_identity(path, self.source.patient)
        if self.paths:
            self.study = read_study(self.paths[0])
            wanted, found = len(self.source.image.sop_instance_uids), len(self.paths)
            if wanted != found:
                raise ExportRejected(f"The CT has {wanted} slices, but {found} files are stored for it.")

    def write_structures_and_plan(self) -> None:
        source = self.source
        path = self.work / "rtstruct.dcm"
        write_structures(
            path,
            patient=source.patient,
            study=self.study,
            image=source.image,
            structures=source.structures,
            overrides=source.plan.overrides,
            sop_instance_uid=self.structures_uid,
            series_uid=uid_for("RTSTRUCT series", self.key),
            origin=source.origin,
        )
        plan_path = self.work / "rtplan.dcm"
        write_rt_plan(
            plan_path,
            patient=source.patient,
            study=self.study,
            image=source.image,
            structures=source.structures,
            structure_set_sop_uid=self.structures_uid,
            plan=source.plan,
            machines=source.machines,
            is_demo=source.is_demo,
            sop_instance_uid=self.plan_uid,
            series_uid=uid_for("RTPLAN series", self.key),
            origin=source.origin,
            beam_dose_gy=source.beam_dose_gy,
            review=source.approval,
        )
        self.paths += [path, plan_path]

    def write_doses(self, check: Callable[[], None]) -> None:
        dose = self.source.dose
        if dose is None:
            return
        unknown = set(dose.beams_gy) - {b.number for b in self.source.plan.beams}
        if unknown:
            raise ExportRejected(f"There is dose of beam {min(unknown)}, which the plan does not have.")
        jobs: list[tuple[int | None, NDArray[np.float32]]] = [(None, dose.plan_gy), *sorted(dose.beams_gy.items())]
        for instance, (number, gy) in enumerate(jobs, start=1):
            check()
            path = self.work / ("rtdose_plan.dcm" if number is None else f"rtdose_beam_{number}.dcm")
            write_rt_dose(
                path,
                patient=self.source.patient,
                study=self.study,
                frame_of_reference_uid=self.source.image.frame_of_reference_uid,
                grid=dose.grid,
                dose_gy=gy,
                plan_sop_instance_uid=self.plan_uid,
                beam_number=number,
                labels=dose_labels(self.source.plan, dose, number, is_demo=self.source.is_demo),
                sop_instance_uid=uid_for("RTDOSE", self.key, str(number)),
                series_uid=uid_for("RTDOSE series", self.key),
                instance_number=instance,
                origin=self.source.origin,
            )
            self.paths.append(path)


def dose_labels(plan: Plan, dose: ExportDose, beam_number: int | None, *, is_demo: bool) -> DoseLabels:
    """What a dose file of a plan says of itself: engine, medium, overrides, and whether it is a demo.

    All files of a series share its description (64 characters). Where beams were computed by different engines it
    names them all, and the comment of each beam's file names its own.
    """
    engines = list(dict.fromkeys(dose.beam_engines[number] for number in sorted(dose.beam_engines)))
    is_mixed = len(engines) > 1
    said = plan.dose_to.phrase if beam_number is None or not is_mixed else dose.beam_engines[beam_number]
    return DoseLabels(
        series=f"ERT {' + '.join(engines) if is_mixed else dose.engine}, {plan.dose_to.phrase}",
        comment=f"{DEMO_COMMENT}, {said}," if is_demo else f"{said},",
        is_overridden=bool(plan.overrides),
    )


def _content_key(source: ExportSource) -> str:
    """Digest of everything that the files will say."""
    dose = source.dose
    doses = None if dose is None else (dose.grid, array_digest(dose.plan_gy), dose.engine)
    beams = None if dose is None else [(n, array_digest(gy)) for n, gy in sorted(dose.beams_gy.items())]
    machines = [source.machines[name].digest for name in sorted(source.machines)]
    image = (source.image.digest, source.image.sop_instance_uids, source.image.frame_of_reference_uid)
    origin = source.origin
    stamp = (origin.made_at.isoformat(), origin.software_version, origin.institution, origin.operator)
    patient = attrs.evolve(source.patient, birth_date=None)
    born = source.patient.birth_date.isoformat() if source.patient.birth_date else ""
    beam_dose = sorted(source.beam_dose_gy.items())
    parts = (patient, born, image, source.structures, source.plan, machines, source.is_demo, doses, beams, beam_dose)
    signed = () if source.approval is None else (source.approval,)  # an unapproved plan keeps the UIDs it always had
    return digest_of((parts, stamp, *signed))


def _refuse_invalid(findings: tuple[Finding, ...]) -> None:
    if findings:
        more = f" ({len(findings) - 1} more)" if len(findings) > 1 else ""
        raise ExportRejected(
            f"The DICOM files would not be valid. {findings[0].sentence}{more}",
            hint="Nothing was written.",
            detail="; ".join(f.code for f in findings[:20]),
        )


def _move_into_place(paths: list[Path], folder: Path) -> tuple[Path, ...]:
    """Move finished files into the folder; refuses to mix them with another export."""
    new = {p.name: p for p in paths}
    present = {p for pattern in _OUR_FILES for p in folder.glob(pattern)}
    for old in sorted(present):
        if old.name not in new or old.read_bytes() != new[old.name].read_bytes():
            raise ExportRejected(
                f"'{folder}' already holds another export ('{old.name}').", hint="Choose an empty folder."
            )
    moved: list[Path] = []
    try:
        for path in paths:
            target = folder / path.name
            path.replace(target)
            moved.append(target)
    except OSError as exc:
        for target in moved:
            target.unlink(missing_ok=True)
        raise ExportRejected(f"The files cannot be moved to '{folder}': {exc.strerror}.") from exc
    return tuple(moved)


def _identity_findings(*, is_given: bool) -> tuple[Finding, ...]:
    if not is_given:
        return ()
    sentence = (
        "The CT arrived under another identity; its files carry the present one. Pixels and UIDs are as they were."
    )
    return (Finding(severity=Severity.WARNING, code="ct-identity", sentence=sentence),)


def _jaw_findings(source: ExportSource) -> tuple[Finding, ...]:
    """A note for every beam whose machine states no jaw setting for the applicator."""
    found = []
    for beam in source.plan.beams:
        machine = source.machines[beam.machine_name]
        if machine.jaws_cm(beam.applicator_id, beam.energy_mev) is None:
            x1_cm, x2_cm, y1_cm, y2_cm = jaw_positions_cm(beam, machine)
            sentence = (
                f"Beam '{beam.name}': the machine package states no jaw setting for applicator '{beam.applicator_id}'; "
                f"{x2_cm - x1_cm:g} × {y2_cm - y1_cm:g} cm, its opening, was written."
            )
            found.append(Finding(severity=Severity.WARNING, code="jaws-unknown", sentence=sentence, subject=beam.name))
    return tuple(found)
