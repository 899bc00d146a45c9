"""Gamma index of two doses (Low et al, Med Phys 25 (1998) 656).

gamma(r) = min over r' of sqrt( |r' - r|² / distance² + (D_evaluated(r') - D_reference(r))² / dose² ), passed if <= 1.

* The **reference** dose is asked at its own points; the **evaluated** dose is searched. Exchanging them changes gamma.
* The minimum is over every place r', not over samples: between its grid points the evaluated dose is trilinear (linear,
  bilinear). Nothing lies beyond the evaluated grid's outermost points: a reference point out there is compared with
  what is within reach, and counted in `GammaResult.points_outside`.
* Noise in the evaluated dose lowers gamma (each point finds a place that fits), noise in the reference raises it (Low
  and Dempsey, Med Phys 30 (2003) 2455). `reference_sigma` widens the dose criterion by one standard deviation of the
  reference at each point, for references from Monte Carlo; say so where the figure is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.identity import read_only
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from ert.geometry.kernels.gamma import gamma_field

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
MAX_GAMMA_RATIO = 3.0
_SAME_PLACE_CM = 1e-6


@attrs.frozen(kw_only=True)
class GammaCriteria:
    """What two doses are held to.

    Attributes
    ----------
    dose_pct : dose criterion in percent of `normalisation_gy` (global) or of the reference dose at the point (local).
    distance_cm : distance criterion.
    threshold_pct : points with a reference dose below this percentage of the normalisation are left out (NaN).
    is_local : see `dose_pct`.
    normalisation_gy : the largest reference dose if not given; in the unit of the doses.
    max_gamma_ratio : larger values are reported as this, which also bounds the search: nothing further than
        max_gamma_ratio · distance_cm can matter.
    """

    dose_pct: float
    distance_cm: float
    threshold_pct: float = 10.0
    is_local: bool = False
    normalisation_gy: float | None = None
    max_gamma_ratio: float = MAX_GAMMA_RATIO

    def __attrs_post_init__(self) -> None:
        values = (self.dose_pct, self.distance_cm, self.max_gamma_ratio)
        if not all(np.isfinite(v) and v > 0 for v in values) or not np.isfinite(self.threshold_pct):
            raise Refused("Gamma criteria must be above zero.")


@attrs.frozen(kw_only=True, eq=False)
class GammaResult:
    """Gamma of an evaluated dose at the points of a reference dose.

    Attributes
    ----------
    criteria : as asked for.
    normalisation_gy : what percentages were taken of, in the unit of the doses.
    gamma : float32, shape of the reference, read-only; NaN where nothing was compared, at most max_gamma_ratio.
    points_outside : compared points that lie beyond the evaluated grid's outermost points.
    is_widened : the dose criterion was widened by the reference's own standard deviation.
    """

    criteria: GammaCriteria
    normalisation_gy: float
    gamma: F32 = attrs.field(converter=read_only, repr=False)
    points_outside: int
    is_widened: bool

    @property
    def compared(self) -> F32:
        """Gamma of the compared points, one after the other."""
        return np.asarray(self.gamma[np.isfinite(self.gamma)])

    @property
    def points(self) -> int:
        """Number of compared points."""
        return int(np.count_nonzero(np.isfinite(self.gamma)))

    @property
    def points_at_limit(self) -> int:
        """Compared points whose gamma is the limit of the search or more."""
        return int(np.count_nonzero(self.compared >= np.float32(self.criteria.max_gamma_ratio)))

    @property
    def pass_rate_pct(self) -> float:
        """Percentage of the compared points with gamma at most 1."""
        return pass_rate_pct(self.gamma)

    @property
    def mean_ratio(self) -> float:
        """Mean gamma of the compared points."""
        return float(np.mean(self.compared, dtype=np.float64))

    @property
    def max_ratio(self) -> float:
        """Largest gamma of the compared points."""
        return float(self.compared.max())

    def histogram(self, bins: int = 30) -> tuple[F64, NDArray[np.int64]]:
        """Edges (bins + 1,) from 0 to max_gamma_ratio, and number of compared points (bins,) between them."""
        counts, edges = np.histogram(self.compared, bins=bins, range=(0.0, self.criteria.max_gamma_ratio * (1 + 1e-6)))
        return edges, counts


def compare_doses(
    reference: ArrayLike,
    reference_axes_cm: Sequence[ArrayLike],
    evaluated: ArrayLike,
    evaluated_axes_cm: Sequence[ArrayLike],
    criteria: GammaCriteria,
    *,
    reference_sigma: ArrayLike | None = None,
) -> GammaResult:
    """Gamma at every reference point, with its summary.

    Parameters
    ----------
    reference, evaluated : dose arrays of one, two or three dimensions, last axis fastest, in the same unit.
    reference_axes_cm, evaluated_axes_cm : one rising array of positions for each dimension, in the arrays' order.
    reference_sigma : shape of reference, same unit: its standard deviation, added to the dose criterion point by point.

    Raises
    ------
    Refused
        If shapes and axes do not fit, a dose is negative or no number, there is no dose, or nothing to compare.
    """
    ref, ref_axes = _three_dimensional(reference, reference_axes_cm, "reference")
    values, axes = _three_dimensional(evaluated, evaluated_axes_cm, "evaluated")
    if np.ndim(reference) != np.ndim(evaluated):
        raise Refused("Two doses to be compared must have the same number of dimensions.")
    full_gy = float(ref.max()) if criteria.normalisation_gy is None else float(criteria.normalisation_gy)
    if not full_gy > 0:
        raise Refused("The reference dose is nowhere above zero; there is nothing to compare.")
    scale = _scale(ref, full_gy, criteria, _sigma(reference_sigma, ref))
    if not np.any(scale > 0):
        raise Refused("No point lies above the threshold; there is nothing to compare.")
    points_outside = _count_outside(scale, ref_axes, axes)
    values, axes = _thicken(values, axes, ref_axes, criteria.distance_cm)
    unit_cm = criteria.distance_cm
    gamma: F32 = gamma_field(
        ref,
        (ref_axes[0] / unit_cm, ref_axes[1] / unit_cm, ref_axes[2] / unit_cm),
        values,
        (axes[0] / unit_cm, axes[1] / unit_cm, axes[2] / unit_cm),
        scale,
        float(criteria.max_gamma_ratio),
    )
    return GammaResult(
        criteria=criteria,
        normalisation_gy=full_gy,
        gamma=gamma.reshape(np.shape(reference)),
        points_outside=points_outside,
        is_widened=reference_sigma is not None,
    )


def compare_dose_grids(
    reference: NDArray[Any],
    reference_grid: VoxelGrid,
    evaluated: NDArray[Any],
    evaluated_grid: VoxelGrid,
    criteria: GammaCriteria,
    *,
    reference_sigma: ArrayLike | None = None,
) -> GammaResult:
    """`compare_doses` of two voxel doses [z, y, x] on grids of different spacing but the same directions.

    Raises
    ------
    Refused
        If the grids' axes point in different directions; and as `compare_doses`.
    """
    if not np.allclose(reference_grid.axes, evaluated_grid.axes, atol=1e-6):
        raise Refused("The two dose grids point in different directions; resample one of them first.")
    return compare_doses(
        reference,
        _grid_axes(reference_grid),
        evaluated,
        _grid_axes(evaluated_grid),
        criteria,
        reference_sigma=reference_sigma,
    )


def gamma_index(
    reference: ArrayLike,
    reference_axes_cm: Sequence[ArrayLike],
    evaluated: ArrayLike,
    evaluated_axes_cm: Sequence[ArrayLike],
    **criteria: Any,  # noqa: ANN401
) -> F32:
    """The map alone, float32, shape of reference: `compare_doses` with the fields of `GammaCriteria` as keywords."""
    return compare_doses(reference, reference_axes_cm, evaluated, evaluated_axes_cm, GammaCriteria(**criteria)).gamma


def _sigma(reference_sigma: ArrayLike | None, ref: F64) -> F64 | float:
    if reference_sigma is None:
        return 0.0
    sigma = np.asarray(reference_sigma, dtype=np.float64)
    if sigma.size != ref.size or not np.all(np.isfinite(sigma)) or sigma.min() < 0:
        raise Refused("The reference's standard deviation needs one value, zero or more, for each point.")
    return sigma.reshape(ref.shape)


def _scale(ref: F64, full_gy: float, criteria: GammaCriteria, sigma: F64 | float) -> F64:
    """One over the dose criterion at every reference point; 0 where it is not compared."""
    is_compared = ref >= full_gy * criteria.threshold_pct / 100.0
    criterion = criteria.dose_pct / 100.0 * (ref if criteria.is_local else full_gy) + sigma
    if criteria.is_local:
        is_compared &= ref > 0
    return np.where(is_compared, 1.0 / np.where(is_compared, criterion, 1.0), 0.0)


def _count_outside(scale: F64, ref_axes: list[F64], axes: list[F64]) -> int:
    """Compared points beyond the evaluated grid's outermost ones."""
    z, y, x = (
        (r >= a[0] - _SAME_PLACE_CM) & (r <= a[-1] + _SAME_PLACE_CM) for r, a in zip(ref_axes, axes, strict=True)
    )
    return int(np.count_nonzero(scale)) - int(np.count_nonzero(scale[np.ix_(z, y, x)]))


