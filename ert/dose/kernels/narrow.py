"""Pencils narrower than a few pixels, added to a plane eight neighbours at a time.

One pencil is some ten values wide: too few for the processor's vectors. Eight pencils of one row overlap almost wholly,
so that one pass over a row of the plane adds all of them, in their order: the sums are those of one pencil after
another, bit by bit.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
CUT_SIGMA = 4.0
"""Pencils are cut at this many standard deviations and renormalised."""
_ERF_STEPS = 256.0
_ERF_TABLE = np.array([math.erf(k / _ERF_STEPS) for k in range(int(4.2 * _ERF_STEPS) + 2)])
_ABREAST = 8
_CHUNK = 512
_WHOLE = 16  # widths are multiples of this many float32, the widest vector


@njit(cache=True, nogil=True, inline="always")
def _erf(x: float) -> float:
    """Error function for x ≥ 0, absolute error below 4e-6 (linear table, steps of 1/256), without a branch."""
    last = _ERF_TABLE.shape[0] - 1
    position = min(x * _ERF_STEPS, float(last))
    i = np.uint32(min(int(position), last - 1))
    return float(_ERF_TABLE[i] + (position - i) * (_ERF_TABLE[i + np.uint32(1)] - _ERF_TABLE[i]))


@njit(cache=True, nogil=True, inline="always")
def _reach(sigma: float) -> int:
    """Pixels on either side of its own that a pencil reaches."""
    return int(CUT_SIGMA * sigma + 0.5) + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_shares(
    amplitude: Float32, variance: Float32, widest: float, pencils: Float, shares: Float32, factors: Float32
) -> None:
    """Shares of the pixels 0, 1, 2 … away in pencils that fill theirs evenly, blurred; and × amplitude.

    Parameters
    ----------
    pencils : [4, n] scratch; on return the first row is the reach of each pencil, 0 without amplitude.
    shares, factors : float32 [k, n], filled to the widest reach; zero beyond a pencil's own.
    """
    count = amplitude.shape[0]
    reach, q, before, last = pencils[0, :count], pencils[1, :count], pencils[2, :count], pencils[3, :count]
    most = 0.0
    for p in range(count):
        sigma = min(math.sqrt(variance[p]), widest) if amplitude[p] > 0.0 else 1.0
        reach[p] = float(_reach(sigma)) if amplitude[p] > 0.0 else 0.0
        q[p] = 1.0 / (math.sqrt(2.0) * sigma)
        before[p] = -_erf(0.5 * q[p])
        last[p] = 1.0
        most = max(most, reach[p])
    for k in range(int(most) + 1):
        row = shares[k]
        for p in range(count):
            after = _erf((k + 0.5) * q[p])
            row[p] = np.float32(0.5 * (after - before[p])) if k <= reach[p] else np.float32(0.0)
            last[p] = after if k <= reach[p] else last[p]
            before[p] = after
    for p in range(count):
        q[p] = np.float32(amplitude[p] / (last[p] * last[p])) if amplitude[p] > 0.0 else 0.0
    for k in range(int(most) + 1):
        row, out = shares[k], factors[k]
        for p in range(count):
            out[p] = np.float32(q[p]) * row[p]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_group(
    plane: Float32, row: int, column: int, reach: int, width: int, strips: Float32, factors: Float32
) -> None:
    """Add eight pencils of pixel row `row`, whose strips begin at `column`, to every row of the plane they reach."""
    ny, nx = plane.shape
    size = strips.shape[0] // _ABREAST
    low, high = max(0, -column), min(width, nx - column)
    s0, s1 = strips[low:high], strips[size + low : size + high]
    s2, s3 = strips[2 * size + low : 2 * size + high], strips[3 * size + low : 3 * size + high]
    s4, s5 = strips[4 * size + low : 4 * size + high], strips[5 * size + low : 5 * size + high]
    s6, s7 = strips[6 * size + low : 6 * size + high], strips[7 * size + low : 7 * size + high]
    for j in range(max(0, row - reach), min(ny, row + reach + 1)):
        d = abs(j - row)
        f0, f1, f2, f3 = factors[d, 0], factors[d, 1], factors[d, 2], factors[d, 3]
        f4, f5, f6, f7 = factors[d, 4], factors[d, 5], factors[d, 6], factors[d, 7]
        line = plane[j, column + low : column + high]
        for k in range(high - low):
            first = line[k] + f0 * s0[k] + f1 * s1[k] + f2 * s2[k] + f3 * s3[k]
            line[k] = first + f4 * s4[k] + f5 * s5[k] + f6 * s6[k] + f7 * s7[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _add_chunk(
    plane: Float32, rows: NDArray[np.int32], columns: NDArray[np.int32], reaches: Float, shares: Float32,
    factors: Float32, strips: Float32, group: Float32,
) -> None:  # fmt: skip
    """Add pencils whose shares are known, as many at once as stand within eight columns of a row."""
    count, size = rows.shape[0], strips.shape[0] // _ABREAST
    begin = 0
    while begin < count:
        row, column = rows[begin], columns[begin]
        end, reach = begin, 0
        while end < count and rows[end] == row and columns[end] < column + _ABREAST:
            reach = max(reach, int(reaches[end]))
            end += 1
        width = (2 * reach + _ABREAST + _WHOLE - 1) // _WHOLE * _WHOLE
        for m in range(_ABREAST):
            strips[m * size : m * size + width] = 0.0
        group[: reach + 1] = 0.0
        for p in range(begin, end):
            m = columns[p] - column
            at = m * size + reach + m
            for k in range(reach + 1):
                strips[at + k] = shares[k, p]
                strips[at - k] = shares[k, p]
                group[k, m] = factors[k, p]
        if reach > 0:
            _add_group(plane, row, column - reach, reach, width, strips, group)
        begin = end


@njit(cache=True, nogil=True, error_model="numpy")
def add_narrow(
    plane: Float32, rows: NDArray[np.int32], columns: NDArray[np.int32], amplitude: Float32, variance: Float32
) -> None:
    """Add pencils that fill their pixel evenly, blurred each by its own Gaussian.

    Parameters
    ----------
    plane : float32 [ny, nx]; added to.
    rows, columns : int32 [n] pixel of each pencil, in order of rows and of columns within a row.
    amplitude : float32 [n], none negative; variance : float32 [n] in pixel units squared.
    """
    widest = max(plane.shape) / CUT_SIGMA - 1.0
    most = _reach(widest)
    pencils = np.empty((4, _CHUNK))
    shares, factors = (np.empty((most + 1, _CHUNK), dtype=np.float32), np.empty((most + 1, _CHUNK), dtype=np.float32))
    strips = np.empty(_ABREAST * (2 * most + _ABREAST + _WHOLE), dtype=np.float32)
    group = np.empty((most + 1, _ABREAST), dtype=np.float32)
    for begin in range(0, rows.shape[0], _CHUNK):
        end = min(begin + _CHUNK, rows.shape[0])
        _fill_shares(amplitude[begin:end], variance[begin:end], widest, pencils, shares, factors)
        _add_chunk(plane, rows[begin:end], columns[begin:end], pencils[0], shares, factors, strips, group)
