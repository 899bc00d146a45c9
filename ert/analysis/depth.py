"""Depth doses in water: the depths physicists quote, and smoothing within the noise.

R90, R80, R50 lie beyond the maximum (linear interpolation). The practical range Rp is where the straight line through
the 70 … 30 % part of the fall-off meets the exponential through the photon tail (ICRU 35, 1984).
"""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import spsolve

from ert.analysis.curve import checked_curve
from ert.domain.electron_energy import iaea_mean_energy_mev, mean_energy_mev, most_probable_energy_mev
from ert.errors import InvalidBeamData, Refused

F64 = NDArray[np.float64]
SURFACE_DEPTH_CM = 0.05
_SURFACE_CM, _SURFACE_STIFFNESS, _SURFACE_ORDER = 0.12, 1e-3, 6
_SMOOTHNESS = 1e-7
_SMOOTH_STEP_CM = 0.01
_LEAST_TAIL_POINTS = 5
_TAIL_FROM = 1.25
_BEYOND_CM = 2.0
_SUMMIT_FRAC = 0.95
_LEAST_SUMMIT_POINTS = 8


@attrs.frozen(kw_only=True)
class DepthQuantities:
    """What a depth dose says; doses as a fraction of the maximum, but `maximum` in the curve's own unit.

    Attributes
    ----------
    depth_of_maximum_cm, r90_cm, r80_cm, r50_cm : R100, R90, R80, R50.
    rp_cm : practical range.
    surface_frac : dose at 0.5 mm depth; NaN if the curve begins deeper.
    tail_frac : bremsstrahlung, 2 cm beyond the practical range.
    """

    depth_of_maximum_cm: float
    maximum: float
    r90_cm: float
    r80_cm: float
    r50_cm: float
    rp_cm: float
    surface_frac: float
    tail_frac: float

    @property
    def mean_energy_mev(self) -> float:
        """2.33 R50 (`ert.domain.electron_energy`)."""
        return mean_energy_mev(self.r50_cm)

    @property
    def iaea_mean_energy_mev(self) -> float:
        """0.656 + 2.059 R50 + 0.022 R50² (`ert.domain.electron_energy`)."""
        return iaea_mean_energy_mev(self.r50_cm)

    @property
    def most_probable_energy_mev(self) -> float:
        """0.22 + 1.98 Rp + 0.0025 Rp² (`ert.domain.electron_energy`)."""
        return most_probable_energy_mev(self.rp_cm)

    @property
    def reference_depth_cm(self) -> float:
        """Depth of calibration 0.6 R50 - 0.1 (AAPM TG-51)."""
        return 0.6 * self.r50_cm - 0.1


def depth_quantities(
    depth_cm: ArrayLike, dose: ArrayLike, *, sigma: ArrayLike | None = None, needs_tail: bool = True
) -> DepthQuantities:
    """Depths of a depth dose.

    Parameters
    ----------
    depth_cm : (n,) rising.
    dose : (n,) in any unit.
    sigma : standard deviation of the points in the unit of dose, (n,) or one for all. If given, R90 … R50 are read from
        the smoothest curve within that noise (`smooth_curve`), the maximum from a cubic through the points about it:
        the largest of noisy points is neither the maximum nor where it lies. `noise_sigma` estimates it from the curve.
    needs_tail : refuse a curve that ends before the photon tail; else such a tail counts as nothing.

    Raises
    ------
    InvalidBeamData
        If the curve does not reach far enough.
    Refused
        If it is no curve.
    """
    x, y = checked_curve(depth_cm, dose)
    found = _read(x, y, needs_tail=needs_tail)
    if sigma is None:
        return found
    noise = np.broadcast_to(np.asarray(sigma, dtype=np.float64), y.shape)
    if not np.all(noise > 0):
        raise Refused("The standard deviation of a depth dose must be above zero.")
    grid = np.arange(x[0], x[-1], _SMOOTH_STEP_CM)
    smooth = smooth_curve(x, y, noise, range_cm=found.rp_cm, grid_cm=grid)
    quiet = _read(grid, smooth, needs_tail=needs_tail, summit=_summit(x, y, noise, grid, smooth))
    # straight lines through many points need no smoothing, which would blur the foot of the fall-off
    return attrs.evolve(quiet, rp_cm=found.rp_cm, tail_frac=found.tail_frac * found.maximum / quiet.maximum)


def _summit(x: F64, y: F64, sigma: F64, grid: F64, smooth: F64) -> tuple[float, float] | None:
    """Depth and height of the maximum of a cubic through the points where a smooth curve is above 95 % of its own.

    None if these are too few, or the cubic rises to an end of them.
    """
    begin = int(np.argmax(smooth))
    below = np.flatnonzero(smooth < _SUMMIT_FRAC * smooth[begin])
    before, after = below[below < begin], below[below > begin]
    first = grid[before[-1] + 1] if len(before) else grid[0]
    last = grid[after[0] - 1] if len(after) else grid[-1]
    inside = (x >= first) & (x <= last)
    if np.count_nonzero(inside) < _LEAST_SUMMIT_POINTS:
        return None
    cubic = np.polynomial.Polynomial.fit(x[inside], y[inside], 3, w=1.0 / sigma[inside])
    at = grid[(grid >= first) & (grid <= last)]
    height = cubic(at)
    n = int(np.argmax(height))
    return (float(at[n]), float(height[n])) if 0 < n < len(at) - 1 else None


