"""Reading the history: who did what, when, where, to which record; and the revisions of a plan."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import sqlalchemy as sa

from ert.domain.activity import Activity, RevisionInfo
from ert.domain.library import LibraryState
from ert.domain.record import PlanStatus
from ert.errors import NotFound
from ert.storage import schema
from ert.storage.emergency import envelope_names
from ert.storage.patient_records import record_of
from ert.storage.patients import PatientRepository
from ert.storage.records import Records, Row
from ert.storage.users import user_names

_MOST_DETAIL = 120
_BARE = ("person", "detail", "reason")
_SILENT = frozenset({"", *(state.value for state in LibraryState)})
_AN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TABLES = (schema.plan, schema.course, schema.patient, schema.image, schema.structure_set)


class ActivityLog:
    """The history of one site for reading (port ``ActivityLog``)."""

    def __init__(self, records: Records, patients: PatientRepository) -> None:
        self._records, self._patients = records, patients

    def entries(self, *, limit: int, record: str = "", before: int | None = None) -> tuple[Activity, ...]:
        """Return rows, newest first, each verified.

        Parameters
        ----------
        limit : int
            At most so many.
        record : str
            Only of this record; "" for all.
        before : int
            Only rows with a smaller number, to read on.

        Raises
        ------
        AuditBroken
            A row is not what was written.
        """
        history = schema.history
        query = sa.select(history).order_by(history.c.seq.desc()).limit(limit)
        if record:
            query = query.where(history.c.record == record)
        if before is not None:
            query = query.where(history.c.seq < before)
        rows = self._verified(query)
        names = user_names(self._records) | envelope_names(self._records)
        subjects = _Subjects(self._records, self._patients)
        return tuple(self._entry(row, names, subjects) for row in rows)

    def revisions(self, plan_id: str) -> tuple[RevisionInfo, ...]:
        """Return the revisions of a plan, newest first, without their content."""
        table, history = schema.plan_revision, schema.history
        with self._records.database.read() as connection:
            self._records.row(connection, schema.plan, plan_id)
            rows = self._records.rows(connection, table, table.c.plan == plan_id, order="rev")
        saves = self._verified(sa.select(history).where(history.c.record == plan_id, history.c.record_rev.isnot(None)))
        noted, names = {row["record_rev"]: row for row in saves}, user_names(self._records)
        return tuple(self._revision(row, noted.get(row["rev"]), names) for row in reversed(rows))

    def _verified(self, query: sa.Select[Any]) -> list[Row]:
        with self._records.database.read() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        for row in rows:
            self._records.trail.check_row(row)
        return rows

    def _entry(self, row: Row, names: dict[str, str], subjects: _Subjects) -> Activity:
        return Activity(
            number=row["seq"],
            at=dt.datetime.fromisoformat(row["utc"]),
            user=names.get(row["actor"]) or str(row["actor"]),
            host=self._text(row, "host_ct"),
            app_version=row["app_version"],
            event=row["event"],
            kind=row["record_table"],
            record=row["record"],
            revision=row["record_rev"],
            subject=subjects.of(row["record"]),
            detail=_detail(self._change(row), subjects),
        )

    def _revision(self, row: Row, noted: Row | None, names: dict[str, str]) -> RevisionInfo:
        return RevisionInfo(
            plan_id=row["plan"],
            revision=row["rev"],
            status=PlanStatus(row["state"]),
            saved_by=names.get(row["saved_by"]) or str(row["saved_by"]),
            saved_at=dt.datetime.fromisoformat(row["created_utc"]),
            host="" if noted is None else self._text(noted, "host_ct"),
            reason="" if noted is None else str(self._change(noted).get("reason", "")),
        )

    def _text(self, row: Row, column: str) -> str:
        guard = self._records.guard
        return guard.decrypt(row[column], table="history", row_id=str(row["seq"]), column=column).decode("utf-8")

    def _change(self, row: Row) -> Row:
        return self._records.trail.change_of(row)


class _Subjects:
    """Records in words, each looked up once."""

    def __init__(self, records: Records, patients: PatientRepository) -> None:
        self._records, self._patients = records, patients
        self._known: dict[str, str] = {"": ""}

    def of(self, record: str) -> str:
        if record not in self._known:
            self._known[record] = self._found(record)
        return self._known[record]

    def _found(self, record: str) -> str:
        with self._records.database.read() as connection:
            for table in _TABLES:
                rows = self._records.rows(connection, table, table.c.uuid == record)
                if rows:
                    break
            else:
                return ""
        row = rows[0]
        if table is schema.patient:  # the record's own name, also if it is part of another by now
            own = record_of(self._records, row).patient
            return f"{own.display_name} ({own.medical_record_number})"
        if table is schema.course:
            return f"Course '{self._patients.course(record).name}' of {self.of(row['patient'])}"
        if table is schema.image:
            return f"CT of {self.of(row['patient'])}"
        if table is schema.structure_set:
            return f"Structures on the {self.of(row['image'])}"
        name = self._records.guard.decrypt(row["name_ct"], table="plan", row_id=record, column="name_ct")
        return f"Plan '{name.decode('utf-8')}' of {self._patient(self._patients.course(row['course']).patient_id)}"

    def _patient(self, patient_id: str) -> str:
        try:
            patient = self._patients.patient(patient_id)
        except NotFound:
            return ""
        return f"{patient.display_name} ({patient.medical_record_number})"


def _detail(change: Row, subjects: _Subjects) -> str:
    """What a history row notes, records by their names; without digests, lists, and states that the event tells."""
    parts = [str(change[name]) for name in _BARE if change.get(name)]
    for name, value in sorted(change.items()):
        if name in _BARE or not isinstance(value, str | int) or "digest" in name or value in _SILENT:
            continue
        said = subjects.of(value) or value if isinstance(value, str) and _AN_ID.fullmatch(value) else value
        parts.append(f"{name.replace('_', ' ')} {said}")
    text = "; ".join(part.rstrip(".") for part in parts)
    return text if len(text) <= _MOST_DETAIL else f"{text[: _MOST_DETAIL - 1]}…"
