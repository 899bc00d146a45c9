"""A folder of cached doses: files that may vanish, be replaced or be damaged by anybody at any time.

Truth is what lies in the folder; there is no index. Files are written under another name and renamed, without a flush:
what a power cut leaves does not authenticate and is removed. Several processes use a folder at once without locks.
"""

from __future__ import annotations

import contextlib
import errno
import os
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
        """All files of ours, the least recently used first; none if the folder is not there."""
        try:
            found = list(self._scan())
        except FileNotFoundError:
            found = []
        return tuple(sorted(found, key=lambda f: (f.used_s, f.path.name)))

    def shrink(self, limit_bytes: int, *, now_s: Callable[[], float] = time.time) -> bool:
        """Keep what lies there within a limit; False if others' files, which may not be removed, stand in the way.

        What writers left unfinished an hour ago and what was quarantined goes first; then, if there is too much, the
        least recently used entries, down to nine tenths of the limit.
        """
        kept: list[CacheFile] = []
        left: list[CacheFile] = []
        for file in self.files():
            is_old = now_s() - file.used_s > UNFINISHED_AGE_S
            is_left = file.path.suffix == QUARANTINED or (file.path.suffix == UNFINISHED and is_old)
            (left if is_left else kept).append(file)
        total = sum(f.size_bytes for f in (*kept, *(f for f in left if not _removed(f))))
        if total <= limit_bytes:
            return True
        for file in kept:
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

    def _scan(self) -> Iterator[CacheFile]:
        with os.scandir(self.path) as items:
            for item in items:
                if Path(item.name).suffix not in {SUFFIX, UNFINISHED, QUARANTINED}:
                    continue
                with contextlib.suppress(FileNotFoundError):  # another process removed it meanwhile
                    found = item.stat(follow_symlinks=False)
                    if not stat.S_ISDIR(found.st_mode):
                        yield CacheFile(path=Path(item.path), size_bytes=found.st_size, used_s=found.st_mtime)

    def _entry(self, name: str) -> Path:
        return self.path / f"{name}{SUFFIX}"


def _removed(file: CacheFile) -> bool:
    """Remove a file; False if that is not allowed."""
    try:
        file.path.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True
