"""The dose engines there are, and how one is named beside a dose."""

from __future__ import annotations

import enum


class Algorithm(enum.StrEnum):
    """Dose engines, from the one to trust least to the one to trust most."""

    PENCIL_BEAM = "pencil-beam"
    PBRA = "pbra"
    MONTE_CARLO = "monte-carlo"
