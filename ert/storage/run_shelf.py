"""Monte Carlo runs that were interrupted, on this workstation, encrypted: never a record, worth some minutes each.

The name of a file is the HMAC-SHA-256 of its request's digest under the site's index key; its content is sealed under
the site's file key with that digest as context. Whatever is wrong with a file or its place, it is not there.
"""

from __future__ import annotations

import hmac
import io
import logging
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ert.errors import ErtError
from ert.logs import Public
from ert.storage.atomic import swap_in
from ert.storage.cache_local import reason
from ert.storage.envelope import FileContext, FileKind, Header, seal, unseal
from ert.storage.keys import Vault

_LOG = logging.getLogger(__name__)
_SUFFIX = ".run"
_REVISION = 1
_MOST_FILES = 6  # the oldest goes: one holds 16 bytes for each voxel of a dose grid
T = TypeVar("T")


class RunShelf:
    """Checkpoints by the digest of the request they belong to (port ``RunCheckpoints``); from any thread.

    Parameters
    ----------
    folder : Path or None
        Of this site; None keeps nothing.
    vault : Vault
        The site's keys.
    """

    def __init__(self, folder: Path | None, vault: Vault) -> None:
        self._folder, self._vault = folder, vault

    def has(self, request_digest: str) -> bool:
        """True if a run of that request was interrupted on this workstation."""
        return bool(self._attempt(lambda: self._path(request_digest).exists()))

    def get(self, request_digest: str) -> bytes | None:
        """The checkpoint of that request; None without one that can be used."""
        return self._attempt(lambda: self._read(request_digest))

    def put(self, request_digest: str, data: bytes) -> None:
        """Replace the checkpoint of that request, if that is possible."""
        self._attempt(lambda: self._write(request_digest, data))

    def remove(self, request_digest: str) -> None:
        """The run has come to its end, or nobody wants it."""
        self._attempt(lambda: self._path(request_digest).unlink(missing_ok=True))

    def _attempt(self, work: Callable[[], T]) -> T | None:
        if self._folder is None:
            return None
        try:
            return work()
        except (OSError, ErtError) as error:
            _LOG.warning("an interrupted run on this workstation cannot be used: %s", Public(reason(error)))
            return None

    def _path(self, request_digest: str) -> Path:
        name = hmac.digest(self._vault.index_key, f"run|{request_digest}".encode(), "sha256").hex()
        return self._at() / f"{name}{_SUFFIX}"

    def _at(self) -> Path:
        if self._folder is None:
            raise FileNotFoundError("no runs are kept")
        return self._folder

    def _read(self, request_digest: str) -> bytes | None:
        path = self._path(request_digest)
        if not path.exists():
            return None
        data = path.read_bytes()
        context = self._context(request_digest)
        _, pieces = unseal(io.BytesIO(data), file_bytes=len(data), context=context, kek_of=self._vault.file_kek)
        return b"".join(pieces)

    def _write(self, request_digest: str, data: bytes) -> None:
        folder = self._at()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        header = Header(
            kind=FileKind.RUN_CHECKPOINT, generation=self._vault.generation, file_id=uuid.uuid4(), length=len(data)
        )
        out = io.BytesIO()
        kek = self._vault.file_kek(header.generation)
        seal(out, [data], header=header, context=self._context(request_digest), kek=kek)
        swap_in(self._path(request_digest), out.getvalue(), tmp_folder=folder)
        self._trim(folder)

    @staticmethod
    def _trim(folder: Path) -> None:
        files = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in files[_MOST_FILES:]:
            path.unlink(missing_ok=True)

    def _context(self, request_digest: str) -> FileContext:
        return FileContext(
            store_id=self._vault.store_id, table="run", record_id=request_digest, revision=_REVISION,
            kind=FileKind.RUN_CHECKPOINT,
        )  # fmt: skip
