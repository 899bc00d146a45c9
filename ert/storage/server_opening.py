"""Opening one connection to a site's rows on a server: every step refuses rather than repairs.

Refused are an unencrypted way to another computer, a server that cannot prove who it is or does not ask for the
password by SCRAM, an old server, another encoding, a server that may lose what it acknowledged, an all-powerful role,
another site's tables, a newer schema, and a site that somebody has for himself.
"""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg

from ert.errors import DatabaseBusy, NotASite, StorageFailed
from ert.storage import schema
from ert.storage.opening import check_schema_version
from ert.storage.server_access import ServerAccess
from ert.storage.server_errors import connection_error, translated_server
from ert.storage.store_file import SANDBOX

MINIMUM_VERSION = 140000
CONNECT_S = 10
# A workstation that vanishes must not keep its lock: the server notices within a minute, or when it idles inside.
_SESSION = {
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "120s",
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
    "lc_monetary": "C",
}
_MUST_BE_ON = ("fsync", "full_page_writes")
_LOCK_DOMAIN = "ert-site/1|"


def open_server(access: ServerAccess, *, may_migrate: bool = False) -> psycopg.Connection[Any]:
    """Connect and check; the protocol of the module's docstring, in order.

    Raises
    ------
    StorageFailed
        The server cannot be reached, refuses, or is not fit for clinical data.
    NotASite
        The tables are missing or another site's.
    SchemaTooNew, SchemaTooOld
        Of another version of the program.
    DatabaseBusy
        Somebody has the site for himself.
    """
    try:
        connection = psycopg.connect(**_parameters(access))
    except psycopg.Error as exc:
        raise connection_error(exc, access.place.host) from exc
    try:
        with translated_server():
            _check_server(connection, access)
            _set_session(connection, access)
            if not may_migrate:
                _check_identity(connection, access)
            _take_place(connection, access)
            connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection


def _parameters(access: ServerAccess) -> dict[str, Any]:
    """Everything is said, so that nothing of the environment or of files in a home folder decides."""
    place = access.place
    is_local = place.address.is_this_computer
    return {
        "host": place.host,
        "port": place.port,
        "dbname": place.database,
        "user": place.role,
        "password": access.password(),
        "connect_timeout": CONNECT_S,
        "application_name": "ert",
        "client_encoding": "UTF8",
        "options": f"-c search_path={place.schema}",
        "require_auth": "scram-sha-256",
        "gssencmode": "disable",
        "target_session_attrs": "any",
        "sslmode": "prefer" if is_local else "verify-full",
        "sslrootcert": "system" if access.authority is None else str(access.authority),
        **({"sslrootcert": ""} if is_local and access.authority is None else {}),
        "keepalives": 1,
        "keepalives_idle": 20,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }


def _check_server(connection: psycopg.Connection[Any], access: ServerAccess) -> None:
    if not (access.place.address.is_this_computer or connection.pgconn.ssl_in_use):
        raise _unfit(access, "does not encrypt the connection", "Have TLS set up on the server.", "no TLS")
    version = connection.info.server_version
    if version < MINIMUM_VERSION:
        wanted = MINIMUM_VERSION // 10000
        raise _unfit(access, f"is older than PostgreSQL {wanted}", "Have it brought up to date.", f"{version}")
    encoding = _setting(connection, "server_encoding")
    if encoding != "UTF8":
        hint = "Have a database made with ENCODING 'UTF8' TEMPLATE template0."
        raise _unfit(access, f"keeps this database in the encoding {encoding}, not UTF8", hint, encoding)
    if _one(connection, "SELECT pg_is_in_recovery()"):
        raise _unfit(access, "is a standby, which can only be read", "Give the primary server's address.", "recovery")
    if _one(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        hint = "Have a role made that owns this database and nothing else."
        raise _unfit(access, "was given with an all-powerful role (superuser)", hint, "rolsuper")
    for name in () if access.kind == SANDBOX else _MUST_BE_ON:
        if _setting(connection, name) != "on":
            hint = f"Have {name} switched on, and the server started again."
            raise _unfit(access, f"runs with {name} off and may lose what it acknowledged", hint, name)


def _set_session(connection: psycopg.Connection[Any], access: ServerAccess) -> None:
    for name, value in _SESSION.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    found = (_setting(connection, "synchronous_commit"), _setting(connection, "search_path"))
    if found != ("on", access.place.schema):
        raise _unfit(access, "did not accept its safety settings", "Do not use a pooler between.", str(found))


def _check_identity(connection: psycopg.Connection[Any], access: ServerAccess) -> None:
    names = (schema.MIGRATION_TABLE, "store_meta")
    if not all(_one(connection, "SELECT to_regclass(%s) IS NOT NULL", name) for name in names):
        raise NotASite(
            f"The database {access.place.address.text} does not hold this site's tables.",
            hint="Check the address with who runs the server, or restore the site from a backup.",
            detail=f"no tables in schema {access.place.schema}",
        )
    version = _one(connection, f"SELECT max(version_num::int) FROM {schema.MIGRATION_TABLE}")
    if version > schema.SCHEMA_VERSION:
        check_schema_version(version)
    if _one(connection, "SELECT store_id FROM store_meta WHERE one = 1") != access.store_id:
        raise NotASite(
            f"The database {access.place.address.text} belongs to another site.",
            hint="Restore the site's folder and its database from the same backup.",
            detail="store_id differs",
        )
    if version < schema.SCHEMA_VERSION and not access.may_be_older:
        check_schema_version(version)


def _take_place(connection: psycopg.Connection[Any], access: ServerAccess) -> None:
    """Hold a shared lock as long as the connection lives; an exclusive one where nobody else may be there."""
    number = int.from_bytes(hashlib.sha256(f"{_LOCK_DOMAIN}{access.place.schema}".encode()).digest()[:8], signed=True)
    kind = "" if access.is_alone else "_shared"
    if not _one(connection, f"SELECT pg_try_advisory_lock{kind}(%s)", number):
        raise DatabaseBusy(
            "Somebody has this site open." if access.is_alone else "This site is being worked on as a whole.",
            hint="Have everybody sign out, then try again." if access.is_alone else "Try again in some minutes.",
            detail="advisory lock is held",
        )


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    return str(_one(connection, "SELECT current_setting(%s)", name))


def _one(connection: psycopg.Connection[Any], query: str, *values: object) -> Any:  # noqa: ANN401
    row = connection.execute(query, values).fetchone()
    return None if row is None else row[0]


def _unfit(access: ServerAccess, what: str, hint: str, detail: str) -> StorageFailed:
    return StorageFailed(f"The database server {access.place.host} {what}.", hint=hint, detail=detail)
