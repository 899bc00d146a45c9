"""What the two databases say differently and every caller asks the same: version, tables, triggers.

An embedded database keeps its version in SQLite's header (``user_version``); on a server it is the name of the last
migration, a number too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

from ert.storage import schema

SERVER = "postgresql"


def is_server(connection: sa.Connection) -> bool:
    """Whether the database lies on a server."""
    return connection.dialect.name == SERVER


def schema_version(connection: sa.Connection) -> int:
    """Return the version of the tables, 0 for a database without any."""
    if not is_server(connection):
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if schema.MIGRATION_TABLE not in present_tables(connection):
        return 0
    names = connection.exec_driver_sql(f"SELECT version_num FROM {schema.MIGRATION_TABLE}").scalars().all()
    return max((int(name) for name in names), default=0)


def set_schema_version(connection: sa.Connection, version: int) -> None:
    """Note the version the migrations led to; on a server they have done so themselves."""
    if not is_server(connection):
        connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {version}")


def present_tables(connection: sa.Connection) -> frozenset[str]:
    """Return the names of the tables a database has; an older one has fewer."""
    if is_server(connection):
        query = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    return frozenset(connection.exec_driver_sql(query).scalars())


@contextlib.contextmanager
def without_triggers(connection: sa.Connection) -> Iterator[None]:
    """Let rows that are never changed be rewritten, inside a transaction that puts the triggers back."""
    if is_server(connection):
        tables = sorted(present_tables(connection))
        for table in tables:
            connection.exec_driver_sql(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
        yield
        for table in tables:
            connection.exec_driver_sql(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')
        return
    triggers = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    for name, _ in triggers:
        connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
    yield
    for _, statement in triggers:
        connection.exec_driver_sql(statement)
