"""The life of a plan as a table: what may follow what. What is not in it is refused."""

from __future__ import annotations

from collections.abc import Mapping

from ert.domain.record import PlanStatus
from ert.errors import PlanLocked, Refused

TRANSITIONS: Mapping[PlanStatus, frozenset[PlanStatus]] = {
    PlanStatus.DRAFT: frozenset({PlanStatus.DRAFT, PlanStatus.READY}),
    PlanStatus.READY: frozenset({PlanStatus.DRAFT, PlanStatus.READY, PlanStatus.APPROVED}),
    PlanStatus.APPROVED: frozenset({PlanStatus.WITHDRAWN, PlanStatus.SUPERSEDED}),
    PlanStatus.WITHDRAWN: frozenset(),
    PlanStatus.SUPERSEDED: frozenset(),
}
FIRST = frozenset({PlanStatus.DRAFT, PlanStatus.READY})
"""What the first revision of a plan may be."""

_WORDS = {
    PlanStatus.APPROVED: "is approved",
    PlanStatus.WITHDRAWN: "was approved, and the approval was withdrawn",
    PlanStatus.SUPERSEDED: "was approved and is superseded",
}


def expect_transition(before: PlanStatus | None, after: PlanStatus) -> None:
    """Refuse what the table does not allow.

    Parameters
    ----------
    before : the newest revision's status; None for a plan that is not stored yet.
    after : of the revision to come.

    Raises
    ------
    PlanLocked
        An approval froze the plan.
    Refused
        Anything else that is not in the table.
    """
    allowed = FIRST if before is None else TRANSITIONS[before]
    if after in allowed:
        return
    if before is not None and before.is_locked:
        raise locked(before)
    what = "A new plan" if before is None else f"A plan that is a {before.phrase}"
    if before is PlanStatus.READY:
        what = "A plan that is ready for review"
    raise Refused(f"{what} cannot become {after.phrase} in one step.", hint="Mark it ready for review first.")


def locked(status: PlanStatus) -> PlanLocked:
    """The error of whoever tries to change a plan that an approval froze."""
    return PlanLocked(
        f"This plan {_WORDS[status]}; it is never changed again. Nothing was changed.",
        hint="Make a copy of it (Plan, Clone as new plan) and work on that.",
        detail=f"state {status.value}",
    )
