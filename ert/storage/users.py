"""Users of a site: who may sign in, by random id and encrypted name."""

from __future__ import annotations

import sqlalchemy as sa

from ert.errors import NotFound
from ert.storage import schema
from ert.storage.records import Records

ADMINISTRATOR = "administrator"
_LOGIN = "user.login"


def add_user(records: Records, connection: sa.Connection, *, login: str, user_id: str, public_ed25519: bytes) -> None:
    """Add a user inside a transaction."""
    guard = records.guard
    content = {"level": ADMINISTRATOR, "public_ed25519": public_ed25519.hex()}
    row = {
        "uuid": user_id,
        "login_bi": guard.blind_index(_LOGIN, login),
        "login_ct": guard.encrypt(login.encode("utf-8"), table="user", row_id=user_id, column="login_ct"),
        "document_ct": records.encrypt_document("user", content, table=schema.user, row_id=user_id),
    }
    records.insert(connection, schema.user, row)
    records.trail.append(connection, "user added", table="user", record=user_id, revision=1)


def replace_key(records: Records, connection: sa.Connection, *, user_id: str, public_ed25519: bytes) -> None:
    """Note a user's new signing key, after a recovery."""
    row = records.row(connection, schema.user, user_id)
    content = records.decrypt_document("user", row, table=schema.user) | {"public_ed25519": public_ed25519.hex()}
    cell = records.encrypt_document("user", content, table=schema.user, row_id=user_id)
    records.update(connection, schema.user, row, {"document_ct": cell})
    records.trail.append(
        connection, "password reset by recovery code", table="user", record=user_id, revision=row["rev"] + 1
    )


def find_user(records: Records, login: str) -> str:
    """Return the id of a login; `NotFound` if there is none."""
    index = records.guard.blind_index(_LOGIN, login)
    with records.database.read() as connection:
        rows = records.rows(connection, schema.user, schema.user.c.login_bi == index)
    if not rows:
        raise NotFound("This site has no user of that name.", hint="Give the administrator's name.")
    return str(rows[0]["uuid"])


def user_names(records: Records) -> dict[str, str]:
    """Return the names of all users by id."""
    with records.database.read() as connection:
        rows = records.rows(connection, schema.user)
    return {
        row["uuid"]: records.guard.decrypt(row["login_ct"], table="user", row_id=row["uuid"], column="login_ct").decode(
            "utf-8"
        )
        for row in rows
    }
