"""Maps on the fan's lattice: blurred by Gaussians, coarsened and refined.

Every pass runs over long contiguous rows, so that the compiler makes vectors of it, and adds its terms in a fixed
order: the bytes are the same on any processor.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

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


@njit(cache=True, nogil=True, error_model="numpy")
def _add_four(source: Float32, first: int, near: int, stride: int, weights: Float32, out: Float32) -> None:
    """Add the terms of four k of `_blur_along` in its order; the sum is read and written once instead of twice."""
    size, p, q = out.shape[0], first - near, first + near
    a, b = source[p : p + size], source[q : q + size]
    c, d = source[p - stride : p - stride + size], source[q + stride : q + stride + size]
    e, f = source[p - 2 * stride : p - 2 * stride + size], source[q + 2 * stride : q + 2 * stride + size]
    g, h = source[p - 3 * stride : p - 3 * stride + size], source[q + 3 * stride : q + 3 * stride + size]
    s, t, u, v = weights[0], weights[1], weights[2], weights[3]
    for i in range(size):
        two = out[i] + (s * (a[i] + b[i]) + t * (c[i] + d[i]))
        out[i] = two + (u * (e[i] + f[i]) + v * (g[i] + h[i]))


@njit(cache=True, nogil=True, error_model="numpy")
def _blur_along(source: Float32, first: int, stride: int, weights: Float32, out: Float32) -> None:
    """out[i] = Σ w[k] (source[first + i − k·stride] + source[first + i + k·stride]), two k at once."""
    size, reach = out.shape[0], weights.shape[0] - 1
    centre, w = source[first : first + size], weights[0]
    for i in range(size):
        out[i] = w * centre[i]
    k = 1
    while k + 3 <= reach:
        _add_four(source, first, k * stride, stride, weights[k : k + 4], out)
        k += 4
    while k <= reach:
        near = k * stride
        a, b = source[first - near : first - near + size], source[first + near : first + near + size]
        u = weights[k]
        if k < reach:
            far = near + stride
            c, d = source[first - far : first - far + size], source[first + far : first + far + size]
            v = weights[k + 1]
            for i in range(size):
                out[i] += u * (a[i] + b[i]) + v * (c[i] + d[i])
        else:
            for i in range(size):
                out[i] += u * (a[i] + b[i])
        k += 2


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


@njit(cache=True, nogil=True, error_model="numpy")
def add_blurred(plane: Float32, box: Box, weights: Float32, out: Float32) -> None:
    """Blur the part of a plane that holds anything with a symmetric kernel, both ways, and add it to another plane.

    Parameters
    ----------
    plane, out : float32 [ny, nx]; box : of `occupied`; weights : at 0, 1, 2 … pixels.
    """
    ny, nx = plane.shape
    top, bottom, left, right = box
    reach = weights.shape[0] - 1
    j0, j1, i0, i1 = max(top - reach, 0), min(bottom + reach, ny), max(left - reach, 0), min(right + reach, nx)
    wide = i1 - i0 + reach  # one gap of zeros serves the end of a row and the beginning of the next
    rows = bottom - top
    source = np.zeros((rows + 2) * wide + 2 * reach, dtype=np.float32)
    for j in range(rows):
        begin = reach + j * wide + left - i0
        source[begin : begin + right - left] = plane[top + j, left:right]
    above, below = top - j0 + reach, j1 - bottom + reach
    along = np.zeros((above + rows + below) * wide, dtype=np.float32)
    _blur_along(source, reach, 1, weights, along[above * wide : (above + rows) * wide])
    across = np.empty((j1 - j0) * wide, dtype=np.float32)
    _blur_along(along, reach * wide, wide, weights, across)
    for j in range(j1 - j0):
        row, found = out[j0 + j, i0:i1], across[j * wide : j * wide + i1 - i0]
        for i in range(i1 - i0):
            row[i] += found[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _six(lines: Float32, j: int, w: Float32, out: Float32) -> None:
    """Six neighbouring rows from j on, weighted."""
    a, b, c, d, e, f = lines[j], lines[j + 1], lines[j + 2], lines[j + 3], lines[j + 4], lines[j + 5]
    for i in range(out.shape[0]):
        out[i] = w[0] * a[i] + w[1] * b[i] + w[2] * c[i] + w[3] * d[i] + w[4] * e[i] + w[5] * f[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _six_along(line: Float32, begin: int, w: Float32, out: Float32) -> None:
    """Six neighbouring values of a row, weighted, for each of its places from `begin` on."""
    n = out.shape[0]
    a, b, c = line[begin : begin + n], line[begin + 1 : begin + 1 + n], line[begin + 2 : begin + 2 + n]
    d, e, f = line[begin + 3 : begin + 3 + n], line[begin + 4 : begin + 4 + n], line[begin + 5 : begin + 5 + n]
    for i in range(n):
        out[i] = w[0] * a[i] + w[1] * b[i] + w[2] * c[i] + w[3] * d[i] + w[4] * e[i] + w[5] * f[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _continue(one: Float32, two: Float32, three: Float32, out: Float32) -> None:
    """A row beyond three others, on the parabola through them."""
    for i in range(out.shape[0]):
        out[i] = np.float32(3.0) * (one[i] - two[i]) + three[i]


@njit(cache=True, nogil=True, error_model="numpy")
def refine_add(coarse: Float32, fine: Float32) -> None:
    """Add a plane of twice the pitch to a finer one, by six-point Lagrange interpolation at the quarter points.

    Beyond the border the parabola through the outermost three values continues them.
    """
    ny, nx = coarse.shape
    ahead, back = _QUARTER, _QUARTER[::-1].copy()
    lines = np.empty((ny + 2 * _BEYOND, nx), dtype=np.float32)
    lines[_BEYOND : ny + _BEYOND] = coarse
    for j in range(_BEYOND):
        top, bottom = _BEYOND - 1 - j, ny + _BEYOND + j
        _continue(lines[top + 1], lines[top + 2], lines[top + 3], lines[top])
        _continue(lines[bottom - 1], lines[bottom - 2], lines[bottom - 3], lines[bottom])
    line, three = np.empty(nx + 2 * _BEYOND, dtype=np.float32), np.float32(3.0)
    even, odd = np.empty(nx, dtype=np.float32), np.empty(nx, dtype=np.float32)
    for j in range(2 * ny):
        _six(lines, j // 2 + j % 2, ahead if j % 2 == 1 else back, line[_BEYOND : nx + _BEYOND])
        for k in range(_BEYOND):
            left, right = _BEYOND - 1 - k, nx + _BEYOND + k
            line[left] = three * (line[left + 1] - line[left + 2]) + line[left + 3]
            line[right] = three * (line[right - 1] - line[right - 2]) + line[right - 3]
        _six_along(line, 0, back, even)
        _six_along(line, 1, ahead, odd)
        row = fine[j]
        for i in range(nx):
            row[2 * i] += even[i]
            row[2 * i + 1] += odd[i]


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
    """Rows and columns of a plane by parity, [row parity, column parity, y, x], `_BEYOND` wider than a coarse box."""
    top, bottom, left, right = box
    ny, nx = fine.shape[0] // 2, fine.shape[1] // 2
    out = np.zeros((2, 2, bottom - top + 2 * _BEYOND, right - left + 2 * _BEYOND), dtype=np.float32)
    first, end = max(left - _BEYOND, 0), min(right + _BEYOND, nx)
    at = first - left + _BEYOND
    for j in range(max(top - _BEYOND, 0), min(bottom + _BEYOND, ny)):
        for parity in range(2):
            row = fine[2 * j + parity, 2 * first : 2 * end]
            even, odd = out[parity, 0, j - top + _BEYOND, at:], out[parity, 1, j - top + _BEYOND, at:]
            for i in range(end - first):
                even[i], odd[i] = row[2 * i], row[2 * i + 1]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def coarsen(fine: Float32, box: Box) -> tuple[Float32, Box]:
    """A plane of twice the pitch with the same moments to second order (adjoint of `refine_add`), and its box.

    box : what `occupied` finds of the finer plane, or a box around it.
    """
    around = _coarse_box(box, fine.shape)
    top, bottom, left, right = around
    split, wide = _split(fine, around), right - left
    half = _QUARTER * np.float32(0.5)
    back = half[::-1].copy()
    out = np.zeros((fine.shape[0] // 2, fine.shape[1] // 2), dtype=np.float32)
    line, more = np.empty(wide + 2 * _BEYOND, dtype=np.float32), np.empty(wide + 2 * _BEYOND, dtype=np.float32)
    found = np.empty(wide, dtype=np.float32)
    for j in range(bottom - top):
        row = out[top + j, left:right]
        for parity in range(2):
            _six(split[0, parity], j + 1, half, line)
            _six(split[1, parity], j, back, more)
            for i in range(line.shape[0]):
                line[i] += more[i]
            if parity == 0:
                _six_along(line, 1, half, row)
            else:
                _six_along(line, 0, back, found)
                for i in range(wide):
                    row[i] += found[i]
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
def no_sums(ny: int, nx: int) -> tuple[Float32, Float32, Float32, Float32]:
    """Empty planes of all pitches."""
    return (
        np.zeros((ny, nx), dtype=np.float32), np.zeros((ny // 2, nx // 2), dtype=np.float32),
        np.zeros((ny // 4, nx // 4), dtype=np.float32), np.zeros((ny // 8, nx // 8), dtype=np.float32),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def gather(sums: tuple[Float32, ...], coarsest: int) -> None:
    """Refine the sums of the pitches down to the finest, which then holds all; `coarsest` : the last level used."""
    for level in range(coarsest, 0, -1):
        refine_add(sums[level], sums[level - 1])
