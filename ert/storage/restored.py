"""Sites in which nothing can be saved: restored copies, and folders that are read-only.

A restored copy is a site out of a backup, complete and verified, in which nothing is saved until it is activated.

Whether a folder is one stands in its history, which nobody without the keys can write. Restoring raises the epoch, so
that a site that was never restored answers without searching its history.
"""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa

from ert.errors import Refused
from ert.storage import schema
from ert.storage.share_locks import locks_refused

DATABASE = "site.db"
RESTORED = "restored from backup"
ACTIVATED = "restored copy activated"


def is_restored_copy(connection: sa.Connection) -> bool:
    """Whether the site was restored from a backup and not activated since."""
    if connection.execute(sa.select(schema.store_meta.c.epoch)).scalar_one() == 1:
        return False
    history = schema.history
    query = sa.select(history.c.event).where(history.c.event.in_((RESTORED, ACTIVATED))).order_by(history.c.seq.desc())
    return connection.execute(query.limit(1)).scalar_one_or_none() == RESTORED


def may_be_activated(connection: sa.Connection) -> bool:
    """Whether the site is a restored copy, or one whose activation was interrupted before it was moved."""
    newest = sa.select(schema.history.c.event).order_by(schema.history.c.seq.desc()).limit(1)
    return is_restored_copy(connection) or connection.execute(newest).scalar_one_or_none() == ACTIVATED


def nothing_can_be_saved() -> Refused:
    """Return the refusal of every change in a restored copy."""
    return Refused(
        "This is a restored copy of the site; nothing can be saved in it.",
        hint="Sign in to the site itself, or have an administrator activate the copy with 'ert restore --activate'.",
    )


def read_only_reason(root: Path, *, is_on_server: bool = False) -> str:
    """Return why nothing can be saved in a site's folder, as a sentence; "" if it can be written.

    A server locks by itself whatever the folder's share does; only an embedded database needs the share's locks.
    """
    if os.access(root, os.W_OK) and (is_on_server or os.access(root / DATABASE, os.W_OK)):
        return "" if is_on_server else locks_refused(root)
    return (
        "This site is open READ-ONLY: its folder cannot be written (a read-only disk or share, or missing rights). "
        "Plans can be looked at; nothing can be saved, and reading them is not noted in the history."
    )
