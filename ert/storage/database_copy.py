"""Copying a database row by row between an encrypted file and a server, and comparing two of them to the last byte.

Rows are copied as they are, codes and encrypted cells included, so whatever verified before verifies after.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator
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
        with contextlib.closing(_rows(source, table)) as rows:
            ordered = _in_order(table, rows)
            while batch := list(itertools.islice(ordered, _AT_ONCE)):
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
        with contextlib.closing(_rows(one, table)) as ours, contextlib.closing(_rows(other, table)) as theirs:
            for row, twin in itertools.zip_longest(ours, theirs):
                count += 1
                if row is None or twin is None or _canonical(twin) != _canonical(row):
                    raise _differ(f"{table.name}, row {count} of all")
    return count


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """Return the tables there are, what is referred to before what refers; an older database tells its own."""
    is_known = present_tables(connection) == set(schema.metadata.tables) | {schema.MIGRATION_TABLE}
    found = schema.metadata
    if schema_version(connection) != schema.SCHEMA_VERSION or not is_known:
        found = sa.MetaData()
        found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != schema.MIGRATION_TABLE]


def _rows(connection: sa.Connection, table: sa.Table) -> Generator[Row, None, None]:
    (key,) = table.primary_key.columns
    query = sa.select(table).order_by(key)
    with connection.execute(query, execution_options={"yield_per": _AT_ONCE}) as found:
        for row in found.mappings():
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
