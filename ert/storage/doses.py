"""Doses kept with plans: one encrypted file for each plan and dose request; written once, verified when read.

A Monte Carlo dose has a second file, with the standard errors.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from ert.domain.dose import DoseResult
from ert.domain.identity import array_digest, new_id
from ert.errors import DigestMismatch
from ert.storage import codec, schema
from ert.storage.dose_content import dose_content, dose_from, has_errors
from ert.storage.envelope import FileKind
from ert.storage.records import Records, Row, Saving, the_file

_FIRST = 1


def put_doses(
    records: Records, save: Saving, plan_id: str, doses: Sequence[DoseResult], *, folder: Sequence[str]
) -> list[Row]:
    """Put the files of doses this plan does not have yet and return their rows for the transaction.

    A dose is a function of its request, so a request that was kept before is not written again.
    """
    kept = _kept_digests(records, plan_id)
    rows: list[Row] = []
    for dose in doses:
        if dose.request_digest in kept:
            continue
        kept.add(dose.request_digest)
        row_id = new_id()
        context = records.context(schema.dose, row_id, _FIRST, FileKind.DOSE)
        values = codec.array_to_buffers(dose.gy_per_mu)
        save.put(values, folder=folder, context=context, item_size=dose.gy_per_mu.itemsize)
        if dose.statistics is not None:
            errors = dose.statistics.relative_sigma
            context = records.context(schema.dose, row_id, _FIRST, FileKind.DOSE_ERRORS)
            save.put(codec.array_to_buffers(errors), folder=folder, context=context, item_size=errors.itemsize)
        rows.append(
            {
                "uuid": row_id,
                "plan": plan_id,
                "request_digest": dose.request_digest,
                "content_digest": array_digest(dose.gy_per_mu),
                "document_ct": records.encrypt_document("dose", dose_content(dose), table=schema.dose, row_id=row_id),
            }
        )
    return rows


def insert_doses(records: Records, connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Insert the rows of `put_doses`."""
    for row in rows:
        records.insert(connection, schema.dose, row)


def read_dose(records: Records, plan_id: str, request_digest: str) -> DoseResult | None:
    """Return a kept dose, verified; None if this plan never had it.

    Raises
    ------
    BadTag, DigestMismatch
        The dose on the disk is not what was kept.
    """
    table = schema.dose
    with records.database.read() as connection:
        rows = records.rows(connection, table, table.c.plan == plan_id, table.c.request_digest == request_digest)
        if not rows:
            return None
        files = records.files_of(connection, table, rows[0]["uuid"], _FIRST)
    content = records.decrypt_document("dose", rows[0], table=table)
    gy_per_mu = codec.bytes_to_array(records.blobs.read(the_file(files, FileKind.DOSE)))
    if array_digest(gy_per_mu) != rows[0]["content_digest"] or content.get("request_digest") != request_digest:
        raise DigestMismatch(
            "A kept dose of this site is not what was computed; it was not used.",
            hint="Have the dose computed again and run 'ert check'.",
            detail=f"dose {rows[0]['uuid']}: digest",
        )
    errors = None
    if has_errors(content):
        errors = codec.bytes_to_array(records.blobs.read(the_file(files, FileKind.DOSE_ERRORS)))
    return dose_from(content, gy_per_mu, errors)


def _kept_digests(records: Records, plan_id: str) -> set[str]:
    query = sa.select(schema.dose.c.request_digest).where(schema.dose.c.plan == plan_id)
    with records.database.read() as connection:
        return set(connection.execute(query).scalars())
