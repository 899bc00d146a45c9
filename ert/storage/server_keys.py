"""Which keys the rows on a server are under, while data keys are being renewed."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from ert.errors import BadTag
from ert.storage import schema
from ert.storage.database import Database
from ert.storage.fields import FieldGuard
from ert.storage.keys import Vault
from ert.storage.server_access import server_access
from ert.storage.store_file import ServerPlace, StoreFile

_BUSY_TIMEOUT_MS = 30_000


def vouches_for_server(root: Path, store: StoreFile, place: ServerPlace, vault: Vault) -> bool:
    """Whether the site's row on the server carries a code under the keys in use of a vault.

    Raises
    ------
    StorageFailed, NotASite, BadTag
        It cannot be told.
    """
    access = server_access(root, store, place, vault, busy_timeout_ms=_BUSY_TIMEOUT_MS, may_be_older=True)
    database = Database(access)
    try:
        with database.read() as connection:
            row = dict(connection.execute(sa.select(schema.store_meta)).mappings().one())
    finally:
        database.close()
    try:
        FieldGuard(vault).check_row("store_meta", row, row_id="1")
    except BadTag:
        return False
    return True
