"""Import: look at folders, show what is there, take one consistent set into the site or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from ert.app.jobs import JobContext
from ert.app.permissions import guarded
from ert.app.session import SiteSession
from ert.dicom.ct import CtFile
from ert.dicom.grouping import ScannedStudy, ScanResult
from ert.dicom.headers import StructureSetHeader
from ert.dicom.importing import ImportedCourse, Selection, default_selection, read_selection
from ert.dicom.scan import scan
from ert.dicom.series import CtSeries
from ert.domain.patient import Course, Patient
from ert.domain.record import DicomFile, Finding
from ert.errors import ImportRejected

__all__ = [
    "CtSeries",
    "ImportOutcome",
    "ImportPreview",
    "ImportService",
    "ScannedStudy",
    "Selection",
    "StructureSetHeader",
    "choose_automatically",
]

ImportPreview = ScanResult


def choose_automatically(preview: ImportPreview) -> Selection:
    """The only sensible choice of a preview; `ImportRejected` where there is none, or several."""
    return default_selection(preview)


@attrs.frozen(kw_only=True)
class ImportOutcome:
    """What was imported, and what is to be known about it."""

    patient: Patient
    course: Course
    findings: tuple[Finding, ...]


@guarded
class ImportService:
    """Imports into one site."""

    def __init__(self, session: SiteSession) -> None:
        self._session = session

    def scan(self, paths: Sequence[Path], ctx: JobContext) -> ImportPreview:
        """Read the headers of everything below the paths; nothing is stored."""
        return scan(paths, progress=ctx.progress, check=ctx.check)

    def import_selection(self, preview: ImportPreview, selection: Selection, ctx: JobContext) -> ImportOutcome:
        """Read what was chosen and store it as a new course, all or nothing.

        Raises
        ------
        ImportRejected
            If the files do not make one consistent set, or the record number belongs to somebody else.
        """
        imported = read_selection(
            preview, selection, progress=lambda f, text: ctx.progress(0.6 * f, text), check=ctx.check
        )
        ctx.progress(0.6, "Storing")
        patient = self._known_or_new(imported.patient)
        course = self._course(patient, imported)
        ctx.check()
        ctx.seal()
        self._session.add_import(
            patient=patient,
            course=course,
            image=imported.image,
            structures=imported.structures,
            ct_files=_contents(imported.ct_files),
        )
        ctx.progress(1.0, "Stored")
        return ImportOutcome(patient=patient, course=course, findings=imported.findings)

    def _known_or_new(self, incoming: Patient) -> Patient:
        known = self._session.find_patient(incoming.medical_record_number, incoming.issuer)
        if known is None:
            return incoming
        if not _is_same_person(known, incoming):
            raise ImportRejected(
                f"Record number {incoming.medical_record_number} belongs to {known.display_name}, born "
                f"{known.birth_date or 'unknown'}; the files are of {incoming.display_name}, born "
                f"{incoming.birth_date or 'unknown'}.",
                hint="Nothing was imported. Find out which identity is right before trying again.",
            )
        return known

    def _course(self, patient: Patient, imported: ImportedCourse) -> Course:
        count = len(self._session.courses(patient.id))
        return Course(
            patient_id=patient.id,
            name=f"Course {count + 1}",
            image_id=imported.image.id,
            structure_set_id=imported.structures.id,
        )


def _is_same_person(known: Patient, incoming: Patient) -> bool:
    """Names alike but for letter case and spaces, and birth dates and sexes that do not contradict each other."""

    def key(patient: Patient) -> tuple[str, str]:
        return ("".join(patient.family_name.casefold().split()), "".join(patient.given_name.casefold().split()))

    dates = {d for d in (known.birth_date, incoming.birth_date) if d is not None}
    sexes = {s for s in (known.sex, incoming.sex) if s.value}
    return key(known) == key(incoming) and len(dates) <= 1 and len(sexes) <= 1


def _contents(files: Sequence[CtFile]) -> Iterator[DicomFile]:
    for file in files:
        yield DicomFile(sop_instance_uid=file.sop_instance_uid, content=file.path.read_bytes())
