"""Plans that an approval froze: every writer of a plan refuses them here, and the attempt is noted in the history."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import sqlalchemy as sa

from ert.domain.record import PlanStatus
from ert.domain.workflow import locked
from ert.errors import ErtError, PlanLocked
from ert.logs import Public
from ert.storage import schema
from ert.storage.records import Records, Row

DENIED = "change of an approved plan refused"
_LOG = logging.getLogger(__name__)


def refuse_locked(head: Row) -> None:
    """Refuse to go on with a plan whose head says that it is approved, or was (`PlanLocked`)."""
    status = PlanStatus(head["state"])
    if status.is_locked:
        raise locked(status)


def refuse_reshaping(records: Records, connection: sa.Connection, structure_set_id: str) -> None:
    """Refuse other contours where a plan that was ever approved stands on them (`PlanLocked`)."""
    plan, course = schema.plan, schema.course
    frozen_states = [status.value for status in PlanStatus if status.is_locked]
    courses = sa.select(course.c.uuid).where(course.c.structure_set == structure_set_id)
    for head in records.rows(connection, plan, plan.c.course.in_(courses), plan.c.state.in_(frozen_states)):
        raise PlanLocked(
            "A plan of this course was approved on these contours; they are never changed again. Nothing was changed.",
            hint="Import the new structure set: it makes a course of its own.",
            detail=f"plan {head['uuid']}",
        )


@contextlib.contextmanager
def denying(records: Records, record_id: str, doing: str) -> Iterator[None]:
    """Note whatever is refused meanwhile because the plan is frozen; what cannot be noted is refused all the same.

    Parameters
    ----------
    records : Records
    record_id : str
        The plan, or the structure set it stands on.
    doing : str
        What was tried, in one or two words.
    """
    try:
        yield
    except PlanLocked:
        try:
            with records.transaction() as connection:
                change = {"detail": doing}
                records.trail.append(connection, DENIED, record=record_id, change=change)
        except ErtError as error:
            _LOG.warning("the refusal to change an approved plan was not noted: %s", Public(error.code))
        raise
