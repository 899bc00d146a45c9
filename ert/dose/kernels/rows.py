"""The 13 sums of the pixels of one row: from the state to the work at hand and back.

The state [slot, y, 13, x] is one row here, told by the place of a pixel's first sum and the `pitch` from one sum to the
next: a view costs the counting of its references, which takes longer than some of these rows.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.lanes import PITCH, SUMS
from ert.dose.kernels.prefetch import ask_for

Float = NDArray[np.float64]
Integer = NDArray[np.int64]
_LOW_BITS = np.uint64(3)
_LINE = np.uint64(8)
"""Numbers in a line of the caches (64 bytes)."""


@njit(cache=True, nogil=True, inline="always")
def _turned(s: int, is_turned: bool) -> int:
    """Sums along y where those along x are, and the other way round."""
    if not is_turned:
        return s
    return s if s < 3 else (s + 5 if s < 8 else s - 5)


@njit(cache=True, nogil=True)
def load_sums(
    state: Float, at: int, pitch: int, count: int, is_turned: bool, work: Float, to: np.uint64, first: np.uint64
) -> None:
    """So many pixels into the lanes from `first` on, zeros up to the next multiples of four beside them."""
    last = first + np.uint64(count)
    for s in range(SUMS):
        source, row = np.uint64(at + _turned(s, is_turned) * pitch), to + np.uint64(s) * PITCH
        for i in range(first & ~_LOW_BITS, first):
            work[row + i] = 0.0
        for i in range(last, (last + _LOW_BITS) & ~_LOW_BITS):
            work[row + i] = 0.0
        begin = row + first
        for i in range(np.uint64(count)):
            work[begin + i] = state[source + i]


@njit(cache=True, nogil=True)
def ask_for_sums(state: Float, at: int, pitch: int, count: int, first: int, last: int) -> None:
    """Ask for some of the sums of pixels that are worked on next; none if the count is below one."""
    for s in range(first, last):
        begin = np.uint64(at + s * pitch)
        for i in range(begin, begin + np.uint64(max(count, 0)), _LINE):
            ask_for(state, i)


@njit(cache=True, nogil=True)
def save_sums(
    tile: Float, at: np.uint64, count: int, is_turned: bool, state: Float, to: int, pitch: int
) -> None:  # fmt: skip
    """So many lanes of a tile to a row of the state, whatever stands there."""
    for s in range(SUMS):
        source, target = at + np.uint64(s) * PITCH, np.uint64(to + _turned(s, is_turned) * pitch)
        for i in range(np.uint64(count)):
            state[target + i] = tile[source + i]


@njit(cache=True, nogil=True)
def clear_sums(state: Float, at: int, pitch: int, begin: int, end: int) -> None:
    """Nothing in some columns of the row that begins at `at`."""
    for s in range(SUMS):
        row = at + s * pitch
        for i in range(np.uint64(row + begin), np.uint64(row + max(begin, end))):
            state[i] = 0.0


@njit(cache=True, nogil=True)
def _move(tile: Float, at: np.uint64, state: Float, row: int, place: tuple[int, int, int, int]) -> None:
    """One sum of a tile to the columns place[0] … place[3] − 1 of the state; added from place[1] to place[2] − 1."""
    to, inside, outside = np.uint64(row + place[0]), np.uint64(place[1] - place[0]), np.uint64(place[2] - place[0])
    for i in range(inside):
        state[to + i] = tile[at + i]
    for i in range(inside, outside):
        state[to + i] += tile[at + i]
    for i in range(outside, np.uint64(place[3] - place[0])):
        state[to + i] = tile[at + i]


@njit(cache=True, nogil=True)
def flush_sums(
    tile: Float, at: np.uint64, column: int, width: int, state: Float, row: int, pitch: int, span: Integer, k: int,
    j: int,
) -> float:  # fmt: skip
    """Add so many lanes of a tile to a row of the state from that column on, clear them; returns what is off it.

    The row begins at place `row` and holds something in the columns `span[k, j]` only: what stands elsewhere is not
    even read. The span is brought up to date.
    """
    begin_at, end_at = min(max(0, -column), width), max(min(width, pitch - column), 0)
    lost = 0.0
    for i in range(begin_at):
        lost += tile[at + np.uint64(i)]
    for i in range(end_at, width):
        lost += tile[at + np.uint64(i)]
    if end_at > begin_at:
        begin, end = column + begin_at, column + end_at
        low, high = span[k, j, 0], span[k, j, 1]
        if high <= low:
            low = high = begin
        clear_sums(state, row, pitch, high, begin)
        clear_sums(state, row, pitch, end, low)
        place = begin, min(max(begin, low), end), max(min(end, high), begin), end
        for s in range(SUMS):
            _move(tile, at + np.uint64(s) * PITCH + np.uint64(begin_at), state, row + s * pitch, place)
        span[k, j, 0], span[k, j, 1] = min(low, begin), max(high, end)
    for s in range(SUMS):
        source = at + np.uint64(s) * PITCH
        for i in range(np.uint64(width)):
            tile[source + i] = 0.0
    return lost
