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
def _turned(turn: F64, x: float, y: float, z: float) -> tuple[float, float, float]:
    return (
        turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z,
        turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z,
        turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z,
    )


@njit(cache=True, nogil=True)
def nearest_on_rectangles(
    kind: int, half_x: float, half_y: float, bottom: float, turn: F64, origin: F64, facets: F64, tolerance: float
) -> tuple[float, float, float, float]:
    """Smallest signed distance over rectangles and where it is: distance, x, y, z in the body's frame.

    Parameters
    ----------
    turn, origin : (3, 3) and (3,); a point p lies at turn (p - origin) in the body's frame.
    facets : (n, 10) middle of each rectangle, half of its two sides as vectors, half of its diagonal.
    tolerance : the distance is at most this much too large.
    """
    count = facets.shape[0]
    first = np.empty(count)
    best, bx, by, bz = 1.0e30, 0.0, 0.0, 0.0
    for n in range(count):
        x, y, z = _turned(turn, facets[n, 0] - origin[0], facets[n, 1] - origin[1], facets[n, 2] - origin[2])
        first[n] = body_distance(kind, half_x, half_y, bottom, x, y, z)
        if first[n] < best:
            best, bx, by, bz = first[n], x, y, z
    stack = np.empty((_STACK, 9))
    for n in range(count):
        if first[n] - facets[n, 9] >= best - tolerance:
            continue
        stack[0, 0], stack[0, 1], stack[0, 2] = _turned(
            turn, facets[n, 0] - origin[0], facets[n, 1] - origin[1], facets[n, 2] - origin[2]
        )
        stack[0, 3], stack[0, 4], stack[0, 5] = _turned(turn, facets[n, 3], facets[n, 4], facets[n, 5])
        stack[0, 6], stack[0, 7], stack[0, 8] = _turned(turn, facets[n, 6], facets[n, 7], facets[n, 8])
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
def count_lines(edges: F64, offset: NDArray[np.int64], plane: int, pitch: float) -> int:
    """How many lines `fill_lines` makes of one plane."""
    return fill_lines(edges, offset, plane, pitch, np.empty((0, 3)))


@njit(cache=True, nogil=True)
def fill_lines(edges: F64, offset: NDArray[np.int64], plane: int, pitch: float, out: F64) -> int:
    """Fill the polygons of a plane (even-odd) with lines along x, ``pitch`` apart; returns their number.

    ``out`` rows: x from, x to, y; rows beyond its length are counted but not written.
    """
    a, b = offset[plane], offset[plane + 1]
    low, high = 1.0e30, -1.0e30
    for e in range(a, b):
        low, high = min(low, edges[e, 1]), max(high, edges[e, 1])
    crossing = np.empty(b - a)
    made = 0
    for row in range(int(math.ceil((high - low) / pitch))):
        y = low + (row + 0.5) * pitch
        hits = 0
        for e in range(a, b):
            x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
            if (y0 > y) != (y1 > y):
                crossing[hits] = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                hits += 1
        ordered = np.sort(crossing[:hits])
        for pair in range(hits // 2):
            if made < out.shape[0]:
                out[made, 0], out[made, 1], out[made, 2] = ordered[2 * pair], ordered[2 * pair + 1], y
            made += 1
    return made
