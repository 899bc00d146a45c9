"""The site's database for one thread: short transactions, immediate when they write, errors translated."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import sqlcipher3

from ert.storage.atomic import translated
from ert.storage.opening import Access, open_connection
from ert.storage.sqlerrors import BUSY, LOCKED, backup_error, error_code, is_damage, translated_database

_BEGIN_TRIES = 6


class Database:
    """One site's database for one thread.

    Parameters
    ----------
    access : Access
        Where and with which key.
    may_migrate : bool
        Whether tables may be made or changed (creation and migrations only); the version checks are left to
        the migration then.
    """

    def __init__(self, access: Access, *, may_migrate: bool = False) -> None:
        self._access = access
        self._owner = (os.getpid(), threading.get_ident())
        self._engine = sa.create_engine(
            "sqlite+pysqlite://",
            module=sqlcipher3,
            creator=lambda: open_connection(access, may_migrate=may_migrate),
            poolclass=sa.pool.QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=1.0,
            hide_parameters=True,
        )
        with self.read():
            pass

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection inside a read transaction: one consistent state; to be left soon."""
        with self._transaction("BEGIN", give_up_after_s=0.0) as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Give a connection inside an immediate transaction; committed at the end, rolled back on any exception.

        No file, network or dose work belongs inside.

        Raises
        ------
        DatabaseBusy
            Somebody else kept the database locked longer than the retry budget.
        DiskFull, StorageFailed, BadTag
            The commit did not happen.
        """
        give_up = 2.0 * self._access.busy_timeout_ms / 1000.0
        with self._transaction("BEGIN IMMEDIATE", give_up_after_s=give_up) as connection:
            yield connection

    def copy_into(self, path: Path, *, key_literal: Callable[[], str] | None = None) -> None:
        """Copy the database as it is at this moment into a new file, under another key if one is given.

        This is SQLite's online backup.

        Colleagues may go on reading; who commits waits until the copy is complete. The file is flushed.

        Raises
        ------
        DiskFull, StorageFailed, BadTag
            There is no copy to use.
        """
        with translated("copying the database"):
            path.touch(mode=0o600, exist_ok=False)
        with self.read() as connection:
            connection.exec_driver_sql("SELECT store_id FROM store_meta").all()
            source: Any = connection.connection.driver_connection
            copy = sqlcipher3.connect(str(path), isolation_level=None)
            try:
                copy.execute("PRAGMA cipher_log_level = NONE")
                copy.execute(f'PRAGMA key = "{(key_literal or self._access.key_literal)()}"')
                source.backup(copy)
            except sqlcipher3.Error as exc:
                raise backup_error(exc) from exc
            finally:
                copy.close()
        with translated("copying the database"), path.open("rb") as copied:
            os.fsync(copied.fileno())

    @contextlib.contextmanager
    def _transaction(self, begin: str, *, give_up_after_s: float) -> Iterator[sa.Connection]:
        if self._owner != (os.getpid(), threading.get_ident()):
            raise RuntimeError("a site's database is used by the thread that opened it, never after a fork")
        with translated_database(), self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            _begin(raw, begin, give_up_after_s)
            try:
                yield connection
                connection.commit()
            except BaseException as exc:
                _roll_back(connection, raw, is_damaged=is_damage(exc))
                raise
            if raw.in_transaction:
                raw.commit()


def _begin(raw: Any, statement: str, give_up_after_s: float) -> None:  # noqa: ANN401
    deadline = time.monotonic() + give_up_after_s
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


def _roll_back(connection: sa.Connection, raw: Any, *, is_damaged: bool) -> None:  # noqa: ANN401
    """Undo; a connection that met an error below SQL is thrown away (its error state may stick)."""
    with contextlib.suppress(sa.exc.DBAPIError, sqlcipher3.Error):
        connection.rollback()
    with contextlib.suppress(sqlcipher3.Error):
        if raw.in_transaction:
            raw.rollback()
    if is_damaged:
        connection.invalidate()
