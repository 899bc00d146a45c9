"""Rays of a beam that look for dose beyond a water-equivalent depth."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.sampling import is_in_volume, nearest

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.int64]
BIN_CM, BINS = 0.1, 400


@njit(cache=True, nogil=True)
def _aim(
    matrix: Float, offset: Float, tx: float, ty: float, sad_cm: float, near_cm: float, step_cm: float, start: Float,
    step: Float,
) -> None:  # fmt: skip
    """Voxel index (x, y, z) of a ray's point on the first plane, and what it rises by to the next; both filled."""
    for c in range(3):
        slope = matrix[c, 0] * tx + matrix[c, 1] * ty - matrix[c, 2]
        start[c] = offset[c] + near_cm * slope + matrix[c, 2] * sad_cm
        step[c] = step_cm * slope


@njit(cache=True, nogil=True)
def _count_on_ray(
    stopping: Float32, dose: Float32, starts: Float, steps: Float, planes: int, path_cm: float, limit_cm: float,
    least_gy: float, counts: Integer,
) -> None:  # fmt: skip
    """Add the points of one ray beyond the limit with at least a dose to the bins of `beyond`.

    starts, steps : [2, 3], voxel index (x, y, z) in the tissue and on the dose grid of the first point, and per step.
    """
    depth_cm = 0.0
    for n in range(planes):
        fx, fy, fz = starts[0, 0] + n * steps[0, 0], starts[0, 1] + n * steps[0, 1], starts[0, 2] + n * steps[0, 2]
        if not is_in_volume(stopping.shape, fx, fy, fz):
            continue
        half_cm = 0.5 * path_cm * nearest(stopping, fx, fy, fz)
        depth_cm += half_cm
        if depth_cm > limit_cm:
            gx, gy, gz = starts[1, 0] + n * steps[1, 0], starts[1, 1] + n * steps[1, 1], starts[1, 2] + n * steps[1, 2]
            if is_in_volume(dose.shape, gx, gy, gz) and nearest(dose, gx, gy, gz) >= least_gy:
                counts[min(int((depth_cm - limit_cm) / BIN_CM), len(counts) - 1)] += 1
        depth_cm += half_cm


@njit(cache=True, nogil=True)
def _count_on_line(
    stopping: Float32, dose: Float32, to_tissue: Float, tissue_offset: Float, to_dose: Float, dose_offset: Float,
    x_cm: Float, y_cm: float, sad_cm: float, near_cm: float, step_cm: float, planes: int, limit_cm: float,
    least_gy: float, counts: Integer,
) -> None:  # fmt: skip
    """`beyond` for the rays of one line, added to counts."""
    starts, steps = np.empty((2, 3)), np.empty((2, 3))
    for x in x_cm:
        tx, ty = x / sad_cm, y_cm / sad_cm
        _aim(to_tissue, tissue_offset, tx, ty, sad_cm, near_cm, step_cm, starts[0], steps[0])
        _aim(to_dose, dose_offset, tx, ty, sad_cm, near_cm, step_cm, starts[1], steps[1])
        path_cm = step_cm * math.sqrt(1.0 + tx * tx + ty * ty)
        _count_on_ray(stopping, dose, starts, steps, planes, path_cm, limit_cm, least_gy, counts)


@njit(cache=True, nogil=True)
def _no_counts(lines: int) -> Integer:
    return np.zeros((lines, BINS), dtype=np.int64)


@njit(cache=True, nogil=True)
def _sum_lines(counts: Integer) -> Integer:
    """Counts of all lines; here, not in the parallel function: there it would wake all threads once more."""
    total = np.zeros(counts.shape[1], dtype=np.int64)
    for j in range(counts.shape[0]):
        for n in range(counts.shape[1]):
            total[n] += counts[j, n]
    return total


@njit(cache=True, nogil=True, parallel=True)
def beyond(
    stopping: Float32, dose: Float32, to_tissue: Float, tissue_offset: Float, to_dose: Float, dose_offset: Float,
    x_cm: Float, y_cm: Float, sad_cm: float, near_cm: float, step_cm: float, planes: int, limit_cm: float,
    least_gy: float,
) -> Integer:  # fmt: skip
    """Points with at least a dose beyond a water-equivalent depth, on rays from the nominal source.

    Parameters
    ----------
    stopping : float32 [z, y, x] relative linear collision stopping power; dose : float32 [z, y, x] on its own grid.
    to_tissue, tissue_offset, to_dose, dose_offset : voxel index (x, y, z) = to_… @ bev_cm + …_offset.
    x_cm, y_cm : where the rays meet the isocentre plane.
    near_cm, step_cm, planes : planes: distance from the nominal source of the first, between two, how many.
    limit_cm, least_gy : the depth and the dose.

    Returns
    -------
    int64 [BINS]
        How many by their depth beyond the limit, in bins of `BIN_CM`; the last holds the rest.
    """
    counts = _no_counts(y_cm.shape[0])
    for j in prange(y_cm.shape[0]):
        _count_on_line(
            stopping, dose, to_tissue, tissue_offset, to_dose, dose_offset, x_cm, y_cm[j], sad_cm, near_cm, step_cm,
            planes, limit_cm, least_gy, counts[j],
        )  # fmt: skip
    return _sum_lines(counts)
