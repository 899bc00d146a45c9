"""A folder of cached doses: files that may vanish, be replaced or be damaged by anybody at any time.

``<folder>/<site id>/<64 hex digits>.ertc``; a limit holds for all sites together, so that doses of sites that are gone
retire too. Nothing whose name does not look like this is counted or touched: the folder may hold other people's files.

Truth is what lies in the folder; there is no index. Files are written under another name and renamed, without a flush:
what a power cut leaves does not authenticate and is removed. Several processes use a folder at once without locks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from ert.errors import BadTag

SUFFIX = ".ertc"
UNFINISHED = ".part"
QUARANTINED = ".bad"
UNFINISHED_AGE_S = 3600
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SITE_NAME = re.compile(_UUID)
_FILE_NAME = re.compile(rf"[0-9a-f]{{64}}\{SUFFIX}|{_UUID}(\{UNFINISHED}|\{QUARANTINED})")
_AFTER_EVICTION_FRAC = 0.9
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@frozen(kw_only=True)
class CacheFile:
    """One file of ours as it lies there."""

    path: Path
    size_bytes: int
    used_s: float

    @property
    def is_entry(self) -> bool:
        """True for a complete dose."""
        return self.path.suffix == SUFFIX


class CacheFolder:
    """The doses of one site in one folder. Every method raises `OSError` if the folder does not do what it should.

    Parameters
    ----------
    path : Path
        The site's own folder.
    is_share : bool
        The folder above must be there: making it could fill a mount point whose share is away.
    """

    def __init__(self, path: Path, *, is_share: bool = False) -> None:
        self.path = path
        self._is_share = is_share

    def read(self, name: str, *, maximum_bytes: int) -> bytes | None:
        """The bytes of an entry; None if there is none.

        Raises
        ------
        BadTag
            Not a regular file, or larger than any entry may be.
        """
        try:
            handle = os.open(self._entry(name), _OPEN_FLAGS)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise BadTag("A cached dose is no file; it was not used.", detail="cached dose: link") from error
        with os.fdopen(handle, "rb", buffering=0) as source:
            found = os.fstat(source.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > maximum_bytes:
                raise BadTag("A cached dose is no file; it was not used.", detail="cached dose: kind or size")
            return source.readall()

    def write(self, name: str, entry: bytes) -> None:
        """Put an entry there, as a whole or not at all."""
        self._make()
        unfinished = self.path / f"{uuid.uuid4()}{UNFINISHED}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            # On a share other people's workstations read it; what it holds is encrypted.
            handle = os.open(unfinished, flags, 0o666 if self._is_share else 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(entry)
            os.replace(unfinished, self._entry(name))  # noqa: PTH105 - says what it does
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise

    def touch(self, name: str) -> bool:
        """Note that an entry was used; False if there is none."""
        try:
            os.utime(self._entry(name))
        except FileNotFoundError:
            return False
        return True

    def discard(self, name: str) -> None:
        """Take a damaged entry out of use at once, then remove it."""
        quarantined = self.path / f"{uuid.uuid4()}{QUARANTINED}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._entry(name), quarantined)  # noqa: PTH104 - says what it does
            quarantined.unlink()

    def files(self) -> tuple[CacheFile, ...]:
        """All files of this site; none if the folder is not there."""
        try:
            return tuple(_scan(self.path))
        except FileNotFoundError:
            return ()

    def shrink(self, limit_bytes: int, *, now_s: Callable[[], float] = time.time) -> bool:
        """Keep what lies there of all sites within a limit; False if files that may not be removed stand in the way.

        What writers left unfinished an hour ago and what was quarantined goes first; then, if there is too much, the
        least recently used entries, down to nine tenths of the limit.
        """
        kept: list[CacheFile] = []
        left: list[CacheFile] = []
        for file in self._everything():
            is_old = now_s() - file.used_s > UNFINISHED_AGE_S
            is_left = file.path.suffix == QUARANTINED or (file.path.suffix == UNFINISHED and is_old)
            (left if is_left else kept).append(file)
        total = sum(f.size_bytes for f in (*kept, *(f for f in left if not _removed(f))))
        if total <= limit_bytes:
            return True
        for file in sorted(kept, key=lambda f: (f.used_s, f.path.name)):
            if total <= limit_bytes * _AFTER_EVICTION_FRAC:
                break
            if file.is_entry and _removed(file):
                total -= file.size_bytes
        return total <= limit_bytes

    def clear(self) -> None:
        """Remove all files of ours, and the folder if nothing else is in it."""
        for file in self.files():
            file.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def _make(self) -> None:
        if self._is_share:
            self.path.mkdir(exist_ok=True)
        else:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _everything(self) -> Iterator[CacheFile]:
        """The files of all sites in the folder above."""
        try:
            with os.scandir(self.path.parent) as items:
                names = [i.name for i in items if _SITE_NAME.fullmatch(i.name) and i.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # another process cleared it meanwhile
                yield from _scan(self.path.parent / name)

    def _entry(self, name: str) -> Path:
        return self.path / f"{name}{SUFFIX}"


def _scan(folder: Path) -> Iterator[CacheFile]:
    with os.scandir(folder) as items:
        for item in items:
            if not _FILE_NAME.fullmatch(item.name):
                continue
            with contextlib.suppress(FileNotFoundError):  # another process removed it meanwhile
                found = item.stat(follow_symlinks=False)
                if not stat.S_ISDIR(found.st_mode):
                    yield CacheFile(path=Path(item.path), size_bytes=found.st_size, used_s=found.st_mtime)


def _removed(file: CacheFile) -> bool:
    """Remove a file; False if that is not allowed."""
    try:
        file.path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True
