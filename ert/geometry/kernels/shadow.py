"""The shadow that slabs of contours throw from a point source, on a bitmap."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.geometry.kernels.scan import scan_lines

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]


@njit(cache=True, nogil=True)
def _fill_row(bitmap: U8, row: int, x_low: float, x_high: float) -> None:
    first = max(int(math.ceil(x_low)), 0)
    last = min(int(math.floor(x_high)), bitmap.shape[1] - 1)
    for i in range(first, last + 1):
        bitmap[row, i] = 1


@njit(cache=True, nogil=True)
def _fill_quad(bitmap: U8, corners: F64) -> None:
    """Fill the pixels whose centres lie in a convex quadrilateral (4, 2), corners in order."""
    y_low, y_high = corners[:, 1].min(), corners[:, 1].max()
    first = max(int(math.ceil(y_low)), 0)
    last = min(int(math.floor(y_high)), bitmap.shape[0] - 1)
    for row in range(first, last + 1):
        x_low, x_high = 1e30, -1e30
        for n in range(4):
            x0, y0 = corners[n, 0], corners[n, 1]
            x1, y1 = corners[(n + 1) % 4, 0], corners[(n + 1) % 4, 1]
            if min(y0, y1) > row or max(y0, y1) < row:
                continue
            if y0 == y1:
                x_low, x_high = min(x_low, x0, x1), max(x_high, x0, x1)
                continue
            x = x0 + (row - y0) * (x1 - x0) / (y1 - y0)
            x_low, x_high = min(x_low, x), max(x_high, x)
        _fill_row(bitmap, row, x_low, x_high)


@njit(cache=True, nogil=True)
def fill_shadow(bitmap: U8, low: F64, high: F64, offset: I64) -> None:
    """Set the pixels that slabs cover.

    Parameters
    ----------
    bitmap : uint8 [y, x]; pixel centres at whole numbers.
    low, high : (e, 4) edges x0 y0 x1 y1 of the contours, projected at the lower and the upper end of their slab.
    offset : (p + 1,) where the edges of each slab start.
    """
    corners = np.empty((4, 2))
    for e in range(low.shape[0]):  # the walls
        corners[0, 0], corners[0, 1] = low[e, 0], low[e, 1]
        corners[1, 0], corners[1, 1] = low[e, 2], low[e, 3]
        corners[2, 0], corners[2, 1] = high[e, 2], high[e, 3]
        corners[3, 0], corners[3, 1] = high[e, 0], high[e, 1]
        _fill_quad(bitmap, corners)
    for p in range(offset.shape[0] - 1):  # both ends
        for ends in (low, high):
            x, line = scan_lines(ends[offset[p] : offset[p + 1]], 0.0, 1.0, bitmap.shape[0])
            for row in range(bitmap.shape[0]):
                for c in range(line[row], line[row + 1] - 1, 2):
                    _fill_row(bitmap, row, x[c], x[c + 1])
