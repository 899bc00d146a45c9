"""Distance of points from a closed outline."""

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
