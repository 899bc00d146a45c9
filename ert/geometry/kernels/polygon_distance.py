"""Distance of points from a closed outline, and the point inside that is farthest from it."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
_NO_LENGTH = 1e-30


@njit(cache=True, nogil=True, error_model="numpy")
def signed_distances(outline: F64, at: F64) -> F64:
    """Distance of points (m, 2) from an outline (n, 2), not closed, positive inside (even and odd crossings)."""
    out = np.empty(at.shape[0])
    n = outline.shape[0]
    for m in range(at.shape[0]):
        x, y = at[m, 0], at[m, 1]
        nearest, is_inside = np.inf, False
        for k in range(n):
            x0, y0 = outline[k, 0], outline[k, 1]
            x1, y1 = outline[(k + 1) % n, 0], outline[(k + 1) % n, 1]
            dx, dy, to_x, to_y = x1 - x0, y1 - y0, x - x0, y - y0
            t = min(max((to_x * dx + to_y * dy) / max(dx * dx + dy * dy, _NO_LENGTH), 0.0), 1.0)
            away_x, away_y = x0 + t * dx - x, y0 + t * dy - y
            nearest = min(nearest, away_x * away_x + away_y * away_y)
            if (y0 > y) != (y1 > y) and x < x0 + to_y / dy * dx:
                is_inside = not is_inside
        out[m] = math.sqrt(nearest) if is_inside else -math.sqrt(nearest)
    return out


@njit(cache=True, nogil=True)
def farthest_inside(outline: F64, cells: F64, half: float, tolerance: float) -> tuple[float, float, float]:
    """Point inside an outline that is farthest from it, and how far, by branch and bound.

    Parameters
    ----------
    outline : (n, 2), not closed.
    cells : (m, 2) centres of squares of half side `half` that cover the outline.
    tolerance : the distance found is at most so much too small.
    """
    best, x, y = -np.inf, cells[0, 0], cells[0, 1]
    while cells.shape[0] > 0:
        distance = signed_distances(outline, cells)
        for m in range(cells.shape[0]):
            if distance[m] > best:
                best, x, y = distance[m], cells[m, 0], cells[m, 1]
        quarters, count, reach = np.empty((4 * cells.shape[0], 2)), 0, half * math.sqrt(2.0)
        half /= 2.0
        for m in range(cells.shape[0]):
            if distance[m] + reach > best + tolerance:
                for q in range(4):
                    quarters[count, 0] = cells[m, 0] + (half if q % 2 == 1 else -half)
                    quarters[count, 1] = cells[m, 1] + (half if q >= 2 else -half)
                    count += 1
        cells = quarters[:count]
    return x, y, best
