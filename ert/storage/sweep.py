"""Clearing away files of no record: to the trash after a day, removed after 30 days there.

Only one does so at a time, and never while a backup is made. A few files at a time are moved inside a write transaction
that first looks at the lock and at what rows name by then: a save commits before it, and keeps its file, or after it,
and finds it gone (records.py). Nowhere else are files touched inside a transaction; each move is a rename.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa

from ert.domain.backup import Progress
from ert.domain.sweep import Swept
from ert.storage import exclusive, schema
from ert.storage.blobs import BlobStore
from ert.storage.check_files import referenced_paths
from ert.storage.exclusive import BACKUPS, SWEPT, Heart, Lease
from ert.storage.records import FILES, Records

SWEEP_EVERY = dt.timedelta(days=1)
CLEARED = "unused files cleared away"
_AT_ONCE = 16


def is_sweep_due(records: Records) -> bool:
    """Whether nobody swept the site for a day."""
    last = exclusive.marked_at(records, SWEPT)
    return last is None or records.now() - last >= SWEEP_EVERY


def sweep(records: Records, root: Path, progress: Progress) -> Swept:
    """Move files that no row names, and that are older than a day, to the trash; empty it of what is a month old.

    Parameters
    ----------
    records : Records
        Of this thread.
    root : Path
        The site's folder.
    progress : callable
        Told how far it is; may raise `Cancelled`, what was moved then stays in the trash.

    Raises
    ------
    LockHeld
        A backup is being made, or somebody else sweeps; nothing was moved.
    LockLost
        This computer slept meanwhile; what was moved until then is in the trash.
    InvalidSite
        One of the site's folders is a link to elsewhere; nothing was moved there.
    DiskFull, StorageFailed, DatabaseBusy
        Likewise.
    """
    with exclusive.holding(records, FILES, doing="clearing away unused files", against=BACKUPS) as lease:
        moved = tuple(_cleared(records, root, lease, BlobStore.to_trash, progress))
        with records.transaction() as connection:
            exclusive.fence(records, connection, FILES)
            removed, freed_bytes = records.blobs.empty_trash()
            exclusive.mark(records, connection, SWEPT)
            if moved or removed:
                change = {"to_trash": len(moved), "removed": removed, "freed_bytes": freed_bytes}
                records.trail.append(connection, CLEARED, record=records.store_id, change=change)
    progress(1.0, "")
    return Swept(moved=tuple(_named(root, moved)), removed=removed, freed_bytes=freed_bytes)


def quarantine(records: Records, root: Path, progress: Progress) -> tuple[str, ...]:
    """Move them to ``quarantine/`` instead, where they stay; return their former places. Raises as `sweep`."""
    with exclusive.holding(records, FILES, doing="putting unused files aside", against=BACKUPS) as lease:
        return tuple(_named(root, _cleared(records, root, lease, BlobStore.to_quarantine, progress)))


def _cleared(
    records: Records,
    root: Path,
    lease: Lease,
    move: Callable[[BlobStore, Iterable[Path]], None],
    progress: Progress,
) -> Iterator[Path]:
    heart = Heart(records, lease)
    progress(0.0, "Looking for unused files")
    candidates = records.blobs.old_orphans(referenced_paths(records))
    for start in range(0, len(candidates), _AT_ONCE):
        some = candidates[start : start + _AT_ONCE]
        progress(start / len(candidates), "Clearing away unused files")
        heart.beat()
        with records.transaction() as connection:
            exclusive.fence(records, connection, FILES)
            named = _named_by_now(connection, root, some)
            free = [path for path in some if path not in named]
            move(records.blobs, free)
        yield from free


def _named_by_now(connection: sa.Connection, root: Path, paths: Iterable[Path]) -> set[Path]:
    column = schema.file.c.path
    query = sa.select(column).where(column.in_(list(_named(root, paths))))
    return {root / path for path in connection.execute(query).scalars()}


def _named(root: Path, paths: Iterable[Path]) -> Iterator[str]:
    return (path.relative_to(root).as_posix() for path in paths)
