"""Administering patients' records of the opened site: what the window and the command line share."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ert.app.jobs import JobContext
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.tissue_library import Run
from ert.dicom.deidentify import anonymised_ct
from ert.dicom.uids import uid_for
from ert.domain.administration import PatientRecord, expect_reason, merge_findings
from ert.domain.anonymisation import (
    Anonymisation,
    anonymous_course,
    anonymous_image,
    anonymous_patient,
    anonymous_plan,
    anonymous_structures,
    expect_no_telling_names,
)
from ert.domain.identity import new_id
from ert.domain.image import CtImage
from ert.domain.patient import Course, Patient
from ert.domain.plan import Plan
from ert.domain.record import DicomFile, Finding
from ert.domain.structure import StructureSet
from ert.errors import NotFound, Refused


@attrs.frozen(kw_only=True)
class AnonymousCopy:
    """What was copied."""

    patient: Patient
    courses: int
    plans: int


@attrs.frozen(kw_only=True)
class _Part:
    """One course to copy, read and judged before anything is stored."""

    course: Course
    structures: StructureSet
    plans: list[Plan]


@guarded
class RecordsService:
    """Every method may run on any thread.

    Parameters
    ----------
    store : SiteStore
        The site.
    db : Run
        Runs a function where the site's database may be used.
    """

    def __init__(self, store: SiteStore, db: Run) -> None:
        self._store = store
        self._db = db

    def records(self) -> tuple[PatientRecord, ...]:
        """Every record, merged and inactive ones too, by name."""
        return self._db(self._store.administration.records)

    def record(self, patient_id: str) -> PatientRecord:
        """One record as it stands now; `NotFound` if there is none."""
        for record in self.records():
            if record.patient.id == patient_id:
                return record
        raise NotFound("This site has no patient of that id.", hint="List what it has with 'ert records list'.")

    def correct(self, seen: PatientRecord, patient: Patient, *, reason: str) -> PatientRecord:
        """Give a record another identity."""
        return self._db(lambda: self._store.administration.correct(seen, patient, reason=reason))

    def merge(
        self, source: PatientRecord, into: PatientRecord, *, reason: str, accept_differences: bool = False
    ) -> PatientRecord:
        """Make a record part of another.

        Raises
        ------
        Refused
            They differ in name, birth date or sex, and nobody said that this is right.
        """
        findings = self.merge_findings(source, into)
        if findings and not accept_differences:
            raise Refused(
                "These records contradict each other. " + " ".join(f.sentence for f in findings),
                hint="Merge them only if it is certain that they are one person, and say so.",
            )
        return self._db(lambda: self._store.administration.merge(source, into, reason=reason))

    @staticmethod
    def merge_findings(source: PatientRecord, into: PatientRecord) -> tuple[Finding, ...]:
        """What contradicts that two records are of one person."""
        return merge_findings(source.patient, into.patient)

    def unmerge(self, source: PatientRecord, *, reason: str) -> PatientRecord:
        """Let a merged record stand for itself again."""
        return self._db(lambda: self._store.administration.unmerge(source, reason=reason))

    def set_active(self, seen: PatientRecord, *, is_active: bool, reason: str) -> PatientRecord:
        """Hide a record from lists, or show it again."""
        return self._db(lambda: self._store.administration.set_active(seen, is_active=is_active, reason=reason))

    def anonymised_copy(self, patient_id: str, how: Anonymisation, ctx: JobContext, *, reason: str) -> AnonymousCopy:
        """Copy all courses of a patient, with the newest revision of each plan, under another identity.

        Doses are not copied: a request holds no identity, so what a cache has fits, and the rest is computed again.

        Raises
        ------
        Refused
            The number is taken, a kept name repeats the identity, or there is no reason; nothing was stored.
        """
        why = expect_reason(reason)
        store, key = self._store, new_id()
        source = self._db(lambda: store.patients.patient(patient_id))
        anonymous = anonymous_patient(source, how)
        if self._db(lambda: store.patients.find(anonymous.medical_record_number, "")) is not None:
            raise Refused("This site has a patient of that record number.", hint="Enter another one for the copy.")
        parts = self._db(lambda: self._parts(source, how))
        self._db(lambda: store.record_event("anonymised copy begun", record=patient_id, detail=f"{key}: {why}"))

        def uid(old: str) -> str:
            return uid_for("anonymised", key, old)

        for number, part in enumerate(parts, start=1):
            ctx.check()
            ctx.progress((number - 1) / len(parts), f"Copying course {number} of {len(parts)}")
            image = self._db(lambda part=part: store.patients.image(part.course.image_id))  # type: ignore[misc]
            copy = anonymous_image(image, how, uid)
            structures = anonymous_structures(part.structures, how, uid)
            course = anonymous_course(part.course, number, how, patient=anonymous, image=copy)
            course = attrs.evolve(course, structure_set_id=structures.id)
            plans = [anonymous_plan(plan, n, how, course) for n, plan in enumerate(part.plans, start=1)]
            files = self._files(image, anonymous, how, key)
            self._db(lambda: self._store_copy(anonymous, course, copy, structures, files, plans))  # noqa: B023 - runs now
        self._db(lambda: store.record_event("anonymised copy made", record=patient_id, detail=anonymous.id))
        return AnonymousCopy(patient=anonymous, courses=len(parts), plans=sum(len(part.plans) for part in parts))

    def _parts(self, source: Patient, how: Anonymisation) -> list[_Part]:
        store, parts = self._store, []
        for course in store.patients.courses(source.id):
            structures = store.patients.structure_set(course.structure_set_id)
            plans = [store.plans.load(head.plan_id).plan for head in store.plans.heads(course.id)]
            if how.keeps_names:
                expect_no_telling_names(source, course, structures, plans)
            parts.append(_Part(course=course, structures=structures, plans=plans))
        if not parts:
            raise Refused("This patient has no course to copy.")
        return parts

    def _files(self, image: CtImage, anonymous: Patient, how: Anonymisation, key: str) -> Iterator[DicomFile]:
        """The original CT files, one at a time, without what says whose they are."""

        def uid(old: str) -> str:
            return uid_for("anonymised", key, old)

        for file in self._store.patients.ct_files(image.id):
            content = anonymised_ct(file.content, anonymous, uid=uid, date=how.moved_text)
            yield DicomFile(sop_instance_uid=uid(file.sop_instance_uid), content=content)

    def _store_copy(  # noqa: PLR0917 - one import
        self,
        patient: Patient,
        course: Course,
        image: CtImage,
        structures: StructureSet,
        files: Iterator[DicomFile],
        plans: list[Plan],
    ) -> None:
        self._store.patients.add_import(
            patient=patient, course=course, image=image, structures=structures, ct_files=files
        )
        for plan in plans:
            self._store.plans.save(plan, base_revision=0)
