"""Second checks kept with plans: one encrypted document each, bound to the plan and the revision it was made on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa

from ert.domain.second_check import KeptSecondCheck, SecondCheck
from ert.errors import DigestMismatch
from ert.storage import documents, schema
from ert.storage.envelope import FileKind
from ert.storage.records import Records, Row, stored_file
from ert.storage.users import user_names

_NAME = "second_check"


def add_second_check(
    records: Records, check: SecondCheck, *, plan_id: str, revision: int, folder: Sequence[str]
) -> None:
    """Keep a check with a revision; a check that was made again stands behind the earlier one.

    Raises
    ------
    DigestMismatch
        The revision has another content than the one that was checked. Nothing is kept.
    """
    with records.database.read() as connection:
        table = schema.plan_revision
        (row,) = records.rows(connection, table, table.c.plan == plan_id, table.c.rev == revision) or (None,)
        earlier = _rows(records, connection, plan_id)
    if row is None or row["digest"] != check.plan_digest:
        raise DigestMismatch(
            "The second check was made on another state of the plan; it was not kept.",
            hint="Save the plan, check again.",
        )
    content = {"made_by": records.actor, "check": documents.to_content(check)}
    context = records.context(schema.plan, plan_id, revision, FileKind.SECOND_CHECK)
    before = sum(1 for found in earlier if found["owner_rev"] == revision)
    with records.saving() as save:
        save.put([documents.write_document(_NAME, content)], folder=folder, context=context, after=before)
        with save.transaction() as connection:
            change = {"light": check.light.value, "engine": check.second_engine, "of": check.plan_digest}
            records.trail.append(connection, "second check", table=schema.plan.name, record=plan_id, change=change)


def read_second_checks(records: Records, plan_id: str) -> tuple[KeptSecondCheck, ...]:
    """Every second check of a plan, oldest first, verified."""
    with records.database.read() as connection:
        rows = _rows(records, connection, plan_id)
    names = user_names(records)
    kept = []
    for row in rows:
        stored = stored_file(row, records.store_id)
        content = documents.read_document(_NAME, bytes(records.blobs.read(stored)))
        made_by = str(content["made_by"])
        kept.append(
            KeptSecondCheck(
                check=documents.from_content(content["check"], SecondCheck),
                revision=row["owner_rev"],
                made_by=names.get(made_by, made_by),
                made_at=dt.datetime.fromisoformat(row["created_utc"]),
            )
        )
    return tuple(kept)


def _rows(records: Records, connection: sa.Connection, plan_id: str) -> list[Row]:
    file = schema.file
    found = records.rows(
        connection, file, file.c.owner_table == schema.plan.name, file.c.owner == plan_id,
        file.c.kind == int(FileKind.SECOND_CHECK),
    )  # fmt: skip
    return sorted(found, key=lambda row: (row["owner_rev"], row["ordinal"]))
