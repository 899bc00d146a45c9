"""Files that exist completely or not at all.

A new file is written under ``tmp/`` of the same file system, flushed to the disk, renamed without overwriting, and its
folder is flushed too (measured by power-cut simulation: without the flush, rows end up pointing to damaged files).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from ert.errors import DiskFull, ErtError, StorageFailed

T = TypeVar("T")
UNFINISHED = ".part"
_UNFINISHED_AGE_S = 24 * 3600
_OWN_UNFINISHED = re.compile(rf"([0-9a-f-]{{36}}\.)?[0-9a-f-]{{36}}{re.escape(UNFINISHED)}")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def storage_error(exc: OSError, doing: str) -> ErtError:
    """Return the ERT error for a failed file operation; `doing` completes "… failed"."""
    detail = f"{type(exc).__name__} errno={exc.errno} {exc.strerror}"
    if exc.errno in _FULL:
        return DiskFull(
            f"The disk of this site is full: {doing} failed and nothing was changed.",
            hint="Free some space, then save again.",
            detail=detail,
        )
    if exc.errno in {errno.EACCES, errno.EROFS, errno.EPERM}:
        return StorageFailed(
            f"The site's folder does not allow it: {doing} failed and nothing was changed.",
            hint="Check that your account may write there and that the disk or share is not read-only.",
            detail=detail,
        )
    return StorageFailed(
        f"The site's storage failed: {doing} did not complete.",
        hint="Check the disk or the network share, then try again.",
        detail=detail,
    )


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn `OSError` into `DiskFull` or `StorageFailed`."""
    try:
        yield
    except OSError as exc:
        raise storage_error(exc, doing) from exc


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk (POSIX; Windows writes them through)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folders(folder: Path, *, below: Path) -> None:
    """Create `folder` and its missing parents under `below`, each entry flushed; private to this user's group."""
    if folder == below or folder.is_dir():
        return
    make_folders(folder.parent, below=below)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def make_folders_to(folder: Path) -> None:
    """Create `folder` with whatever is missing above it, each entry flushed: a power cut takes none of them back."""
    make_folders(folder, below=next(parent for parent in folder.absolute().parents if parent.is_dir()))


def write_all(out: BinaryIO, data: bytes | memoryview) -> None:
    """Write everything: an unbuffered file may take less than it is given, as on a disk that is becoming full."""
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) :]


def write_new_file(path: Path, write: Callable[[BinaryIO], T], *, tmp_folder: Path, mode: int = 0o600) -> T:
    """Create `path` with what `write` writes; all of it or nothing.

    Parameters
    ----------
    path : Path
        Must not exist; its folder must.
    write : callable
        Given the open binary file.
    tmp_folder : Path
        Folder on the same file system for the unfinished file.
    mode : int
        Permission bits of the finished file.

    Returns
    -------
    object
        What `write` returned.

    Raises
    ------
    DiskFull, StorageFailed
        Nothing is left at `path`.
    """
    tmp = tmp_folder / f"{uuid.uuid4()}{UNFINISHED}"
    with translated(f"writing {path.suffix or path.name} data"):
        try:
            result = _write_synced(tmp, write)
            tmp.chmod(mode)
            _rename_new(tmp, path)
        except BaseException:
            remove_unfinished(tmp)
            raise
        sync_folder(path.parent)
    return result


def replace_file(path: Path, data: bytes, *, tmp_folder: Path) -> None:
    """Replace a small file as a whole (key slots, remembered heads): readers see the old or the new one."""
    with translated(f"writing {path.name}"):
        swap_in(path, data, tmp_folder=tmp_folder)


def swap_in(path: Path, data: bytes, *, tmp_folder: Path) -> None:
    """Do what `replace_file` does, for callers with words of their own for an `OSError`."""
    tmp = tmp_folder / f"{uuid.uuid4()}{UNFINISHED}"
    try:
        _write_synced(tmp, lambda out: write_all(out, data))
        tmp.replace(path)
    except BaseException:
        remove_unfinished(tmp)
        raise
    sync_folder(path.parent)


def remove_unfinished(tmp: Path) -> None:
    """Remove what a failed write left; if that fails as well, it stays for whoever sweeps that folder."""
    with contextlib.suppress(OSError):
        tmp.unlink(missing_ok=True)


def remove_left_unfinished(folder: Path) -> None:
    """Remove what writers killed a day ago left in a folder of such files; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"*{UNFINISHED}"):
            # browsers name their downloads so, too: this may be a link to a folder of theirs
            if _OWN_UNFINISHED.fullmatch(path.name) and time.time() - path.stat().st_mtime > _UNFINISHED_AGE_S:
                path.unlink(missing_ok=True)


def _write_synced(tmp: Path, write: Callable[[BinaryIO], T]) -> T:
    handle = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb", buffering=0) as raw:
        result = write(raw)
        os.fsync(raw.fileno())
    return result


def _rename_new(tmp: Path, path: Path) -> None:
    """Rename without overwriting: `os.rename` overwrites on POSIX, a hard link never does."""
    if os.name == "nt":
        tmp.rename(path)
        return
    try:
        os.link(tmp, path)
    except OSError as exc:
        if exc.errno not in _NO_LINKS:
            raise
        # A share without hard links: names are random 128-bit ids, so the check below is never a race in practice.
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from exc
        tmp.rename(path)
    else:
        tmp.unlink()
