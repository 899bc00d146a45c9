"""Who keeps everybody out of a site, and what for: a sealed line in ``site.lock``, for whoever finds it locked."""

from __future__ import annotations

import datetime as dt
import socket

from ert.errors import ErtError
from ert.storage import documents
from ert.storage.fields import FieldGuard
from ert.storage.keys import Vault

_NAME = "site_lock"
_PLACE = {"table": "site_lock", "row_id": "1", "column": "note_ct"}


def write_note(vault: Vault, *, doing: str, now: dt.datetime) -> bytes:
    """Return the line; `doing` as in "Somebody is …"."""
    content = {"host": socket.gethostname(), "doing": doing, "since_utc": now.isoformat()}
    return FieldGuard(vault).encrypt(documents.write_document(_NAME, content), **_PLACE)


def read_note(vault: Vault, data: bytes) -> str:
    """Return the line in words; "" if it is of other keys, or says nothing to be believed."""
    try:
        content = documents.read_document(_NAME, FieldGuard(vault).decrypt(data, **_PLACE))
        since = dt.datetime.fromisoformat(content["since_utc"]).astimezone()
        return f"Somebody is {content['doing']} (on {content['host']}, since {since:%Y-%m-%d %H:%M:%S})"
    except (ErtError, KeyError, TypeError, ValueError):
        return ""
