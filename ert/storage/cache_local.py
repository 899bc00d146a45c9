"""Doses kept on this workstation (port ``DoseCache``)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from ert.domain.cache_report import CacheReport
from ert.domain.dose import DoseResult
from ert.errors import ErtError
from ert.logs import Public
from ert.storage.cache_folder import CacheFolder
from ert.storage.cache_shelf import Shelf

NAME = "workstation"
T = TypeVar("T")
_LOG = logging.getLogger(__name__)


class LocalDoseCache:
    """A shelf on the local disk. Any trouble is a miss: one line in the log, and a sentence in `report`."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._trouble = ""

    def get(self, request_digest: str) -> DoseResult | None:
        """The dose of a request, verified; None if there is none that can be used."""
        return self._attempt(lambda: self._shelf.get(request_digest))

    def put(self, result: DoseResult) -> None:
        """Keep a dose if that is possible."""
        self._attempt(lambda: self._shelf.put(result), is_write=True)

    def clear(self) -> None:
        """Remove all doses of this site."""
        self._attempt(self._shelf.folder.clear, is_write=True)

    def size_bytes(self) -> int:
        """What lies there; 0 if that cannot be told."""
        return self.report().size_bytes or 0

    def report(self) -> CacheReport:
        """How it stands."""
        return local_report(self._shelf.folder, limit_bytes=self._shelf.limit_bytes, trouble=self._trouble)

    def _attempt(self, fn: Callable[[], T], *, is_write: bool = False) -> T | None:
        try:
            value = fn()
        except (OSError, ErtError) as error:
            trouble = reason(error)
            if trouble != self._trouble:
                _LOG.warning("the cache of doses on this workstation cannot be used: %s", Public(trouble))
            self._trouble = trouble
            return None
        if is_write:  # a disk that is full, or may not be written, can be read all the same
            self._trouble = ""
        return value


def local_report(folder: CacheFolder, *, limit_bytes: int, trouble: str = "") -> CacheReport:
    """How the folder on this workstation stands."""
    try:
        files = folder.files()
    except OSError as error:
        files, trouble = (), reason(error)
    return CacheReport(
        name=NAME,
        folder=str(folder.path),
        size_bytes=sum(f.size_bytes for f in files),
        entries=sum(f.is_entry for f in files),
        limit_bytes=limit_bytes,
        is_working=not trouble,
        state=f"Not usable: {trouble}. Doses are computed as without it." if trouble else "Working.",
    )


def reason(error: OSError | ErtError) -> str:
    """Why a cache did not work, without any name of a file."""
    if isinstance(error, ErtError):
        return type(error).__name__
    return (error.strerror or type(error).__name__).lower()
