"""Doses and runs that may be found again: what the application layer needs of caches. ``ert.storage`` implements it."""

from __future__ import annotations

from typing import Protocol

from ert.domain.cache_report import CacheReport
from ert.domain.dose import DoseResult


class DoseCache(Protocol):
    """Doses that may be found again. Never a record: whatever is wrong with an entry or its place, it is not there.

    No method raises for trouble with the place, and all may be called from any thread.
    """

    def get(self, request_digest: str) -> DoseResult | None:
        """The dose of a request: authentic, with the digests and on the grid it was kept with; else None."""

    def put(self, result: DoseResult) -> None:
        """Keep a dose, if that is possible."""

    def clear(self) -> None:
        """Remove all doses of this site."""

    def size_bytes(self) -> int:
        """What lies there; 0 if that cannot be told."""


class RunCheckpoints(Protocol):
    """Monte Carlo runs that were interrupted; never a record. No method raises for trouble with the place."""

    def has(self, request_digest: str) -> bool:
        """True if a run of that request was interrupted on this workstation."""

    def get(self, request_digest: str) -> bytes | None:
        """The checkpoint of that request; None without one that can be used."""

    def put(self, request_digest: str, data: bytes) -> None:
        """Replace the checkpoint of that request, if that is possible."""

    def remove(self, request_digest: str) -> None:
        """The run has come to its end, or nobody wants it."""


class CacheFolders(Protocol):
    """Where doses of one site are cached; needs no keys."""

    def reports(self) -> tuple[CacheReport, ...]:
        """How each cache stands, the workstation's first."""

    def clear(self) -> None:
        """Remove all doses of this site."""
