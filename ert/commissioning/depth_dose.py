"""Depth doses: smoothing within their noise, and the depths physicists quote."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve

from ert.errors import InvalidBeamData

Float = NDArray[np.float64]
_SMOOTHNESS = 1e-7


@attrs.frozen(kw_only=True)
class DepthQuantities:
    """R90, R80, R50 (distal, linear interpolation), Rp (steepest tangent and photon tail), maximum, surface, tail."""

    depth_of_maximum_cm: float
    maximum: float
    r90_cm: float
    r80_cm: float
    r50_cm: float
    rp_cm: float
    surface_frac: float
    tail_frac: float


def smooth_curve(depth_cm: Float, dose: Float, sigma: Float, *, range_cm: float, grid_cm: Float) -> Float:
    """The smoothest curve on a fine grid that passes through the points within their noise.

    Minimises Σ ((s(z_i) − d_i)/σ_i)² + λ ∫ (d³s/du³)² du with u = z/Rp, λ = 1e-7/median(σ)²: third differences, so that
    the bend at the maximum and the fall-off are left alone (Whittaker–Henderson smoothing in relative depth; λ does
    not depend on energy or on the spacing of the points).

    Parameters
    ----------
    grid_cm : evenly spaced, reaching at least as far as the points.

    Returns
    -------
    Array on `grid_cm`; before the first and behind the last point the curve continues with constant curvature.
    """
    count = len(grid_cm)
    step_u = (grid_cm[1] - grid_cm[0]) / range_cm
    position = np.clip((depth_cm - grid_cm[0]) / (grid_cm[1] - grid_cm[0]), 0, count - 1 - 1e-9)
    left = position.astype(int)
    part = position - left
    rows = np.arange(len(depth_cm))
    pick = csr_matrix((np.r_[1 - part, part], (np.r_[rows, rows], np.r_[left, left + 1])), shape=(len(depth_cm), count))
    third = diags([-1.0, 3.0, -3.0, 1.0], [0, 1, 2, 3], shape=(count - 3, count))
    typical = float(np.median(sigma[dose > 0.3 * dose.max()]))
    strength = _SMOOTHNESS / typical**2 / step_u**5
    weights = diags(1.0 / np.maximum(sigma, 0.3 * typical) ** 2)
    matrix = (pick.T @ weights @ pick + strength * (third.T @ third)).tocsc()
    return np.asarray(spsolve(matrix, pick.T @ (weights @ dose)))


def _distal(depth_cm: Float, dose: Float, level: float, begin: int) -> float:
    below = np.nonzero(dose[begin:] < level)[0]
    if not len(below) or below[0] == 0:
        raise InvalidBeamData(
            f"A depth dose does not fall to {level:.3g} within {depth_cm[-1]:g} cm.",
            hint="Measure the depth dose to at least 2 cm beyond the practical range.",
        )
    k = begin + int(below[0])
    return float(np.interp(-level, [-dose[k - 1], -dose[k]], [depth_cm[k - 1], depth_cm[k]]))


def depth_quantities(depth_cm: Float, dose: Float) -> DepthQuantities:
    """Depths of a depth dose.

    Rp is where the straight line through the 70–30 % part of the fall-off meets the extrapolated photon tail.

    Raises
    ------
    InvalidBeamData
        The curve does not reach far enough to fall to 30 % of its maximum.
    """
    begin = int(np.argmax(dose))
    top = float(dose[begin])
    r30 = _distal(depth_cm, dose, 0.3 * top, begin)
    r70 = _distal(depth_cm, dose, 0.7 * top, begin)
    fall = (depth_cm >= r70) & (depth_cm <= r30)
    if np.count_nonzero(fall) < 3:
        fall = (depth_cm >= r70 - 0.1) & (depth_cm <= r30 + 0.1)
    slope, intercept = np.polyfit(depth_cm[fall], dose[fall], 1)
    tail_level, attenuation = photon_tail(depth_cm, dose, r30)
    rp = -intercept / slope
    for _ in range(5):
        rp = (tail_level * math.exp(-attenuation * rp) - intercept) / slope
    return DepthQuantities(
        depth_of_maximum_cm=float(depth_cm[begin]),
        maximum=top,
        r90_cm=_distal(depth_cm, dose, 0.9 * top, begin),
        r80_cm=_distal(depth_cm, dose, 0.8 * top, begin),
        r50_cm=_distal(depth_cm, dose, 0.5 * top, begin),
        rp_cm=float(rp),
        surface_frac=float(np.interp(0.05, depth_cm, dose)) / top,
        tail_frac=tail_level * math.exp(-attenuation * (rp + 2.0)) / top,
    )


def photon_tail(depth_cm: Float, dose: Float, r30_cm: float) -> tuple[float, float]:
    """Level at depth zero and attenuation (1/cm) of the exponential through the tail beyond 1.25 R30; zeros if none."""
    tail = (depth_cm > 1.25 * r30_cm) & (dose > 0)
    if np.count_nonzero(tail) < 5:
        return 0.0, 0.05
    slope, level = np.polyfit(depth_cm[tail], np.log(dose[tail]), 1, w=dose[tail])
    attenuation = min(max(-float(slope), 0.0), 0.3)
    mean = float(np.mean(dose[tail] * np.exp(attenuation * depth_cm[tail])))
    return (math.exp(float(level)) if attenuation == -float(slope) else mean), attenuation
