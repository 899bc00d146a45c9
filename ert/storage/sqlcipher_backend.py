"""Rows in an encrypted SQLite file: immediate transactions, online backup, page checks."""

from __future__ import annotations

import contextlib
import functools
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlcipher3

from ert.storage.backend import Look
from ert.storage.opening import Access, open_connection
from ert.storage.sqlerrors import BUSY, LOCKED, backup_error, error_code, is_damage, translated_database

_BEGIN_TRIES = 6
_QUICK = ("quick_check",)
_DEEP = ("cipher_integrity_check", "integrity_check", "foreign_key_check")


class SqlCipher:
    """One embedded database (port `Backend`)."""

    def __init__(self, access: Access, *, may_migrate: bool) -> None:
        self._access = access
        self._may_migrate = may_migrate

    def make_engine(self) -> sa.Engine:
        """Give an engine whose one connection went through the opening protocol."""
        return sa.create_engine(
            "sqlite+pysqlite://",
            module=sqlcipher3,
            creator=lambda: open_connection(self._access, may_migrate=self._may_migrate),
            poolclass=sa.pool.QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=1.0,
            hide_parameters=True,
        )

    def translated(self) -> AbstractContextManager[None]:
        """Translate errors of SQLite."""
        return translated_database()

    def begin(self, raw: Any, *, is_writing: bool) -> None:  # noqa: ANN401
        """Begin; a write takes the lock of the file at once, tried for twice the time SQLite waits."""
        statement = "BEGIN IMMEDIATE" if is_writing else "BEGIN"
        deadline = time.monotonic() + (2.0 * self._access.busy_timeout_ms / 1000.0 if is_writing else 0.0)
        for attempt in range(_BEGIN_TRIES):
            try:
                raw.execute(statement)
            except sqlcipher3.OperationalError as exc:
                is_last = attempt == _BEGIN_TRIES - 1 or time.monotonic() >= deadline
                if error_code(exc) not in {BUSY, LOCKED} or is_last:
                    raise
                time.sleep(random.uniform(0.01, 0.1))  # noqa: S311
            else:
                return

    def end(self, raw: Any) -> None:  # noqa: ANN401
        """Commit what SQLAlchemy did not know was begun."""
        if raw.in_transaction:
            raw.commit()

    def undo(self, connection: sa.Connection, raw: Any, cause: BaseException) -> None:  # noqa: ANN401
        """Roll back; a connection that met an error below SQL is thrown away (its error state may stick)."""
        with contextlib.suppress(sa.exc.DBAPIError, sqlcipher3.Error):
            connection.rollback()
        with contextlib.suppress(sqlcipher3.Error):
            if raw.in_transaction:
                raw.rollback()
        if is_damage(cause):
            connection.invalidate()

    def looks(self, *, is_deep: bool) -> tuple[Look, ...]:
        """Return SQLite's own checks, each to be given a fresh connection: a bad page contaminates the next one."""
        return tuple(functools.partial(_pragma, name) for name in (_DEEP if is_deep else _QUICK))

    def copy_into(self, connection: sa.Connection, path: Path, literal: str) -> None:
        """Copy by SQLite's online backup: colleagues go on reading, who commits waits."""
        connection.exec_driver_sql("SELECT store_id FROM store_meta").all()
        source: Any = connection.connection.driver_connection
        copy = sqlcipher3.connect(str(path), isolation_level=None)
        try:
            copy.execute("PRAGMA cipher_log_level = NONE")
            copy.execute(f'PRAGMA key = "{literal}"')
            source.backup(copy)
        except sqlcipher3.Error as exc:
            raise backup_error(exc) from exc
        finally:
            copy.close()


def _pragma(name: str, connection: sa.Connection) -> Iterator[tuple[str, str]]:
    for row in connection.exec_driver_sql(f"PRAGMA {name}"):
        if tuple(row) != ("ok",):
            yield name, str(tuple(row))[:200]
