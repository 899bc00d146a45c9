"""Rows of patients as records: identity and state in one encrypted document; what is merged into what."""

from __future__ import annotations

import sqlalchemy as sa

from ert.domain.administration import PatientRecord
from ert.domain.patient import Patient
from ert.storage import documents, schema
from ert.storage.records import Records, Row

DOCUMENT = "patient"
MRN_INDEX = "patient.mrn"
_ACTIVE = "is_active"


def document_cell(records: Records, patient: Patient, *, is_active: bool) -> bytes:
    """Return the encrypted document of a patient."""
    content = documents.to_content(patient) | {_ACTIVE: is_active}
    return records.encrypt_document(DOCUMENT, content, table=schema.patient, row_id=patient.id)


def record_of(records: Records, row: Row) -> PatientRecord:
    """Return the record of a verified row."""
    content = records.decrypt_document(DOCUMENT, row, table=schema.patient)
    is_active = content.pop(_ACTIVE) is True
    return PatientRecord(
        patient=documents.from_content(content, Patient),
        is_active=is_active,
        merged_into=row["merged_into"] or "",
        revision=row["rev"],
    )


def mrn_index(records: Records, patient: Patient) -> bytes:
    """Return the blind index under which a record number of an issuer is unique."""
    return records.guard.blind_index(MRN_INDEX, patient.medical_record_number, patient.issuer)


def merged_rows(records: Records, connection: sa.Connection, patient_id: str) -> list[Row]:
    """Return the rows of the records that were merged into one."""
    return records.rows(connection, schema.patient, schema.patient.c.merged_into == patient_id)
