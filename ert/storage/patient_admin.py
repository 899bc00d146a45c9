"""Administering patients: every change is the next revision of one row, with before and after in the history.

A merge notes in the merged record whose person it is; courses, plans, doses and files stay where they are, under the
identity they were imported with, so that taking it apart only removes the note.
"""

from __future__ import annotations

import functools
from typing import Any

import sqlalchemy as sa

from ert.domain.administration import PatientRecord, corrected, expect_mergeable, expect_merged, expect_reason
from ert.domain.patient import Patient
from ert.errors import InvalidSite, Refused, StaleRevision
from ert.storage import documents, schema
from ert.storage.patient_records import document_cell, merged_rows, mrn_index, record_of
from ert.storage.records import Records, Row

_CORRECTED = "patient identity corrected"


class PatientAdministration:
    """Changes records of patients (port ``PatientAdministration``)."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def records(self) -> tuple[PatientRecord, ...]:
        """Return every record, merged and inactive ones too, by name."""
        with self._records.database.read() as connection:
            rows = self._records.rows(connection, schema.patient)
        value = self._records.decoded.value
        found = [value(functools.partial(record_of, self._records, row), row) for row in rows]
        return tuple(sorted(found, key=lambda r: (r.patient.display_name.casefold(), r.patient.medical_record_number)))

    def was_changed(self, patient_id: str) -> bool:
        """Return whether a record's identity was ever corrected, or it is merged into another."""
        history = schema.history
        corrections = sa.select(sa.func.count()).where(history.c.record == patient_id, history.c.event == _CORRECTED)
        with self._records.database.read() as connection:
            row = self._records.row(connection, schema.patient, patient_id)
            return row["merged_into"] is not None or int(connection.execute(corrections).scalar_one()) > 0

    def correct(self, seen: PatientRecord, patient: Patient, *, reason: str) -> PatientRecord:
        """Give a record another identity.

        Raises
        ------
        Refused
            Nothing changes, there is no name or no reason, or the number belongs to another record.
        StaleRevision
            A colleague changed the record since it was seen.
        """
        corrected(seen, patient)
        after = {"document_ct": document_cell(self._records, patient, is_active=seen.is_active)}
        after["mrn_bi"] = mrn_index(self._records, patient)
        change = {"before": documents.to_content(seen.patient), "after": documents.to_content(patient)}
        with self._records.transaction() as connection:
            table = schema.patient
            others = sa.and_(table.c.mrn_bi == after["mrn_bi"], table.c.uuid != patient.id)
            if self._records.rows(connection, table, others):
                raise InvalidSite(
                    "Another record of this site has this record number of this issuer; nothing was changed.",
                    hint="If both are one person, merge them.",
                )
            row = self._seen(connection, seen)
            self._change(connection, row, after, _CORRECTED, change, reason)
        return self._reread(patient.id)

    def merge(self, source: PatientRecord, into: PatientRecord, *, reason: str) -> PatientRecord:
        """Make a record part of another; its courses are listed with the other's from then on.

        Raises
        ------
        Refused
            One of them is merged already, or others are merged into `source`; or there is no reason.
        StaleRevision
            A colleague changed one of the records since they were seen.
        """
        with self._records.transaction() as connection:
            row, target = self._seen(connection, source), self._seen(connection, into)
            has_merged = bool(merged_rows(self._records, connection, source.patient.id))
            expect_mergeable(source, into, has_merged=has_merged)
            change = {
                "into": into.patient.id,
                "merged": documents.to_content(source.patient),
                "stays": documents.to_content(into.patient),
            }
            self._change(connection, row, {"merged_into": target["uuid"]}, "patient merged", change, reason)
            self._note(connection, "patient merged into this", into.patient.id, source.patient.id, reason)
        return self._reread(source.patient.id)

    def unmerge(self, source: PatientRecord, *, reason: str) -> PatientRecord:
        """Let a merged record stand for itself again, with the courses that are its own.

        Raises
        ------
        Refused
            It is not merged, or there is no reason.
        StaleRevision
            A colleague changed the record since it was seen.
        """
        expect_merged(source)
        with self._records.transaction() as connection:
            row = self._seen(connection, source)
            change = {"from": source.merged_into}
            self._change(connection, row, {"merged_into": None}, "patient merge taken apart", change, reason)
            self._note(connection, "patient taken out of this", source.merged_into, source.patient.id, reason)
        return self._reread(source.patient.id)

    def set_active(self, seen: PatientRecord, *, is_active: bool, reason: str) -> PatientRecord:
        """Hide a record from lists, or show it again; nothing of it is removed.

        Raises
        ------
        Refused
            It stands so already, or there is no reason.
        StaleRevision
            A colleague changed the record since it was seen.
        """
        if seen.is_active is is_active:
            raise Refused(f"This record is {'active' if is_active else 'inactive'} already.")
        after = {"document_ct": document_cell(self._records, seen.patient, is_active=is_active)}
        event = "patient made active" if is_active else "patient made inactive"
        with self._records.transaction() as connection:
            self._change(connection, self._seen(connection, seen), after, event, {}, reason)
        return self._reread(seen.patient.id)

    def _seen(self, connection: sa.Connection, seen: PatientRecord) -> Row:
        row = self._records.row(connection, schema.patient, seen.patient.id)
        if row["rev"] != seen.revision:
            raise StaleRevision(
                "Somebody else changed this patient's record in the meantime; nothing was changed.",
                hint="Look at it again, then repeat the change.",
                detail=f"patient {row['uuid']} base {seen.revision} head {row['rev']}",
            )
        return row

    def _change(  # noqa: PLR0917 - one row's change, and why
        self, connection: sa.Connection, row: Row, after: Row, event: str, change: dict[str, Any], reason: str
    ) -> None:
        said = change | {"reason": expect_reason(reason)}
        if not self._records.update(connection, schema.patient, row, after):
            raise StaleRevision("Somebody else changed this patient's record in the meantime; nothing was changed.")
        self._records.trail.append(
            connection, event, table="patient", record=row["uuid"], revision=row["rev"] + 1, change=said
        )

    def _note(self, connection: sa.Connection, event: str, record: str, other: str, reason: str) -> None:
        change = {"other": other, "reason": expect_reason(reason)}
        self._records.trail.append(connection, event, table="patient", record=record, change=change)

    def _reread(self, patient_id: str) -> PatientRecord:
        with self._records.database.read() as connection:
            return record_of(self._records, self._records.row(connection, schema.patient, patient_id))
