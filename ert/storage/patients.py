"""Patients, courses, images and structure sets of a site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs
import sqlalchemy as sa

from ert.domain.approval import structures_digest
from ert.domain.image import CtImage
from ert.domain.patient import Course, Patient, expect_visible_number
from ert.domain.record import DicomFile, ImageHead
from ert.domain.structure import StructureSet
from ert.errors import DigestMismatch, ImportRejected, NotFound, StaleRevision
from ert.storage import codec, documents, originals, schema, structure_sets
from ert.storage.envelope import FileKind
from ert.storage.locked import denying, refuse_reshaping
from ert.storage.overview import image_head
from ert.storage.patient_records import MRN_INDEX, document_cell, merged_rows, mrn_index, record_of
from ert.storage.records import Records, Row, the_file

_SERIES = "image.series"
_SOP = "structure_set.sop"
_FIRST = 1


class PatientRepository:
    """Patients and what belongs to them (port ``PatientStore``)."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._seen: dict[str, int] = {}

    def patients(self) -> tuple[Patient, ...]:
        """Return all patients, by name; a record that is merged into another is not listed."""
        with self._records.database.read() as connection:
            rows = self._records.rows(connection, schema.patient)  # all are verified: none is hidden by a changed row
        found = [self._patient(row) for row in rows if row["merged_into"] is None]
        return tuple(sorted(found, key=lambda p: (p.display_name.casefold(), p.medical_record_number, p.id)))

    def find(self, medical_record_number: str, issuer: str) -> Patient | None:
        """Return the patient of that number, if known; found by blind index."""
        with self._records.database.read() as connection:
            rows = self._by_number(connection, medical_record_number, issuer)
        return self._patient(rows[0]) if rows else None

    def patient(self, patient_id: str) -> Patient:
        """Return whose record it is: the one it was merged into, if it was; `NotFound` if there is none."""
        with self._records.database.read() as connection:
            row = self._records.row(connection, schema.patient, patient_id)
            if row["merged_into"]:
                row = self._records.row(connection, schema.patient, row["merged_into"])
        return self._patient(row)

    def courses(self, patient_id: str) -> tuple[Course, ...]:
        """Return the courses of a patient and of the records merged into it, oldest first."""
        with self._records.database.read() as connection:
            ids = [patient_id, *(row["uuid"] for row in merged_rows(self._records, connection, patient_id))]
            rows = self._records.rows(connection, schema.course, schema.course.c.patient.in_(ids))
        return tuple(self._course(row) for row in rows)

    def course(self, course_id: str) -> Course:
        """Return one course; `NotFound` if there is none."""
        with self._records.database.read() as connection:
            row = self._records.row(connection, schema.course, course_id)
        return self._course(row)

    def image_head(self, image_id: str) -> ImageHead:
        """Return the description of an image without reading its voxels."""
        with self._records.database.read() as connection:
            row = self._records.row(connection, schema.image, image_id)
        return image_head(self._records, row)

    def image(self, image_id: str) -> CtImage:
        """Return an image with its voxels, verified against the digest of the import.

        Raises
        ------
        BadTag, DigestMismatch
            The image on the disk is not what was imported.
        """
        content, digest = self._image_content(image_id)
        with self._records.database.read() as connection:
            files = self._records.files_of(connection, schema.image, image_id, _FIRST)
        hu = codec.bytes_to_array(self._records.blobs.read(the_file(files, FileKind.CT_VOXELS)))
        image = documents.from_content(content, CtImage, hu=hu)
        if image.id != image_id or image.digest != digest:
            raise DigestMismatch(
                "A CT image of this site is not what was imported; it was not used.",
                hint="Run 'ert check' and restore the site from a backup.",
                detail=f"image {image_id}: digest",
            )
        return image

    def ct_files(self, image_id: str) -> Iterator[DicomFile]:
        """Yield the original CT files of an image, byte for byte."""
        with self._records.database.read() as connection:
            self._records.row(connection, schema.image, image_id)
            files = self._records.files_of(connection, schema.image, image_id, _FIRST)
        for stored in files:
            if stored.context.kind is FileKind.DICOM_ORIGINALS:
                yield from originals.from_bytes(self._records.blobs.read(stored))

    def structure_set(self, structure_set_id: str) -> StructureSet:
        """Return the newest revision of a structure set, with its contours."""
        structure_set, self._seen[structure_set_id] = structure_sets.read_revision(self._records, structure_set_id)
        return structure_set

    def add_import(
        self,
        *,
        patient: Patient,
        course: Course,
        image: CtImage,
        structures: StructureSet,
        ct_files: Iterable[DicomFile],
    ) -> None:
        """Store one import: files first, then patient (if new), image, structure set and course in one transaction.

        Raises
        ------
        ImportRejected
            The number belongs to another patient, the identity differs from the stored one, or image or structures
            are stored already (with other or the same content). Nothing is stored.
        DiskFull, StorageFailed, DatabaseBusy
            Nothing is stored.
        """
        self._check_import(patient, course, image, structures)
        records = self._records
        folder = (patient.id, course.id)
        with records.saving() as save:
            voxels = records.context(schema.image, image.id, _FIRST, FileKind.CT_VOXELS)
            save.put(codec.array_to_buffers(image.hu), folder=folder, context=voxels, item_size=image.hu.itemsize)
            kept = records.context(schema.image, image.id, _FIRST, FileKind.DICOM_ORIGINALS)
            for batch in originals.batches(ct_files):
                save.put(originals.to_buffers(batch), folder=folder, context=kept)
            revision = structure_sets.put_revision(records, save, structures, revision=_FIRST, folder=folder)
            with save.transaction() as connection:
                is_new = self._check_stored(connection, patient, image, structures)
                if is_new:
                    expect_visible_number(patient)
                    self._insert_patient(connection, patient)
                self._insert_image(connection, patient, image)
                self._insert_structures(connection, image, structures, revision)
                self._insert_course(connection, course)

    def save_structure_set(self, structure_set: StructureSet, *, course_id: str) -> None:
        """Store a changed structure set as its next revision.

        Raises
        ------
        StaleRevision
            Somebody saved another revision since this session read it.
        PlanLocked
            A plan that is approved, or was, was made on these shapes.
        """
        records = self._records
        base = self._seen.get(structure_set.id)
        course = self.course(course_id)
        if base is None or course.structure_set_id != structure_set.id:
            raise NotFound(
                "The structure set was not read from this site's course before it was changed.",
                hint="Open the course again, then repeat the change.",
                detail=f"structure set {structure_set.id}",
            )
        folder = (course.patient_id, course.id)
        is_reshaped = self._is_reshaped(structure_set)
        with denying(records, structure_set.id, "change structures"), records.saving() as save:
            row = structure_sets.put_revision(records, save, structure_set, revision=base + 1, folder=folder)
            with save.transaction() as connection:
                if is_reshaped:
                    refuse_reshaping(records, connection, structure_set.id)
                if not structure_sets.raise_head(records, connection, structure_set.id, base_revision=base):
                    raise StaleRevision(
                        "Somebody else changed the structures of this course in the meantime; yours were not saved.",
                        hint="Open the course again, then repeat the change.",
                        detail=f"structure set {structure_set.id} base {base}",
                    )
                records.insert(connection, schema.structure_set_revision, row, revision=base + 1)
                self._note(connection, "structure set saved", schema.structure_set, structure_set.id, base + 1)
        self._seen[structure_set.id] = base + 1

    def _is_reshaped(self, structure_set: StructureSet) -> bool:
        """Whether the contours differ from those of the newest revision, and not only names, roles or colours."""
        newest, _ = structure_sets.read_revision(self._records, structure_set.id)
        return structures_digest(newest) != structures_digest(structure_set)

    def _check_import(self, patient: Patient, course: Course, image: CtImage, structures: StructureSet) -> None:
        wanted = (patient.id, image.id, structures.id)
        if (course.patient_id, course.image_id, course.structure_set_id) != wanted:
            raise ImportRejected("The course does not belong to the patient, image and structure set imported with it.")
        with self._records.database.read() as connection:
            self._check_stored(connection, patient, image, structures)

    def _check_stored(
        self, connection: sa.Connection, patient: Patient, image: CtImage, structures: StructureSet
    ) -> bool:
        """Refuse what contradicts the site; return whether the patient is new."""
        rows = self._by_number(connection, patient.medical_record_number, patient.issuer)
        found = record_of(self._records, rows[0]) if rows else None
        if found is not None and not found.is_active:
            raise ImportRejected(
                "The patient with this medical record number was made inactive; nothing was imported.",
                hint="Make the record active first, if this is right.",
            )
        stored = None if found is None else found.patient
        if stored is not None and stored != patient:
            fields = ", ".join(
                a.name.replace("_", " ")
                for a in attrs.fields(Patient)
                if getattr(stored, a.name) != getattr(patient, a.name)
            )
            raise ImportRejected(
                f"This site already has a patient with this medical record number whose record differs ({fields}).",
                hint="Compare both records; if it is the same person, import into the stored patient.",
            )
        if stored is None and self._has(connection, schema.patient, patient.id):
            raise ImportRejected("This site has this patient with another medical record number.")
        self._check_image(connection, image, structures)
        return stored is None

    def _check_image(self, connection: sa.Connection, image: CtImage, structures: StructureSet) -> None:
        records = self._records
        series = records.guard.blind_index(_SERIES, image.series_instance_uid)
        same_series = records.rows(connection, schema.image, schema.image.c.series_bi == series)
        if any(row["digest"] != image.digest for row in same_series):
            raise ImportRejected(
                "This site already has this CT series with other voxels or another geometry.",
                hint="One of the two was changed after it left the scanner; find out which, then import again.",
            )
        sop = records.guard.blind_index(_SOP, structures.sop_instance_uid)
        table = schema.structure_set
        on_same = [row["uuid"] for row in same_series]
        if records.rows(connection, table, table.c.sop_bi == sop, table.c.image.in_(on_same)):
            raise ImportRejected(
                "This CT series with this structure set was imported before.",
                hint="Open the course that is there; 'ert list' shows it.",
            )

    def _insert_patient(self, connection: sa.Connection, patient: Patient) -> None:
        row: Row = {"uuid": patient.id, "document_ct": document_cell(self._records, patient, is_active=True)}
        row |= {"mrn_bi": mrn_index(self._records, patient), "merged_into": None}
        self._records.insert(connection, schema.patient, row)
        self._note(connection, "patient added", schema.patient, patient.id, _FIRST)

    def _insert_image(self, connection: sa.Connection, patient: Patient, image: CtImage) -> None:
        index = self._records.guard.blind_index(_SERIES, image.series_instance_uid)
        row = self._document_row(schema.image, "ct_image", image.id, documents.to_content(image, omit=["hu"]))
        row |= {"patient": patient.id, "series_bi": index, "digest": image.digest}
        self._records.insert(connection, schema.image, row)
        self._note(connection, "image imported", schema.image, image.id, _FIRST)

    def _insert_structures(
        self, connection: sa.Connection, image: CtImage, structures: StructureSet, revision: Row
    ) -> None:
        index = self._records.guard.blind_index(_SOP, structures.sop_instance_uid)
        self._records.insert(
            connection, schema.structure_set, {"uuid": structures.id, "image": image.id, "sop_bi": index}
        )
        self._records.insert(connection, schema.structure_set_revision, revision)
        self._note(connection, "structure set imported", schema.structure_set, structures.id, _FIRST)

    def _insert_course(self, connection: sa.Connection, course: Course) -> None:
        row = self._document_row(schema.course, "course", course.id, documents.to_content(course))
        row |= {"patient": course.patient_id, "image": course.image_id, "structure_set": course.structure_set_id}
        self._records.insert(connection, schema.course, row)
        self._note(connection, "course added", schema.course, course.id, _FIRST)

    def _document_row(self, table: sa.Table, name: str, row_id: str, content: Row) -> Row:
        cell = self._records.encrypt_document(name, content, table=table, row_id=row_id)
        return {"uuid": row_id, "document_ct": cell}

    def _note(self, connection: sa.Connection, event: str, table: sa.Table, row_id: str, revision: int) -> None:
        self._records.trail.append(connection, event, table=table.name, record=row_id, revision=revision)

    def _by_number(self, connection: sa.Connection, number: str, issuer: str) -> list[Row]:
        index = self._records.guard.blind_index(MRN_INDEX, number, issuer)
        return self._records.rows(connection, schema.patient, schema.patient.c.mrn_bi == index)

    @staticmethod
    def _has(connection: sa.Connection, table: sa.Table, row_id: str) -> bool:
        return connection.execute(sa.select(table.c.uuid).where(table.c.uuid == row_id)).first() is not None

    def _patient(self, row: Row) -> Patient:
        return record_of(self._records, row).patient

    def _course(self, row: Row) -> Course:
        return documents.from_content(self._records.decrypt_document("course", row, table=schema.course), Course)

    def _image_content(self, image_id: str) -> tuple[Row, str]:
        with self._records.database.read() as connection:
            row = self._records.row(connection, schema.image, image_id)
        return self._records.decrypt_document("ct_image", row, table=schema.image), row["digest"]
