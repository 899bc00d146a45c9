"""Signed distance to stacked contours, and where a ray enters them."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

OUTSIDE = -1.0e6
STEP_CM = 0.05
MISSED = -1.0
STARTS_INSIDE = -2.0


@njit(cache=True, nogil=True)
def plane_distance(edges: F64, start: int, stop: int, x: float, y: float) -> float:
    """Distance to the nearest edge in the plane, positive inside (even-odd)."""
    nearest = 1.0e30
    is_inside = False
    for e in range(start, stop):
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        ex = x1 - x0
        ey = y1 - y0
        length2 = ex * ex + ey * ey
        t = 0.0
        if length2 > 0.0:
            t = min(max(((x - x0) * ex + (y - y0) * ey) / length2, 0.0), 1.0)
        dx = x0 + t * ex - x
        dy = y0 + t * ey - y
        nearest = min(nearest, dx * dx + dy * dy)
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * ex / ey:
            is_inside = not is_inside
    return math.sqrt(nearest) if is_inside else -math.sqrt(nearest)


@njit(cache=True, nogil=True)
def stack_distance(z_cm: F64, low: F64, high: F64, edges: F64, offset: I64, point: F64) -> float:
    """In-plane signed distance, linear between neighbouring planes; OUTSIDE above, below and between separate parts."""
    z = point[2]
    n = z_cm.shape[0]
    if z < low[0] or z > high[n - 1]:
        return OUTSIDE
    m = np.searchsorted(z_cm, z, side="right") - 1
    if m < 0:
        return plane_distance(edges, offset[0], offset[1], point[0], point[1])
    below = plane_distance(edges, offset[m], offset[m + 1], point[0], point[1])
    if m == n - 1:
        return below
    if high[m] < low[m + 1]:
        if z < low[m + 1]:
            return below if z <= high[m] else OUTSIDE
        return plane_distance(edges, offset[m + 1], offset[m + 2], point[0], point[1])
    above = plane_distance(edges, offset[m + 1], offset[m + 2], point[0], point[1])
    t = float((z - z_cm[m]) / (z_cm[m + 1] - z_cm[m]))
    return (1.0 - t) * below + t * above


@njit(cache=True, nogil=True)
def _box_span(start: F64, direction: F64, box_low: F64, box_high: F64) -> tuple[float, float]:
    """Range of the ray parameter inside a box; first > last if it misses."""
    first = 0.0
    last = 1.0e30
    for a in range(3):
        if abs(direction[a]) < 1e-12:
            if start[a] < box_low[a] or start[a] > box_high[a]:
                return 1.0, 0.0
            continue
        t0 = (box_low[a] - start[a]) / direction[a]
        t1 = (box_high[a] - start[a]) / direction[a]
        first = max(first, min(t0, t1))
        last = min(last, max(t0, t1))
    return first, last


@njit(cache=True, nogil=True)
def ray_entry(
    z_cm: F64, low: F64, high: F64, edges: F64, offset: I64, box_low: F64, box_high: F64, start: F64, direction: F64
) -> float:
    """Distance along a ray (unit direction) to where it first enters the stack; MISSED or STARTS_INSIDE if it does not.

    Steps of 0.05 cm, longer far from the contours, then bisection to 1e-7 cm.
    """
    first, last = _box_span(start, direction, box_low, box_high)
    if first > last:
        return MISSED
    if first <= 0.0 and stack_distance(z_cm, low, high, edges, offset, start) > 0.0:
        return STARTS_INSIDE
    outside = first - 1e-6
    t = first
    while True:
        value = stack_distance(z_cm, low, high, edges, offset, start + t * direction)
        if value > 0.0:
            break
        if t >= last:
            return MISSED
        outside = t
        t = min(t + (max(STEP_CM, -0.25 * value) if value > OUTSIDE else STEP_CM), last)
    inside = t
    while inside - outside > 1e-7:
        t = 0.5 * (inside + outside)
        if stack_distance(z_cm, low, high, edges, offset, start + t * direction) > 0.0:
            inside = t
        else:
            outside = t
    return inside


@njit(cache=True, nogil=True)
def gradient(z_cm: F64, low: F64, high: F64, edges: F64, offset: I64, point: F64, radius: float) -> F64:
    """Least-squares gradient of the signed distance over a ball of 7 x 7 x 7 points."""
    total = np.zeros((4, 5))
    offset_cm = np.empty(3)
    row = np.ones(4)
    for a in range(-3, 4):
        for b in range(-3, 4):
            for c in range(-3, 4):
                if a * a + b * b + c * c > 9:
                    continue
                offset_cm[0], offset_cm[1], offset_cm[2] = a * radius / 3, b * radius / 3, c * radius / 3
                value = stack_distance(z_cm, low, high, edges, offset, point + offset_cm)
                if value <= OUTSIDE:
                    continue
                row[:3] = offset_cm
                for p in range(4):
                    for q in range(4):
                        total[p, q] += row[p] * row[q]
                    total[p, 4] += row[p] * value
    for p in range(4):
        total[p, p] += 1e-9
    for p in range(4):  # Gauss-Jordan; the matrix is symmetric and positive definite: no pivoting
        total[p, :] /= total[p, p]
        for q in range(4):
            if q != p:
                total[q, :] -= total[q, p] * total[p, :]
    return total[:3, 4].copy()
