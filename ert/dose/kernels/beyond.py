"""Rays of a beam that look for dose beyond a water-equivalent depth: where that is, and how much dose lies there."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.sampling import is_in_volume, nearest

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.int64]
Places = NDArray[np.uint32]
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
def _find_on_ray(
    stopping: Float32, shape: tuple[int, int, int], starts: Float, steps: Float, planes: int, path_cm: float,
    limit_cm: float, found: Places,
) -> None:  # fmt: skip
    """Note the points of one ray beyond the limit that lie on the dose grid.

    starts, steps : [2, 3], voxel index (x, y, z) in the tissue and on the dose grid of the first point, and per step.
    found : of `find_beyond`, but for its count the part of a line.
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
            if is_in_volume(shape, gx, gy, gz):
                at = found[0, 0] + np.uint32(1)
                place = (int(gz + 0.5) * shape[1] + int(gy + 0.5)) * shape[2] + int(gx + 0.5)
                found[0, at], found[1, at] = place, min(int((depth_cm - limit_cm) / BIN_CM), BINS - 1)
                found[0, 0] = at
        depth_cm += half_cm


@njit(cache=True, nogil=True)
def _find_on_line(
    stopping: Float32, shape: tuple[int, int, int], to_tissue: Float, tissue_offset: Float, to_dose: Float,
    dose_offset: Float, x_cm: Float, y_cm: float, sad_cm: float, near_cm: float, step_cm: float, planes: int,
    limit_cm: float, found: Places,
) -> None:  # fmt: skip
    """`find_beyond` for the rays of one line; found : [2, 1 + points], their number, then place and bin of each."""
    starts, steps = np.empty((2, 3)), np.empty((2, 3))
    found[0, 0] = 0
    for x in x_cm:
        tx, ty = x / sad_cm, y_cm / sad_cm
        _aim(to_tissue, tissue_offset, tx, ty, sad_cm, near_cm, step_cm, starts[0], steps[0])
        _aim(to_dose, dose_offset, tx, ty, sad_cm, near_cm, step_cm, starts[1], steps[1])
        path_cm = step_cm * math.sqrt(1.0 + tx * tx + ty * ty)
        _find_on_ray(stopping, shape, starts, steps, planes, path_cm, limit_cm, found)


@njit(cache=True, nogil=True)
def _room(lines: int, points: int) -> Places:
    return np.empty((lines, 2, 1 + points), dtype=np.uint32)


@njit(cache=True, nogil=True)
def _join(found: Places) -> Places:
    """What all lines found; here, not in the parallel function: there it would wake all threads once more."""
    count = 0
    for j in range(found.shape[0]):
        count += int(found[j, 0, 0])
    joined, at = np.empty((2, count), dtype=np.uint32), 0
    for j in range(found.shape[0]):
        for n in range(1, 1 + int(found[j, 0, 0])):
            joined[0, at], joined[1, at] = found[j, 0, n], found[j, 1, n]
            at += 1
    return joined


@njit(cache=True, nogil=True, parallel=True)
def find_beyond(
    stopping: Float32, shape: tuple[int, int, int], to_tissue: Float, tissue_offset: Float, to_dose: Float,
    dose_offset: Float, x_cm: Float, y_cm: Float, sad_cm: float, near_cm: float, step_cm: float, planes: int,
    limit_cm: float,
) -> Places:  # fmt: skip
    """Points beyond a water-equivalent depth, on rays from the nominal source.

    Parameters
    ----------
    stopping : float32 [z, y, x] relative linear collision stopping power; shape : (z, y, x) of the dose grid.
    to_tissue, tissue_offset, to_dose, dose_offset : voxel index (x, y, z) = to_… @ bev_cm + …_offset.
    x_cm, y_cm : where the rays meet the isocentre plane.
    near_cm, step_cm, planes : planes: distance from the nominal source of the first, between two, how many.
    limit_cm : the depth.

    Returns
    -------
    uint32 [2, point]
        Flat index of the nearest voxel of the dose grid, and the bin of `count_beyond`.
    """
    found = _room(y_cm.shape[0], x_cm.shape[0] * planes)
    for j in prange(y_cm.shape[0]):
        _find_on_line(
            stopping, shape, to_tissue, tissue_offset, to_dose, dose_offset, x_cm, y_cm[j], sad_cm, near_cm, step_cm,
            planes, limit_cm, found[j],
        )  # fmt: skip
    return _join(found)


@njit(cache=True, nogil=True)
def count_beyond(dose: Float32, points: Places, least_gy: float) -> Integer:
    """How many of the points of `find_beyond` have at least a dose, by their depth beyond the limit.

    Returns
    -------
    int64 [BINS]
        In bins of `BIN_CM`; the last holds the rest.
    """
    counts, flat = np.zeros(BINS, dtype=np.int64), dose.ravel()
    for n in range(points.shape[1]):
        if flat[points[0, n]] >= least_gy:
            counts[points[1, n]] += 1
    return counts
