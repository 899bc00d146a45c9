"""From the fan to the dose grid: row by row, first where each voxel lies in the fan, then what the fan says there."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
_AIR_G_CM3 = 0.05


@njit(cache=True, nogil=True, inline="always")
def _is_beside(ends: Float32, j: int, i: int, distance: float) -> bool:
    """True if the ray has no tissue before, or none after, that distance."""
    return bool(ends[0, j, i] < 0.0 or distance < ends[0, j, i] or distance > ends[1, j, i])


@njit(cache=True, nogil=True, inline="always")
def _row(chain: Float, axis: int, j: int, k: int) -> float:
    """Where a row of voxels begins: an affine map without the part of the index along the row."""
    return float(chain[axis, 1] * j + chain[axis, 2] * k + chain[axis, 3])


@njit(cache=True, nogil=True, inline="always")
def _is_inside(i: int, row: Float, lens: Float, fan: Float, voxels: Float) -> bool:
    """True if voxel i of a row lies within the fan's nodes and within the tissue grid.

    row : of `_start_row`; lens : of `_lens`; fan : last node, row and column.
    """
    zb = row[3 + 2] * i + row[2]
    n = (lens[0] - zb - lens[1]) * lens[2]
    scale = lens[4] / (lens[3] - zb)
    u = (row[3] * i + row[0]) * scale - lens[5]
    v = (row[4] * i + row[1]) * scale - lens[6]
    x, y, z = row[9] * i + row[6], row[10] * i + row[7], row[11] * i + row[8]
    is_in_fan = n >= 0.0 and n <= fan[0] and u >= 0.0 and v >= 0.0 and u <= fan[2] and v <= fan[1]
    is_in_tissue = x >= 0.0 and y >= 0.0 and z >= 0.0 and x < voxels[2] and y < voxels[1] and z < voxels[0]
    return bool(is_in_fan and is_in_tissue)


@njit(cache=True, nogil=True, error_model="numpy")
def _range(
    low: int, high: int, begin: int, end: int, row: Float, lens: Float, fan: Float, voxels: Float
) -> tuple[int, int]:
    """First and one past the last voxel of a row inside; what lies inside is convex. begin, end : of the row before."""
    middle = (begin + end) // 2
    if begin < end and _is_inside(middle, row, lens, fan, voxels):
        if _is_inside(begin, row, lens, fan, voxels):
            while begin > low and _is_inside(begin - 1, row, lens, fan, voxels):
                begin -= 1
        else:
            while not _is_inside(begin, row, lens, fan, voxels):
                begin += 1
        if _is_inside(end - 1, row, lens, fan, voxels):
            while end < high and _is_inside(end, row, lens, fan, voxels):
                end += 1
        else:
            while not _is_inside(end - 1, row, lens, fan, voxels):
                end -= 1
        return begin, end
    while low < high and not _is_inside(low, row, lens, fan, voxels):
        low += 1
    while high > low and not _is_inside(high - 1, row, lens, fan, voxels):
        high -= 1
    return low, high


@njit(cache=True, nogil=True, error_model="numpy")
def _place(
    begin: int, row: Float, lens: Float, fan: tuple[int, int, int], cell: NDArray[np.uint32], u: Float, v: Float,
    n: Float,
) -> None:  # fmt: skip
    """Lower corner in the fan, and the parts of a pixel and node beyond it, of the voxels from `begin` on.

    Without a branch and without a read, so that it becomes vectors: reads at computed places keep a loop from that.
    """
    sad, node0, per_spacing, virtual, pitches = lens[0], lens[1], lens[2], lens[3], lens[4]
    to_column, to_row = lens[5], lens[6]
    x0, y0, z0, b0, b1, b2 = row[0], row[1], row[2], row[3], row[4], row[5]
    top_n, top_v, top_u = np.int32(fan[0] - 2), np.int32(fan[1] - 2), np.int32(fan[2] - 2)
    line, plane = np.int32(fan[2]), np.int32(fan[1] * fan[2])
    for m in range(cell.shape[0]):
        i = float(begin + m)
        zb = b2 * i + z0
        scale = pitches / (virtual - zb)
        at_u, at_v = (b0 * i + x0) * scale - to_column, (b1 * i + y0) * scale - to_row
        at_n = (sad - zb - node0) * per_spacing
        iu, iv, jn = min(np.int32(at_u), top_u), min(np.int32(at_v), top_v), min(np.int32(at_n), top_n)
        u[m], v[m], n[m] = at_u - iu, at_v - iv, at_n - jn
        cell[m] = np.uint32(jn * plane + iv * line + iu)


@njit(cache=True, nogil=True, error_model="numpy")
def _bodies(begin: int, row: Float, line: np.int32, slice_: np.int32, body: NDArray[np.uint32]) -> None:
    """Tissue voxels under the voxels from `begin` on."""
    tx, ty, tz, t0, t1, t2 = row[6], row[7], row[8], row[9], row[10], row[11]
    for m in range(body.shape[0]):
        i = float(begin + m)
        x, y, z = np.int32(t0 * i + tx), np.int32(t1 * i + ty), np.int32(t2 * i + tz)
        body[m] = np.uint32(z * slice_ + y * line + x)


@njit(cache=True, nogil=True, error_model="numpy")
def _sample_row(
    flat: Float32, fan: tuple[int, int, int], cell: NDArray[np.uint32], u: Float, v: Float, n: Float, out: Float32
) -> None:
    """Trilinear values of the fan, none below zero."""
    line, plane, one = np.uint32(fan[2]), np.uint32(fan[1] * fan[2]), np.uint32(1)
    for m in range(out.shape[0]):
        a, b, c = np.float32(u[m]), np.float32(v[m]), np.float32(n[m])
        at = cell[m]
        below, deep = np.uint32(at + line), np.uint32(at + plane)
        low = np.uint32(deep + line)
        v00 = flat[at] + a * (flat[at + one] - flat[at])
        v01 = flat[below] + a * (flat[below + one] - flat[below])
        v10 = flat[deep] + a * (flat[deep + one] - flat[deep])
        v11 = flat[low] + a * (flat[low + one] - flat[low])
        v0 = v00 + b * (v01 - v00)
        # Refining (`refine_add`) undershoots beside steep edges by less than 1e-5 of the maximum.
        out[m] = max(v0 + c * (v10 + b * (v11 - v10) - v0), np.float32(0.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _to_medium(value: Float32, body: NDArray[np.uint32], stopping: Float32, density: Float32) -> None:
    """Dose to water × S_r/ρ."""
    for m in range(value.shape[0]):
        value[m] = value[m] * (stopping[body[m]] / density[body[m]])


@njit(cache=True, nogil=True, error_model="numpy")
def _clear_air(
    value: Float32, body: NDArray[np.uint32], density: Float32, ends: Float32, cell: NDArray[np.uint32], u: Float,
    v: Float, begin: int, row: Float, sad: float,
) -> None:  # fmt: skip
    """No dose in air before the first and behind the last tissue of its ray."""
    ny, nx = ends.shape[1], ends.shape[2]
    for m in range(value.shape[0]):
        if density[body[m]] < _AIR_G_CM3:
            distance = sad - (row[5] * (begin + m) + row[2])
            pixel = cell[m] % np.uint32(ny * nx)
            j, i = int(pixel // np.uint32(nx) + v[m] + 0.5), int(pixel % np.uint32(nx) + u[m] + 0.5)
            if _is_beside(ends, j, i, distance):
                value[m] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _is_clear(voxel: int, ends: Float32, row: Float, lens: Float) -> bool:
    """True before the first or behind the last tissue of the nearest ray: one voxel as `_place` and `_clear_air` do."""
    i = float(voxel)
    zb = row[5] * i + row[2]
    scale = lens[4] / (lens[3] - zb)
    at_u, at_v = (row[3] * i + row[0]) * scale - lens[5], (row[4] * i + row[1]) * scale - lens[6]
    iu, iv = min(int(at_u), ends.shape[2] - 2), min(int(at_v), ends.shape[1] - 2)
    return bool(_is_beside(ends, int(iv + (at_v - iv) + 0.5), int(iu + (at_u - iu) + 0.5), lens[0] - zb))


@njit(cache=True, nogil=True, error_model="numpy")
def _keep_patient(value: Float32, body: NDArray[np.uint32], is_patient: NDArray[np.bool_]) -> None:
    """No dose outside the patient."""
    for m in range(value.shape[0]):
        value[m] = value[m] if is_patient[body[m]] else np.float32(0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _in_patient(begin: int, body: NDArray[np.uint32], is_patient: NDArray[np.bool_]) -> tuple[int, int]:
    """First and one past the last voxel of a row in the patient; the row begins at `begin`."""
    low, high = 0, int(body.shape[0])
    while low < high and not is_patient[body[low]]:
        low += 1
    while high > low and not is_patient[body[high - 1]]:
        high -= 1
    return begin + low, begin + high


@njit(cache=True, nogil=True, error_model="numpy")
def _in_tissue(
    begin: int, body: NDArray[np.uint32], density: Float32, ends: Float32, row: Float, lens: Float
) -> tuple[int, int]:
    """First and one past the last voxel of a row that `_clear_air` leaves its dose; the row begins at `begin`."""
    low, high = 0, int(body.shape[0])
    while low < high and density[body[low]] < _AIR_G_CM3 and _is_clear(begin + low, ends, row, lens):
        low += 1
    while high > low and density[body[high - 1]] < _AIR_G_CM3 and _is_clear(begin + high - 1, ends, row, lens):
        high -= 1
    return begin + low, begin + high


@njit(cache=True, nogil=True, error_model="numpy")
def _sides(volume: Float32) -> Float:
    """Shape as numbers to compare indices with."""
    sides = np.empty(3)
    for axis in range(3):
        sides[axis] = volume.shape[axis]
    return sides


@njit(cache=True, nogil=True, error_model="numpy")
def _lens(numbers: Float) -> Float:
    """Sad, first node, nodes per cm, virtual sad, pixels per slope, first column and first row in pixels."""
    lens, pitch = np.empty(7), numbers[2]
    lens[0], lens[1], lens[2], lens[3] = numbers[5], numbers[3], 1.0 / numbers[4], numbers[6]
    lens[4], lens[5], lens[6] = numbers[6] / pitch, numbers[0] / pitch, numbers[1] / pitch
    return lens


@njit(cache=True, nogil=True, inline="always")
def _start_row(chain: Float, j: int, k: int, row: Float) -> None:
    """Where row (j, k) of the dose grid begins, and its steps: in beam's eye view and in tissue voxels."""
    for axis in range(3):
        row[axis], row[3 + axis] = _row(chain[0], axis, j, k), chain[0, axis, 0]
        row[6 + axis], row[9 + axis] = _row(chain[1], axis, j, k) + 0.5, chain[1, axis, 0]


@njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def resample_to_grid(
    fan: Float32, ends: Float32, density: Float32, stopping: Float32, is_patient: NDArray[np.bool_], chain: Float,
    box: NDArray[np.int64], numbers: Float, is_to_medium: bool, out: Float32,
) -> None:  # fmt: skip
    """Trilinear dose on the dose grid from the fan, to water or to the medium of the nearest tissue voxel.

    Fan values in the air before the surface continue the entrance dose, so that interpolation never mixes tissue dose
    with nothing. Outside the patient dose is zero.

    Parameters
    ----------
    fan : float32 [node, y, x], dose to water, Gy/MU; ends : float32 [2, y, x] of `trace_fan`.
    density, stopping : float32 [z, y, x] of the tissue grid.
    is_patient : bool of the same shape, where dose is wanted; of size 0: everywhere but in air before the first and
        behind the last tissue of its ray.
    chain : float64 [2, 3, 4]; affine maps from dose voxel index (x, y, z) to bev point, and to tissue voxel index.
    box : first and one past the last dose voxel (x, y, z) that the fan can reach.
    numbers : x and y of the fan's first column and row, pitch, first node, node spacing, sad, virtual sad.
    out : float32 [z, y, x] of the dose grid, zero; filled inside the box.
    """
    last, voxels, lens = _sides(fan) - 1.0, _sides(density), _lens(numbers)
    line, slice_ = np.int32(density.shape[2]), np.int32(density.shape[1] * density.shape[2])
    flat, rho, power, mask = fan.ravel(), density.ravel(), stopping.ravel(), is_patient.ravel()
    width = box[3] - box[0]
    for k in prange(box[2], box[5]):
        cells, bodies = np.empty(width, dtype=np.uint32), np.empty(width, dtype=np.uint32)
        columns, rows, nodes, row = np.empty(width), np.empty(width), np.empty(width), np.empty(12)
        begin, end = box[0], box[0]
        for j in range(box[1], box[4]):
            _start_row(chain, j, k, row)
            begin, end = _range(box[0], box[3], begin, end, row, lens, last, voxels)
            start, stop, body = begin, end, bodies[: end - begin]
            _bodies(begin, row, line, slice_, body)
            if mask.size > 0:
                start, stop = _in_patient(begin, body, mask)
            else:
                start, stop = _in_tissue(begin, body, rho, ends, row, lens)
            count = stop - start
            cell, body, u, v, n = cells[:count], bodies[:count], columns[:count], rows[:count], nodes[:count]
            value = out[k, j, start:stop]
            if start > begin:
                _bodies(start, row, line, slice_, body)
            _place(start, row, lens, fan.shape, cell, u, v, n)
            _sample_row(flat, fan.shape, cell, u, v, n, value)
            if mask.size > 0:
                _keep_patient(value, body, mask)
            else:
                _clear_air(value, body, rho, ends, cell, u, v, start, row, lens[0])
            if is_to_medium:
                _to_medium(value, body, power, rho)
