"""Whole fits with less work in them, for tests that look at what stands around a fit and not at its result."""

from __future__ import annotations

import pytest

from ert.commissioning import (
    monte_carlo_angles,
    monte_carlo_fit,
    monte_carlo_off_axis,
    monte_carlo_profiles,
    redefinition_fit,
)


def make_fits_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round of redefinition's fit, a tenth of the Monte Carlo's electrons."""
    monkeypatch.setattr(redefinition_fit, "_ROUNDS", 1)
    monkeypatch.setattr(monte_carlo_fit, "_HISTORIES", tuple(n // 10 for n in monte_carlo_fit._HISTORIES))
    monkeypatch.setattr(monte_carlo_fit, "_PHOTON_HISTORIES", monte_carlo_fit._PHOTON_HISTORIES // 10)
    monkeypatch.setattr(monte_carlo_angles, "_FINE_TIMES", monte_carlo_angles._FINE_TIMES // 10)
    monkeypatch.setattr(monte_carlo_off_axis, "_MOST_HISTORIES", monte_carlo_off_axis._MOST_HISTORIES // 10)
    for name in ("_ELECTRONS", "_BESIDE_ELECTRONS", "_PHOTONS", "_EDGE_ELECTRONS"):
        monkeypatch.setattr(monte_carlo_profiles, name, getattr(monte_carlo_profiles, name) // 10)
