"""Smallest signed distance between rectangles in space and a box or cylinder along z that reaches up without end.

Both bodies are convex, so their signed distance changes by at most the way moved: a rectangle whose centre is further
away than the best found plus half its diagonal cannot hold the nearest point, all others are divided until they are
smaller than the tolerance.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
BOX, CYLINDER = 0, 1
_STACK = 256


@njit(cache=True, nogil=True)
def body_distance(kind: int, half_x: float, half_y: float, bottom: float, x: float, y: float, z: float) -> float:
    """Signed distance of a point to the body, negative inside; a cylinder has the radius ``half_x``."""
    below = bottom - z
    if kind == CYLINDER:
        side_x = math.sqrt(x * x + y * y) - half_x
        side_y = -1.0e30
    else:
        side_x = abs(x) - half_x
        side_y = abs(y) - half_y
    inside = max(side_x, side_y, below)
    if inside <= 0.0:
        return inside
    dx, dy, dz = max(side_x, 0.0), max(side_y, 0.0), max(below, 0.0)
    return math.sqrt(dx * dx + dy * dy + dz * dz)


@njit(cache=True, nogil=True)
def nearest_on_rectangles(
    kind: int, half_x: float, half_y: float, bottom: float, centres: F64, u: F64, v: F64, tolerance: float
) -> tuple[float, float, float, float]:
    """Smallest signed distance over rectangles and where it is: distance, x, y, z.

    Parameters
    ----------
    centres, u, v : (n, 3) middle of each rectangle and half of its two sides.
    tolerance : the distance is at most this much too large.
    """
    count = centres.shape[0]
    first = np.empty(count)
    best = 1.0e30
    bx = by = bz = 0.0
    for n in range(count):
        x, y, z = centres[n, 0], centres[n, 1], centres[n, 2]
        first[n] = body_distance(kind, half_x, half_y, bottom, x, y, z)
        if first[n] < best:
            best, bx, by, bz = first[n], x, y, z
    stack = np.empty((_STACK, 9))
    for n in range(count):
        reach = math.sqrt(np.sum(u[n] * u[n]) + np.sum(v[n] * v[n]))
        if first[n] - reach >= best - tolerance:
            continue
        stack[0, :3], stack[0, 3:6], stack[0, 6:] = centres[n], u[n], v[n]
        size = 1
        while size > 0:
            size -= 1
            x, y, z = stack[size, 0], stack[size, 1], stack[size, 2]
            ux, uy, uz = stack[size, 3], stack[size, 4], stack[size, 5]
            vx, vy, vz = stack[size, 6], stack[size, 7], stack[size, 8]
            here = body_distance(kind, half_x, half_y, bottom, x, y, z)
            if here < best:
                best, bx, by, bz = here, x, y, z
            u2, v2 = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz
            if here - math.sqrt(u2 + v2) >= best - tolerance:
                continue
            if size + 2 > _STACK:  # never with rectangles below a metre; then the bound stands for the distance
                best, bx, by, bz = here - math.sqrt(u2 + v2), x, y, z
                continue
            if u2 >= v2:
                ux, uy, uz = 0.5 * ux, 0.5 * uy, 0.5 * uz
                sx, sy, sz = ux, uy, uz
            else:
                vx, vy, vz = 0.5 * vx, 0.5 * vy, 0.5 * vz
                sx, sy, sz = vx, vy, vz
            for sign in (-1.0, 1.0):
                stack[size, 0], stack[size, 1], stack[size, 2] = x + sign * sx, y + sign * sy, z + sign * sz
                stack[size, 3], stack[size, 4], stack[size, 5] = ux, uy, uz
                stack[size, 6], stack[size, 7], stack[size, 8] = vx, vy, vz
                size += 1
    return best, bx, by, bz


@njit(cache=True, nogil=True)
def count_strips(edges: F64, offset: NDArray[np.int64], plane: int, pitch: float) -> int:
    """How many strips `fill_strips` makes of one plane."""
    return fill_strips(edges, offset, plane, pitch, np.empty((0, 4)), 0)


@njit(cache=True, nogil=True)
def fill_strips(edges: F64, offset: NDArray[np.int64], plane: int, pitch: float, out: F64, start: int) -> int:
    """Cover the polygons of a plane (even-odd) with strips along x, ``pitch`` high; returns their number.

    ``out`` rows: x from, x to, y from, y to; rows beyond its length are counted but not written.
    """
    a, b = offset[plane], offset[plane + 1]
    low, high = 1.0e30, -1.0e30
    for e in range(a, b):
        low, high = min(low, edges[e, 1]), max(high, edges[e, 1])
    rows = int(math.ceil((high - low) / pitch))
    crossing = np.empty(b - a)
    made = 0
    for row in range(rows):
        y_from = low + row * pitch
        y_to = min(y_from + pitch, high)
        y = 0.5 * (y_from + y_to)
        hits = 0
        for e in range(a, b):
            x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            if (y0 > y) != (y1 > y):
                crossing[hits] = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                hits += 1
        ordered = np.sort(crossing[:hits])
        for pair in range(hits // 2):
            if start + made < out.shape[0]:
                out[start + made, 0], out[start + made, 1] = ordered[2 * pair], ordered[2 * pair + 1]
                out[start + made, 2], out[start + made, 3] = y_from, y_to
            made += 1
    return made
