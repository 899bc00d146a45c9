"""Rows of users: random id, encrypted name, and a document that says what they may do."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from attrs import frozen

from ert.domain.account import Account, Feature, Grant, Level, Right, source_of
from ert.errors import BadTag, InvalidSite, NotFound, NotPermitted
from ert.storage import schema
from ert.storage.fields import normalised
from ert.storage.records import Records

_LOGIN = "user.login"
_BEFORE_ALL = dt.datetime.min.replace(tzinfo=dt.UTC)


@frozen(kw_only=True, repr=False)
class User:
    """A user's row, verified.

    Attributes
    ----------
    row : as it stands in the table.
    account : what the program knows of the user.
    public_ed25519 : public signing key.
    slots_since : when the newest slot was made; an older one is a copy of what was replaced.
    withdrawn_slot : the slot file of a disabled user, for the day the account is enabled again; else "".
    """

    row: dict[str, Any]
    account: Account
    public_ed25519: bytes
    slots_since: dt.datetime
    withdrawn_slot: str


def add_user(
    records: Records,
    connection: sa.Connection,
    *,
    account: Account,
    public_ed25519: bytes,
    slots_since: dt.datetime,
) -> None:
    """Add a user inside a transaction."""
    guard, user_id = records.guard, account.id
    content = _content(account, public_ed25519=public_ed25519, slots_since=slots_since, withdrawn_slot="")
    row = {
        "uuid": user_id,
        "login_bi": guard.blind_index(_LOGIN, account.name),
        "login_ct": guard.encrypt(account.name.encode("utf-8"), table="user", row_id=user_id, column="login_ct"),
        "document_ct": records.encrypt_document("user", content, table=schema.user, row_id=user_id),
    }
    records.insert(connection, schema.user, row)
    change = {"grant": account.grant.text}
    records.trail.append(connection, "user added", table="user", record=user_id, revision=1, change=change)


def save_user(
    records: Records, connection: sa.Connection, user: User, *, event: str, change: dict[str, Any] | None = None
) -> None:
    """Save a user as the row's next revision, with what happened in the history; inside a transaction."""
    account, row = user.account, user.row
    content = _content(
        account,
        public_ed25519=user.public_ed25519,
        slots_since=user.slots_since,
        withdrawn_slot=user.withdrawn_slot,
    )
    cell = records.encrypt_document("user", content, table=schema.user, row_id=account.id)
    records.update(connection, schema.user, row, {"document_ct": cell})
    records.trail.append(
        connection, event, table="user", record=account.id, revision=row["rev"] + 1, change=change or {}
    )


def read_user(records: Records, connection: sa.Connection, user_id: str) -> User:
    """Return one user; raises `NotFound`, `BadTag`."""
    found = records.rows(connection, schema.user, schema.user.c.uuid == user_id)
    if not found:
        raise NotFound("This site has no such user.", hint="List them with 'ert user list'.", detail="user")
    return _user(records, found[0])


def read_users(records: Records, connection: sa.Connection) -> tuple[User, ...]:
    """Return all users, oldest first."""
    return tuple(_user(records, row) for row in records.rows(connection, schema.user))


def refuse_taken_name(records: Records, connection: sa.Connection, name: str) -> None:
    """Refuse a name that a user of the site has, however it is spelt (`InvalidSite`)."""
    if any(normalised(user.account.name) == normalised(name) for user in read_users(records, connection)):
        raise InvalidSite(f"This site has a user named '{name}' already.", hint="Choose another name.")


def need_administrator(records: Records, connection: sa.Connection, user_id: str, doing: str) -> None:
    """Refuse what is done to a site as a whole to everybody but its administrators (`NotPermitted`)."""
    need_right(read_user(records, connection, user_id).account, Right.ADMINISTER, doing)


def need_right(account: Account, right: Right, doing: str) -> None:
    """Refuse what is done to a site nobody has open to an account without the right (`NotPermitted`)."""
    if right not in account.rights:
        raise NotPermitted(
            f"{doing} needs {source_of(right)}; nothing was changed.",
            hint="Have an administrator of this site do it, or give the right.",
            detail=f"right {right.value}",
        )


