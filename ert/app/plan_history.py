"""The history for those who read it: revisions compared, looked at, restored; the activity log and its export."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.tissue_library import Run
from ert.domain.activity import Activity, RevisionInfo
from ert.domain.patient import Patient
from ert.domain.plan import Plan
from ert.domain.plan_difference import Change, plan_difference
from ert.domain.record import PlanHead, StoredPlan
from ert.domain.spreadsheet import harmless
from ert.errors import Refused, StorageFailed

ACTIVITY_LIMIT = 500
_PAGE = 2000
_HEAD = ("number", "time UTC", "user", "computer", "program", "event", "subject", "revision", "detail", "record")


@attrs.frozen(kw_only=True)
class Conflict:
    """Two people's edits of one revision.

    Attributes
    ----------
    base : the revision both began with.
    theirs : what the site holds now.
    their_changes, my_changes : both since `base`.
    """

    base: StoredPlan
    theirs: StoredPlan
    their_changes: tuple[Change, ...]
    my_changes: tuple[Change, ...]

    @property
    def contested(self) -> frozenset[str]:
        """Keys of what both changed, also where one changed a part of what the other removed."""
        mine, theirs = ({c.key for c in many if not c.is_derived} for many in (self.my_changes, self.their_changes))
        return frozenset(
            a for own, other in ((mine, theirs), (theirs, mine)) for a in own for b in other if _is_same_part(a, b)
        )


@guarded
class PlanHistory:
    """History of one site.

    Parameters
    ----------
    store : SiteStore
    run : Run
        Calls a function on the store's thread.
    """

    def __init__(self, store: SiteStore, run: Run) -> None:
        self._store, self._run = store, run
        self._names: dict[str, dict[int, str]] = {}

    def head(self, plan_id: str) -> PlanHead:
        """The newest revision of a plan, without its content."""
        return self._run(lambda: self._store.plans.head(plan_id))

    def patient(self, course_id: str) -> Patient:
        """Whose course it is."""
        patients = self._store.patients
        return self._run(lambda: patients.patient(patients.course(course_id).patient_id))

    def revisions(self, plan_id: str) -> tuple[RevisionInfo, ...]:
        """The revisions of a plan, newest first."""
        return self._run(lambda: self._store.activity.revisions(plan_id))

    def plan(self, plan_id: str, revision: int | None = None) -> StoredPlan:
        """One revision with its content; the newest by default."""
        return self._run(lambda: self._store.plans.load(plan_id, revision))

    def difference(self, plan_id: str, before: int, after: int) -> tuple[Change, ...]:
        """What changed from one revision to another, whichever is older."""
        return self.changes(self.plan(plan_id, before).plan, self.plan(plan_id, after).plan)

    def changes(self, before: Plan, after: Plan) -> tuple[Change, ...]:
        """What differs between two states of a plan."""
        return plan_difference(before, after, structures=self._structure_names(after))

    def conflict(self, mine: Plan, *, base_revision: int, structures: Mapping[int, str] | None = None) -> Conflict:
        """What a colleague saved since a revision, and what was edited here since.

        ``structures`` are the names that are known here; without them they are read from the site.
        """
        if structures is not None:
            self._names[mine.structure_set_id] = dict(structures)
        base, theirs = self.plan(mine.id, base_revision), self.plan(mine.id)
        return Conflict(
            base=base,
            theirs=theirs,
            their_changes=self.changes(base.plan, theirs.plan),
            my_changes=self.changes(base.plan, mine),
        )

    def restore(self, plan_id: str, revision: int) -> StoredPlan:
        """Save an earlier revision's content as the next revision; nothing in between is lost.

        Raises
        ------
        Refused
            If the plan is like that already.
        StaleRevision
            If somebody saved in this very moment.
        """
        old, newest = self.plan(plan_id, revision), self.plan(plan_id)
        refuse_same(old, newest.plan)
        return self._run(
            lambda: self._store.plans.save(old.plan, base_revision=newest.revision, reason=restore_reason(revision))
        )

    def activity(self, record: str, *, limit: int = ACTIVITY_LIMIT) -> tuple[Activity, ...]:
        """What happened to one record, newest first."""
        return self._run(lambda: self._store.activity.entries(limit=limit, record=record))

    def site_activity(self, *, limit: int = ACTIVITY_LIMIT) -> tuple[Activity, ...]:
        """What happened in the whole site, newest first."""
        return self._run(lambda: self._store.activity.entries(limit=limit))

    def export_activity(self, path: Path, *, record: str = "") -> int:
        """Write the activity log as CSV and note that; how many rows.

        Raises
        ------
        StorageFailed
            If the file cannot be written.
        """
        self._run(lambda: self._store.record_event("activity log exported", record=record))
        rows = self._run(lambda: self._all_rows(record))
        try:
            path.write_text(activity_csv(rows), encoding="utf-8", newline="")
        except OSError as error:
            raise StorageFailed(
                f"The activity log could not be written to {path}: {error.strerror}.", hint="Choose another place."
            ) from error
        return len(rows)

    def _all_rows(self, record: str) -> list[Activity]:
        rows: list[Activity] = []
        while True:
            before = rows[-1].number if rows else None
            page = self._store.activity.entries(limit=_PAGE, record=record, before=before)
            rows += page
            if len(page) < _PAGE:
                return rows

    def _structure_names(self, plan: Plan) -> dict[int, str]:
        wanted = plan.structure_set_id
        if wanted not in self._names:
            found = self._run(lambda: self._store.patients.structure_set(wanted))
            self._names[wanted] = {s.number: s.name for s in found.structures}
        return self._names[wanted]


def refuse_same(old: StoredPlan, now: Plan) -> None:
    """Refuse to restore what is there."""
    if old.plan == now:
        raise Refused(f"The plan is as it was in revision {old.revision}; there is nothing to restore.")


def restore_reason(revision: int) -> str:
    """What the history says of a restored revision."""
    return f"restored r{revision}"


def kept_reason(theirs: StoredPlan) -> str:
    """What the history says of a plan that was saved on top of a colleague's revision."""
    return f"kept on top of r{theirs.revision} by {theirs.saved_by}"


def activity_csv(entries: Sequence[Activity]) -> str:
    """The log as CSV (RFC 4180), every cell quoted; none that a spreadsheet would take for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(_HEAD)
    for entry in entries:
        at = entry.at.astimezone(dt.UTC).isoformat(timespec="seconds")
        revision = "" if entry.revision is None else str(entry.revision)
        cells = (
            str(entry.number), at, entry.user, entry.host, entry.app_version, entry.event, entry.subject, revision,
            entry.detail, entry.record,
        )  # fmt: skip
        writer.writerow([harmless(cell) for cell in cells])
    return out.getvalue()


def _is_same_part(a: str, b: str) -> bool:
    return a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")
