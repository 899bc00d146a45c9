"""The caches of one site, as this workstation's settings want them: its own disk, then a share."""

from __future__ import annotations

from pathlib import Path

from ert.domain.cache_report import CacheReport
from ert.domain.dose import DoseResult
from ert.settings import GIGABYTE, CacheSettings
from ert.storage import cache_local, cache_network
from ert.storage.atomic import translated
from ert.storage.cache_entry import EntrySealer
from ert.storage.cache_folder import CacheFolder
from ert.storage.cache_local import LocalDoseCache, local_report
from ert.storage.cache_network import NetworkDoseCache, network_report
from ert.storage.cache_shelf import Shelf
from ert.storage.share_gate import ShareGate

_OFF = CacheReport(name=cache_local.NAME, is_working=False, state="Off.")
_NO_SHARE = CacheReport(name=cache_network.NAME, is_working=False, state="No folder is set.")


class SiteCaches:
    """Port ``DoseCaches``. May be used from any thread.

    Parameters
    ----------
    site_id : str
        Names the site's folder within each cache.
    sealer : EntrySealer
        With the site's keys; owned from now on.
    settings : CacheSettings
        Of this workstation.
    """

    def __init__(self, site_id: str, sealer: EntrySealer, settings: CacheSettings) -> None:
        self._site_id = site_id
        self._sealer = sealer
        self._local: LocalDoseCache | None = None
        self._network: NetworkDoseCache | None = None
        self._settings: CacheSettings | None = None
        self.apply(settings)

    def apply(self, settings: CacheSettings) -> None:
        """Use other folders and limits from now on."""
        if settings == self._settings:
            return
        before, self._settings = self._network, settings
        local, share = _folders(self._site_id, settings)
        self._local, self._network = None, None
        if local is not None:
            limit = settings.limit_gigabytes * GIGABYTE
            self._local = LocalDoseCache(Shelf(local, self._sealer, limit_bytes=limit))
        if share is not None:
            limit = settings.network_limit_gigabytes * GIGABYTE
            self._network = NetworkDoseCache(Shelf(share, self._sealer, limit_bytes=limit))
        if before is not None:
            before.close()

    def get(self, request_digest: str) -> DoseResult | None:
        """The dose of a request from this disk, else from the share; one from there is kept here."""
        local, network = self._local, self._network
        result = None if local is None else local.get(request_digest)
        if result is None and network is not None:
            result = network.get(request_digest)
            if result is not None and local is not None:
                local.put(result)
        return result

    def put(self, result: DoseResult) -> None:
        """Keep a dose here now, on the share later."""
        for cache in (self._local, self._network):
            if cache is not None:
                cache.put(result)

    def clear(self) -> None:
        """Remove all doses of this site in both."""
        for cache in (self._local, self._network):
            if cache is not None:
                cache.clear()

    def size_bytes(self) -> int:
        """What lies in both."""
        return sum(report.size_bytes or 0 for report in self.reports())

    def reports(self) -> tuple[CacheReport, CacheReport]:
        """How they stand: this workstation's, the share's."""
        local, network = self._local, self._network
        return (_OFF if local is None else local.report(), _NO_SHARE if network is None else network.report())

    def close(self) -> None:
        """Take nothing more and forget the keys."""
        if self._network is not None:
            self._network.close()
        self._sealer.close()


class SiteCacheFolders:
    """Port ``CacheFolders``: what can be told and removed without the site's keys."""

    def __init__(self, site_id: str, settings: CacheSettings) -> None:
        self._settings = settings
        self._local, self._share = _folders(site_id, settings)
        self._gate = ShareGate()

    def reports(self) -> tuple[CacheReport, CacheReport]:
        """How they stand: this workstation's, the share's."""
        local, network = _OFF, _NO_SHARE
        if self._local is not None:
            local = local_report(self._local, limit_bytes=self._settings.limit_gigabytes * GIGABYTE)
        if self._share is not None:
            limit = self._settings.network_limit_gigabytes * GIGABYTE
            network = network_report(self._share, self._gate, limit_bytes=limit)
        return (local, network)

    def clear(self) -> None:
        """Remove all doses of this site in both; raises `StorageFailed` if this disk does not allow it."""
        if self._local is not None:
            with translated("clearing the cache"):
                self._local.clear()
        if self._share is not None:
            self._gate.run(self._share.clear, budget_s=cache_network.CLEAR_BUDGET_S)


def _folders(site_id: str, settings: CacheSettings) -> tuple[CacheFolder | None, CacheFolder | None]:
    local = CacheFolder(settings.local_folder / site_id) if settings.is_on else None
    network = settings.network_folder
    return local, CacheFolder(Path(network) / site_id, is_share=True) if settings.is_on and network else None
