"""Marching squares: closed outlines of a level in a two-dimensional field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

# For each of the 16 cases (bit 0: corner (j, i), 1: (j, i+1), 2: (j+1, i+1), 3: (j+1, i)) the segments from side to
# side, inside on the left; sides: 0 bottom (y = j), 1 right, 2 top, 3 left. Both diagonals (5, 10) as separate corners.
_SEGMENTS = np.full((16, 2, 2), -1, dtype=np.int64)
for _case, _pairs in {
    1: ((0, 3),),
    2: ((1, 0),),
    3: ((1, 3),),
    4: ((2, 1),),
    5: ((0, 3), (2, 1)),
    6: ((2, 0),),
    7: ((2, 3),),
    8: ((3, 2),),
    9: ((0, 2),),
    10: ((1, 0), (3, 2)),
    11: ((1, 2),),
    12: ((3, 1),),
    13: ((0, 1),),
    14: ((3, 0),),
}.items():
    for _n, _pair in enumerate(_pairs):
        _SEGMENTS[_case, _n] = _pair
SEGMENTS = _SEGMENTS


@njit(cache=True, nogil=True)
def _side(j: int, i: int, side: int, nx: int) -> int:
    """Number of a lattice edge: 2 n along x from node n, 2 n + 1 along y from node n."""
    if side == 0:
        return 2 * (j * nx + i)
    if side == 1:
        return 2 * (j * nx + i + 1) + 1
    if side == 2:
        return 2 * ((j + 1) * nx + i)
    return 2 * (j * nx + i) + 1


@njit(cache=True, nogil=True)
def _link(field: NDArray[Any], level: float) -> I64:
    """For each cut lattice edge the edge where the segment that starts there ends."""
    ny, nx = field.shape
    following = np.full(2 * ny * nx, -1, dtype=np.int64)
    for j in range(ny - 1):
        for i in range(nx - 1):
            case = 0
            if field[j, i] >= level:
                case |= 1
            if field[j, i + 1] >= level:
                case |= 2
            if field[j + 1, i + 1] >= level:
                case |= 4
            if field[j + 1, i] >= level:
                case |= 8
            for n in range(2):
                if SEGMENTS[case, n, 0] >= 0:
                    start = _side(j, i, SEGMENTS[case, n, 0], nx)
                    following[start] = _side(j, i, SEGMENTS[case, n, 1], nx)
    return following


@njit(cache=True, nogil=True)
def trace(field: NDArray[Any], level: float) -> tuple[F64, I64]:
    """Outlines of a field [y, x] that is below the level along its border.

    Returns
    -------
    points : (n, 2) x, y in index positions, outline after outline; the inside is on the left.
    offset : (m + 1,) where each outline starts.
    """
    nx = field.shape[1]
    following = _link(field, level)
    count = 0
    for e in range(following.shape[0]):
        if following[e] >= 0:
            count += 1
    points = np.empty((count, 2))
    starts = np.empty(count + 1, dtype=np.int64)
    n = 0
    m = 0
    for first in range(following.shape[0]):
        if following[first] < 0:
            continue
        starts[m] = n
        m += 1
        e = first
        while following[e] >= 0:
            node = e // 2
            j = node // nx
            i = node - j * nx
            dx = 1 - e % 2
            here = float(field[j, i])
            there = float(field[j + 1 - dx, i + dx])
            t = (level - here) / (there - here)
            points[n, 0] = i + t * dx
            points[n, 1] = j + t * (1 - dx)
            n += 1
            done = e
            e = following[e]
            following[done] = -1
    starts[m] = n
    return points, starts[: m + 1].copy()
