"""What a site asks of who approves (port ``ApprovalRules``), and who edited a plan last."""

from __future__ import annotations

import sqlalchemy as sa

from ert.domain.approval_rule import DEFAULT_APPROVAL_RULE, ApprovalRule, LastEdit
from ert.errors import NotFound, NotPermitted
from ert.storage import schema
from ert.storage.records import Records, Row
from ert.storage.site_setting import SiteSetting
from ert.storage.users import user_names

RULE_CHANGED = "approval rule changed"


def approval_rules(records: Records) -> SiteSetting[ApprovalRule]:
    """The rule of an opened site."""
    return SiteSetting(records, "approval_rule", default=DEFAULT_APPROVAL_RULE, event=RULE_CHANGED)


def last_edit(records: Records, plan_id: str) -> LastEdit:
    """Return who saved the newest content of a plan first; `NotFound` if there is no such plan."""
    with records.database.read() as connection:
        found = _last_edit(records, connection, plan_id)
    return LastEdit(
        user_id=found["saved_by"], user_name=user_names(records).get(found["saved_by"], ""), revision=found["rev"]
    )


def expect_another_person(records: Records, connection: sa.Connection, plan_id: str) -> None:
    """Refuse an approval by who edited the plan last, if the site's rule does; `NotPermitted`."""
    if not approval_rules(records).read_in(connection).needs_another_person:
        return
    found = _last_edit(records, connection, plan_id)
    if found["saved_by"] == records.actor:
        edit = LastEdit(user_id=records.actor, user_name="", revision=found["rev"])
        raise NotPermitted(f"{edit.own_words()} Nothing was signed.")


def _last_edit(records: Records, connection: sa.Connection, plan_id: str) -> Row:
    """The row of the first of the newest revisions that all have the newest content."""
    table = schema.plan_revision
    rows = records.rows(connection, table, table.c.plan == plan_id, order="rev")
    if not rows:
        raise NotFound("There is no such plan in this site.")
    first = rows[-1]
    for row in reversed(rows):
        if row["digest"] != first["digest"]:
            break
        first = row
    return first
