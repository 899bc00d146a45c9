"""Plans of a site: a head for each plan and every revision ever saved, each complete in itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from ert.domain.dose import DoseResult
from ert.domain.identity import new_id
from ert.domain.overview import CourseOverview
from ert.domain.plan import Plan
from ert.domain.record import PlanHead, PlanStatus, StoredPlan
from ert.domain.second_check import KeptSecondCheck, SecondCheck
from ert.domain.workflow import FIRST, expect_transition
from ert.errors import BadTag, DigestMismatch, NotFound, StaleRevision
from ert.storage import documents, schema
from ert.storage.doses import insert_doses, put_doses, read_dose
from ert.storage.envelope import FileKind
from ert.storage.exclusive import fence, plan_scope
from ert.storage.locked import denying, refuse_locked
from ert.storage.overview import read_courses
from ert.storage.records import Records, Row, Saving, the_file
from ert.storage.second_checks import add_second_check, read_second_checks
from ert.storage.users import user_names

_NAME = "plan"


class PlanRepository:
    """Plans and their revisions (port ``PlanStore``)."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._names: dict[str, str] = {}

    def heads(self, course_id: str) -> tuple[PlanHead, ...]:
        """Return the newest revisions of all plans of a course, oldest plan first."""
        with self._records.database.read() as connection:
            rows = self._records.rows(connection, schema.plan, schema.plan.c.course == course_id)
        return tuple(self._head(row) for row in rows)

    def overview(self, patient_ids: Sequence[str]) -> Mapping[str, tuple[CourseOverview, ...]]:
        """Return the courses of many patients with their plans, for lists (`read_courses`)."""
        return read_courses(self._records, patient_ids, self._head)

    def head(self, plan_id: str) -> PlanHead:
        """Return the newest revision of a plan, without its content; `NotFound` if there is no such plan."""
        with self._records.database.read() as connection:
            row = self._records.row(connection, schema.plan, plan_id)
        return self._head(row)

    def revisions(self, plan_id: str) -> tuple[StoredPlan, ...]:
        """Return every revision of a plan, oldest first."""
        table = schema.plan_revision
        with self._records.database.read() as connection:
            self._records.row(connection, schema.plan, plan_id)
            rows = self._records.rows(connection, table, table.c.plan == plan_id, order="rev")
        return tuple(self._stored(row) for row in rows)

    def load(self, plan_id: str, revision: int | None = None) -> StoredPlan:
        """Return one revision of a plan, the newest by default.

        Raises
        ------
        NotFound
            No such plan or revision.
        BadTag, DigestMismatch
            The revision is not what was saved.
        """
        table = schema.plan_revision
        with self._records.database.read() as connection:
            head = self._records.row(connection, schema.plan, plan_id)
            wanted = head["rev"] if revision is None else revision
            rows = self._records.rows(connection, table, table.c.plan == plan_id, table.c.rev == wanted)
        if not rows and wanted == head["rev"]:
            raise _incomplete(plan_id, f"revision {wanted} missing")
        if not rows:
            raise NotFound(f"This plan has no revision {wanted}; its newest is {head['rev']}.")
        if wanted == head["rev"] and rows[0]["digest"] != head["digest"]:
            raise _incomplete(plan_id, "head and revision differ")
        return self._stored(rows[0])

    def save(
        self,
        plan: Plan,
        *,
        base_revision: int,
        doses: Sequence[DoseResult] = (),
        reason: str = "",
        status: PlanStatus = PlanStatus.DRAFT,
    ) -> StoredPlan:
        """Save a new revision with its doses: files first, then one transaction.

        Parameters
        ----------
        plan : Plan
            The new content.
        base_revision : int
            The revision the edit began with; 0 for a new plan.
        doses : sequence of DoseResult
            Doses computed for it; those kept before are not written again.
        reason : str
            Why, for the history; empty for a save by hand.
        status : PlanStatus
            Where this revision stands.

        Raises
        ------
        StaleRevision
            The store has another newest revision. Nothing is saved.
        LockHeld
            A colleague is signing the plan. Nothing is saved.
        PlanLocked
            The plan is approved, or was; noted in the history. Nothing is saved.
        DiskFull, StorageFailed, DatabaseBusy
            Nothing is saved.
        """
        records = self._records
        if status not in FIRST:
            raise ValueError(f"{status} is reached by signing only")
        with denying(records, plan.id, "save"):
            folder = self.check_base(plan, base_revision)
            self._save(plan, base_revision, folder, doses=doses, reason=reason, status=status)
        return self.load(plan.id, base_revision + 1)

    def _save(  # noqa: PLR0913 - one save, and what it writes
        self,
        plan: Plan,
        base_revision: int,
        folder: tuple[str, str, str],
        *,
        doses: Sequence[DoseResult],
        reason: str,
        status: PlanStatus,
    ) -> None:
        records, revision = self._records, base_revision + 1
        with records.saving() as save:
            row = self.put_revision(save, plan, revision, folder, status)
            dose_rows = put_doses(records, save, plan.id, doses, folder=folder)
            with save.transaction() as connection:
                self.move_head(connection, plan, base_revision, status)
                records.insert(connection, schema.plan_revision, row, revision=revision)
                insert_doses(records, connection, dose_rows)
                change = {"digest": plan.digest, "doses": [d["content_digest"] for d in dose_rows]}
                change |= {"reason": reason} if reason else {}
                change |= {"state": status.value} if status is not PlanStatus.DRAFT else {}
                records.trail.append(
                    connection, "plan saved", table=_NAME, record=plan.id, revision=revision, change=change
                )

    def dose(self, plan_id: str, request_digest: str) -> DoseResult | None:
        """Return a kept dose of this plan, verified; None if it was never kept."""
        return read_dose(self._records, plan_id, request_digest)

    def add_doses(self, plan: Plan, revision: int, doses: Sequence[DoseResult]) -> None:
        """Keep doses computed for a plan's newest revision without saving another; those kept before stay.

        Raises
        ------
        StaleRevision
            The plan was saved again in the meantime.
        DigestMismatch
            The revision has another content than the plan that was computed.
        PlanLocked
            The plan is approved, or was: it has its doses. Noted in the history.
        """
        records = self._records
        with denying(records, plan.id, "keep doses"):
            folder = self.check_base(plan, revision)
            self._add_doses(plan, revision, folder, doses)

    def _add_doses(self, plan: Plan, revision: int, folder: tuple[str, str, str], doses: Sequence[DoseResult]) -> None:
        records = self._records
        with records.saving() as save:
            rows = put_doses(records, save, plan.id, doses, folder=folder)
            with save.transaction() as connection:
                found = records.rows(connection, schema.plan, schema.plan.c.uuid == plan.id)
                if not found or found[0]["rev"] != revision:
                    raise self._stale(found[0] if found else None, revision)
                refuse_locked(found[0])
                if found[0]["digest"] != plan.digest:
                    raise DigestMismatch("The doses were computed for another state of the plan; they were not kept.")
                insert_doses(records, connection, rows)
                change = {"doses": [row["content_digest"] for row in rows], "of": plan.digest}
                records.trail.append(connection, "doses computed anew", table=_NAME, record=plan.id, change=change)

    def add_second_check(self, plan: Plan, revision: int, check: SecondCheck) -> None:
        """Keep a second check with the revision it was made on; `DigestMismatch` if that has another content."""
        with denying(self._records, plan.id, "keep a second check"):
            with self._records.database.read() as connection:
                course = self._records.row(connection, schema.course, plan.course_id)
                refuse_locked(self._records.row(connection, schema.plan, plan.id))
            folder = (course["patient"], course["uuid"], plan.id)
            add_second_check(self._records, check, plan_id=plan.id, revision=revision, folder=folder)

    def second_checks(self, plan_id: str) -> tuple[KeptSecondCheck, ...]:
        """Return every second check of a plan, oldest first, verified."""
        return read_second_checks(self._records, plan_id)

    def check_base(self, plan: Plan, base_revision: int, *, is_signing: bool = False) -> tuple[str, str, str]:
        """Refuse early what the transaction would refuse; return the folder of the plan's files."""
        records = self._records
        if not self._names:
            self._names = user_names(records)
        with records.database.read() as connection:
            course = records.row(connection, schema.course, plan.course_id)
            found = records.rows(connection, schema.plan, schema.plan.c.uuid == plan.id)
        if found and not is_signing:
            refuse_locked(found[0])
        if (found[0]["rev"] if found else 0) != base_revision:
            raise self._stale(found[0] if found else None, base_revision)
        return (course["patient"], course["uuid"], plan.id)

    def put_revision(self, save: Saving, plan: Plan, revision: int, folder: Sequence[str], status: PlanStatus) -> Row:
        """Put what a revision needs of files and return its row for the transaction."""
        table = schema.plan_revision
        content = documents.to_content(plan)
        written = documents.read_document(_NAME, documents.write_document(_NAME, content))
        if documents.from_content(written, Plan).digest != plan.digest:
            raise DigestMismatch("The plan could not be written exactly as it is; nothing was saved.", detail="plan")
        row_id = new_id()
        context = self._records.context(schema.plan, plan.id, revision, FileKind.DOCUMENT)
        cell = save.put_document(_NAME, content, table=table, row_id=row_id, context=context, folder=folder)
        return {
            "uuid": row_id,
            "plan": plan.id,
            "state": status.value,
            "saved_by": self._records.actor,
            "digest": plan.digest,
            "document_ct": cell,
        }

    def move_head(self, connection: sa.Connection, plan: Plan, base_revision: int, status: PlanStatus) -> None:
        """Raise a plan's head inside the transaction, as its lock, its revision and `workflow.TRANSITIONS` allow it."""
        records = self._records
        fence(records, connection, plan_scope(plan.id))
        name = records.guard.encrypt(plan.name.encode("utf-8"), table=_NAME, row_id=plan.id, column="name_ct")
        changes = {
            "course": plan.course_id,
            "state": status.value,
            "saved_by": records.actor,
            "digest": plan.digest,
            "name_ct": name,
        }
        found = records.rows(connection, schema.plan, schema.plan.c.uuid == plan.id)
        before = PlanStatus(found[0]["state"]) if found else None
        if before is not None and before.is_locked:
            expect_transition(before, status)
        if not found and base_revision == 0:
            expect_transition(before, status)
            records.insert(connection, schema.plan, {"uuid": plan.id} | changes)
            return
        if not found or found[0]["rev"] != base_revision:
            raise self._stale(found[0] if found else None, base_revision)
        if found[0]["course"] != plan.course_id:
            raise NotFound("A plan cannot move to another course.", hint="Make a copy of it there.")
        expect_transition(before, status)
        if found[0]["digest"] == plan.digest:  # the very content, so the very name: what is frozen is not written again
            del changes["name_ct"]
        if not records.update(connection, schema.plan, found[0], changes):
            raise self._stale(found[0], base_revision)

    def _stale(self, head: Row | None, base_revision: int) -> StaleRevision:
        if head is None:
            return StaleRevision(
                "The plan you edited is not in this site.",
                hint="Save it as a new plan.",
                detail=f"base {base_revision}, no head",
            )
        when = dt.datetime.fromisoformat(head["updated_utc"]).astimezone()
        who = self._names.get(head["saved_by"], "A colleague")
        return StaleRevision(
            f"{who} saved revision {head['rev']} of this plan at {when:%H:%M:%S} on "
            f"{when:%Y-%m-%d}; your edits began with revision {base_revision}. Nothing was overwritten.",
            hint="Compare both, then take theirs, save yours on top of it, or save yours as a new plan.",
            detail=f"plan {head['uuid']} base {base_revision} head {head['rev']}",
        )

    def _stored(self, row: Row) -> StoredPlan:
        plan = documents.from_content(self._content(row), Plan)
        if plan.digest != row["digest"] or plan.id != row["plan"]:
            raise DigestMismatch(
                "A plan of this site is not what was saved; it was not used.",
                hint="Open an earlier revision and run 'ert check'.",
                detail=f"plan {row['plan']} revision {row['rev']}: digest",
            )
        return StoredPlan(
            plan=plan,
            revision=row["rev"],
            status=PlanStatus(row["state"]),
            saved_by=self._name(row["saved_by"]),
            saved_at=dt.datetime.fromisoformat(row["created_utc"]),
        )

    def _content(self, row: Row) -> Row:
        records = self._records
        if row["document_ct"] is not None:
            return records.decrypt_document(_NAME, row, table=schema.plan_revision)
        with records.database.read() as connection:
            files = records.files_of(connection, schema.plan, row["plan"], row["rev"])
        return documents.read_document(_NAME, bytes(records.blobs.read(the_file(files, FileKind.DOCUMENT))))

    def _head(self, row: Row) -> PlanHead:
        name = self._records.guard.decrypt(row["name_ct"], table=_NAME, row_id=row["uuid"], column="name_ct")
        return PlanHead(
            plan_id=row["uuid"],
            course_id=row["course"],
            name=name.decode("utf-8"),
            revision=row["rev"],
            status=PlanStatus(row["state"]),
            saved_by=self._name(row["saved_by"]),
            saved_at=dt.datetime.fromisoformat(row["updated_utc"]),
        )

    def _name(self, user_id: str) -> str:
        if user_id not in self._names:
            self._names = user_names(self._records)
        return self._names.get(user_id, user_id)


def _incomplete(plan_id: str, detail: str) -> BadTag:
    return BadTag(
        "A plan of this site is incomplete; it was not used.",
        hint="Open an earlier revision and run 'ert check'.",
        detail=f"plan {plan_id}: {detail}",
    )
