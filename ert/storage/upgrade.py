"""Bringing a site of an older program up to date: verified first, copied first, changed in one transaction.

The copy of the encrypted database is made while this process holds the write lock, opened, and checked, before a table
is touched. It is as secret as the database, and opens with the same keys; of rows on a server it is an encrypted file
in the site's folder, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import attrs
import sqlalchemy as sa

from ert.errors import StorageFailed
from ert.storage import schema
from ert.storage.anchors import Anchors, went_back
from ert.storage.assembly import SiteOptions, access_to, file_access, make_records
from ert.storage.atomic import make_folders, translated, write_all, write_new_file
from ert.storage.blobs import TMP
from ert.storage.database import Database
from ert.storage.database_copy import copy_to_file
from ert.storage.dialect import schema_version
from ert.storage.migrate import migrate
from ert.storage.opening import Access, check_schema_version
from ert.storage.records import Records
from ert.storage.restored import is_restored_copy
from ert.storage.unlock import Unlocked

BACKUP = "backup"
_BLOCK = 1024 * 1024


def bring_up_to_date(root: Path, unlocked: Unlocked, options: SiteOptions, *, accept_restore_reason: str = "") -> None:
    """Run the missing migrations on a site's database, after a backup; does nothing if a colleague was first.

    Raises
    ------
    SchemaTooNew
        The database was written by a newer program.
    BadTag, AuditBroken
        What is there does not verify, or went back in time without a reason given; nothing was changed.
    DiskFull, StorageFailed, DatabaseBusy
        Nothing was changed.
    """
    access = access_to(root, unlocked, options)
    with contextlib.ExitStack() as kept:
        # POSIX drops a process's locks on a file when any descriptor of it is closed: this outlives the connection.
        source = kept.enter_context(_opened(access.path)) if isinstance(access, Access) else None
        database = Database(access, may_migrate=True)
        kept.callback(database.close)
        with database.write() as connection:
            version = schema_version(connection)
            if version == schema.SCHEMA_VERSION:
                return
            if version > schema.SCHEMA_VERSION or version <= 0:
                check_schema_version(version)
            # Not yet remembered: the workstation notes the new head once the site is opened.
            records = make_records(root, unlocked, attrs.evolve(options, anchor_folder=None), database)
            _verify(connection, records, Anchors(options.anchor_folder), accept_restore_reason)
            name = f"site-v{version}-{options.clock():%Y%m%dT%H%M%S%fZ}.db"
            copy = file_access(root, unlocked, options)
            if source is not None:
                _back_up(source, root, copy, name)
            else:
                _copy_from_server(connection, root, copy, name)
            migrate(connection)
            change = {"from": version, "to": schema.SCHEMA_VERSION, "backup": name}
            records.trail.append(connection, "database brought up to date", change=change)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with translated("reading the database"), path.open("rb") as source:
        yield source


def _verify(connection: sa.Connection, records: Records, anchors: Anchors, accept_restore_reason: str) -> None:
    """Refuse to build on a history that is broken or older than this workstation remembers."""
    records.trail.verify(connection)
    remembered = anchors.remembered(records.store_id)
    if remembered is None or records.trail.holds(connection, remembered):
        return
    if not accept_restore_reason.strip() and not is_restored_copy(connection):
        raise went_back(remembered, records.trail.head(connection))


def _back_up(source: BinaryIO, root: Path, access: Access, name: str) -> None:
    """Copy the database as it is under the write lock, flush it, and open the copy to see that it is whole."""
    folder = root / BACKUP
    digest = hashlib.sha256()

    def write(out: BinaryIO) -> None:
        source.seek(0)
        while block := source.read(_BLOCK):
            digest.update(block)
            write_all(out, block)

    with translated("making a backup of the database"):
        make_folders(folder, below=root)
    write_new_file(folder / name, write, tmp_folder=root / TMP)
    with translated("reading the backup of the database"), (folder / name).open("rb") as copied:
        is_same = hashlib.file_digest(copied, "sha256").digest() == digest.digest()
    _expect_whole(access, folder / name, is_same=is_same)


def _copy_from_server(connection: sa.Connection, root: Path, access: Access, name: str) -> None:
    """Copy the rows as they are under the write lock into an encrypted file, and open it to see that it is whole."""
    path = root / BACKUP / name
    with translated("making a backup of the database"):
        make_folders(path.parent, below=root)
        path.touch(mode=0o600, exist_ok=False)
    copy_to_file(connection, path, access.key_literal, store_id=access.store_id)
    with translated("making a backup of the database"), path.open("rb") as copied:
        os.fsync(copied.fileno())
    _expect_whole(access, path, is_same=True)


def _expect_whole(access: Access, path: Path, *, is_same: bool) -> None:
    copy = Database(attrs.evolve(access, path=path), may_migrate=True)
    try:
        with copy.read() as connection:
            answers = [tuple(r) for r in connection.exec_driver_sql("PRAGMA quick_check")]
            is_whole = not connection.exec_driver_sql("PRAGMA cipher_integrity_check").all()
    finally:
        copy.close()
    if not (is_same and is_whole and answers == [("ok",)]):
        raise StorageFailed(
            "The backup of the database is not whole; the site was not changed.",
            hint="Run 'ert check' with the earlier version of the program, and check the disk.",
            detail=f"{path.name}: {answers[:1]}",
        )
