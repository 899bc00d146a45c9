"""What an opened site is put together from, for the site itself, for backups of it and for restored copies."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from ert.errors import NotASite
from ert.key_store import KeyStore, OsKeyStore
from ert.settings import CacheSettings
from ert.storage.anchors import Anchors
from ert.storage.audit import AuditTrail
from ert.storage.blobs import BlobStore
from ert.storage.database import AnyAccess, Database
from ert.storage.fields import FieldGuard
from ert.storage.opening import DATABASE, Access
from ert.storage.records import Records
from ert.storage.server_access import server_access
from ert.storage.store_file import StoreFile
from ert.storage.turns import Turns
from ert.storage.unlock import Unlocked

SITE_NAME_COLUMN = "name_ct"
Clock = Callable[[], dt.datetime]


def utc_now() -> dt.datetime:
    """Return the time in UTC."""
    return dt.datetime.now(dt.UTC)


def no_caches() -> CacheSettings:
    """Return the settings of a workstation that keeps no doses."""
    return CacheSettings(is_on=False)


@frozen(kw_only=True)
class SiteOptions:
    """What does not depend on the site.

    Attributes
    ----------
    anchor_folder : where this workstation remembers the sites it saw; None remembers nothing.
    draft_folder : where this workstation keeps unsaved edits; None keeps none.
    busy_timeout_ms : how long SQLite waits for a lock; a write tries for twice as long.
    clock : returns the time in UTC.
    cache_settings : returns where doses are cached; asked whenever a site is opened.
    key_store : of this workstation.
    """

    anchor_folder: Path | None = None
    draft_folder: Path | None = None
    busy_timeout_ms: int = 30_000
    clock: Clock = field(default=utc_now)
    cache_settings: Callable[[], CacheSettings] = no_caches
    key_store: KeyStore = field(factory=OsKeyStore)


def access_to(root: Path, unlocked: Unlocked, options: SiteOptions, *, may_be_older: bool = False) -> AnyAccess:
    """Return what opening the database of a site needs: the file in its folder, or the server its folder names."""
    place = unlocked.store.database
    if place is None:
        return file_access(root, unlocked, options, may_be_older=may_be_older)
    return server_access(
        root, unlocked.store, place, unlocked.vault, busy_timeout_ms=options.busy_timeout_ms, may_be_older=may_be_older
    )


def file_access(root: Path, unlocked: Unlocked, options: SiteOptions, *, may_be_older: bool = False) -> Access:
    """Return what opening the encrypted file in a folder needs: a site's, a backup's, a copy's."""
    return Access(
        path=root / DATABASE,
        key_literal=unlocked.vault.database_key_literal,
        store_id=unlocked.store.store_id,
        busy_timeout_ms=options.busy_timeout_ms,
        may_be_older=may_be_older,
    )


def expect_same_site(meta: Mapping[str, Any], store: StoreFile) -> None:
    """Refuse a database and a ``store.json`` that come from different states of a site."""
    if (meta["store_id"], meta["kind"], meta["format"], meta["epoch"]) != (
        store.store_id,
        store.kind,
        store.format,
        store.epoch,
    ):
        raise NotASite(
            "The database and the file store.json of this site do not belong together.",
            hint="Restore both from the same backup.",
            detail="store_meta differs from store.json",
        )


def make_records(
    root: Path, unlocked: Unlocked, options: SiteOptions, database: Database, *, blobs: BlobStore | None = None
) -> Records:
    """Return rows and files of a site over an open database; its files lie below its folder if not said otherwise."""
    guard = FieldGuard(unlocked.vault)
    return Records(
        store_id=unlocked.store.store_id,
        database=database,
        blobs=BlobStore(root, unlocked.vault) if blobs is None else blobs,
        guard=guard,
        trail=AuditTrail(unlocked.vault, guard, actor=unlocked.user_id, clock=options.clock),
        anchors=Anchors(options.anchor_folder),
        actor=unlocked.user_id,
        clock=options.clock,
        # A server lets writers in one behind the other by itself.
        turns=Turns(root) if unlocked.store.database is None else None,
    )


@contextlib.contextmanager
def records_of_this_thread(root: Path, unlocked: Unlocked, options: SiteOptions, like: Records) -> Iterator[Records]:
    """Give a thread of long work its own connection to an opened site; what may be saved there, may be saved here."""
    database = Database(access_to(root, unlocked, options))
    try:
        records = make_records(root, unlocked, options, database)
        records.is_restored_copy, records.read_only_reason = like.is_restored_copy, like.read_only_reason
        yield records
    finally:
        database.close()
