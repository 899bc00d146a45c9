"""Gamma index of two doses (Low et al, Med Phys 25 (1998) 656).

gamma(r) = min over r' of sqrt( |r' - r|² / distance² + (D_evaluated(r') - D_reference(r))² / dose² ), passed if <= 1.

The minimum is over every place r', not over samples: between its grid points the evaluated dose is taken as linear on
tetrahedra. Nothing lies beyond the evaluated grid's outermost points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from ert.geometry.kernels.gamma import gamma_field

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
MAX_GAMMA_RATIO = 3.0


def gamma_index(
    reference: ArrayLike,
    reference_axes_cm: Sequence[ArrayLike],
    evaluated: ArrayLike,
    evaluated_axes_cm: Sequence[ArrayLike],
    *,
    dose_pct: float,
    distance_cm: float,
    threshold_pct: float = 10.0,
    is_local: bool = False,
    normalisation_gy: float | None = None,
    max_gamma_ratio: float = MAX_GAMMA_RATIO,
) -> F32:
    """Gamma at every reference point.

    Parameters
    ----------
    reference, evaluated : dose arrays of one, two or three dimensions, last axis fastest, in the same unit.
    reference_axes_cm, evaluated_axes_cm : one rising array of positions for each dimension, in the arrays' order.
    dose_pct : dose criterion in percent of `normalisation_gy` (global) or of the reference dose at the point (local).
    distance_cm : distance criterion.
    threshold_pct : points with a reference dose below this percentage of the normalisation are left out (NaN).
    normalisation_gy : the largest reference dose if not given.
    max_gamma_ratio : larger values are reported as this, which also bounds the search.

    Returns
    -------
    float32, shape of reference.

    Raises
    ------
    Refused
        If shapes and axes do not fit, a criterion is not positive, or there is no dose.
    """
    if min(dose_pct, distance_cm, max_gamma_ratio) <= 0:
        raise Refused("Gamma criteria must be above zero.")
    ref, ref_axes = _three_dimensional(reference, reference_axes_cm, "reference")
    values, axes = _three_dimensional(evaluated, evaluated_axes_cm, "evaluated")
    if np.asarray(reference).ndim != np.asarray(evaluated).ndim:
        raise Refused("Two doses to be compared must have the same number of dimensions.")
    full_gy = float(ref.max()) if normalisation_gy is None else float(normalisation_gy)
    if full_gy <= 0:
        raise Refused("The reference dose is nowhere above zero; there is nothing to compare.")
    scale = _scale(ref, full_gy, dose_pct / 100.0, threshold_pct / 100.0, is_local=is_local)
    values, axes = _thicken(values, axes, ref_axes, distance_cm)
    gamma: F32 = gamma_field(
        ref,
        (ref_axes[0] / distance_cm, ref_axes[1] / distance_cm, ref_axes[2] / distance_cm),
        values,
        (axes[0] / distance_cm, axes[1] / distance_cm, axes[2] / distance_cm),
        scale,
        float(max_gamma_ratio),
    )
    return gamma.reshape(np.asarray(reference).shape)


def _scale(ref: F64, full_gy: float, dose_frac: float, threshold_frac: float, *, is_local: bool) -> F64:
    """One over the dose criterion at every reference point; 0 where it is not compared."""
    is_compared = ref >= full_gy * threshold_frac
    if not is_local:
        return np.where(is_compared, 1.0 / (dose_frac * full_gy), 0.0)
    return np.where(is_compared & (ref > 0), 1.0 / (dose_frac * np.where(ref > 0, ref, 1.0)), 0.0)


def gamma_of_grids(
    reference: NDArray[Any],
    reference_grid: VoxelGrid,
    evaluated: NDArray[Any],
    evaluated_grid: VoxelGrid,
    **criteria: Any,  # noqa: ANN401
) -> F32:
    """Gamma of two voxel doses [z, y, x] on grids with the same directions; criteria as `gamma_index`.

    Raises
    ------
    Refused
        If the grids' axes point in different directions.
    """
    if not np.allclose(reference_grid.axes, evaluated_grid.axes, atol=1e-6):
        raise Refused("The two dose grids point in different directions; resample one of them first.")
    return gamma_index(reference, _grid_axes(reference_grid), evaluated, _grid_axes(evaluated_grid), **criteria)


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
    if array.size == 0 or not np.all(np.isfinite(array)) or any(np.any(np.diff(a) <= 0) for a in axes):
        raise Refused(f"The {which} dose needs finite values at rising positions.")
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
        if not np.allclose(ref_axes[n], axis[0], atol=1e-6):
            raise Refused("A dose of one plane can only be compared on that plane.")
        grown[n] = np.array([axis[0] - distance_cm, axis[0] + distance_cm])
        values = np.repeat(values, 2, axis=n)
    return np.ascontiguousarray(values), grown
