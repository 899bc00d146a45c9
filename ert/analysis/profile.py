"""Cross profiles in one dimension: field size, penumbra, flatness and symmetry by stated definitions.

A profile is normalised to its value D0 on the central axis (position 0); its edges are where it crosses 50 % of D0, and
points mirror each other about the middle of these edges. Two parts of a profile count as its plateau:

* **inner 90 %**: from 1 cm inside the one place with 90 % of D0 to 1 cm inside the other (electrons, IEC 60976:2007);
* **central 80 %** of the field size (AAPM TG-45, Nath et al, Med Phys 21 (1994) 1093; accelerator makers' acceptance
  tests). In a field of 20 cm it ends 2 cm inside the edges, where AAPM TG-25 (Khan et al, Med Phys 18 (1991) 73) ends.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.analysis.curve import checked_curve, last_crossing_cm
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from ert.geometry.resample import sample_at

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
_INSIDE_90_CM = 1.0
_CENTRAL_FRAC = 0.8
_LEVELS = (0.9, 0.8, 0.5, 0.2, 0.1)


@attrs.frozen(kw_only=True)
class ProfileQuantities:
    """What a cross profile says; left is the side of lower positions. NaN where a field is too small for a plateau.

    Attributes
    ----------
    width_cm, centre_cm : field size, the full width at half of D0, and its middle.
    penumbra_80_20_cm, penumbra_90_10_cm : (left, right) distances between these percentages of D0.
    edge_to_90_cm : (left, right) distances from the edges inward to 90 % of D0, which IEC 60976 limits for electrons.
    flatness_pct : 100 (max - min) / (max + min), inner 90 %.
    symmetry_pct : largest |D(x) - D(-x)| in percent of D0, inner 90 %.
    iec_flatness_pct : 100 max / D0, inner 90 % (IEC 60976).
    iec_symmetry_pct : 100 times the largest ratio D(x) / D(-x) or its inverse, inner 90 % (IEC 60976).
    central_flatness_pct : 100 (max - min) / (max + min), central 80 % (TG-45).
    central_variation_pct : largest |D(x) - D0| in percent of D0, central 80 % (what TG-25 limits to 5 %, better 3 %).
    central_symmetry_pct : largest |D(x) - D(-x)| in percent of D0, central 80 % ("point difference", Varian).
    area_symmetry_pct : 100 (right - left) / (right + left) of the areas under the profile from the middle to the edges;
        above 0 if there is more on the right ("area").
    """

    width_cm: float
    centre_cm: float
    penumbra_80_20_cm: tuple[float, float]
    penumbra_90_10_cm: tuple[float, float]
    edge_to_90_cm: tuple[float, float]
    flatness_pct: float
    symmetry_pct: float
    iec_flatness_pct: float
    iec_symmetry_pct: float
    central_flatness_pct: float
    central_variation_pct: float
    central_symmetry_pct: float
    area_symmetry_pct: float


@attrs.frozen(kw_only=True)
class _Plateau:
    """A stretch of a profile and its mirror image."""

    value: F64
    mirrored: F64

    @property
    def flatness_pct(self) -> float:
        high, low = float(self.value.max()), float(self.value.min())
        return 100.0 * (high - low) / (high + low)

    @property
    def symmetry_pct(self) -> float:
        return float(100.0 * np.abs(self.value - self.mirrored).max())

    @property
    def ratio_pct(self) -> float:
        ratio = self.value / self.mirrored
        return float(100.0 * np.maximum(ratio, 1 / ratio).max())


def profile_quantities(position_cm: ArrayLike, dose: ArrayLike) -> ProfileQuantities:
    """Width, penumbra, flatness and symmetry of a cross profile through the central axis at position 0.

    Parameters
    ----------
    position_cm : (n,) rising; dose : (n,) in any unit. Taken as linear between the points.

    Raises
    ------
    Refused
        If it is no curve, or does not reach from the centre to below 10 % on both sides.
    """
    x, y = checked_curve(position_cm, dose)
    axis = float(np.interp(0.0, x, y))
    if not x[0] < 0 < x[-1] or axis <= 0:
        raise Refused("A profile must reach over the central axis, with dose there.")
    y = y / axis
    edges = {level: _both_sides(x, y, level) for level in _LEVELS}
    left, right = edges[0.5]
    middle, half = (left + right) / 2, (right - left) / 2
    inner = _plateau(x, y, middle, edges[0.9][0] + _INSIDE_90_CM, edges[0.9][1] - _INSIDE_90_CM)
    central = _plateau(x, y, middle, middle - _CENTRAL_FRAC * half, middle + _CENTRAL_FRAC * half)
    before, after = _area(x, y, left, middle), _area(x, y, middle, right)
    return ProfileQuantities(
        width_cm=right - left,
        centre_cm=middle,
        penumbra_80_20_cm=(edges[0.8][0] - edges[0.2][0], edges[0.2][1] - edges[0.8][1]),
        penumbra_90_10_cm=(edges[0.9][0] - edges[0.1][0], edges[0.1][1] - edges[0.9][1]),
        edge_to_90_cm=(edges[0.9][0] - left, right - edges[0.9][1]),
        flatness_pct=inner.flatness_pct if inner else np.nan,
        symmetry_pct=inner.symmetry_pct if inner else np.nan,
        iec_flatness_pct=float(100.0 * inner.value.max()) if inner else np.nan,
        iec_symmetry_pct=inner.ratio_pct if inner else np.nan,
        central_flatness_pct=central.flatness_pct if central else np.nan,
        central_variation_pct=float(100.0 * np.abs(central.value - 1).max()) if central else np.nan,
        central_symmetry_pct=central.symmetry_pct if central else np.nan,
        area_symmetry_pct=100.0 * (after - before) / (after + before),
    )


def width_and_penumbra_cm(position_cm: ArrayLike, dose: ArrayLike) -> tuple[float, float]:
    """Field size at half of the axis value, and penumbra 80–20 % as the mean of the sides, for curves of any quality.

    Parameters
    ----------
    position_cm : (n,) rising; dose : (n,) in any unit. A profile that begins or ends at the axis counts for both sides.

    Returns
    -------
    width_cm, penumbra_cm : nan where the profile does not fall through the levels (a tail of photons, a short scan).
    """
    x, y = np.asarray(position_cm, dtype=np.float64), np.asarray(dose, dtype=np.float64)
    axis = float(np.interp(0.0, x, y))
    sides = [(x, y)] if x[-1] > 0 else []
    sides += [(-x[::-1], y[::-1])] if x[0] < 0 else []
    if axis <= 0 or not sides:
        return np.nan, np.nan
    places = [[last_crossing_cm(*side, level * axis) for level in (0.5, 0.8, 0.2)] for side in sides]
    found = np.array([[np.nan if p is None else p for p in row] for row in places])
    return 2.0 * float(found[:, 0].mean()), float((found[:, 2] - found[:, 1]).mean())


def dose_along_line(
    dose_gy: NDArray[Any], grid: VoxelGrid, start_cm: ArrayLike, end_cm: ArrayLike, *, step_cm: float = 0.1
) -> tuple[F64, F32]:
    """Dose along a straight line through a voxel dose, trilinear; for `profile_quantities` and `depth_quantities`.

    Parameters
    ----------
    dose_gy : [z, y, x] on the grid.
    start_cm, end_cm : (3,) points in the patient.
    step_cm : largest distance of points; both ends are among them.

    Returns
    -------
    distance_cm : (n,) from the start.
    dose_gy : float32 (n,); NaN beyond the outer faces of the grid.

    Raises
    ------
    Refused
        If the dose does not fit the grid, the line has no length or the step is not above zero.
    """
    if dose_gy.shape != grid.shape_zyx:
        raise Refused(f"A dose array has shape {dose_gy.shape}, its grid {grid.shape_zyx}.")
    first, last = np.asarray(start_cm, dtype=np.float64), np.asarray(end_cm, dtype=np.float64)
    length_cm = float(np.linalg.norm(last - first))
    if not (length_cm > 0 and step_cm > 0):
        raise Refused("A line through a dose needs two different ends and a step above zero.")
    part = np.linspace(0.0, 1.0, int(np.ceil(length_cm / step_cm - 1e-9)) + 1)
    points = first + part[:, None] * (last - first)
    return part * length_cm, sample_at(dose_gy, grid, points, outside=np.nan)


def _plateau(x: F64, y: F64, middle: float, low: float, high: float) -> _Plateau | None:
    """The profile's points between two positions, both ends included; None if there is nothing between."""
    if high <= low:
        return None
    at = np.concatenate([[low], x[(x > low) & (x < high)], [high]])
    mirror = 2 * middle - at
    at = np.unique(np.concatenate([at, mirror[(mirror >= low) & (mirror <= high)]]))
    return _Plateau(value=np.interp(at, x, y), mirrored=np.interp(2 * middle - at, x, y))


def _area(x: F64, y: F64, low: float, high: float) -> float:
    at = np.concatenate([[low], x[(x > low) & (x < high)], [high]])
    return float(np.trapezoid(np.interp(at, x, y), at))


def _both_sides(x: F64, y: F64, level: float) -> tuple[float, float]:
    right = last_crossing_cm(x, y, level)
    left = last_crossing_cm(-x[::-1], y[::-1], level)
    if left is None or right is None:
        raise Refused(f"The profile does not fall below {100 * level:.0f} % on both sides.")
    return -left, right
