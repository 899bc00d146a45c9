"""Who has a site open: a shared lock on ``site.lock`` for everybody, an exclusive one for replacing the folder.

`flock` belongs to the opened file, so it outlives other descriptors of the same file being closed, and it ends with the
process however that ends. Where a share offers no such lock, a site opens without it, but is never replaced.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from ert.errors import DatabaseBusy
from ert.storage.atomic import storage_error
from ert.storage.keys import Vault
from ert.storage.places import open_regular
from ert.storage.site_lock_note import read_note

SITE_LOCK = "site.lock"
_MAXIMUM_NOTE_BYTES = 64 * 1024
_NOT_GRANTED = {errno.EWOULDBLOCK}
_NOT_OFFERED = {
    errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EROFS, errno.EPERM, errno.EACCES, errno.ENOENT,
    errno.ENOSPC, errno.EDQUOT,
}  # fmt: skip


class FolderLock:
    """One process's lock on a folder; released by `release` or by the end of the process."""

    def __init__(self, handle: int | None) -> None:
        self._handle = handle

    def release(self) -> None:
        """Give it back; more than once does no harm."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            with contextlib.suppress(OSError):  # nothing was written through it, and the lock is gone whatever is said
                os.close(handle)


def hold(root: Path, vault: Vault) -> FolderLock:
    """Note that this process has the site open.

    Raises
    ------
    DatabaseBusy
        The site's folder, or what is in it, is being replaced: by whom, as far as the keys in `vault` can tell.
    """
    try:
        return lock_file(root / SITE_LOCK, fcntl.LOCK_SH)
    except OSError as exc:
        if exc.errno in _NOT_GRANTED:
            who = _note_in(root / SITE_LOCK, vault)
            raise DatabaseBusy(
                f"{who or 'This site is being replaced by a restored backup, or its keys are renewed'}; it was not "
                "opened.",
                hint="Try again in a minute.",
                detail="site.lock is held",
            ) from exc
        if exc.errno in _NOT_OFFERED:
            return FolderLock(None)
        raise storage_error(exc, "noting that the site is open") from exc


def exclude(folder: Path, *, name: str = SITE_LOCK, busy: DatabaseBusy, note: bytes = b"") -> FolderLock:
    """Keep everybody else out of a folder; `note` tells them why (site_lock_note.py).

    Raises
    ------
    DatabaseBusy
        `busy`: somebody has it open.
    StorageFailed
        The disk or share cannot lock.
    """
    try:
        lock = lock_file(folder / name, fcntl.LOCK_EX)
        if note:
            (folder / name).write_bytes(note)
        return lock  # noqa: TRY300
    except OSError as exc:
        if exc.errno in _NOT_GRANTED:
            raise busy from exc
        raise storage_error(exc, "locking the folder") from exc


def _note_in(path: Path, vault: Vault) -> str:
    try:
        with open_regular(path) as note:
            return read_note(vault, note.read(_MAXIMUM_NOTE_BYTES))
    except OSError:
        return ""


def lock_file(path: Path, kind: int) -> FolderLock:
    """Lock a file, made if it is missing, without waiting; raises `OSError` (`BlockingIOError` if it is held)."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)  # the note is written there
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
        _expect_in_place(handle, path)
    except BaseException:
        os.close(handle)
        raise
    return FolderLock(handle)


def _expect_in_place(handle: int, path: Path) -> None:
    """A folder that was replaced between opening and locking left us holding the lock of the old one."""
    if os.fstat(handle).st_ino != path.stat().st_ino:
        raise BlockingIOError(errno.EWOULDBLOCK, "the folder was replaced")
