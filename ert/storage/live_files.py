"""Small encrypted files that tell whether their writer still lives: unsaved edits, and who has a plan open.

``<id><suffix>`` is an ERTE file (envelope.py), replaced as a whole whenever it is written. ``<id>.lock`` beside it is
locked by the writer; the system gives that lock up in the moment the process ends, however it ends. Whoever gets the
lock has found a file that was left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from ert.domain.identity import new_id
from ert.storage.atomic import make_folders_to, remove_left_unfinished, swap_in
from ert.storage.envelope import FileContext, FileKind, Header, seal, unseal
from ert.storage.keys import Vault
from ert.storage.places import open_regular
from ert.storage.presence import FolderLock, lock_file

_LOCK = ".lock"
_REVISION = 1
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAXIMUM_BYTES = 64 * 1024 * 1024
_ATTEMPTS = 20


class LiveFile:
    """One file while its writer lives. Every method may raise `OSError`.

    Attributes
    ----------
    live_id : its random id.
    """

    def __init__(self, shelf: LiveShelf, live_id: str, lock: FolderLock) -> None:
        self.live_id = live_id
        self._shelf, self._lock = shelf, lock

    def write(self, content: bytes) -> None:
        """Replace the content; it is on the disk when this returns."""
        self._shelf.write(self.live_id, content)

    def clear(self) -> None:
        """Remove the content; the lock stays."""
        self._shelf.path(self.live_id).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove it and give the lock up."""
        try:
            self._shelf.remove(self.live_id)
        finally:
            self._lock.release()


class LiveShelf:
    """A folder of live files of one kind.

    Parameters
    ----------
    folder : Path
        Made when the first file is begun.
    vault : Vault
        Keys of the site the files belong to.
    kind : FileKind
    suffix : str
        Of the files, with its dot.
    """

    def __init__(self, folder: Path, vault: Vault, *, kind: FileKind, suffix: str) -> None:
        self.folder = folder
        self._vault, self._kind, self._suffix = vault, kind, suffix

    def path(self, live_id: str) -> Path:
        """Where a file lies."""
        return self.folder / f"{live_id}{self._suffix}"

    def begin(self) -> LiveFile:
        """Give a new file, locked, without content yet; what killed writers left a day ago goes. Raises `OSError`."""
        make_folders_to(self.folder)
        remove_left_unfinished(self.folder)
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                # Between making and locking, who looks for stale locks takes it for one: the next id is another file.
                return self._locked()
        return self._locked()

    def _locked(self) -> LiveFile:
        live_id = new_id()
        return LiveFile(self, live_id, lock_file(self._lock_path(live_id), fcntl.LOCK_EX))

    def write(self, live_id: str, content: bytes) -> None:
        """Write a file as a whole."""
        header = Header(kind=self._kind, generation=self._vault.generation, file_id=uuid.uuid4(), length=len(content))
        out = io.BytesIO()
        kek = self._vault.file_kek(header.generation)
        seal(out, [content], header=header, context=self._context(live_id), kek=kek)
        swap_in(self.path(live_id), out.getvalue(), tmp_folder=self.folder)

    def read(self, live_id: str) -> bytes:
        """Return the content of a file.

        Raises
        ------
        OSError
            It is not there, or cannot be read.
        BadTag, SchemaTooNew
            Damaged, of another site, or of a newer program.
        """
        with open_regular(self.path(live_id)) as stream:
            data = stream.read(_MAXIMUM_BYTES)
        source = io.BytesIO(data)
        context = self._context(live_id)
        _, pieces = unseal(source, file_bytes=len(data), context=context, kek_of=self._vault.file_kek)
        return b"".join(pieces)

    def files(self) -> Iterator[tuple[str, bool]]:
        """Give the id of each file with content, and whether its writer lives; oldest first."""
        if not self.folder.is_dir():
            return
        found = [p for p in self.folder.glob(f"*{self._suffix}") if _ID.fullmatch(p.stem)]
        for path in sorted(found, key=_modified_ns):
            yield path.stem, self._is_live(path.stem)

    def remove(self, live_id: str) -> None:
        """Remove a file with its lock."""
        self.path(live_id).unlink(missing_ok=True)
        self._lock_path(live_id).unlink(missing_ok=True)

    def remove_stale_locks(self) -> None:
        """Remove locks whose writers ended before they wrote anything."""
        if self.folder.is_dir():
            for path in self.folder.glob(f"*{_LOCK}"):
                if _ID.fullmatch(path.stem) and not self.path(path.stem).exists():
                    self._is_live(path.stem, remove=True)

    def _lock_path(self, live_id: str) -> Path:
        return self.folder / f"{live_id}{_LOCK}"

    def _is_live(self, live_id: str, *, remove: bool = False) -> bool:
        """Whether a file's lock is held. A free one is removed, if asked, while we hold it: a writer may just begin."""
        path = self._lock_path(live_id)
        if not path.exists():
            return False
        try:
            lock = lock_file(path, fcntl.LOCK_EX)
        except BlockingIOError:
            return True
        except FileNotFoundError:  # removed by its writer at this moment
            return False
        try:
            if remove:
                path.unlink(missing_ok=True)
        finally:
            lock.release()
        return False

    def _context(self, live_id: str) -> FileContext:
        return FileContext(
            store_id=self._vault.store_id,
            table=self._kind.name.lower(),
            record_id=live_id,
            revision=_REVISION,
            kind=self._kind,
        )


def _modified_ns(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0
