"""Doses in a cache folder: sealed when put there, verified when taken, kept within a limit."""

from __future__ import annotations

import logging

from ert.domain.dose import DoseResult
from ert.errors import Untrusted
from ert.storage.cache_entry import EntrySealer
from ert.storage.cache_folder import CacheFolder

_LOG = logging.getLogger(__name__)


class Shelf:
    """One folder of one site, with its keys.

    Methods raise `OSError` for trouble with the folder and `Unavailable` after the site was closed; the caches above
    turn both into a miss.

    Parameters
    ----------
    folder : CacheFolder
        Where the entries lie.
    sealer : EntrySealer
        The site's.
    limit_bytes : int
        Of all files together.
    """

    def __init__(self, folder: CacheFolder, sealer: EntrySealer, *, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._sealer = sealer

    def get(self, request_digest: str) -> DoseResult | None:
        """The dose of a request; None if there is none. One that is damaged is removed, and counts as none."""
        name = self._sealer.name(request_digest)
        try:
            entry = self.folder.read(name, maximum_bytes=self.limit_bytes)
            result = None if entry is None else self._sealer.unseal(request_digest, entry)
        except Untrusted as error:
            _LOG.warning("a damaged cached dose was removed", exc_info=error)
            self.folder.discard(name)
            return None
        if result is not None:
            self._touch(name)
        return result

    def put(self, result: DoseResult) -> None:
        """Keep a dose, unless it is there already or is larger than the limit."""
        name = self._sealer.name(result.request_digest)
        if self.folder.touch(name):
            return
        entry = self._sealer.seal(result)
        if len(entry) > self.limit_bytes or not self.folder.shrink(self.limit_bytes - len(entry)):
            return
        self.folder.write(name, entry)
        self.folder.shrink(self.limit_bytes)  # what others wrote meanwhile

    def _touch(self, name: str) -> None:
        """Note a use; where that is not allowed the order of removal is that of writing."""
        try:
            self.folder.touch(name)
        except OSError as error:
            _LOG.debug("a cached dose could not be marked as used", exc_info=error)
