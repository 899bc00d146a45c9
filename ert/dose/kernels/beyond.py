"""Rays of a beam that look for dose beyond a water-equivalent depth."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.sampling import is_in_volume, nearest

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]


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
def _deepest_on_ray(
    stopping: Float32, dose: Float32, starts: Float, steps: Float, count: int, path_cm: float, limit_cm: float,
    least_gy: float,
) -> tuple[float, int]:  # fmt: skip
    """Deepest point of one ray beyond the limit with at least a dose, −1 for none; how many such points.

    starts, steps : [2, 3], voxel index (x, y, z) in the tissue and on the dose grid of the first point, and per step.
    """
    depth_cm, deepest_cm, found = 0.0, -1.0, 0
    for n in range(count):
        fx, fy, fz = starts[0, 0] + n * steps[0, 0], starts[0, 1] + n * steps[0, 1], starts[0, 2] + n * steps[0, 2]
        if not is_in_volume(stopping.shape, fx, fy, fz):
            continue
        half_cm = 0.5 * path_cm * nearest(stopping, fx, fy, fz)
        depth_cm += half_cm
        if depth_cm > limit_cm:
            gx, gy, gz = starts[1, 0] + n * steps[1, 0], starts[1, 1] + n * steps[1, 1], starts[1, 2] + n * steps[1, 2]
            if is_in_volume(dose.shape, gx, gy, gz) and nearest(dose, gx, gy, gz) >= least_gy:
                deepest_cm = depth_cm
                found += 1
        depth_cm += half_cm
    return deepest_cm, found


@njit(cache=True, nogil=True)
def deepest_dose(
    stopping: Float32, dose: Float32, to_tissue: Float, tissue_offset: Float, to_dose: Float, dose_offset: Float,
    x_cm: Float, y_cm: Float, sad_cm: float, near_cm: float, step_cm: float, count: int, limit_cm: float,
    least_gy: float,
) -> tuple[float, int]:  # fmt: skip
    """Largest water-equivalent depth beyond a limit with at least a dose, on rays from the nominal source; −1 for none.

    Parameters
    ----------
    stopping : float32 [z, y, x] relative linear collision stopping power; dose : float32 [z, y, x] on its own grid.
    to_tissue, tissue_offset, to_dose, dose_offset : voxel index (x, y, z) = to_… @ bev_cm + …_offset.
    x_cm, y_cm : where the rays meet the isocentre plane.
    near_cm, step_cm, count : planes: distance from the nominal source of the first, between two, how many.
    limit_cm, least_gy : the depth and the dose.

    Returns
    -------
    tuple of float and int
        The depth, and the number of points of all rays with that dose beyond the limit.
    """
    starts, steps = np.empty((2, 3)), np.empty((2, 3))
    deepest_cm, found = -1.0, 0
    for y in y_cm:
        for x in x_cm:
            tx, ty = x / sad_cm, y / sad_cm
            _aim(to_tissue, tissue_offset, tx, ty, sad_cm, near_cm, step_cm, starts[0], steps[0])
            _aim(to_dose, dose_offset, tx, ty, sad_cm, near_cm, step_cm, starts[1], steps[1])
            path_cm = step_cm * math.sqrt(1.0 + tx * tx + ty * ty)
            depth_cm, points = _deepest_on_ray(stopping, dose, starts, steps, count, path_cm, limit_cm, least_gy)
            deepest_cm, found = max(deepest_cm, depth_cm), found + points
    return deepest_cm, found
