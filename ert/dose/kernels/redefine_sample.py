"""Mean tissue along each step of each pixel of the fan."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.sampling import is_in_volume

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.int64]
Point = tuple[float, float, float]
_FACES, _CUT, _END, _LENGTH, _PLACE = np.uint64(6), np.uint64(7), np.uint64(8), np.uint64(9), np.uint64(10)
_RAY_ROWS = 11
"""Rows of what is known of the rays of a row of pixels: x, y, z and their rises, then those named here."""
_MANY = 3.0
Planes = tuple[float, float, float, float]
"""Distances of both planes from the virtual source, then their heights above the isocentre."""

METAL_G_CM3 = 7.0
"""Density from which a voxel is a shield that ends electrons (lead, tungsten, brass, low-melting alloy)."""
_AIR = 0.0012
_LEAST_PART = 1e-9
_BESIDE_FACE = 1e-6
"""So near to a face, in voxels, a coordinate may count as on it: much more than rounding and `_LEAST_PART` make."""


@njit(cache=True, nogil=True, inline="always")
def _next_face(start: float, slope: float, part: float, nearest: float) -> float:
    """Where, as part of the step, a coordinate next crosses a voxel's face; `nearest` if that is later.

    Needs numpy's error model: a coordinate that stays where it is divides by zero, and finds nothing.
    """
    at = start + part * slope
    face = np.floor(at + 0.5 + _LEAST_PART) + 0.5 if slope > 0.0 else np.ceil(at - 0.5 - _LEAST_PART) - 0.5
    found = (face - start) / slope
    is_next = (abs(slope) >= _LEAST_PART) & (part + _LEAST_PART < found) & (found < nearest)
    return found if is_next else nearest


@njit(cache=True, nogil=True, inline="always")
def _may_cross(start: float, slope: float) -> bool:
    """False if a coordinate stays well within one voxel all the step, so that it has no face to look for."""
    end = start + slope
    low, high = (start, end) if slope > 0.0 else (end, start)
    return bool(np.floor(low + 0.5 - _BESIDE_FACE) != np.floor(high + 0.5 + _BESIDE_FACE))


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


@njit(cache=True, nogil=True, error_model="numpy")
def _aim(
    to_index: Float, offset: Float, x_cm: Float, first: int, count: np.uint64, aside: float, virtual_cm: float,
    ty: float, planes: Planes, rays: Float,
) -> None:  # fmt: skip
    """Voxel index where so many rays of a row begin, what it rises by, how many axes may meet a face, and the last one.

    Loops without branches and without a read at a computed place become vector instructions. rays : flat
    [`_RAY_ROWS`, `count`]; x, y, z, their rises, faces, the coordinate that may meet one and its rise are filled.
    """
    near, far, z0, z1 = planes
    faces, one, two = _FACES * count, _CUT * count, _END * count
    for m in range(count):
        rays[faces + m] = rays[one + m] = rays[two + m] = 0.0
    for c in range(3):
        at, up, o, a = np.uint64(c) * count, np.uint64(c + 3) * count, offset[c], to_index[c, 0]
        by0, by1 = to_index[c, 1] * (ty * near), to_index[c, 1] * (ty * far)
        bz0, bz1 = to_index[c, 2] * z0, to_index[c, 2] * z1
        for m in range(count):
            tx = x_cm[np.uint64(first) + m] / virtual_cm + aside
            start = o + a * (tx * near) + by0 + bz0
            slope = (o + a * (tx * far) + by1 + bz1) - start
            has_face = _may_cross(start, slope)
            rays[at + m], rays[up + m] = start, slope
            rays[faces + m] += 1.0 if has_face else 0.0
            rays[one + m] = start if has_face else rays[one + m]
            rays[two + m] = slope if has_face else rays[two + m]


@njit(cache=True, nogil=True, error_model="numpy")
def _cut(count: np.uint64, rays: Float) -> None:
    """Cut rays on which one axis, or none, may meet a face, into two parts at the most: where each of them ends.

    What would be in three parts counts as having more than one such axis.
    """
    faces, one, two = _FACES * count, _CUT * count, _END * count
    for m in range(count):
        start, slope = rays[one + m], rays[two + m]
        cut = _next_face(start, slope, 0.0, 1.0)
        end = _next_face(start, slope, cut, 1.0)
        is_whole = (cut >= 1.0 - _LEAST_PART) | (end >= 1.0 - _LEAST_PART)
        rays[faces + m] = rays[faces + m] if is_whole else _MANY
        rays[one + m], rays[two + m] = cut, end


@njit(cache=True, nogil=True, error_model="numpy")
def _find_parts(count: np.uint64, shape: tuple[int, int, int], is_second: bool, rays: Float) -> None:
    """Length (0 for none) and place in the volume (−1 outside) of one part of rays that are cut into two."""
    end_x, end_y, end_z = shape[2] - 0.5, shape[1] - 0.5, shape[0] - 0.5
    line, plane = np.int32(shape[2]), np.int32(shape[1] * shape[2])
    for m in range(count):
        cut, end = rays[_CUT * count + m], rays[_END * count + m]
        is_cut, is_simple = cut < 1.0 - _LEAST_PART, rays[_FACES * count + m] < 2.0
        length = (end - cut if is_cut else 0.0) if is_second else cut
        middle = 0.5 * (cut + end) if is_second else 0.5 * cut
        x = rays[m] + middle * rays[np.uint64(3) * count + m]
        y = rays[count + m] + middle * rays[np.uint64(4) * count + m]
        z = rays[np.uint64(2) * count + m] + middle * rays[np.uint64(5) * count + m]
        is_inside = (x >= -0.5) & (x < end_x) & (y >= -0.5) & (y < end_y) & (z >= -0.5) & (z < end_z)
        row = np.int32(np.int32(z + 0.5) * plane) + np.int32(np.int32(y + 0.5) * line)
        place = np.int32(np.int32(row) + np.int32(x + 0.5))
        rays[_LENGTH * count + m] = length if is_simple else 0.0
        rays[_PLACE * count + m] = float(place) if is_inside else -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _add_parts(
    stopping: Float32, scattering: Float32, density: Float32, count: np.uint64, rays: Float, sums: Float
) -> None:  # fmt: skip
    """Add one part of the ray of each pixel to its sums, flat [3, `count`]; volumes flat, rays : of `_find_parts`."""
    for m in range(count):
        length, place = rays[_LENGTH * count + m], np.int32(rays[_PLACE * count + m])
        if length <= 0.0:
            continue
        if place < 0:
            by_stopping = by_scattering = _AIR
        elif density[np.uint32(place)] <= METAL_G_CM3:
            by_stopping, by_scattering = float(stopping[np.uint32(place)]), float(scattering[np.uint32(place)])
        else:
            continue
        sums[m] += by_stopping * length
        sums[count + m] += by_scattering * length
        sums[np.uint64(2) * count + m] += length


@njit(cache=True, nogil=True, error_model="numpy")
def _add_rest(
    stopping: Float32, scattering: Float32, density: Float32, count: np.uint64, rays: Float, sums: Float
) -> None:  # fmt: skip
    """Add the rays on which more than one axis may meet a face."""
    one, two, three, four, five = count, count + count, np.uint64(3) * count, np.uint64(4) * count, np.uint64(5) * count
    for m in range(count):
        if rays[_FACES * count + m] > 1.0:
            begin, slope = (rays[m], rays[one + m], rays[two + m]), (rays[three + m], rays[four + m], rays[five + m])
            met = sums[m], sums[one + m], sums[two + m]
            sums[m], sums[one + m], sums[two + m] = _add_ray(stopping, scattering, density, begin, slope, met)


@njit(cache=True, nogil=True)
def _sample_row(
    stopping: Float32, scattering: Float32, density: Float32, to_index: Float, offset: Float, x_cm: Float, first: int,
    quarter: float, y_cm: float, virtual_cm: float, planes: Planes, rays: Float, sums: Float,
) -> None:  # fmt: skip
    """Add the four rays of each pixel of a row to its sums, flat [3, pixel]; quarter : of a pixel, as a slope."""
    count = np.uint64(sums.shape[0] // 3)
    flat_stopping, flat_scattering, flat_density = stopping.ravel(), scattering.ravel(), density.ravel()
    for q in range(4):
        aside, ty = quarter if q & 1 else -quarter, y_cm / virtual_cm + (quarter if q & 2 else -quarter)
        _aim(to_index, offset, x_cm, first, count, aside, virtual_cm, ty, planes, rays)
        _cut(count, rays)
        for is_second in (False, True):
            _find_parts(count, stopping.shape, is_second, rays)
            _add_parts(flat_stopping, flat_scattering, flat_density, count, rays, sums)
        _add_rest(stopping, scattering, density, count, rays, sums)


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
    planes = (near_cm - shift, far_cm - shift, sad_cm - near_cm, sad_cm - far_cm)
    count = np.uint64(max(reach[3] - reach[2], 0))
    for j in prange(reach[0], reach[1]):
        rays, sums = np.empty(_RAY_ROWS * int(count)), np.zeros(3 * int(count))
        _sample_row(
            stopping, scattering, density, to_index, offset, x_cm, reach[2], 0.25 * side, y_cm[j], virtual_cm, planes,
            rays, sums,
        )  # fmt: skip
        for m in range(count):
            i, open_part = reach[2] + int(m), sums[np.uint64(2) * count + m]
            part = max(open_part, _LEAST_PART)
            out[0, j, i], out[1, j, i], out[2, j, i] = sums[m] / part, sums[count + m] / part, 0.25 * open_part
