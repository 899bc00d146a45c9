"""Energy of an electron beam at the surface of water from its ranges (MeV, cm)."""

from __future__ import annotations


def most_probable_energy_mev(practical_range_cm: float) -> float:
    """Most probable energy at the surface, Ep0 = 0.22 + 1.98 Rp + 0.0025 Rp² (ICRU 35; AAPM TG-25)."""
    return 0.22 + 1.98 * practical_range_cm + 0.0025 * practical_range_cm**2


def mean_energy_mev(r50_cm: float) -> float:
    """Mean energy at the surface, E0 = 2.33 R50 (AAPM TG-21 and TG-25; R50 of the depth dose, broad beam)."""
    return 2.33 * r50_cm


def iaea_mean_energy_mev(r50_cm: float) -> float:
    """Mean energy at the surface, E0 = 0.656 + 2.059 R50 + 0.022 R50² (IAEA TRS-381, R50 of the depth dose)."""
    return 0.656 + 2.059 * r50_cm + 0.022 * r50_cm**2