def gamma_of_grids(
    reference: NDArray[Any],
    reference_grid: VoxelGrid,
    evaluated: NDArray[Any],
    evaluated_grid: VoxelGrid,
    **criteria: Any,  # noqa: ANN401
) -> F32:
    """The map alone of two voxel doses: `compare_dose_grids` with the fields of `GammaCriteria` as keywords."""
    return compare_dose_grids(reference, reference_grid, evaluated, evaluated_grid, GammaCriteria(**criteria)).gamma


def pass_rate_pct(gamma: ArrayLike) -> float:
    """Percentage of the points that were compared with gamma at most 1.

    Raises
    ------
    Refused
        If no point was compared.
    """
    values = np.asarray(gamma)
    compared = np.isfinite(values)
    count = int(np.count_nonzero(compared))
    if count == 0:
        raise Refused("No point lies above the threshold; there is no pass rate.")
    return 100.0 * float(np.count_nonzero(values[compared] <= 1.0)) / count


def _grid_axes(grid: VoxelGrid) -> tuple[F64, F64, F64]:
    """Positions along the grid's own axes in the order z, y, x."""
    origin = np.asarray(grid.axes) @ np.asarray(grid.origin_cm)
    x, y, z = (origin[a] + grid.axis_centres_cm(a) for a in range(3))
    return z, y, x


