"""The formulas of AAPM TG-71 for electrons (Gibbons et al., Med Phys 41:031501, 2014). Plain numbers in and out.

Equation numbers are those of docs/physics/monitor_units.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ert.errors import OutsideModel

Float = NDArray[np.float64]


def monitor_units(*, dose_cgy: float, calibration_cgy_per_mu: float, pdd_pct: float, output_factor: float) -> float:
    """MU = D · 100 / (D'0 · PDD · S_e), equation (1); not rounded.

    Parameters
    ----------
    dose_cgy : to the point at the depth of the PDD, one fraction.
    calibration_cgy_per_mu : D'0, of the reference field at its depth of maximum and the reference SSD.
    output_factor : S_e of this field at this SSD.

    Raises
    ------
    OutsideModel
        A factor is not a positive number.
    """
    factors = (dose_cgy, calibration_cgy_per_mu, pdd_pct, output_factor)
    if not all(math.isfinite(f) and f > 0 for f in factors):
        raise OutsideModel("A factor of the monitor units is not a positive number.", hint="Check dose and depth.")
    return dose_cgy * 100.0 / (calibration_cgy_per_mu * pdd_pct * output_factor)


def effective_ssd_ratio(*, effective_ssd_cm: float, depth_of_maximum_cm: float, gap_cm: float) -> float:
    """S_e(SSD) / S_e(SSD0) = [(SSD_eff + d_m) / (SSD_eff + d_m + g)]², g = SSD − SSD0, equation (2)."""
    whole_cm = effective_ssd_cm + depth_of_maximum_cm
    return (whole_cm / (whole_cm + gap_cm)) ** 2


def inverse_square_ratio(*, standard_ssd_cm: float, ssd_cm: float, depth_of_maximum_cm: float) -> float:
    """[(SSD0 + d_m) / (SSD + d_m)]²; times the air-gap factor it is S_e(SSD) / S_e(SSD0), equation (3)."""
    return ((standard_ssd_cm + depth_of_maximum_cm) / (ssd_cm + depth_of_maximum_cm)) ** 2


def square_root_rule(of_side_a_factor: float, of_side_b_factor: float) -> float:
    """Value of the rectangle a × b from those of the squares a and b: their geometric mean, equation (4)."""
    return math.sqrt(of_side_a_factor * of_side_b_factor)


def equilibrium_side_cm(surface_energy_mev: float) -> float:
    """Side of the square that just has lateral equilibrium in its middle: 2 · 0.88 √E_p0 (AAPM TG-25 supplement)."""
    return 2.0 * 0.88 * math.sqrt(surface_energy_mev)


def fit_effective_ssd(
    gap_cm: Float, output_ratio: Float, gap_sigma: Float, *, relative_sigma: float, depth_of_maximum_cm: float
) -> tuple[float, float, float]:
    """Effective SSD from outputs at several distances: √(I0/Ig) = 1 + g / (SSD_eff + d_m), a line through 1.

    Parameters
    ----------
    gap_cm, output_ratio : g ≠ 0 and I0/Ig, arrays (n,).
    gap_sigma, relative_sigma : relative standard deviations of each I_g, (n,), and of the I0 they all share.

    Returns
    -------
    Effective SSD, its standard deviation (cm), largest difference of a measured I_g from the line (%). Where more than
    one gap was measured the deviation is not less than what the scatter about the line says.

    Raises
    ------
    OutsideModel
        The outputs do not fall with distance.
    """
    root = np.sqrt(output_ratio)
    lever = 0.5 * root / gap_cm  # change of a point's slope for a relative change of its ratio
    deviation = lever * np.hypot(gap_sigma, relative_sigma)
    share = deviation**-2 / np.sum(deviation**-2)
    slope = float(np.sum(share * (root - 1.0) / gap_cm))
    if slope <= 0:
        raise OutsideModel("The outputs measured at several distances do not fall with distance.")
    line = 1.0 + gap_cm * slope
    own = float(np.sum((share * lever * gap_sigma) ** 2))
    if len(gap_cm) > 1:
        chi2 = float(np.sum(((root - line) / (lever * gap_cm * gap_sigma)) ** 2)) / (len(gap_cm) - 1)
        own *= max(1.0, chi2)
    sigma = math.hypot(math.sqrt(own), relative_sigma * float(np.sum(share * lever)))
    worst = 100.0 * float(np.abs((root / line) ** 2 - 1.0).max())
    return 1.0 / slope - depth_of_maximum_cm, sigma / slope**2, worst


def depth_dose_at_distance(
    depth_cm: Float, percent: Float, *, source_cm: float, gap_cm: float, depth_of_maximum_cm: float
) -> Float:
    """A depth dose at another SSD: every depth by its own inverse square, 100 at the same depth of maximum.

    PDD'(z) = PDD(z) · [(f + z)/(f + d_m)]² · [(f + g + d_m)/(f + g + z)]², f the effective SSD; for fields with lateral
    equilibrium (AAPM TG-71).
    """
    there = (source_cm + depth_cm) / (source_cm + depth_of_maximum_cm)
    here = (source_cm + gap_cm + depth_of_maximum_cm) / (source_cm + gap_cm + depth_cm)
    return np.asarray(percent * (there * here) ** 2)
