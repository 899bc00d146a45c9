"""A cache that holds nothing: for what must be computed."""

from __future__ import annotations

from ert.domain.dose import DoseResult


class NoCache:
    """Port ``DoseCache`` without a place."""

    def get(self, request_digest: str) -> DoseResult | None:  # noqa: ARG002 - the port's signature
        """Nothing is ever found."""
        return None

    def put(self, result: DoseResult) -> None:
        """Nothing is kept."""

    def clear(self) -> None:
        """There is nothing to remove."""

    def size_bytes(self) -> int:
        """Nothing."""
        return 0
