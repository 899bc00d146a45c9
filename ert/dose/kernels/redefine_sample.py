"""Mean tissue along each step of each pixel of the fan."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.sampling import is_in_volume

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.int64]
Point = tuple[float, float, float]

METAL_G_CM3 = 7.0
"""Density from which a voxel is a shield that ends electrons (lead, tungsten, brass, low-melting alloy)."""
_AIR = 0.0012
_LEAST_PART = 1e-9
_BESIDE_FACE = 1e-6
"""So near to a face, in voxels, a coordinate may count as on it: much more than rounding and `_LEAST_PART` make."""


@njit(cache=True, nogil=True, inline="always")
def _next_face(start: float, slope: float, part: float, nearest: float) -> float:
    """Where, as part of the step, a coordinate next crosses a voxel's face; `nearest` if that is later."""
    if abs(slope) < _LEAST_PART:
        return nearest
    at = start + part * slope
    face = math.floor(at + 0.5 + _LEAST_PART) + 0.5 if slope > 0.0 else math.ceil(at - 0.5 - _LEAST_PART) - 0.5
    found = (face - start) / slope
    return found if part + _LEAST_PART < found < nearest else nearest


@njit(cache=True, nogil=True, inline="always")
def _may_cross(start: float, slope: float) -> bool:
    """False if a coordinate stays well within one voxel all the step, so that it has no face to look for."""
    end = start + slope
    low, high = min(start, end), max(start, end)
    return bool(math.floor(low + 0.5 - _BESIDE_FACE) != math.floor(high + 0.5 + _BESIDE_FACE))


@njit(cache=True, nogil=True, error_model="numpy")
def _add_ray(
    stopping: Float32, scattering: Float32, density: Float32, begin: Point, slope: Point, sums: Point
) -> Point:  # fmt: skip
    """Stopping and scattering × length and length outside metal along one ray, cut exactly at voxel faces, added."""
    x, y, z = begin
    sx, sy, sz = slope
    by_stopping, by_scattering, outside_metal = sums
    has_x, has_y, has_z = _may_cross(x, sx), _may_cross(y, sy), _may_cross(z, sz)
    part = 0.0
    while part < 1.0 - _LEAST_PART:
        end = 1.0
        if has_x:
            end = _next_face(x, sx, part, end)
        if has_y:
            end = _next_face(y, sy, part, end)
        if has_z:
            end = _next_face(z, sz, part, end)
        middle, length = 0.5 * (part + end), end - part
        part = end
        fx, fy, fz = x + middle * sx, y + middle * sy, z + middle * sz
        if not is_in_volume(stopping.shape, fx, fy, fz):
            by_stopping += _AIR * length
            by_scattering += _AIR * length
            outside_metal += length
            continue
        # Unsigned, so that no index is checked for counting from the end.
        i, j, k = np.uint32(int(fx + 0.5)), np.uint32(int(fy + 0.5)), np.uint32(int(fz + 0.5))
        if density[k, j, i] <= METAL_G_CM3:
            by_stopping += float(stopping[k, j, i]) * length
            by_scattering += float(scattering[k, j, i]) * length
            outside_metal += length
    return by_stopping, by_scattering, outside_metal


@njit(cache=True, nogil=True, inline="always")
def _index(to_index: Float, offset: Float, c: int, x: float, y: float, z: float) -> float:
    return float(offset[c] + to_index[c, 0] * x + to_index[c, 1] * y + to_index[c, 2] * z)


@njit(cache=True, nogil=True, inline="always")
def _point(to_index: Float, offset: Float, x: float, y: float, z: float) -> Point:
    """Voxel index (x, y, z) of a point in beam's eye view."""
    return (
        _index(to_index, offset, 0, x, y, z), _index(to_index, offset, 1, x, y, z), _index(to_index, offset, 2, x, y, z)
    )  # fmt: skip


@njit(cache=True, nogil=True, parallel=True)
def sample_step(
    stopping: Float32, scattering: Float32, density: Float32, to_index: Float, offset: Float, x_cm: Float, y_cm: Float,
    near_cm: float, far_cm: float, reach: Integer, sad_cm: float, virtual_cm: float, out: Float32,
) -> None:  # fmt: skip
    """Relative stopping and scattering power and open part, averaged over the step of each pixel.

    Four fan lines through the quarters of the pixel, each cut exactly at the faces of the voxels it crosses; outside
    the volume is air.

    Parameters
    ----------
    stopping, scattering, density : float32 [z, y, x]; to_index, offset : voxel index = to_index @ bev_cm + offset.
    x_cm, y_cm : centres of the fan's columns and rows on the isocentre plane, seen from the virtual source.
    near_cm, far_cm : the two planes, from the nominal source.
    reach : first and one past the last row and column wanted.
    out : float32 [3, y, x], written within `reach`.
    """
    side, shift = (x_cm[1] - x_cm[0]) / virtual_cm, sad_cm - virtual_cm
    z0, z1 = sad_cm - near_cm, sad_cm - far_cm
    near, far = near_cm - shift, far_cm - shift
    for j in prange(reach[0], reach[1]):
        for i in range(reach[2], reach[3]):
            sums = (0.0, 0.0, 0.0)
            for q in range(4):
                tx = x_cm[i] / virtual_cm + (0.25 if q & 1 else -0.25) * side
                ty = y_cm[j] / virtual_cm + (0.25 if q & 2 else -0.25) * side
                begin = _point(to_index, offset, tx * near, ty * near, z0)
                end = _point(to_index, offset, tx * far, ty * far, z1)
                slope = (end[0] - begin[0], end[1] - begin[1], end[2] - begin[2])
                sums = _add_ray(stopping, scattering, density, begin, slope, sums)
            part = max(sums[2], _LEAST_PART)
            out[0, j, i], out[1, j, i], out[2, j, i] = sums[0] / part, sums[1] / part, 0.25 * sums[2]
