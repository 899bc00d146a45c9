"""Rows on a PostgreSQL server: one writer at a time by a lock, one state for a reader, everything in transactions.

A write takes ``store_meta`` for itself before its first look (LOCK takes no snapshot), so it sees everything that was
committed before it, and nobody writes beside it: what ``BEGIN IMMEDIATE`` is to the embedded database. SERIALIZABLE on
top makes the server refuse whatever somebody else does behind the program's back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import sqlalchemy as sa

from ert.storage import schema
from ert.storage.backend import Look
from ert.storage.database_copy import copy_to_file
from ert.storage.dialect import present_tables, schema_version
from ert.storage.guards import SERVER_TRIGGERS
from ert.storage.server_access import ServerAccess
from ert.storage.server_errors import translated_server
from ert.storage.server_opening import open_server


class Postgres:
    """One site's schema on a server (port `Backend`)."""

    def __init__(self, access: ServerAccess, *, may_migrate: bool) -> None:
        self._access = access
        self._may_migrate = may_migrate

    def make_engine(self) -> sa.Engine:
        """Give an engine whose one connection went through the opening protocol, again after every interruption."""
        return sa.create_engine(
            "postgresql+psycopg://",
            creator=lambda: open_server(self._access, may_migrate=self._may_migrate),
            poolclass=sa.pool.QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=1.0,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    def translated(self) -> AbstractContextManager[None]:
        """Translate errors of the server."""
        return translated_server()

    def begin(self, raw: psycopg.Connection[object], *, is_writing: bool) -> None:
        """Begin; a write waits for the site's one row, as long as the embedded database tries."""
        level = psycopg.IsolationLevel
        raw.isolation_level = level.SERIALIZABLE if is_writing else level.REPEATABLE_READ
        raw.read_only = not is_writing
        if is_writing and not self._access.is_new:
            raw.execute(f"SET LOCAL lock_timeout = {2 * self._access.busy_timeout_ms}".encode("ascii"))
            raw.execute(b"LOCK TABLE store_meta IN EXCLUSIVE MODE")

    def end(self, raw: psycopg.Connection[object]) -> None:
        """Nothing is left: the driver knows every transaction."""

    def undo(self, connection: sa.Connection, raw: psycopg.Connection[object], cause: BaseException) -> None:
        """Roll back; a connection that broke is thrown away."""
        with contextlib.suppress(sa.exc.DBAPIError, psycopg.Error):
            connection.rollback()
        if raw.broken or isinstance(cause, psycopg.OperationalError):
            connection.invalidate()

    def looks(self, *, is_deep: bool) -> tuple[Look, ...]:
        """Return looks at tables and triggers; deep: references and uniqueness too, counted without the indexes."""
        return (_references, _uniqueness) if is_deep else (_tables,)

    def copy_into(self, connection: sa.Connection, path: Path, literal: str) -> None:
        """Copy what the transaction sees into an encrypted file, row by row."""
        copy_to_file(connection, path, lambda: literal, store_id=self._access.store_id)


def _tables(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    is_newest = schema_version(connection) == schema.SCHEMA_VERSION
    if is_newest:
        for name in sorted({table.name for table in schema.metadata.sorted_tables} - present_tables(connection)):
            yield "tables", f"{name} is missing"
    query = (
        "SELECT tgname, tgenabled FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
        "WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace"
    )
    present: set[str] = set()
    for trigger, state in connection.exec_driver_sql(query):
        present.add(trigger)
        if state not in {"O", "A", b"O", b"A"}:
            yield "triggers", f"{trigger} is switched off"
    if is_newest:
        yield from (("triggers", f"{name} is missing") for name in sorted(SERVER_TRIGGERS - present))


def _references(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    present = present_tables(connection)
    for table in (t for t in schema.metadata.sorted_tables if t.name in present):
        for key in table.foreign_keys:
            parent = key.column.table.alias()
            is_there = sa.exists().where(parent.c[key.column.name] == key.parent)
            query = sa.select(sa.func.count()).select_from(table).where(key.parent.is_not(None), ~is_there)
            if lost := connection.execute(query).scalar_one():
                yield "references", f"{table.name}.{key.parent.name}: {lost} without a record"


def _uniqueness(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """A damaged index lets values in twice: count in the table itself."""
    for name in ("enable_indexscan", "enable_bitmapscan", "enable_indexonlyscan"):
        connection.exec_driver_sql(f"SET LOCAL {name} = off")
    present = present_tables(connection)
    for table in (t for t in schema.metadata.sorted_tables if t.name in present):
        sets = [
            list(c.columns) for c in table.constraints if isinstance(c, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
        ]
        sets += [[column] for column in table.columns if column.unique]
        for columns in sets:
            filled = [column.is_not(None) for column in columns]
            twice = sa.select(*columns).where(*filled).group_by(*columns).having(sa.func.count() > 1).subquery()
            if found := connection.execute(sa.select(sa.func.count()).select_from(twice)).scalar_one():
                yield (
                    "uniqueness",
                    f"{table.name} ({', '.join(c.name for c in columns)}): {found} values more than once",
                )
