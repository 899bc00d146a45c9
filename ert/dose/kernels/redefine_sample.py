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

METAL_G_CM3 = 7.0
"""Density from which a voxel is a shield that ends electrons (lead, tungsten, brass, low-melting alloy)."""
_AIR = 0.0012
_LEAST_PART = 1e-9


@njit(cache=True, nogil=True, inline="always")
def _next_face(start: float, slope: float, part: float, nearest: float) -> float:
    """Where, as part of the step, a coordinate next crosses a voxel's face; `nearest` if that is later."""
    if abs(slope) < _LEAST_PART:
        return nearest
    at = start + part * slope
    face = math.floor(at + 0.5 + _LEAST_PART) + 0.5 if slope > 0.0 else math.ceil(at - 0.5 - _LEAST_PART) - 0.5
    found = (face - start) / slope
    return found if part + _LEAST_PART < found < nearest else nearest


@njit(cache=True, nogil=True)
def _add_ray(stopping: Float32, scattering: Float32, density: Float32, begin: Float, slope: Float, sums: Float) -> None:
    """Add stopping and scattering × length and length outside metal along one ray, cut exactly at voxel faces."""
    part = 0.0
    while part < 1.0 - _LEAST_PART:
        end = 1.0
        for c in range(3):
            end = _next_face(begin[c], slope[c], part, end)
        middle, length = 0.5 * (part + end), end - part
        part = end
        fx, fy, fz = begin[0] + middle * slope[0], begin[1] + middle * slope[1], begin[2] + middle * slope[2]
        if not is_in_volume(stopping.shape, fx, fy, fz):
            sums[0] += _AIR * length
            sums[1] += _AIR * length
            sums[2] += length
            continue
        i, j, k = int(math.floor(fx + 0.5)), int(math.floor(fy + 0.5)), int(math.floor(fz + 0.5))
        if density[k, j, i] <= METAL_G_CM3:
            sums[0] += float(stopping[k, j, i]) * length
            sums[1] += float(scattering[k, j, i]) * length
            sums[2] += length


@njit(cache=True, nogil=True, inline="always")
def _index(to_index: Float, offset: Float, x: float, y: float, z: float, out: Float) -> None:
    for c in range(3):
        out[c] = offset[c] + to_index[c, 0] * x + to_index[c, 1] * y + to_index[c, 2] * z


@njit(cache=True, nogil=True, parallel=True)
def sample_step(
    stopping: Float32, scattering: Float32, density: Float32, to_index: Float, offset: Float, x_cm: Float, y_cm: Float,
    near_cm: float, far_cm: float, reach: Integer, sad_cm: float, virtual_cm: float, scratch: Float, out: Float32,
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
    scratch : [y, 3, 3], overwritten; out : float32 [3, y, x], written within `reach`.
    """
    side, shift = (x_cm[1] - x_cm[0]) / virtual_cm, sad_cm - virtual_cm
    for j in prange(reach[0], reach[1]):
        begin, slope, sums = scratch[j, 0], scratch[j, 1], scratch[j, 2]
        for i in range(reach[2], reach[3]):
            sums[:] = 0.0
            for q in range(4):
                tx = x_cm[i] / virtual_cm + (0.25 if q & 1 else -0.25) * side
                ty = y_cm[j] / virtual_cm + (0.25 if q & 2 else -0.25) * side
                _index(to_index, offset, tx * (near_cm - shift), ty * (near_cm - shift), sad_cm - near_cm, begin)
                _index(to_index, offset, tx * (far_cm - shift), ty * (far_cm - shift), sad_cm - far_cm, slope)
                for c in range(3):
                    slope[c] -= begin[c]
                _add_ray(stopping, scattering, density, begin, slope, sums)
            part = max(sums[2], _LEAST_PART)
            out[0, j, i], out[1, j, i], out[2, j, i] = sums[0] / part, sums[1] / part, 0.25 * sums[2]
