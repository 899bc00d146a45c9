"""Copying a database row by row between an encrypted file and a server, and comparing two of them to the last byte.

Rows are copied as they are, codes and encrypted cells included, so whatever verified before verifies after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ert.domain.backup import Progress
from ert.errors import StorageFailed
from ert.storage import schema
from ert.storage.dialect import present_tables, schema_version
from ert.storage.fields import canonical_cell
from ert.storage.migrate import migrate
from ert.storage.opening import Access
from ert.storage.sqlcipher_backend import SqlCipher

_AT_ONCE = 200
Row = dict[str, Any]


def copy_to_file(source: sa.Connection, path: Path, literal: Callable[[], str], *, store_id: str) -> None:
    """Copy what a transaction sees into an empty file under a raw key, at the version it has.

    Raises
    ------
    DiskFull, StorageFailed
        The copy is not to be used.
    """
    backend = SqlCipher(Access(path=path, key_literal=literal, store_id=store_id), may_migrate=True)
    engine = backend.make_engine()
    try:
        with backend.translated(), engine.connect() as target:
            raw: Any = target.connection.driver_connection
            backend.begin(raw, is_writing=True)
            try:
                migrate(target, version=schema_version(source))
                copy_rows(source, target)
                target.commit()
            except BaseException as exc:
                backend.undo(target, raw, exc)
                raise
            backend.end(raw)
    finally:
        engine.dispose()


def copy_rows(
    source: sa.Connection, target: sa.Connection, *, progress: Progress = lambda _fraction, _text: None
) -> None:
    """Copy every row of every table into empty tables of the same version, what is referred to first."""
    tables = _tables(source)
    for done, table in enumerate(tables):
        progress(done / len(tables), "Copying records")
        batch: list[Row] = []
        for row in _in_order(table, _rows(source, table)):
            batch.append(row)
            if len(batch) == _AT_ONCE:
                target.execute(table.insert(), batch)
                batch = []
        if batch:
            target.execute(table.insert(), batch)


def compare_rows(one: sa.Connection, other: sa.Connection) -> int:
    """Compare every value of every row; return how many rows there are.

    Raises
    ------
    StorageFailed
        The two differ; nothing of them is to be used in the place of the other.
    """
    if schema_version(one) != schema_version(other) or present_tables(one) != present_tables(other):
        raise _differ("versions or tables")
    count = 0
    for table in _tables(one):
        theirs = _rows(other, table)
        for row in _rows(one, table):
            twin = next(theirs, None)
            count += 1
            if twin is None or _canonical(twin) != _canonical(row):
                raise _differ(f"{table.name}, row {count}")
        if next(theirs, None) is not None:
            raise _differ(f"{table.name}: more rows")
    return count


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """Return the tables there are, what is referred to before what refers; an older database tells its own."""
    found = schema.metadata
    if schema_version(connection) != schema.SCHEMA_VERSION:
        found = sa.MetaData()
        found.reflect(connection)
    tables = [table for table in found.sorted_tables if table.name != schema.MIGRATION_TABLE]
    if {table.name for table in tables} | {schema.MIGRATION_TABLE} != present_tables(connection):
        raise StorageFailed("The database holds other tables than its version says; it was not copied.")
    return tables


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[Row]:
    (key,) = table.primary_key.columns
    query = sa.select(table).order_by(key)
    for row in connection.execute(query, execution_options={"yield_per": _AT_ONCE}).mappings():
        yield dict(row)


def _in_order(table: sa.Table, rows: Iterator[Row]) -> Iterator[Row]:
    """Give rows so that one that refers to another of the same table comes behind it."""
    own = [key.parent.name for key in table.foreign_keys if key.column.table is table]
    if not own:
        yield from rows
        return
    waiting, given = list(rows), set[Any]()
    while waiting:
        ready = [row for row in waiting if all(row[name] is None or row[name] in given for name in own)]
        if not ready:
            raise StorageFailed(
                "Records refer to one another in a circle; the database was not copied.", detail=table.name
            )
        yield from ready
        given |= {row["uuid"] for row in ready}
        waiting = [row for row in waiting if row["uuid"] not in given]


def _canonical(row: Row) -> bytes:
    return b"".join(canonical_cell(name) + canonical_cell(row[name]) for name in sorted(row))


def _differ(detail: str) -> StorageFailed:
    return StorageFailed(
        "The copy of the database differs from the original; it is not used.",
        hint="Try again; if it happens once more, call physics.",
        detail=detail,
    )
