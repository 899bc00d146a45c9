"""Scan lines through polygons: crossings by the even-odd rule, and exact coverage of pixels along each line.

Polygons come as a flat array of edges ``(x0, y0, x1, y1)``; all edges of a plane are taken together, so that several
polygons on one plane combine by exclusive or.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True, nogil=True)
def scan_lines(edges: F64, y_first: float, y_pitch: float, n_lines: int) -> tuple[F64, I64]:
    """Where the lines ``y = y_first + n * y_pitch`` cross the edges.

    A line crosses an edge if ``min(y0, y1) <= y < max(y0, y1)``: each vertex counts once, so that every line of closed
    polygons has an even number of crossings.

    Returns
    -------
    x : sorted crossings, line after line.
    offset : (n_lines + 1,) where the crossings of each line start in x.
    """
    offset = np.zeros(n_lines + 1, dtype=np.int64)
    for e in range(edges.shape[0]):
        y0 = edges[e, 1]
        y1 = edges[e, 3]
        first = max(int(math.ceil((min(y0, y1) - y_first) / y_pitch)), 0)
        last = min(int(math.ceil((max(y0, y1) - y_first) / y_pitch)), n_lines)
        for n in range(first, last):
            offset[n + 1] += 1
    for n in range(n_lines):
        offset[n + 1] += offset[n]
    x = np.empty(offset[n_lines], dtype=np.float64)
    filled = np.zeros(n_lines, dtype=np.int64)
    for e in range(edges.shape[0]):
        x0, y0, x1, y1 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        first = max(int(math.ceil((min(y0, y1) - y_first) / y_pitch)), 0)
        last = min(int(math.ceil((max(y0, y1) - y_first) / y_pitch)), n_lines)
        for n in range(first, last):
            y = y_first + n * y_pitch
            value = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
            place = offset[n] + filled[n]
            while place > offset[n] and x[place - 1] > value:  # insertion sort: a line has few crossings
                x[place] = x[place - 1]
                place -= 1
            x[place] = value
            filled[n] += 1
    return x, offset


@njit(cache=True, nogil=True)
def plane_areas(edges: F64, offset: I64, n_lines: int) -> F64:
    """Area (even-odd) of each plane, by n_lines lines; the edges of plane p are offset[p] … offset[p + 1]."""
    areas = np.zeros(offset.shape[0] - 1)
    for p in range(areas.shape[0]):
        part = edges[offset[p] : offset[p + 1]]
        low, high = part[:, 1].min(), part[:, 1].max()
        pitch = (high - low) / n_lines
        if pitch <= 0.0:
            continue
        x, _ = scan_lines(part, low + pitch / 2, pitch, n_lines)
        for c in range(0, x.shape[0] - 1, 2):
            areas[p] += (x[c + 1] - x[c]) * pitch
    return areas


@njit(cache=True, nogil=True)
def _add_step(row: F64, x: float, weight: float) -> None:
    """Add weight to everything right of x, in difference form; pixel i covers i - 0.5 … i + 0.5."""
    position = x + 0.5
    n = row.shape[0] - 2
    if position <= 0.0:
        row[0] += weight
    elif position < n:
        i = int(position)
        inside = position - i
        row[i] += weight * (1.0 - inside)
        row[i + 1] += weight * inside


@njit(cache=True, nogil=True)
def coverage(edges: F64, ny: int, nx: int, n_sub: int) -> NDArray[np.float32]:
    """Covered fraction of each pixel, float32 (ny, nx); exact along x, n_sub lines a pixel along y.

    Edges are in pixel units: the centre of pixel (j, i) is (x, y) = (i, j).
    """
    out = np.zeros((ny, nx), dtype=np.float32)
    x, offset = scan_lines(edges, -0.5 + 0.5 / n_sub, 1.0 / n_sub, ny * n_sub)
    row = np.zeros(nx + 2, dtype=np.float64)
    weight = 1.0 / n_sub
    for j in range(ny):
        if offset[(j + 1) * n_sub] == offset[j * n_sub]:
            continue
        row[:] = 0.0
        for n in range(j * n_sub, (j + 1) * n_sub):
            for c in range(offset[n], offset[n + 1] - 1, 2):
                _add_step(row, x[c], weight)
                _add_step(row, x[c + 1], -weight)
        total = 0.0
        for i in range(nx):
            total += row[i]
            out[j, i] = 0.0 if total < 1e-6 else (1.0 if total > 1.0 - 1e-6 else total)
    return out


@njit(cache=True, nogil=True)
def add_slab(occupancy: NDArray[np.float32], plane: NDArray[np.float32], k_low: float, k_high: float) -> None:
    """Add a plane's coverage to the slices that the slab k_low … k_high (slice units) overlaps, in proportion."""
    nz = occupancy.shape[0]
    first = max(int(math.floor(k_low + 0.5)), 0)
    last = min(int(math.floor(k_high + 0.5)), nz - 1)
    for k in range(first, last + 1):
        share = min(k + 0.5, k_high) - max(k - 0.5, k_low)
        if share <= 1e-9:
            continue
        if share > 1.0 - 1e-9:
            share = 1.0
        for j in range(plane.shape[0]):
            for i in range(plane.shape[1]):
                if plane[j, i] > 0.0:
                    occupancy[k, j, i] = min(1.0, occupancy[k, j, i] + share * plane[j, i])
