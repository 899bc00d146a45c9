"""Approvals as ``ert check`` sees them: each is read exactly as whoever opens the plan reads it."""

from __future__ import annotations

from collections.abc import Iterator

from ert.domain.backup import Progress
from ert.domain.record import Finding
from ert.errors import ErtError
from ert.storage import schema
from ert.storage.approved import approved_plans, read_pinned
from ert.storage.check_files import blocker
from ert.storage.dialect import present_tables
from ert.storage.plans import PlanRepository
from ert.storage.records import Records


def check_approvals(records: Records, progress: Progress) -> Iterator[Finding]:
    """Verify every approval: signature, plan, images, structures and pinned doses."""
    with records.database.read() as connection:
        if schema.approval.name not in present_tables(connection):  # a copy of an older program's site
            return
    plans = PlanRepository(records)
    ids = approved_plans(records)
    for done, plan_id in enumerate(ids):
        progress(done / len(ids), "Verifying approvals")
        try:
            read_pinned(records, plans.load(plan_id).plan)
        except ErtError as exc:
            yield blocker("CHECK-APPROVAL", exc.sentence, f"plan {plan_id}: {exc.detail}")
