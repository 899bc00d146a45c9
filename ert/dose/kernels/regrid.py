"""From the fan to the dose grid: row by row, first where each voxel lies in the fan, then what the fan says there."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.grid_rows import clear_share, copy_run, keep_nothing, keep_only
from ert.dose.kernels.prefetch import ask_ahead

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integers = NDArray[np.int32]
_INSIDE = 1e-9  # voxels within the outer faces: an index on a face would round to a voxel that is not there


@njit(cache=True, nogil=True, inline="always")
def _is_beside(ends: Float32, j: int, i: int, distance: float) -> bool:
    """True if the ray has no tissue before, or none after, that distance."""
    return bool(ends[0, j, i] < 0.0 or distance < ends[0, j, i] or distance > ends[1, j, i])


@njit(cache=True, nogil=True, inline="always")
def _row(chain: Float, map_: int, axis: int, j: int, k: int) -> float:
    """Where a row of voxels begins: an affine map without the part of the index along the row."""
    return float(chain[map_, axis, 1] * j + chain[map_, axis, 2] * k + chain[map_, axis, 3])


@njit(cache=True, nogil=True, inline="always")
def _clip(slope: float, start: float, low: float, high: float) -> tuple[float, float]:
    """The part of low … high where slope × i + start is not negative."""
    if slope > 0.0:
        return max(low, -start / slope), high
    if slope < 0.0:
        return low, min(high, -start / slope)
    return (low, high) if start >= 0.0 else (math.inf, -math.inf)  # one below a border far away would be that border


@njit(cache=True, nogil=True, error_model="numpy")
def _range(low: int, high: int, row: Float, lens: Float, fan: Float, voxels: Float) -> tuple[int, int]:
    """First and one past the last voxel of a row within the fan's nodes and the tissue grid.

    Every border is a straight line in the row's index, those of the fan too, once multiplied by the distance from the
    virtual source. row : of `_start_row`; lens : of `_lens`; fan : last node, row and column.
    """
    begin, end = float(low), float(high - 1)
    dz, to_node = -row[5], (lens[0] - row[2] - lens[1]) * lens[2]
    begin, end = _clip(dz * lens[2], to_node, begin, end)
    begin, end = _clip(-dz * lens[2], fan[0] - to_node, begin, end)
    for c in range(2):
        slope, start = row[3 + c] * lens[4], row[c] * lens[4]
        near, far = lens[5 + c], lens[5 + c] + fan[2 - c]
        begin, end = _clip(slope - near * dz, start - near * (lens[3] - row[2]), begin, end)
        begin, end = _clip(far * dz - slope, far * (lens[3] - row[2]) - start, begin, end)
    for axis in range(3):
        slope, start = row[9 + axis], row[6 + axis]
        begin, end = _clip(slope, start - _INSIDE, begin, end)
        begin, end = _clip(-slope, voxels[2 - axis] - start - _INSIDE, begin, end)
    if not begin <= end:
        return low, low  # before they are whole numbers: a row that runs beside a border meets it at infinity
    first = int(math.ceil(begin))
    return first, max(first, int(math.floor(end)) + 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _place(
    begin: int, count: int, row: Float, lens: Float, fan: tuple[int, int, int], ramp: Float32, cell: Integers,
    u: Float32, v: Float32, n: Float32,
) -> None:  # fmt: skip
    """Lower corner in the fan, and the parts of a pixel and node beyond it, of `count` voxels from `begin` on.

    Without a branch and without a read at a computed place, so that it becomes vectors; single precision is exact to
    1e-5 of a pixel. ramp : 0, 1, 2 …
    """
    z0 = row[2] + row[5] * begin
    x0, y0 = np.float32((row[0] + row[3] * begin) * lens[4]), np.float32((row[1] + row[4] * begin) * lens[4])
    b0, b1, b2 = np.float32(row[3] * lens[4]), np.float32(row[4] * lens[4]), np.float32(-row[5])
    distance, to_column, to_row = np.float32(lens[3] - z0), np.float32(lens[5]), np.float32(lens[6])
    node0, per_voxel = np.float32((lens[0] - z0 - lens[1]) * lens[2]), np.float32(-row[5] * lens[2])
    top_n, top_v, top_u = np.int32(fan[0] - 2), np.int32(fan[1] - 2), np.int32(fan[2] - 2)
    line, plane = np.int32(fan[2]), np.int32(fan[1] * fan[2])
    for m in range(count):
        i = ramp[m]
        scale = np.float32(1.0) / (distance + b2 * i)
        at_u, at_v = (x0 + b0 * i) * scale - to_column, (y0 + b1 * i) * scale - to_row
        at_n = node0 + per_voxel * i
        iu, iv, jn = min(np.int32(at_u), top_u), min(np.int32(at_v), top_v), min(np.int32(at_n), top_n)
        u[m], v[m], n[m] = at_u - np.float32(iu), at_v - np.float32(iv), at_n - np.float32(jn)
        cell[m] = jn * plane + iv * line + iu


@njit(cache=True, nogil=True, inline="always")
def _body(i: int, row: Float, line: int, slice_: int) -> np.uint32:
    """Tissue voxel under voxel i of a row."""
    place = float(i)
    x, y, z = int(row[9] * place + row[6]), int(row[10] * place + row[7]), int(row[11] * place + row[8])
    return np.uint32(z * slice_ + y * line + x)


@njit(cache=True, nogil=True, error_model="numpy")
def _place_along(
    begin: int, count: int, row: Float, lens: Float, fan: tuple[int, int, int], ramp: Float32, cell: Integers,
    u: Float32,
) -> tuple[int, np.float32, np.float32]:  # fmt: skip
    """As `_place` for a row along a line of the fan, all of whose voxels lie between the same rows and planes.

    cell, u : filled; column, and the part of a pixel beyond it.

    Returns
    -------
    where that line begins, and the parts of a pixel and node beyond it
    """
    x0, b0 = np.float32((row[0] + row[3] * begin) * lens[4]), np.float32(row[3] * lens[4])
    scale, to_column = np.float32(1.0) / np.float32(lens[3] - row[2]), np.float32(lens[5])
    at_v = np.float32(row[1] * lens[4]) * scale - np.float32(lens[6])
    at_n = np.float32((lens[0] - row[2] - lens[1]) * lens[2])
    top_n, top_v, top_u = np.int32(fan[0] - 2), np.int32(fan[1] - 2), np.int32(fan[2] - 2)
    for m in range(count):
        at_u = (x0 + b0 * ramp[m]) * scale - to_column
        iu = min(np.int32(at_u), top_u)
        cell[m], u[m] = iu, at_u - np.float32(iu)
    iv, jn = min(np.int32(at_v), top_v), min(np.int32(at_n), top_n)
    return (int(jn) * fan[1] + int(iv)) * fan[2], at_v - np.float32(iv), at_n - np.float32(jn)


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(
    begin: int, count: int, row: Float, line: np.int32, slice_: np.int32, factor: Float32, out: Float32
) -> None:
    """Factors of the tissue voxels under `count` voxels from `begin` on."""
    tx, ty, tz, t0, t1, t2 = row[6], row[7], row[8], row[9], row[10], row[11]
    for m in range(count):
        i = float(begin + m)
        x, y, z = np.int32(t0 * i + tx), np.int32(t1 * i + ty), np.int32(t2 * i + tz)
        out[m] = factor[np.uint32(z * slice_ + y * line + x)]


@njit(cache=True, nogil=True, error_model="numpy")
def _sample_row(
    flat: Float32, fan: tuple[int, int, int], count: int, cell: Integers, u: Float32, v: Float32, n: Float32,
    out: Float32,
) -> None:  # fmt: skip
    """Trilinear values of the fan."""
    line, plane, one = np.uint32(fan[2]), np.uint32(fan[1] * fan[2]), np.uint32(1)
    for m in range(count):
        a, b, c = u[m], v[m], n[m]
        at = np.uint32(cell[m])
        below, deep = np.uint32(at + line), np.uint32(at + plane)
        low = np.uint32(deep + line)
        v00 = flat[at] + a * (flat[at + one] - flat[at])
        v01 = flat[below] + a * (flat[below + one] - flat[below])
        v10 = flat[deep] + a * (flat[deep + one] - flat[deep])
        v11 = flat[low] + a * (flat[low + one] - flat[low])
        v0 = v00 + b * (v01 - v00)
        out[m] = v0 + c * (v10 + b * (v11 - v10) - v0)


@njit(cache=True, nogil=True, error_model="numpy")
def _mix_lines(flat: Float32, at: int, line: int, plane: int, b: np.float32, c: np.float32, out: Float32) -> None:
    """One line of the fan between four: between two rows, b, and two planes, c."""
    one, two = np.uint64(at), np.uint64(at + line)
    three, four = np.uint64(at + plane), np.uint64(at + plane + line)
    for i in range(np.uint64(out.shape[0])):
        v0 = flat[one + i] + b * (flat[two + i] - flat[one + i])
        out[i] = v0 + c * (flat[three + i] + b * (flat[four + i] - flat[three + i]) - v0)


@njit(cache=True, nogil=True, error_model="numpy")
def _sample_line(mixed: Float32, count: int, cell: Integers, u: Float32, out: Float32) -> None:
    """Linear values along one line of the fan; cell : columns."""
    one = np.uint32(1)
    for m in range(count):
        at = np.uint32(cell[m])
        out[m] = mixed[at] + u[m] * (mixed[at + one] - mixed[at])


@njit(cache=True, nogil=True, error_model="numpy")
def _finish(
    low: int, count: int, factor: Float32, is_to_medium: bool, value: Float32, bits: NDArray[np.uint32]
) -> np.uint32:
    """No dose below zero, none where the factor is 0, dose to the medium if asked for; the highest bits.

    Refining (`refine_add`) undershoots beside steep edges by less than 1e-5 of the maximum. low : factor of the first
    value; bits : those of `value`.
    """
    none, one, begin, top = np.float32(0.0), np.float32(1.0), np.uint64(low), np.uint32(0)
    for m in range(np.uint64(count)):
        medium = abs(factor[begin + m])
        share = medium if is_to_medium else (one if medium > none else none)
        value[m] = max(value[m], none) * share
    for m in range(np.uint64(count)):
        top = max(top, bits[m])
    return top


@njit(cache=True, nogil=True, error_model="numpy")
def _clear_air(begin: int, count: int, row: Float, lens: Float, ends: Float32, factor: Float32) -> None:
    """No dose, a factor of 0, in air before the first and behind the last tissue of the ray nearest to a voxel."""
    for m in range(count):
        if factor[m] < np.float32(0.0):
            i = float(begin + m)
            zb = row[5] * i + row[2]
            scale = lens[4] / (lens[3] - zb)
            at_u, at_v = (row[3] * i + row[0]) * scale - lens[5], (row[4] * i + row[1]) * scale - lens[6]
            if _is_beside(ends, int(at_v + 0.5), int(at_u + 0.5), lens[0] - zb):
                factor[m] = np.float32(0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _clear_air_along(
    begin: int, count: int, row: Float, lens: Float, ends: Float32, nearest: Integers, factor: Float32
) -> None:
    """As `_clear_air` for a row along a line of the fan: of its place only the column changes; nearest : scratch."""
    scale, distance = lens[4] / (lens[3] - row[2]), lens[0] - row[2]
    line, first = int(row[1] * scale - lens[6] + 0.5), float(begin)
    column0, per_voxel, to_column = row[0], row[3], lens[5]
    for m in range(count):
        nearest[m] = np.int32((per_voxel * (first + m) + column0) * scale - to_column + 0.5)
    for m in range(count):
        if factor[m] < np.float32(0.0) and _is_beside(ends, line, nearest[m], distance):
            factor[m] = np.float32(0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _trim(count: int, factor: Float32) -> tuple[int, int]:
    """First and one past the last of so many voxels that gets dose."""
    low, high = 0, count
    while low < high and factor[low] == np.float32(0.0):
        low += 1
    while high > low and factor[high - 1] == np.float32(0.0):
        high -= 1
    return low, high


@njit(cache=True, nogil=True, error_model="numpy")
def _sides(volume: Float32, less: float) -> Float:
    """Shape, each side by so much less, as numbers to compare indices with."""
    sides = np.empty(3)
    for axis in range(3):
        sides[axis] = volume.shape[axis] - less
    return sides


@njit(cache=True, nogil=True, error_model="numpy")
def _ramp(count: int) -> Float32:
    """The numbers 0, 1, 2 … as floats."""
    return np.arange(count).astype(np.float32)


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
        row[axis], row[3 + axis] = _row(chain, 0, axis, j, k), chain[0, axis, 0]
        row[6 + axis], row[9 + axis] = _row(chain, 1, axis, j, k) + 0.5, chain[1, axis, 0]


@njit(cache=True, nogil=True, error_model="numpy")
def _has_negative(count: int, bits: Integers) -> bool:
    """True if one of so many numbers is below zero, told by their bits."""
    least = np.int32(0)
    for m in range(count):
        least = min(least, bits[m])
    return bool(least < 0)


@njit(cache=True, nogil=True)
def _no_bits(count: int) -> NDArray[np.uint32]:
    return np.zeros(count, dtype=np.uint32)


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_slice(
    k: int, flat: Float32, fan: tuple[int, int, int], ends: Float32, ratio: Float32, line: int, slice_: int,
    chain: Float, box: NDArray[np.int64], last: Float, voxels: Float, lens: Float, ramp: Float32, has_air: bool,
    is_to_medium: bool, shape: tuple[int, int, int], held: Integers, out: Float32,
) -> np.uint32:  # fmt: skip
    """All rows of slice k of the dose grid; zero where no dose is. The highest bits of all.

    Scratch and grid are handed on whole, with counts and places: each view costs its counting of references, which
    together took longer than the voxels of a row. out : float32, the whole dose grid in one row.
    """
    width, nx, ny = ramp.shape[0], shape[2], shape[1]
    cell, mixed = np.empty(width, dtype=np.int32), np.empty(fan[2], dtype=np.float32)
    u, v, n = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32)
    found, value = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32)
    found_bits, value_bits = found.view(np.int32), value.view(np.uint32)
    row, top, here = np.empty(12), np.uint32(0), k * ny * nx
    to_next = int(chain[1, 2, 1]) * slice_ + int(chain[1, 1, 1]) * line + int(chain[1, 0, 1])
    nodes = -chain[0, 2, 1] * lens[2]  # from one row to the next
    keep_nothing(k * ny, k * ny + box[1], nx, held, out)
    for j in range(box[1], box[4]):
        _start_row(chain, j, k, row)
        begin, end = _range(box[0], box[3], row, lens, last, voxels)
        is_along = row[4] == 0.0 and row[5] == 0.0  # of the eight neighbours in the fan six are always the same
        if row[9] == 1.0 and row[10] == 0.0 and row[11] == 0.0 and end > begin:
            place = int(_body(begin, row, line, slice_))
            copy_run(ratio, place, end - begin, found, 0)
            ask_ahead(ratio, place + to_next, end - begin)
        else:
            _gather(begin, end - begin, row, np.int32(line), np.int32(slice_), ratio, found)
        if has_air and _has_negative(end - begin, found_bits):
            if is_along:
                _clear_air_along(begin, end - begin, row, lens, ends, cell, found)
            else:
                _clear_air(begin, end - begin, row, lens, ends, found)
        low, high = _trim(end - begin, found)
        start, count, at = begin + low, high - low, here + j * nx
        keep_only(k * ny + j, nx, start, start + count, held, out)
        if count == 0:
            continue
        if is_along:
            first, b, c = _place_along(start, count, row, lens, fan, ramp, cell, u)
            ahead = first + int(c + nodes) * fan[1] * fan[2]
            ask_ahead(flat, ahead, 2 * fan[2])
            ask_ahead(flat, ahead + fan[1] * fan[2], 2 * fan[2])
            _mix_lines(flat, first, fan[2], fan[1] * fan[2], b, c, mixed)
            _sample_line(mixed, count, cell, u, value)
        else:
            _place(start, count, row, lens, fan, ramp, cell, u, v, n)
            _sample_row(flat, fan, count, cell, u, v, n, value)
        top = max(top, _finish(low, count, found, is_to_medium, value, value_bits))
        copy_run(value, 0, count, out, at + start)
    keep_nothing(k * ny + box[4], (k + 1) * ny, nx, held, out)
    return top


@njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def resample_to_grid(
    fan: Float32, ends: Float32, factor: Float32, chain: Float, box: NDArray[np.int64], numbers: Float,
    has_air: bool, is_to_medium: bool, held: Integers, out: Float32,
) -> NDArray[np.uint32]:  # fmt: skip
    """Trilinear dose on the dose grid from the fan, to water or to the medium of the nearest tissue voxel.

    Fan values in the air before the surface continue the entrance dose, so that interpolation never mixes tissue dose
    with nothing. Outside the patient dose is zero.

    Parameters
    ----------
    fan : float32 [node, y, x], dose to water, Gy/MU; ends : float32 [2, y, x] of `trace_fan`.
    factor : float32 [z, y, x] of `convert.medium_factors` on the tissue grid; has_air : some of it is negative.
    chain : float64 [2, 3, 4]; affine maps from dose voxel index (x, y, z) to bev point, and to tissue voxel index.
    box : first and one past the last dose voxel (x, y, z) that the fan can reach.
    numbers : x and y of the fan's first column and row, pitch, first node, node spacing, sad, virtual sad.
    held : int32 [z × y, 2], first and one past the last voxel of each row of the grid that `out` holds something in;
        brought up to date.
    out : float32 [z, y, x] of the dose grid; filled. Zero but for `held`.

    Returns
    -------
    highest bits of the dose in each of some parts: below those of infinity if all of it is finite and none below zero
    """
    last, voxels, lens = _sides(fan, 1.0), _sides(factor, 0.0), _lens(numbers)
    line, slice_ = factor.shape[2], factor.shape[1] * factor.shape[2]
    flat, ratio, grid, ramp = fan.ravel(), factor.ravel(), out.ravel(), _ramp(box[3] - box[0])
    parts = max(1, box[5] - box[2])
    highest = _no_bits(parts)
    for m in prange(parts):
        clear_share(m, parts, box[2], box[5], out.shape, held, grid)
        if box[5] > box[2]:
            k = box[2] + m
            highest[m] = _fill_slice(
                k, flat, fan.shape, ends, ratio, line, slice_, chain, box, last, voxels, lens, ramp, has_air,
                is_to_medium, out.shape, held, grid,
            )  # fmt: skip
    return highest