def _read(x: F64, y: F64, *, needs_tail: bool, summit: tuple[float, float] | None = None) -> DepthQuantities:
    begin = int(np.argmax(y))
    summit_cm, top = summit or (float(x[begin]), float(y[begin]))
    r30, r70 = (_distal(x, y, level * top, begin) for level in (0.3, 0.7))
    fall = (x >= r70) & (x <= r30)
    if np.count_nonzero(fall) < 3:
        fall = (x >= r70 - 0.1) & (x <= r30 + 0.1)
    if np.count_nonzero(fall) < 2:
        raise InvalidBeamData(
            "A depth dose has fewer than two points in its fall-off.", hint="Measure it in steps of 2 mm or less."
        )
    slope, intercept = np.polyfit(x[fall], y[fall], 1)
    rp = -intercept / slope
    tail_from_cm = _tail_from_cm(x, rp, r30)
    if needs_tail and tail_from_cm is None:
        raise InvalidBeamData(
            "A depth dose ends before the bremsstrahlung tail.",
            hint="Measure the depth dose to at least 2 cm beyond the practical range.",
        )
    tail_level, attenuation = photon_tail(x, y, tail_from_cm)
    for _ in range(5):
        rp = (tail_level * math.exp(-attenuation * rp) - intercept) / slope
    return DepthQuantities(
        depth_of_maximum_cm=summit_cm,
        maximum=top,
        r90_cm=_distal(x, y, 0.9 * top, begin),
        r80_cm=_distal(x, y, 0.8 * top, begin),
        r50_cm=_distal(x, y, 0.5 * top, begin),
        rp_cm=float(rp),
        surface_frac=float(np.interp(SURFACE_DEPTH_CM, x, y, left=math.nan)) / top,
        tail_frac=tail_level * math.exp(-attenuation * (rp + _BEYOND_CM)) / top,
    )


def _distal(x: F64, y: F64, level: float, begin: int) -> float:
    below = np.nonzero(y[begin:] < level)[0]
    if not len(below) or below[0] == 0:
        raise InvalidBeamData(
            f"A depth dose does not fall to {level:.3g} within {x[-1]:g} cm.",
            hint="Measure the depth dose to at least 2 cm beyond the practical range.",
        )
    k = begin + int(below[0])
    return float(np.interp(-level, [-y[k - 1], -y[k]], [x[k - 1], x[k]]))


def _tail_from_cm(x: F64, rp_cm: float, r30_cm: float) -> float | None:
    """Where the photon tail begins: 2 cm beyond the practical range, nearer if few points are there; None if none are.

    Near the practical range there are still electrons, in small fields up to it at several percent.
    """
    for begin_cm in (rp_cm + _BEYOND_CM, rp_cm + _BEYOND_CM / 2, _TAIL_FROM * r30_cm):
        if np.count_nonzero(x > begin_cm) >= _LEAST_TAIL_POINTS:
            return begin_cm
    return None


def photon_tail(depth_cm: F64, dose: F64, from_cm: float | None) -> tuple[float, float]:
    """Level at depth zero and attenuation (1/cm) of the exponential through the tail beyond a depth; zeros if none."""
    tail = (depth_cm > (math.inf if from_cm is None else from_cm)) & (dose > 0)
    if np.count_nonzero(tail) < _LEAST_TAIL_POINTS:
        return 0.0, 0.05
    slope, level = np.polyfit(depth_cm[tail], np.log(dose[tail]), 1, w=dose[tail])
    attenuation = min(max(-float(slope), 0.0), 0.3)
    mean = float(np.mean(dose[tail] * np.exp(attenuation * depth_cm[tail])))
    return (math.exp(float(level)) if attenuation == -float(slope) else mean), attenuation


def noise_sigma(depth_cm: ArrayLike, dose: ArrayLike) -> float:
    """Standard deviation of independent noise in a curve, in the unit of dose.

    Each point against the straight line through its neighbours (Gasser, Sroka and Jennen-Steinmetz, Biometrika 73
    (1986) 625), the median of the absolute values taken for the root mean square, so that the bends do not count.
    """
    x, y = checked_curve(depth_cm, dose)
    after = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    misses = (1 - after) * y[:-2] + after * y[2:] - y[1:-1]
    return float(1.4826 * np.median(np.abs(misses) / np.sqrt((1 - after) ** 2 + after**2 + 1)))


def smooth_curve(depth_cm: F64, dose: F64, sigma: F64, *, range_cm: float, grid_cm: F64) -> F64:
    """The smoothest curve on a fine grid that passes through the points within their noise.

    Minimises Σ ((s(z_i) − d_i)/σ_i)² + λ ∫ (d³s/du³)² du with u = z/Rp, λ = 1e-7/median(σ)²: third differences, so that
    the bend at the maximum and the fall-off are left alone (Whittaker–Henderson smoothing in relative depth; λ does
    not depend on energy or on the spacing of the points). Over the first millimetres dose builds up by knocked-on
    electrons, at every energy over the same depth: there λ falls to a thousandth, so as not to smooth it away.

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
    bend = (grid_cm[1:-2] - grid_cm[0]) / _SURFACE_CM
    stiffness = diags(_SURFACE_STIFFNESS + (1.0 - _SURFACE_STIFFNESS) * (1.0 - np.exp(-bend)) ** _SURFACE_ORDER)
    typical = float(np.median(sigma[dose > 0.3 * dose.max()]))
    strength = _SMOOTHNESS / typical**2 / step_u**5
    weights = diags(1.0 / np.maximum(sigma, 0.3 * typical) ** 2)
    matrix = (pick.T @ weights @ pick + strength * (third.T @ stiffness @ third)).tocsc()
    return np.asarray(spsolve(matrix, pick.T @ (weights @ dose)))
