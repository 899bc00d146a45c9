"""Exact lengths of rays through voxels (Amanatides and Woo 1987)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
NOT_HIT = -1.0


@njit(cache=True, nogil=True)
def _enter(start: F64, step: F64, shape: tuple[int, int, int]) -> tuple[float, float]:
    """Range of the ray parameter within the voxels' outer faces; first > last if it misses."""
    first, last = 0.0, 1e30
    for a in range(3):
        low, high = -0.5 - start[a], shape[2 - a] - 0.5 - start[a]
        if step[a] == 0.0:
            if low > 0.0 or high < 0.0:
                return 1.0, 0.0
            continue
        first = max(first, min(low / step[a], high / step[a]))
        last = min(last, max(low / step[a], high / step[a]))
    return first, last


@njit(cache=True, nogil=True)
def _depth_of_last(values: F32, mask: NDArray[np.bool_], start: F64, step: F64) -> float:
    """Σ value x length from the grid's face to where the ray last leaves the mask; NOT_HIT if it never meets it."""
    nz, ny, nx = values.shape
    t, last = _enter(start, step, (nz, ny, nx))
    if t >= last:
        return NOT_HIT
    voxel = np.empty(3, dtype=np.int64)
    sign = np.empty(3, dtype=np.int64)
    ahead = np.empty(3)
    size = (nx, ny, nz)
    for a in range(3):
        at = start[a] + (t + 1e-9) * step[a]
        voxel[a] = min(max(int(math.floor(at + 0.5)), 0), size[a] - 1)
        sign[a] = 1 if step[a] > 0.0 else -1
        ahead[a] = 1e30
        if step[a] != 0.0:
            ahead[a] = (voxel[a] + 0.5 * sign[a] - start[a]) / step[a]
    total = 0.0
    found = NOT_HIT
    while True:
        a = 0 if ahead[0] <= ahead[1] and ahead[0] <= ahead[2] else (1 if ahead[1] <= ahead[2] else 2)
        leave = min(ahead[a], last)
        i, j, k = voxel[0], voxel[1], voxel[2]
        if leave > t:
            total += (leave - t) * values[k, j, i]
            t = leave
        if mask[k, j, i]:
            found = total
        voxel[a] += sign[a]
        if t >= last or voxel[a] < 0 or voxel[a] >= size[a]:
            return found
        ahead[a] += 1.0 / abs(step[a])


@njit(cache=True, nogil=True)
def distal_depths(values: F32, mask: NDArray[np.bool_], start: F64, steps: F64) -> F64:
    """Path integral of values [z, y, x] up to the far side of a mask, for rays from one point.

    Parameters
    ----------
    start : (3,) index position x, y, z of the source.
    steps : (n, 3) index positions gained per unit length along each ray.

    Returns
    -------
    (n,) integrals, NOT_HIT where a ray does not meet the mask.
    """
    out = np.empty(steps.shape[0])
    for n in range(steps.shape[0]):
        out[n] = _depth_of_last(values, mask, start, steps[n])
    return out


@njit(cache=True, nogil=True)
def nearest_distances(points: F64, others: F64) -> F64:
    """Distance (n,) of each point (n, 3) to the nearest of the others (m, 3)."""
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        least = 1e30
        for m in range(others.shape[0]):
            dx = points[n, 0] - others[m, 0]
            dy = points[n, 1] - others[m, 1]
            dz = points[n, 2] - others[m, 2]
            least = min(least, dx * dx + dy * dy + dz * dz)
        out[n] = math.sqrt(least)
    return out
