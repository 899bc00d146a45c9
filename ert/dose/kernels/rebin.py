"""Redefinition proper: electrons that have drifted are shared out between the pixels they are in now."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.normal import CUT_SIGMA, PER_SIGMA, ZERO_SIGMA, normal_table

Float = NDArray[np.float64]
Integer = NDArray[np.int64]

_LEAST_VARIANCE_PX2 = 1e-6
_NORMAL = normal_table()


@njit(cache=True, nogil=True, inline="always")
def _share(source: Float, target: Float, along: int, across: int, is_rows: bool, size: int, span: Integer) -> float:
    """Share one pixel's electrons along one axis (equations (8)–(10)); returns those that leave the lattice.

    `source` holds the 13 sums; the axis is x where `is_rows` is false. `span` collects the first and last pixel met.
    """
    o, other = (8, 3) if is_rows else (3, 8)
    n = source[0]
    per = 1.0 / n
    mean, slope = source[o] * per, source[o + 2] * per
    variance = max(source[o + 1] * per - mean * mean, _LEAST_VARIANCE_PX2)
    sigma = math.sqrt(variance)
    covariance = source[o + 3] * per - mean * slope
    tilt = covariance / variance
    rest = source[o + 4] * per - slope * slope - tilt * covariance
    lean = tilt * sigma
    low = int(math.floor(mean - CUT_SIGMA * sigma + 0.5))
    high = int(math.floor(mean + CUT_SIGMA * sigma + 0.5))
    to_table = PER_SIGMA / sigma
    lost = f_before = d_before = ud_before = 0.0
    r, rr = source[1] * per, source[2] * per
    p0, p1, p2, p3, p4 = source[other], source[other + 1], source[other + 2], source[other + 3], source[other + 4]
    p0, p1, p2, p3, p4 = p0 * per, p1 * per, p2 * per, p3 * per, p4 * per
    for d in range(low, high + 1):
        f, density, ud = 1.0, 0.0, 0.0
        if d < high:
            at = (d + 0.5 - mean) * to_table
            place = at + ZERO_SIGMA
            c = int(place)
            part = place - c
            f = _NORMAL[c, 0] + part * (_NORMAL[c + 1, 0] - _NORMAL[c, 0])
            density = _NORMAL[c, 1] + part * (_NORMAL[c + 1, 1] - _NORMAL[c, 1])
            ud = at / PER_SIGMA * density
        w0 = n * (f - f_before)
        w1 = n * (d_before - density)
        w2 = w0 + n * (ud_before - ud)
        f_before, d_before, ud_before = f, density, ud
        to = along + d
        if to < 0 or to >= size:
            lost += w0
            continue
        span[0], span[1] = min(span[0], to), max(span[1], to)
        x = mean - d
        cell = target[to, across] if is_rows else target[across, to]
        cell[0] += w0
        cell[1] += w0 * r
        cell[2] += w0 * rr
        cell[o] += x * w0 + sigma * w1
        cell[o + 1] += x * (x * w0 + 2.0 * sigma * w1) + variance * w2
        cell[o + 2] += slope * w0 + lean * w1
        cell[o + 3] += x * (slope * w0 + lean * w1) + sigma * (slope * w1 + lean * w2)
        cell[o + 4] += (slope * slope + rest) * w0 + lean * (2.0 * slope * w1 + lean * w2)
        cell[other] += p0 * w0
        cell[other + 1] += p1 * w0
        cell[other + 2] += p2 * w0
        cell[other + 3] += p3 * w0
        cell[other + 4] += p4 * w0
    return lost


@njit(cache=True, nogil=True)
def _rebin_slot(
    state: Float, spare: Float, touched: NDArray[np.int8], reach: Integer, least: float, box: Integer
) -> float:
    """Both axes of one slot, x into `spare`, y back into `state`; returns the electrons left out."""
    ny, nx = state.shape[0], state.shape[1]
    j0, j1, i0, i1 = reach[0], reach[1], reach[2], reach[3]
    lost = 0.0
    spare[j0:j1] = 0.0
    columns = np.array([nx, -1])
    for j in range(j0, j1):
        if touched[j] == 0:
            continue
        for i in range(i0, i1):
            if state[j, i, 0] > least:
                lost += _share(state[j, i], spare, i, j, False, nx, columns)
            else:
                lost += state[j, i, 0]
    state[:, columns[0] : columns[1] + 1] = 0.0
    rows = np.array([ny, -1])
    for j in range(j0, j1):
        for i in range(columns[0], columns[1] + 1):
            if spare[j, i, 0] > least:
                lost += _share(spare[j, i], state, j, i, True, ny, rows)
            else:
                lost += spare[j, i, 0]
    box[0], box[1], box[2], box[3] = rows[0], rows[1] + 1, columns[0], columns[1] + 1
    if rows[1] < 0:
        box[:] = 0
    return lost


@njit(cache=True, nogil=True, parallel=True)
def rebin(
    state: Float, spare: Float, touched: NDArray[np.int8], reach: Integer, slots: Integer, least: Float, box: Integer,
    lost: Float,
) -> None:  # fmt: skip
    """Share the electrons of every slot out between pixels: one writer per slot, so threads change no bit.

    Parameters
    ----------
    state, spare : float64 [slot, y, x, 13]; state holds sums counted from the old pixels, in the rows flagged in
        `touched` and the columns `reach`, and receives the redefined ones; the sums in `spare` are overwritten.
    slots : the slots to work on, in the order in which they are dealt out.
    least : [slot] pixels with fewer electrons are dropped.
    box : int64 [slot, 4], receives where electrons are now.
    lost : [slot], electrons dropped or gone off the lattice, added to.
    """
    for m in prange(slots.shape[0]):
        k = slots[m]
        lost[k] += _rebin_slot(state[k], spare[k], touched[k], reach, least[k], box[k])
