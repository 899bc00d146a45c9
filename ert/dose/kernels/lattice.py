"""Maps on the fan's lattice: blurred by Gaussians, coarsened and refined.

Every pass runs over long contiguous rows, so that the compiler makes vectors of it, and adds its terms in a fixed
order: the bytes are the same on any processor.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.blur_lines import WIDTH, blur_four, blur_one
from ert.dose.kernels.lend import lend

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""First and one past the last row, and column."""
CUT_SIGMA = 4.0
"""Gaussians are cut at this many standard deviations and renormalised."""
LEVELS = 4
_PITCHES_PER_SIGMA = 3.0
_QUARTER = np.array(
    [0.0093994140625, -0.0845947265625, 0.845947265625, 0.281982421875, -0.0604248046875, 0.0076904296875],
    dtype=np.float32,
)
"""Lagrange weights of the points −2 … 3 at 1/4."""
_BEYOND = 3  # points beyond a border that the weights reach
_NEIGHBOURS = 6


@njit(cache=True, nogil=True)
def level_of(sigma_px: float) -> int:
    """How often the pitch may be doubled and stay below a third of a Gaussian's sigma."""
    level = 0
    while level < LEVELS - 1 and sigma_px / (2 << level) >= _PITCHES_PER_SIGMA:
        level += 1
    return level


@njit(cache=True, nogil=True)
def gaussian_weights(sigma_px: float, level: int) -> Float32:
    """What a pixel gives to those 0, 1, 2 … away on a lattice coarsened `level` times; pixels of the finest.

    On the finest lattice a pixel is filled evenly and the Gaussian integrated; on coarser ones, where `coarsen` kept
    position and width of all it merged, the evenly filled pixel is a part of the variance.
    """
    width = sigma_px if level == 0 else math.sqrt(sigma_px * sigma_px + 1.0 / 12.0) / (1 << level)
    reach = int(CUT_SIGMA * width + 0.5) + 1
    weights = np.empty(reach + 1)
    q = 1.0 / (math.sqrt(2.0) * width)
    before = -math.erf(0.5 * q)
    total = 0.0
    for k in range(reach + 1):
        if level == 0:
            after = math.erf((k + 0.5) * q)
            weights[k] = 0.5 * (after - before)
            before = after
        else:
            weights[k] = math.exp(-((k * q) ** 2))
        total += weights[k] if k == 0 else 2.0 * weights[k]
    return (weights / total).astype(np.float32)


@njit(cache=True, nogil=True)
def occupied(plane: Float32) -> Box:
    """First and one past the last row, and column, that hold anything; all zero for an empty plane."""
    ny, nx = plane.shape
    top, bottom, left, right = ny, 0, nx, 0
    for j in range(ny):
        i, k = 0, nx
        while i < nx and plane[j, i] == 0.0:
            i += 1
        if i == nx:
            continue
        while plane[j, k - 1] == 0.0:
            k -= 1
        top, bottom, left, right = min(top, j), j + 1, min(left, i), max(right, k)
    return (top, bottom, left, right) if bottom > 0 else (0, 0, 0, 0)


