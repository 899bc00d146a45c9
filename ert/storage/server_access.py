"""What reaching a site's rows on a server needs; known without loading the server's driver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from ert.storage.keys import Vault
from ert.storage.server_secret import authority_of, read_password
from ert.storage.store_file import ServerPlace, StoreFile


@frozen(kw_only=True, repr=False)
class ServerAccess:
    """Place, password, expected site, how long to wait for a lock, and if an older schema will do.

    Attributes
    ----------
    place : server, database, role, schema.
    password : returns the role's password.
    authority : file of the certificates that vouch for the server; None trusts the system's.
    key_literal : returns the raw key of encrypted copies.
    store_id, kind : of the site.
    busy_timeout_ms : how long a write waits for others, halved (as with an embedded database).
    may_be_older : whether an older schema is read.
    is_new : whether the schema is being made: no lock is to be had in it yet.
    is_alone : whether nobody else may have the site open meanwhile.
    """

    place: ServerPlace
    password: Callable[[], str]
    authority: Path | None
    key_literal: Callable[[], str]
    store_id: str
    kind: str
    busy_timeout_ms: int = 30_000
    may_be_older: bool = False
    is_new: bool = False
    is_alone: bool = False


def server_access(
    root: Path, store: StoreFile, place: ServerPlace, vault: Vault, *, busy_timeout_ms: int, may_be_older: bool = False
) -> ServerAccess:
    """Return what a site whose folder names a server needs.

    Raises
    ------
    BadTag
        The password or the certificates in the folder are damaged.
    """
    return ServerAccess(
        place=place,
        password=lambda: read_password(root, vault),
        authority=authority_of(root, place),
        key_literal=vault.database_key_literal,
        store_id=store.store_id,
        kind=store.kind,
        busy_timeout_ms=busy_timeout_ms,
        may_be_older=may_be_older,
    )
