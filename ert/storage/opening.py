"""Opening one connection to the encrypted database: every step refuses rather than repairs.

Refused are an old SQLite, a plain-text file, another key, another site, a newer schema. SQLCipher itself would create
an unencrypted database when no key is given, and take a malformed raw key for a passphrase.

``journal_mode=DELETE`` with ``synchronous=EXTRA`` holds on local disks and on shares with honest locks; DELETE with
FULL lost the last commit in 2 of 150 simulated power cuts, EXTRA none in 200.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlcipher3
from attrs import frozen

from ert.errors import NotASite, SchemaTooNew, SchemaTooOld, StorageFailed, WrongKey
from ert.storage import schema
from ert.storage.atomic import translated
from ert.storage.authorizer import make_authorizer
from ert.storage.sqlerrors import NOT_A_DATABASE, error_code, translated_database

DATABASE = "site.db"
MINIMUM_SQLITE = (3, 51, 3)
_PLAIN_MAGIC = b"SQLite format 3\0"
_KEY_LITERAL = re.compile(r"x'[0-9a-f]{64}'")
_PRAGMAS: tuple[tuple[str, str, object], ...] = (
    ("journal_mode", "DELETE", "delete"),
    ("synchronous", "EXTRA", 3),
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
    ("recursive_triggers", "ON", 1),
    ("mmap_size", "0", 0),
    ("temp_store", "MEMORY", 2),
    ("secure_delete", "ON", 1),
)


@frozen(kw_only=True, repr=False)
class Access:
    """What opening needs: file, raw key, expected site, how long to wait for a lock, and if an older schema will do.

    An older database is only ever read, checked and restored; it is worked with after it was brought up to date.
    """

    path: Path
    key_literal: Callable[[], str]
    store_id: str
    busy_timeout_ms: int = 30_000
    may_be_older: bool = False


def probe_versions() -> tuple[tuple[int, ...], str]:
    """Return SQLite's version and SQLCipher's, "" if the driver is built without a cipher."""
    connection = sqlcipher3.connect(":memory:")
    try:
        row = connection.execute("PRAGMA cipher_version").fetchone()
    finally:
        connection.close()
    return tuple(sqlcipher3.sqlite_version_info), row[0] if row else ""


def open_connection(access: Access, *, may_migrate: bool = False) -> Any:  # noqa: ANN401
    """Open and check one connection; the protocol of the module's docstring, in order.

    Raises
    ------
    NotASite
        Missing, empty, plain-text or foreign database, or an unsafe driver.
    WrongKey
        Not this site's key.
    SchemaTooNew
        Written by a newer version.
    SchemaTooOld
        Written by an older version (upgrade.py).
    """
    _check_driver()
    _check_file(access.path, may_be_empty=may_migrate)
    literal = access.key_literal()
    if not _KEY_LITERAL.fullmatch(literal):
        raise WrongKey("The database key of this site has an impossible form.", detail="raw key literal")
    with translated_database():
        connection = sqlcipher3.connect(
            access.path.absolute().as_uri() + "?mode=rw",
            uri=True,
            isolation_level=None,
            timeout=access.busy_timeout_ms / 1000.0,
        )
        try:
            _unlock(connection, literal)
            _set_pragmas(connection)
            if not may_migrate:
                _check_identity(connection, access)
            connection.set_authorizer(make_authorizer(may_migrate=may_migrate))
        except BaseException:
            connection.close()
            raise
    return connection


def opens(path: Path, literal: str) -> bool:
    """Whether a database opens under a raw key; False for a missing one too.

    Raises
    ------
    DatabaseBusy, StorageFailed
        It cannot be told.
    """
    if not path.is_file() or not _KEY_LITERAL.fullmatch(literal):
        return False
    with translated_database():
        # Not read-only: a journal that a crash left must be rolled back before anything can be read.
        connection = sqlcipher3.connect(path.absolute().as_uri() + "?mode=rw", uri=True, isolation_level=None)
        try:
            _unlock(connection, literal)
        except WrongKey:
            return False
        finally:
            connection.close()
    return True


def _check_driver() -> None:
    version, cipher = probe_versions()
    if not cipher:
        raise NotASite(
            "The database driver was built without encryption; the site was not opened.",
            hint="Install the package sqlcipher3 as locked by this program.",
        )
    if version < MINIMUM_SQLITE:
        wanted = ".".join(map(str, MINIMUM_SQLITE))
        raise NotASite(
            f"The database driver contains an SQLite older than {wanted}, which can corrupt data; nothing was opened.",
            hint="Install the package sqlcipher3 0.6.4 or later.",
            detail=f"sqlite {version}",
        )


def _check_file(path: Path, *, may_be_empty: bool) -> None:
    with translated("reading the database"):
        if not path.is_file():
            raise NotASite(
                f"The database {path.name} of this site is missing.", hint="Restore it from a backup.", detail="no file"
            )
        with path.open("rb") as stream:
            head = stream.read(len(_PLAIN_MAGIC))
    if head == _PLAIN_MAGIC:
        raise NotASite(
            f"The database {path.name} is not encrypted; it is not this site's and was not opened.",
            hint="Call physics and restore the database from a backup.",
            detail="plain SQLite header",
        )
    if not head and not may_be_empty:
        raise NotASite(
            f"The database {path.name} of this site is empty.", hint="Restore it from a backup.", detail="0 bytes"
        )


def _unlock(connection: Any, literal: str) -> None:  # noqa: ANN401
    # SQLCipher writes its own log to stderr unless told otherwise; its errors reach us as exceptions anyway.
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.execute(f'PRAGMA key = "{literal}"')
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlcipher3.DatabaseError as exc:
        if error_code(exc) != NOT_A_DATABASE:
            raise
        raise WrongKey(
            "The database does not open with this site's key, or its first page is damaged.",
            hint="Check that database and keys belong together, or restore both from a backup.",
            detail="not a database under this key",
        ) from exc


def _set_pragmas(connection: Any) -> None:  # noqa: ANN401
    for name, wanted, _ in _PRAGMAS:
        connection.execute(f"PRAGMA {name} = {wanted}").fetchall()
    for name, _, expected in _PRAGMAS:
        row = connection.execute(f"PRAGMA {name}").fetchone()
        # A database without memory mapping answers mmap_size with no row at all.
        found = row[0] if row else 0
        if found != expected:
            raise StorageFailed(
                "The database of this site did not accept its safety settings; it was not opened.",
                hint="Check whether another program has the site open, then try again.",
                detail=f"pragma {name}: {found!r} instead of {expected!r}",
            )


def _check_identity(connection: Any, access: Access) -> None:  # noqa: ANN401
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != schema.APPLICATION_ID:
        raise NotASite("The database in this folder was not made by ERT.", detail=f"application_id {application}")
    if not 0 < version < schema.SCHEMA_VERSION:
        check_schema_version(version)
    row = connection.execute("SELECT store_id FROM store_meta WHERE one = 1").fetchone()
    if row is None or row[0] != access.store_id:
        raise NotASite(
            "The database in this folder belongs to another site.",
            hint="Restore database and store.json from the same backup.",
            detail="store_id differs",
        )
    if version < schema.SCHEMA_VERSION and access.may_be_older:
        return
    check_schema_version(version)


def check_schema_version(version: int) -> None:
    """Refuse a database whose tables this program does not know."""
    if version > schema.SCHEMA_VERSION:
        raise SchemaTooNew(
            f"This site's database has version {version}; this program knows versions up to {schema.SCHEMA_VERSION}.",
            hint="Update the program on this workstation.",
            detail=f"user_version {version}",
        )
    if version <= 0:
        raise NotASite("The database of this site was never finished.", detail=f"user_version {version}")
    if version < schema.SCHEMA_VERSION:
        raise SchemaTooOld(
            f"This site's database has version {version}; this program works with version {schema.SCHEMA_VERSION}.",
            hint="Open the site with a password once; it is brought up to date then, after a backup.",
            detail=f"user_version {version}",
        )
