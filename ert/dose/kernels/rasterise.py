"""Exact covering of square pixels by a polygon, and the length of its outline in each pixel."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integers = NDArray[np.int32]


@njit(cache=True, nogil=True)
def _add_piece(cover: Float, length: Float, weights: Float, xa: float, ya: float, xb: float, yb: float) -> None:
    """Add one piece of an edge that lies within one pixel (pixel units)."""
    ny, nx = cover.shape[0], cover.shape[1] - 1
    j = int(math.floor(0.5 * (ya + yb)))
    i = int(math.floor(0.5 * (xa + xb)))
    if j < 0 or j >= ny or i >= nx:
        return
    dy = yb - ya
    if i < 0:
        cover[j, 0] += dy
        return
    right = dy * (i + 1 - 0.5 * (xa + xb))
    cover[j, i] += right
    cover[j, i + 1] += dy - right
    piece = math.sqrt((xb - xa) ** 2 + dy * dy)
    for k in range(weights.shape[0]):
        length[k, j, i] += weights[k] * piece


@njit(cache=True, nogil=True)
def _add_edge(cover: Float, length: Float, weights: Float, x0: float, y0: float, x1: float, y1: float) -> None:
    """Cut an edge at every pixel border it crosses and add the pieces."""
    dx, dy = x1 - x0, y1 - y0
    cuts = np.empty(int(abs(dx)) + int(abs(dy)) + 6)
    cuts[0] = 0.0
    n = 1
    if dx != 0.0:
        for column in range(int(math.ceil(min(x0, x1))), int(math.floor(max(x0, x1))) + 1):
            cuts[n] = (column - x0) / dx
            n += 1
    if dy != 0.0:
        for row in range(int(math.ceil(min(y0, y1))), int(math.floor(max(y0, y1))) + 1):
            cuts[n] = (row - y0) / dy
            n += 1
    cuts[n] = 1.0
    ordered = np.sort(cuts[: n + 1])
    for m in range(n):
        a, b = max(0.0, ordered[m]), min(1.0, ordered[m + 1])
        if b > a:
            _add_piece(cover, length, weights, x0 + a * dx, y0 + a * dy, x0 + b * dx, y0 + b * dy)


@njit(cache=True, nogil=True)
def rasterise_polygon(x: Float, y: Float, weights: Float, ny: int, nx: int) -> tuple[Float, Float]:
    """Covered fraction of each pixel, and weighted outline length in each pixel in pixel widths.

    Parameters
    ----------
    x, y : vertices in pixel units (pixel (j, i) spans i…i+1, j…j+1), not closed, either sense of rotation.
    weights : [n, w] factors on the length of the edge that starts at each vertex, one column for each map.
    ny, nx : size of the raster.

    Returns
    -------
    cover, length : float64 [ny, nx] and [w, ny, nx]; cover is exact area (sum of signed trapezoids to the right of
        every edge).
    """
    cover = np.zeros((ny, nx + 1))
    length = np.zeros((weights.shape[1], ny, nx))
    n = x.shape[0]
    twice_area = 0.0
    for m in range(n):
        k = (m + 1) % n
        twice_area += x[m] * y[k] - x[k] * y[m]
        _add_edge(cover, length, weights[m], x[m], y[m], x[k], y[k])
    sign = -1.0 if twice_area > 0 else 1.0
    for j in range(ny):
        running = 0.0
        for i in range(nx):
            running += cover[j, i]
            cover[j, i] = min(1.0, max(0.0, sign * running))
    return cover[:, :nx].copy(), length


@njit(cache=True, nogil=True)
def fluence_maps(
    cover: Float, length: Float, ratio: Float, whole: Float, pitch_cm: float, least_frac: float
) -> tuple[Float32, Integers, Integers, Float]:
    """What `ert.dose.fluence.Fluence` holds of an opening, in one pass.

    Parameters
    ----------
    cover, length : of `rasterise_polygon`; ratio, whole : float64 [ny, nx], off-axis ratio and irradiated part.
    least_frac : pixels covered by more carry electrons.

    Returns
    -------
    maps, rows, columns, weight
    """
    edges, (ny, nx) = length.shape[0], cover.shape
    maps, count = np.empty((edges + 2, ny, nx), dtype=np.float32), 0
    rows, columns = np.empty(ny * nx, dtype=np.int32), np.empty(ny * nx, dtype=np.int32)
    weight = np.empty(ny * nx)
    for j in range(ny):
        for k in range(edges):
            for i in range(nx):
                maps[k, j, i] = length[k, j, i] / pitch_cm
        for i in range(nx):
            maps[edges, j, i] = cover[j, i] * ratio[j, i]
            maps[edges + 1, j, i] = max(0.0, whole[j, i] - cover[j, i])
        for i in range(nx):
            if cover[j, i] > least_frac:
                rows[count], columns[count], weight[count] = j, i, cover[j, i] * ratio[j, i]
                count += 1
    return maps, rows[:count].copy(), columns[:count].copy(), weight[:count].copy()