def _three_dimensional(values: ArrayLike, axes_cm: Sequence[ArrayLike], which: str) -> tuple[F64, list[F64]]:
    """Array and axes with leading dimensions of length 1."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    axes = [np.asarray(a, dtype=np.float64) for a in axes_cm]
    if not 1 <= array.ndim <= 3 or array.shape != tuple(len(a) for a in axes):
        raise Refused(f"The {which} dose has shape {array.shape}, its axes {tuple(len(a) for a in axes)}.")
    if array.size == 0 or not np.all(np.isfinite(array)) or not all(np.all(np.diff(a) > 0) for a in axes):
        raise Refused(f"The {which} dose needs finite values at rising positions.")
    if array.min() < 0:
        raise Refused(f"The {which} dose has negative values.")
    missing = 3 - array.ndim
    return array.reshape((1,) * missing + array.shape), [np.zeros(1)] * missing + axes


def _thicken(values: F64, axes: list[F64], ref_axes: list[F64], distance_cm: float) -> tuple[F64, list[F64]]:
    """Give axes of a single point a second one, so that there are cells; dose does not change along them.

    Raises
    ------
    Refused
        If the two doses lie on different planes.
    """
    grown = list(axes)
    for n, axis in enumerate(axes):
        if len(axis) > 1:
            continue
        if not np.allclose(ref_axes[n], axis[0], atol=_SAME_PLACE_CM):
            raise Refused("A dose of one plane can only be compared on that plane.")
        grown[n] = np.array([axis[0] - distance_cm, axis[0] + distance_cm])
        values = np.repeat(values, 2, axis=n)
    return np.ascontiguousarray(values), grown
