"""A site's own schema on a server: making it, dropping what was never finished, keeping one that is no longer used."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from ert.domain.database_server import ServerLogin
from ert.errors import StorageFailed
from ert.storage.database import Database
from ert.storage.keys import Vault
from ert.storage.server_access import ServerAccess
from ert.storage.server_secret import authority_sha256
from ert.storage.store_file import ServerPlace, StoreFile

_RETIRED = "_retired"


def new_place(server: ServerLogin, store_id: str) -> ServerPlace:
    """Return where a site's rows are going to lie: a schema nobody has used yet, so that sites can share a database."""
    address = server.address
    return ServerPlace(
        host=address.host,
        port=address.port,
        database=address.database,
        role=address.role,
        schema=f"ert_{store_id.replace('-', '')}_{secrets.token_hex(3)}",
        authority_sha256=authority_sha256(server.authority_pem),
    )


@contextlib.contextmanager
def access_with(server: ServerLogin, store: StoreFile, place: ServerPlace, vault: Vault) -> Iterator[ServerAccess]:
    """Give what reaches a place by a login that no site's folder holds yet."""
    with tempfile.TemporaryDirectory(prefix="ert-ca-") as folder:
        authority = Path(folder) / "ca.pem" if server.authority_pem else None
        if authority is not None:
            authority.write_text(server.authority_pem, encoding="ascii")
        yield ServerAccess(
            place=place,
            password=lambda: server.password,
            authority=authority,
            key_literal=vault.database_key_literal,
            store_id=store.store_id,
            kind=store.kind,
            is_new=True,
        )


def try_server(access: ServerAccess) -> None:
    """Connect once, and refuse a server on which this site cannot be made.

    Raises
    ------
    StorageFailed
        It cannot be reached, is not fit, or the role may not make a schema.
    """
    database = Database(access, may_migrate=True)
    try:
        with database.read() as connection:
            query = "SELECT has_database_privilege(current_user, current_database(), 'CREATE')"
            is_allowed = connection.exec_driver_sql(query).scalar_one()
    finally:
        database.close()
    if not is_allowed:
        raise StorageFailed(
            f"The role of {access.place.address.text} may not make a schema there.",
            hint="Have the role own the database, or be granted CREATE on it.",
            detail="no CREATE",
        )


def create_schema(connection: sa.Connection, place: ServerPlace) -> None:
    """Make the schema, for its owner alone; inside the transaction that fills it."""
    connection.exec_driver_sql(f'CREATE SCHEMA "{place.schema}"')


def drop_schema(access: ServerAccess) -> None:
    """Remove a schema that was made a moment ago and never used."""
    _alter(access, f'DROP SCHEMA IF EXISTS "{access.place.schema}" CASCADE')


def retire_schema(access: ServerAccess) -> str:
    """Rename the schema of a site that is not kept there any more, so that nothing opens it; return its new name."""
    name = f"{access.place.schema}{_RETIRED}"
    _alter(access, f'ALTER SCHEMA "{access.place.schema}" RENAME TO "{name}"')
    return name


def _alter(access: ServerAccess, statement: str) -> None:
    database = Database(access, may_migrate=True)
    try:
        with database.write() as connection:
            connection.exec_driver_sql(statement)
    finally:
        database.close()
