"""Redefinition proper: electrons that have drifted are shared out between the pixels they are in now."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.lanes import (
    COUNT,
    FREE,
    LANES,
    MEAN,
    PER_SIGMA,
    PITCH,
    ROWS,
    SHIFTS,
    SIGMA,
    SUMS,
    W0,
    W1,
    W2,
    begin,
    extent,
    part_size,
    reaching,
    total,
    used_lanes,
    weigh,
    widened,
)
from ert.dose.kernels.lend import lend
from ert.dose.kernels.rows import ask_for_sums, clear_sums, flush_sums, load_sums, save_sums

Float = NDArray[np.float64]
Integer = NDArray[np.int64]

_LEAST_VARIANCE_PX2 = 1e-6
_SLOPE, _LEAN, _SQUARE, _R, _RR, _P0, _P1, _P2, _P3, _P4 = (FREE + np.uint64(n) * PITCH for n in range(10))
_PER = FREE + np.uint64(10) * PITCH
_TILE = np.uint64(SUMS) * PITCH
"""Numbers of one tile: 13 sums of one row of pixels."""
WORK = int(np.uint64(ROWS) * PITCH + _TILE)


@njit(cache=True, nogil=True, error_model="numpy")
def _parents(tile: Float, at: np.uint64, least: float, work: Float, first: np.uint64, last: np.uint64) -> float:
    """What `weigh` and `_deposit` need of the pixels of a tile; returns the electrons of those with too few.

    The axis is that of sums 3–7 of the tile; sums 8–12 are carried along.
    """
    for i in range(first, last):
        c = at + i
        is_used = 1.0 if tile[c] > least else 0.0
        n = tile[c] * is_used
        per = is_used / (n + (1.0 - is_used))
        mean, slope = tile[c + np.uint64(3) * PITCH] * per, tile[c + np.uint64(5) * PITCH] * per
        variance = max(tile[c + np.uint64(4) * PITCH] * per - mean * mean, _LEAST_VARIANCE_PX2)
        sigma = math.sqrt(variance)
        per_sigma = 1.0 / sigma
        lean = (tile[c + np.uint64(6) * PITCH] * per - mean * slope) * per_sigma
        work[COUNT + i], work[MEAN + i], work[SIGMA + i], work[PER_SIGMA + i] = n, mean, sigma, per_sigma
        work[_SLOPE + i], work[_LEAN + i] = slope, lean
        work[_SQUARE + i] = tile[c + np.uint64(7) * PITCH] * per - lean * lean
        work[_R + i], work[_RR + i] = tile[c + PITCH] * per, tile[c + np.uint64(2) * PITCH] * per
        work[W0 + i], work[_PER + i] = tile[c] - n, per
    for i in range(first, last):
        c, per = at + i, work[_PER + i]
        work[_P0 + i] = tile[c + np.uint64(8) * PITCH] * per
        work[_P1 + i] = tile[c + np.uint64(9) * PITCH] * per
        work[_P2 + i] = tile[c + np.uint64(10) * PITCH] * per
        work[_P3 + i] = tile[c + np.uint64(11) * PITCH] * per
        work[_P4 + i] = tile[c + np.uint64(12) * PITCH] * per
    return total(work, W0, first, last)


@njit(cache=True, nogil=True, error_model="numpy")
def _deposit(work: Float, shift: float, tile: Float, to: np.uint64, first: np.uint64, last: np.uint64) -> None:
    """Add the sums of the electrons just weighed to the tile that begins at `to` (equations (9), (10))."""
    for i in range(first, last):
        w0, w1, w2, c = work[W0 + i], work[W1 + i], work[W2 + i], to + i
        x, sigma, slope, lean = work[MEAN + i] - shift, work[SIGMA + i], work[_SLOPE + i], work[_LEAN + i]
        spread, turned, along = sigma * w1, slope * w1, lean * w2
        moved, sloped = x * w0 + spread, slope * w0 + lean * w1
        tile[c] += w0
        tile[c + PITCH] += work[_R + i] * w0
        tile[c + np.uint64(2) * PITCH] += work[_RR + i] * w0
        tile[c + np.uint64(3) * PITCH] += moved
        tile[c + np.uint64(4) * PITCH] += x * (moved + spread) + sigma * sigma * w2
        tile[c + np.uint64(5) * PITCH] += sloped
        tile[c + np.uint64(6) * PITCH] += x * sloped + sigma * (turned + along)
        tile[c + np.uint64(7) * PITCH] += work[_SQUARE + i] * w0 + lean * (2.0 * turned + along)
        tile[c + np.uint64(8) * PITCH] += work[_P0 + i] * w0
        tile[c + np.uint64(9) * PITCH] += work[_P1 + i] * w0
        tile[c + np.uint64(10) * PITCH] += work[_P2 + i] * w0
        tile[c + np.uint64(11) * PITCH] += work[_P3 + i] * w0
        tile[c + np.uint64(12) * PITCH] += work[_P4 + i] * w0


@njit(cache=True, nogil=True)
def share_row(
    tile: Float, at: np.uint64, column: int, lanes: np.uint64, least: float, work: Float, state: Float, row: int,
    pitch: int, span: Integer, k: int, j: int,
) -> float:  # fmt: skip
    """Share the pixels of a tile out along their row; returns the electrons left out.

    Parameters
    ----------
    tile : from `at` on 13 sums of `lanes` pixels, the first of them at `column`.
    least : pixels with fewer electrons are dropped.
    work : of `WORK` numbers; behind the rows of `ert.dose.kernels.lanes` it has to be zero, and is so afterwards.
    state, row, pitch, span, k, j : the row that is added to, of `ert.dose.kernels.rows.flush_sums`.
    """
    first, last = used_lanes(tile, at, np.uint64(0), lanes)
    if last <= first:
        return 0.0
    first, last = widened(first, last)
    lost = _parents(tile, at, least, work, first, last)
    low, high = extent(work, first, last)
    if high < low:
        return lost
    begin(work, first, last)
    shift, most = int(math.floor(low + 0.5)), int(math.floor(high + 0.5))
    window, out = shift, np.uint64(ROWS) * PITCH
    count = int(last) - int(first)
    column += int(first)
    while shift <= most:
        if shift - window > SHIFTS:
            lost += flush_sums(work, out + first, column + window, count + SHIFTS, state, row, pitch, span, k, j)
            window = shift
        a, b = reaching(work, shift - 0.5, shift + 0.5, first, last)
        weigh(work, shift + 0.5, shift == most, a, b)
        _deposit(work, float(shift), work, out + np.uint64(shift - window), a, b)
        shift += 1
    return lost + flush_sums(
        work, out + first, column + window, count + most - window, state, row, pitch, span, k, j
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _share_column(
    state: Float, begin_at: int, pitch: int, span: Integer, column: int, lanes: int, least: float, work: Float,
    tiles: Float, rows: Integer,
) -> float:  # fmt: skip
    """Share some columns of one slot out along y, into `tiles` (one of each row); `rows` those that are set there.

    state, begin_at, pitch : the slot's first place in the state and the columns of a row.
    """
    lost, count, here = 0.0, span.shape[0], np.uint64(ROWS) * PITCH
    rows[0] = rows[1] = 0
    for j in range(count):
        a, b, at = max(span[j, 0], column), min(span[j, 1], column + lanes), begin_at + j * SUMS * pitch
        if b <= a:
            continue
        first, last = np.uint64(a - column), np.uint64(b - column)
        load_sums(state, at + a, pitch, b - a, True, work, here, first)
        wanted, behind = 0, at
        if j + 1 < count:
            a, b = max(span[j + 1, 0], column), min(span[j + 1, 1], column + lanes)
            wanted, behind = b - a, at + SUMS * pitch + a
        ask_for_sums(state, behind, pitch, wanted, 0, 3)
        first, last = used_lanes(work, here, first, last)
        if last == first:
            continue
        first, last = widened(first, last)
        lost += _parents(work, here, least, work, first, last)
        ask_for_sums(state, behind, pitch, wanted, 3, 6)
        low, high = extent(work, first, last)
        if high < low:
            continue
        begin(work, first, last)
        shift, most = int(math.floor(low + 0.5)), int(math.floor(high + 0.5))
        _clear(tiles, rows, min(max(j + shift, 0), count), min(max(j + most + 1, 0), count))
        asked = 6
        while shift <= most:
            ask_for_sums(state, behind, pitch, wanted, asked, min(asked + 3, SUMS))
            asked += 3
            a, b = reaching(work, shift - 0.5, shift + 0.5, first, last)
            weigh(work, shift + 0.5, shift == most, a, b)
            row = j + shift
            if 0 <= row < count:
                _deposit(work, float(shift), tiles, np.uint64(row) * _TILE, a, b)
            else:
                lost += total(work, W0, a, b)
            shift += 1
    return lost


@njit(cache=True, nogil=True)
def _clear(tiles: Float, rows: Integer, low: int, high: int) -> None:
    """Clear the tiles of rows that are not in use yet, and let `rows` hold all up to those."""
    if high <= low:
        return
    if rows[1] == rows[0]:
        rows[0] = rows[1] = low
    tile = int(_TILE)
    tiles[min(low, rows[0]) * tile : rows[0] * tile] = 0.0
    tiles[rows[1] * tile : max(high, rows[1]) * tile] = 0.0
    rows[0], rows[1] = min(low, rows[0]), max(high, rows[1])


@njit(cache=True, nogil=True)
def _share_slot(
    state: Float, begin_at: int, nx: int, span: Integer, least: float, box: Integer, work: Float, tiles: Float,
    rows: Integer,
) -> float:  # fmt: skip
    """Share one slot out along y, some columns after the other; returns the electrons left out."""
    ny, of_row = span.shape[0], SUMS * nx
    c0, c1, lost = nx, 0, 0.0
    for j in range(ny):
        if span[j, 1] > span[j, 0]:
            c0, c1 = min(c0, span[j, 0]), max(c1, span[j, 1])
    box[0], box[1], box[2], box[3] = ny, 0, nx, 0
    size = part_size(max(c1 - c0, 0))
    for part in range(rows.shape[0]):
        column = c0 + part * size
        if column >= c1:
            break
        lanes = min(size, c1 - column)
        lost += _share_column(state, begin_at, nx, span, column, lanes, least, work, tiles, rows[part])
        for j in range(rows[part, 0], rows[part, 1]):
            at = np.uint64(j) * _TILE
            save_sums(tiles, at, lanes, True, state, begin_at + j * of_row + column, nx)
            first, last = used_lanes(tiles, at, np.uint64(0), np.uint64(lanes))
            if last > first:
                box[0], box[1] = min(box[0], j), max(box[1], j + 1)
                box[2], box[3] = min(box[2], column + int(first)), max(box[3], column + int(last))
    if box[1] <= box[0]:
        box[:] = 0
    for part in range(rows.shape[0]):
        column = c0 + part * size
        end = min(column + size, c1)
        for j in range(box[0], box[1]):
            if column < end and not rows[part, 0] <= j < rows[part, 1]:
                clear_sums(state, begin_at + j * of_row, nx, column, end)
    return lost


@njit(cache=True, nogil=True)
def share_slots(
    t: int, threads: int, state: Float, nx: int, span: Integer, slots: Integer, least: Float, box: Integer, lost: Float,
    work: Float, tiles: Float, rows: Integer,
) -> None:  # fmt: skip
    """Those slots of `share_columns` that are one thread's."""
    state, span, box, work = lend(state), lend(span), lend(box), lend(work)
    tiles, rows, of_slot = lend(tiles), lend(rows), span.shape[1] * SUMS * nx
    for m in range(t, slots.shape[0], threads):
        k = slots[m]
        lost[k] += _share_slot(state, k * of_slot, nx, span[k], least[k], box[k], work, tiles, rows)


@njit(cache=True, nogil=True, parallel=True)
def share_columns(
    state: Float, span: Integer, slots: Integer, least: Float, box: Integer, lost: Float, work: Float, tiles: Float
) -> None:
    """Share the electrons of every slot out along y: one writer per slot, so threads change no bit.

    Parameters
    ----------
    state : float64 [slot, y, 13, x], shared out along x by `share_row`; then along y too, and set within `box`.
    span : int64 [slot, y, 2], first and one past the last column that is set before, equal where there is none.
    slots : the slots to work on, dealt out in turn to the threads.
    least : [slot] pixels with fewer electrons are dropped.
    box : int64 [slot, 4], receives first and one past the last row and column with electrons.
    lost : [slot], electrons dropped or gone off the lattice, added to.
    work, tiles : [thread, `WORK`], [thread, y × 13 × `PITCH`], overwritten.
    """
    threads, flat = work.shape[0], state.ravel()
    for t in prange(threads):
        rows = np.zeros((state.shape[3] // LANES + 1, 2), dtype=np.int64)
        share_slots(t, threads, flat, state.shape[3], span, slots, least, box, lost, work[t], tiles[t], rows)