@njit(cache=True, nogil=True)
def _blur_across(source: Float32, pitch: int, count: int, weights: Float32, out: Float32) -> None:
    """Blur lines of `count` numbers, `pitch` apart, across; `source` has as many more at both ends as weights reach."""
    source, weights, out = lend(source), lend(weights), lend(out)
    reach, lines, j = weights.shape[0] - 1, out.shape[0] // pitch, 0
    while j + 4 <= lines:
        blur_four(source, (reach + j) * pitch, count, pitch, weights, reach, out, j * pitch)
        j += 4
    while j < lines:
        blur_one(source, (reach + j) * pitch, count, pitch, weights, reach, out, j * pitch)
        j += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _copy_rows(
    plane: Float32, at: int, pitch: int, rows: int, count: int, out: Float32, to: int, out_pitch: int
) -> None:  # fmt: skip
    """So many numbers of each of some rows, `pitch` apart from `at` on, to rows `out_pitch` apart from `to` on."""
    flat = plane.ravel()
    for j in range(rows):
        a, b = np.uint64(at + j * pitch), np.uint64(to + j * out_pitch)
        for i in range(np.uint64(count)):
            out[b + i] = flat[a + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_rows(
    found: Float32, pitch: int, rows: int, count: int, out: Float32, to: int, out_pitch: int
) -> None:  # fmt: skip
    """Add so many numbers of each of some rows, `pitch` apart, to those of a plane, from place `to` on."""
    flat = out.ravel()
    for j in range(rows):
        a, b = np.uint64(j * pitch), np.uint64(to + j * out_pitch)
        for i in range(np.uint64(count)):
            flat[b + i] += found[a + i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_blurred(plane: Float32, box: Box, weights: Float32, out: Float32) -> None:
    """Blur the part of a plane that holds anything with a symmetric kernel, both ways, and add it to another plane.

    Parameters
    ----------
    plane, out : float32 [ny, nx]; box : of `occupied`; weights : at 0, 1, 2 … pixels.
    """
    plane, weights, out = lend(plane), lend(weights), lend(out)
    ny, nx = plane.shape
    top, bottom, left, right = box
    reach = weights.shape[0] - 1
    j0, j1, i0, i1 = max(top - reach, 0), min(bottom + reach, ny), max(left - reach, 0), min(right + reach, nx)
    count, rows = i1 - i0, bottom - top
    wide = count + reach  # one gap of zeros serves the end of a row and the beginning of the next
    source = np.zeros((rows + 2) * wide + 2 * reach + WIDTH, dtype=np.float32)
    _copy_rows(plane, top * nx + left, nx, rows, right - left, source, reach + left - i0, wide)
    pitch = (count + WIDTH - 1) // WIDTH * WIDTH
    above, below = top - j0 + reach, j1 - bottom + reach
    along = np.empty((above + rows + below) * pitch, dtype=np.float32)
    along[: above * pitch] = np.float32(0.0)
    along[(above + rows) * pitch :] = np.float32(0.0)
    for j in range(rows):
        blur_one(source, reach + j * wide, count, 1, weights, reach, along, (above + j) * pitch)
    across = np.empty((j1 - j0) * pitch, dtype=np.float32)
    _blur_across(along, pitch, count, weights, across)
    _add_rows(across, pitch, j1 - j0, count, out, j0 * nx + i0, nx)


@njit(cache=True, nogil=True, error_model="numpy")
def _six(source: Float32, begin: int, stride: int, weights: Float32, count: int, out: Float32) -> None:
    """So many weighted sums of six numbers, `stride` apart from each other, from `begin` on.

    Whole planes are one long row each: loops over the few pixels of a line are mostly what surrounds them.
    """
    a, b, c = np.uint64(begin), np.uint64(begin + stride), np.uint64(begin + 2 * stride)
    d, e, f = np.uint64(begin + 3 * stride), np.uint64(begin + 4 * stride), np.uint64(begin + 5 * stride)
    s, t, u, v, w, x = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for i in range(np.uint64(count)):
        left = s * source[a + i] + t * source[b + i] + u * source[c + i]
        out[i] = left + v * source[d + i] + w * source[e + i] + x * source[f + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _continue(source: Float32, at: int, stride: int, count: int) -> None:
    """Numbers from `at` on, on the parabola through the next three, `stride` apart from each other."""
    to, one = np.uint64(at), np.uint64(at + stride)
    two, three = np.uint64(at + 2 * stride), np.uint64(at + 3 * stride)
    for i in range(np.uint64(count)):
        source[to + i] = np.float32(3.0) * (source[one + i] - source[two + i]) + source[three + i]


@njit(cache=True, nogil=True, error_model="numpy")
def _interleave(even: Float32, odd: Float32, begin: int, count: int, fine: Float32, to: int) -> None:
    """Add two rows in turn to a row of twice as many pixels."""
    a, b, two, one = np.uint64(begin), np.uint64(to), np.uint64(2), np.uint64(1)
    for i in range(np.uint64(count)):
        fine[b + two * i] += even[a + i]
        fine[b + two * i + one] += odd[a + i]


@njit(cache=True, nogil=True, error_model="numpy")
def refine_add(coarse: Float32, fine: Float32) -> None:
    """Add a plane of twice the pitch to a finer one, by six-point Lagrange interpolation at the quarter points.

    Beyond the border the parabola through the outermost three values continues them.
    """
    coarse, fine = lend(coarse), lend(fine)
    ny, nx = coarse.shape
    ahead, back = _QUARTER, _QUARTER[::-1].copy()
    wide = nx + 2 * _BEYOND
    count, flat = ny * wide, fine.ravel()
    lines = np.zeros((ny + 2 * _BEYOND) * wide, dtype=np.float32)
    _copy_rows(coarse, 0, nx, ny, nx, lines, _BEYOND * wide + _BEYOND, wide)
    for j in range(_BEYOND):
        _continue(lines, (_BEYOND - 1 - j) * wide, wide, wide)
        _continue(lines, (ny + _BEYOND + j) * wide, -wide, wide)
    line, even, odd = (
        np.empty(count, dtype=np.float32),
        np.empty(count, dtype=np.float32),
        np.empty(count, dtype=np.float32),
    )
    for parity in range(2):
        _six(lines, parity * wide, wide, ahead if parity == 1 else back, count, line)
        for j in range(ny):
            for k in range(_BEYOND):
                _continue(line, j * wide + _BEYOND - 1 - k, 1, 1)
                _continue(line, j * wide + nx + _BEYOND + k, -1, 1)
        _six(line, 0, 1, back, count - 2 * _BEYOND, even)
        _six(line, 1, 1, ahead, count - 2 * _BEYOND, odd)
        for j in range(ny):
            _interleave(even, odd, j * wide, nx, flat, 2 * (2 * j + parity) * nx)


@njit(cache=True, nogil=True)
def _coarse_box(box: Box, shape: tuple[int, int]) -> Box:
    """What holds something of a coarsened plane."""
    top, bottom, left, right = box
    ny, nx = shape[0] // 2, shape[1] // 2
    return (
        max(top // 2 - _BEYOND, 0), min((bottom + 1) // 2 + _BEYOND, ny),
        max(left // 2 - _BEYOND, 0), min((right + 1) // 2 + _BEYOND, nx),
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def _split(fine: Float32, box: Box) -> Float32:
    """Rows and columns by parity, [row parity, column parity, y, x] as one row, `_BEYOND` wider than a coarse box."""
    top, bottom, left, right = box
    ny, nx = fine.shape[0] // 2, fine.shape[1] // 2
    high, wide = bottom - top + 2 * _BEYOND, right - left + 2 * _BEYOND
    out, flat, two, one = np.zeros(4 * high * wide, dtype=np.float32), fine.ravel(), np.uint64(2), np.uint64(1)
    first, end = max(left - _BEYOND, 0), min(right + _BEYOND, nx)
    for j in range(max(top - _BEYOND, 0), min(bottom + _BEYOND, ny)):
        for parity in range(2):
            source = np.uint64(((2 * j + parity) * nx + first) * 2)
            even = np.uint64((2 * parity * high + j - top + _BEYOND) * wide + first - left + _BEYOND)
            odd = even + np.uint64(high * wide)
            for i in range(np.uint64(end - first)):
                out[even + i] = flat[source + two * i]
                out[odd + i] = flat[source + two * i + one]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def coarsen(fine: Float32, box: Box) -> tuple[Float32, Box]:
    """A plane of twice the pitch with the same moments to second order (adjoint of `refine_add`), and its box.

    box : what `occupied` finds of the finer plane, or a box around it.
    """
    around = _coarse_box(box, fine.shape)
    top, bottom, left, right = around
    split, high, wide = _split(fine, around), bottom - top + 2 * _BEYOND, right - left + 2 * _BEYOND
    half = _QUARTER * np.float32(0.5)
    back = half[::-1].copy()
    out = np.zeros((fine.shape[0] // 2, fine.shape[1] // 2), dtype=np.float32)
    count, flat, nx = (bottom - top) * wide, out.ravel(), fine.shape[1] // 2
    line, more = np.empty(count, dtype=np.float32), np.empty(count, dtype=np.float32)
    for parity in range(2):
        _six(split, parity * high * wide + wide, wide, half, count, line)
        _six(split, (2 + parity) * high * wide, wide, back, count, more)
        for i in range(count):
            line[i] += more[i]
        _six(line, 1 - parity, 1, half if parity == 0 else back, count - 2 * _BEYOND, more)
        for j in range(bottom - top):
            source, to = np.uint64(j * wide), np.uint64((top + j) * nx + left)
            for i in range(np.uint64(right - left)):
                flat[to + i] += more[source + i]
    return out, around


@njit(cache=True, nogil=True)
def add_blurred_map(fine: Float32, box: Box, sigma_px: float, sums: tuple[Float32, ...]) -> int:
    """Blur a map by one Gaussian (pixels) on the coarsest lattice that holds it, and add it to the sum of that level.

    Parameters
    ----------
    box : what `occupied` finds, or a box around it.
    sums : one plane for each of the `LEVELS` pitches; `gather` brings them together.

    Returns
    -------
    the level
    """
    level = level_of(sigma_px)
    if box[1] == 0:
        return level
    plane, around = fine, box
    for _ in range(level):
        plane, around = coarsen(plane, around)
    add_blurred(plane, around, gaussian_weights(sigma_px, level), sums[level])
    return level


@njit(cache=True, nogil=True)
def clear_plane(out: Float32) -> None:
    """Nothing in a plane."""
    out = lend(out).ravel()
    for i in range(out.shape[0]):
        out[i] = np.float32(0.0)


@njit(cache=True, nogil=True)
def sums_onto(out: Float32) -> tuple[Float32, Float32, Float32, Float32]:
    """Empty planes of all pitches, of which the finest is `out`, cleared: what is gathered stands there at once."""
    clear_plane(out)
    ny, nx = out.shape
    return (
        out, np.zeros((ny // 2, nx // 2), dtype=np.float32), np.zeros((ny // 4, nx // 4), dtype=np.float32),
        np.zeros((ny // 8, nx // 8), dtype=np.float32),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def gather(sums: tuple[Float32, ...], coarsest: int) -> None:
    """Refine the sums of the pitches down to the finest, which then holds all; `coarsest` : the last level used."""
    for level in range(coarsest, 0, -1):
        refine_add(sums[level], sums[level - 1])
