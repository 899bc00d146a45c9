"""Encrypted files under the data keys in use: each file of an earlier generation is written anew while people work.

The new file is complete and verified before one transaction lets its row name it. The old one is of no record then: it
is swept after a day, as a backup that began before may still need it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import sqlalchemy as sa

from ert.errors import StaleRevision
from ert.storage import schema
from ert.storage.atomic import translated
from ert.storage.blobs import StoredFile
from ert.storage.records import Records, stored_file

FILES_RENEWED = "files renewed"


def earlier_files(records: Records, generation: int) -> tuple[StoredFile, ...]:
    """Return the files that are not under the keys in use."""
    with records.database.read() as connection:
        rows = records.rows(connection, schema.file, schema.file.c.key_gen != generation, order="path")
    return tuple(stored_file(row, records.store_id) for row in rows)


def renew_file(records: Records, stored: StoredFile) -> None:
    """Write one file under the keys in use.

    Raises
    ------
    BadTag, DigestMismatch
        It is damaged; nothing was changed.
    StaleRevision
        A colleague renewed it.
    DiskFull, StorageFailed, DatabaseBusy
        Nothing was changed.
    """
    file = schema.file
    fresh = records.blobs.put_anew(stored)
    changes = {
        "uuid": fresh.file_id,
        "path": fresh.path,
        "size": fresh.size,
        "sha256_cipher": fresh.sha256_cipher,
        "key_gen": fresh.generation,
    }
    was_commit_tried = False
    try:
        with records.transaction() as connection:
            records.expect_files(connection, [fresh])
            found = records.rows(connection, file, file.c.uuid == stored.file_id)
            _expect_renewed(stored, is_renewed=bool(found) and records.update(connection, file, found[0], changes))
            was_commit_tried = True
    except BaseException:
        if not was_commit_tried:
            records.blobs.discard([fresh])
        raise
    with translated("marking an earlier file"):
        os.utime(records.blobs.place(stored))


def _expect_renewed(stored: StoredFile, *, is_renewed: bool) -> None:
    if not is_renewed:
        raise StaleRevision("A file was renewed by somebody else meanwhile.", detail=stored.file_id)


def note_renewal(records: Records, renewed: int) -> None:
    """Note in the history how many files were written anew."""
    with records.transaction() as connection:
        records.trail.append(connection, FILES_RENEWED, record=records.store_id, change={"files": renewed})


def generations_of(records: Records) -> dict[int, int]:
    """Return how many files there are of each generation."""
    query = sa.select(schema.file.c.key_gen, sa.func.count()).group_by(schema.file.c.key_gen)
    with records.database.read() as connection:
        found: Iterable[tuple[int, int]] = connection.execute(query).tuples().all()
    return dict(found)