def find_user(records: Records, login: str) -> str:
    """Return the id of a login; `NotFound` if there is none."""
    index = records.guard.blind_index(_LOGIN, login)
    with records.database.read() as connection:
        rows = records.rows(connection, schema.user, schema.user.c.login_bi == index)
    if not rows:
        raise NotFound("This site has no user of that name.", hint="Give the administrator's name.")
    return str(rows[0]["uuid"])


def signing_keys(records: Records, connection: sa.Connection, user_id: str) -> frozenset[str]:
    """Return the public signing keys (hex) a user has or had, as the user's row and the history say; verified."""
    history = schema.history
    query = sa.select(history).where(history.c.record == user_id, history.c.record_table == schema.user.name)
    keys = {read_user(records, connection, user_id).public_ed25519.hex()}
    for found in connection.execute(query).mappings():
        row = dict(found)
        records.trail.check_row(row)
        change = records.trail.change_of(row)
        keys |= {str(change[name]) for name in ("public_ed25519_before", "public_ed25519") if name in change}
    return frozenset(keys)


def key_change(before: User, after: User) -> dict[str, str]:
    """What the history says of a signing key that was replaced; nothing if it was not."""
    if before.public_ed25519 == after.public_ed25519:
        return {}
    return {"public_ed25519_before": before.public_ed25519.hex(), "public_ed25519": after.public_ed25519.hex()}


def user_names(records: Records) -> dict[str, str]:
    """Return the names of all users by id."""
    with records.database.read() as connection:
        rows = records.rows(connection, schema.user)
    return {row["uuid"]: _name(records, row) for row in rows}


def user_name(records: Records, connection: sa.Connection, user_id: str) -> str:
    """Return the name of one user within a transaction; "" if there is none."""
    rows = records.rows(connection, schema.user, schema.user.c.uuid == user_id)
    return _name(records, rows[0]) if rows else ""


def _name(records: Records, row: dict[str, Any]) -> str:
    cell = records.guard.decrypt(row["login_ct"], table="user", row_id=row["uuid"], column="login_ct")
    return cell.decode("utf-8")


def _content(
    account: Account, *, public_ed25519: bytes, slots_since: dt.datetime, withdrawn_slot: str
) -> dict[str, Any]:
    return {
        "level": account.grant.level.value,
        "features": sorted(feature.value for feature in account.grant.features),
        "is_administrator": account.grant.is_administrator,
        "is_disabled": account.is_disabled,
        "must_change_password": account.must_change_password,
        "public_ed25519": public_ed25519.hex(),
        "slots_since": "" if slots_since == _BEFORE_ALL else slots_since.isoformat(),
        "withdrawn_slot": withdrawn_slot,
    }


def _user(records: Records, row: dict[str, Any]) -> User:
    content = records.decrypt_document("user", row, table=schema.user)
    try:
        features: frozenset[Feature] = frozenset(Feature(name) for name in content["features"])
        grant = Grant(
            level=Level(content["level"]),
            features=features,
            is_administrator=content["is_administrator"] is True,
        )
        account = Account(
            id=row["uuid"],
            name=_name(records, row),
            grant=grant,
            is_disabled=content["is_disabled"] is not False,
            must_change_password=content["must_change_password"] is not False,
        )
        since = content["slots_since"]
        return User(
            row=row,
            account=account,
            public_ed25519=bytes.fromhex(content["public_ed25519"]),
            slots_since=dt.datetime.fromisoformat(since) if since else _BEFORE_ALL,
            withdrawn_slot=str(content["withdrawn_slot"]),
        )
    except (KeyError, ValueError, TypeError) as exc:
        raise BadTag(
            "A user record of this site cannot be read; it was not used.",
            hint="Run 'ert check' and restore the record from a backup.",
            detail=f"user {row['uuid']}: {type(exc).__name__}",
        ) from exc
