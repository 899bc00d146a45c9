"""The site's database for one thread: short transactions, immediate when they write, errors translated."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ert.errors import StorageFailed
from ert.storage.atomic import translated
from ert.storage.backend import Backend
from ert.storage.opening import Access
from ert.storage.server_access import ServerAccess
from ert.storage.sqlcipher_backend import SqlCipher

AnyAccess = Access | ServerAccess


class Database:
    """One site's database for one thread: an encrypted file, or tables on a server.

    Parameters
    ----------
    access : Access or ServerAccess
        Where and with which key.
    may_migrate : bool
        Whether tables may be made or changed (creation and migrations only); the version checks are left to
        the migration then.
    """

    def __init__(self, access: AnyAccess, *, may_migrate: bool = False) -> None:
        self._access = access
        self._owner = (os.getpid(), threading.get_ident())
        self._backend = _backend_for(access, may_migrate=may_migrate)
        self._engine = self._backend.make_engine()
        try:
            with self.read():
                pass
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection inside a read transaction: one consistent state; to be left soon."""
        with self._transaction(is_writing=False) as connection:
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
            The commit did not happen, or its answer was lost.
        """
        with self._transaction(is_writing=True) as connection:
            yield connection

    def copy_into(self, path: Path, *, key_literal: Callable[[], str] | None = None) -> None:
        """Copy the database as it is at this moment into a new encrypted file, under another key if one is given.

        Colleagues may go on reading; of an embedded database who commits waits until the copy is complete. The file is
        flushed.

        Raises
        ------
        DiskFull, StorageFailed, BadTag
            There is no copy to use.
        """
        with translated("copying the database"):
            path.touch(mode=0o600, exist_ok=False)
        with self.read() as connection:
            self._backend.copy_into(connection, path, (key_literal or self._access.key_literal)())
        with translated("copying the database"), path.open("rb") as copied:
            os.fsync(copied.fileno())

    @contextlib.contextmanager
    def _transaction(self, *, is_writing: bool) -> Iterator[sa.Connection]:
        if self._owner != (os.getpid(), threading.get_ident()):
            raise RuntimeError("a site's database is used by the thread that opened it, never after a fork")
        with self._backend.translated(), self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            self._backend.begin(raw, is_writing=is_writing)
            try:
                yield connection
                connection.commit()
            except BaseException as exc:
                self._backend.undo(connection, raw, exc)
                raise
            self._backend.end(raw)


class SharedTransaction(Database):
    """A database seen from inside a transaction that is not committed yet: what is read there is what it wrote."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @contextlib.contextmanager
    def _transaction(self, *, is_writing: bool) -> Iterator[sa.Connection]:  # noqa: ARG002 - it is one for both
        yield self._connection


def structure_flaws(access: AnyAccess, *, is_deep: bool) -> Iterator[tuple[str, str]]:
    """Examine a database's structure, each look on a connection of its own: what was looked at, and what is wrong."""
    for look in _backend_for(access, may_migrate=False).looks(is_deep=is_deep):
        database = Database(access)
        try:
            with database.read() as connection:
                found = list(look(connection))
        finally:
            database.close()
        yield from found


def _backend_for(access: AnyAccess, *, may_migrate: bool) -> Backend:
    if isinstance(access, Access):
        return SqlCipher(access, may_migrate=may_migrate)
    try:
        from ert.storage.server_backend import Postgres  # noqa: PLC0415 - its driver loads where there is a server
    except ImportError as exc:
        raise StorageFailed(
            "The rows of this site lie on a database server, and the driver for servers is not installed.",
            hint="Install the program with its extra 'server' (package psycopg).",
            detail=str(exc),
        ) from exc
    return Postgres(access, may_migrate=may_migrate)
