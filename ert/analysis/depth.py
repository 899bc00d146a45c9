"""Depth doses and profiles in one dimension: ranges, penumbra, flatness, symmetry.

Definitions: R90, R80, R50 are depths beyond the maximum (linear interpolation); the practical range is where the
tangent of the fall-off (straight line through 70 … 30 %) meets the line through the photon tail (ICRU 35, 1984).
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.errors import Refused

F64 = NDArray[np.float64]
_TAIL_FROM_CM, _TAIL_TO_CM = 2.0, 6.0
_FALL_FRAC = (0.7, 0.3)
SURFACE_DEPTH_CM = 0.05


@attrs.frozen(kw_only=True)
class DepthQuantities:
    """What a percentage depth dose says; depths in cm, doses as a fraction of the maximum."""

    depth_of_maximum_cm: float
    r90_cm: float
    r80_cm: float
    r50_cm: float
    rp_cm: float
    surface_frac: float
    tail_frac: float


@attrs.frozen(kw_only=True)
class ProfileQuantities:
    """What a cross profile says; normalised to its value at the centre.

    Attributes
    ----------
    width_cm, centre_cm : full width at half of the central value, and its middle.
    penumbra_80_20_cm, penumbra_90_10_cm : (left, right) distances.
    flatness_pct : 100 (max - min) / (max + min) within the 90 % width less 1 cm on each side.
    symmetry_pct : largest |D(x) - D(-x)| there, percent of the central value.
    """

    width_cm: float
    centre_cm: float
    penumbra_80_20_cm: tuple[float, float]
    penumbra_90_10_cm: tuple[float, float]
    flatness_pct: float
    symmetry_pct: float


def _curve(position: ArrayLike, value: ArrayLike) -> tuple[F64, F64]:
    x, y = np.asarray(position, dtype=np.float64), np.asarray(value, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 5 or np.any(np.diff(x) <= 0) or not np.all(np.isfinite(y)):
        raise Refused("A curve needs at least five finite values at rising positions.")
    if y.max() <= 0:
        raise Refused("A curve has no dose.")
    return x, y


def last_crossing_cm(position_cm: ArrayLike, value: ArrayLike, level: float) -> float | None:
    """Position where a curve last falls through a level, linear between its points; None if it never does."""
    x, y = np.asarray(position_cm, dtype=np.float64), np.asarray(value, dtype=np.float64)
    above = np.flatnonzero(y >= level)
    if len(above) == 0 or above[-1] + 1 == len(y):
        return None
    n = int(above[-1])
    return float(x[n] + (y[n] - level) / (y[n] - y[n + 1]) * (x[n + 1] - x[n]))


def depth_quantities(depth_cm: ArrayLike, dose: ArrayLike) -> DepthQuantities:
    """Ranges of a depth dose in water.

    Parameters
    ----------
    depth_cm : (n,) rising, from the surface (or the first point taken) to at least 1 cm beyond the practical range.
    dose : (n,) in any unit.

    Raises
    ------
    Refused
        If the curve does not fall below 30 % or ends before the bremsstrahlung tail.
    """
    x, y = _curve(depth_cm, dose)
    y = y / y.max()
    ranges = [last_crossing_cm(x, y, level) for level in (0.9, 0.8, 0.5)]
    rp_cm, tail_frac = _practical_range(x, y)
    r90, r80, r50 = (r if r is not None else float("nan") for r in ranges)
    return DepthQuantities(
        depth_of_maximum_cm=float(x[int(np.argmax(y))]),
        r90_cm=r90,
        r80_cm=r80,
        r50_cm=r50,
        rp_cm=rp_cm,
        surface_frac=float(np.interp(SURFACE_DEPTH_CM, x, y)),
        tail_frac=tail_frac,
    )


def _practical_range(x: F64, y: F64) -> tuple[float, float]:
    """Practical range and the level of the tail 2 cm beyond it."""
    high, low = (last_crossing_cm(x, y, level) for level in _FALL_FRAC)
    if high is None or low is None:
        raise Refused("The depth dose does not fall below 30 %: there is no practical range.")
    at = np.linspace(high, low, 9)
    slope, height = np.polyfit(at, np.interp(at, x, y), 1)
    rp_cm = float(-height / slope)
    tail = np.array([0.0, 0.0])
    for _ in range(3):  # the tail's window depends on the range
        window = (x >= rp_cm + _TAIL_FROM_CM) & (x <= rp_cm + _TAIL_TO_CM)
        if np.count_nonzero(window) < 2:
            window = x >= rp_cm + _TAIL_FROM_CM / 2
        if np.count_nonzero(window) < 2:
            raise Refused(
                "The depth dose ends before the bremsstrahlung tail: measure 2 cm beyond the practical range."
            )
        tail = np.polyfit(x[window], y[window], 1)
        rp_cm = float((tail[1] - height) / (slope - tail[0]))
    return rp_cm, float(np.polyval(tail, rp_cm + _TAIL_FROM_CM))


def profile_quantities(position_cm: ArrayLike, dose: ArrayLike) -> ProfileQuantities:
    """Width, penumbra, flatness and symmetry of a cross profile through the central axis at position 0.

    Raises
    ------
    Refused
        If the profile does not reach from the centre to below 10 % on both sides.
    """
    x, y = _curve(position_cm, dose)
    centre = float(np.interp(0.0, x, y))
    if not x[0] < 0 < x[-1] or centre <= 0:
        raise Refused("A profile must reach over the central axis, with dose there.")
    y = y / centre
    edges = {level: _both_sides(x, y, level) for level in (0.9, 0.8, 0.5, 0.2, 0.1)}
    left, right = edges[0.5]
    flat = (x >= edges[0.9][0] + 1.0) & (x <= edges[0.9][1] - 1.0)
    flatness, symmetry = float("nan"), float("nan")
    if np.count_nonzero(flat) >= 2:
        values = y[flat]
        flatness = float(100 * (values.max() - values.min()) / (values.max() + values.min()))
        mirrored = np.interp((left + right) - x[flat], x, y)
        symmetry = float(100 * np.abs(values - mirrored).max())
    return ProfileQuantities(
        width_cm=right - left,
        centre_cm=(left + right) / 2,
        penumbra_80_20_cm=(edges[0.8][0] - edges[0.2][0], edges[0.2][1] - edges[0.8][1]),
        penumbra_90_10_cm=(edges[0.9][0] - edges[0.1][0], edges[0.1][1] - edges[0.9][1]),
        flatness_pct=flatness,
        symmetry_pct=symmetry,
    )


def _both_sides(x: F64, y: F64, level: float) -> tuple[float, float]:
    right = last_crossing_cm(x, y, level)
    left = last_crossing_cm(-x[::-1], y[::-1], level)
    if left is None or right is None:
        raise Refused(f"The profile does not fall below {100 * level:.0f} % on both sides.")
    return -left, right
