"""Closed surfaces of scalar fields: surface nets, and smoothing that does not shrink."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@njit(cache=True, nogil=True)
def _number_cells(field: F32, level: float) -> tuple[I32, int]:
    """Running numbers of the cells that the surface crosses, -1 elsewhere."""
    nz, ny, nx = field.shape
    number = np.full((nz - 1, ny - 1, nx - 1), -1, dtype=np.int32)
    count = 0
    for k in range(nz - 1):
        for j in range(ny - 1):
            for i in range(nx - 1):
                inside = 0
                for c in range(8):
                    if field[k + (c >> 2), j + ((c >> 1) & 1), i + (c & 1)] >= level:
                        inside += 1
                if 0 < inside < 8:
                    number[k, j, i] = count
                    count += 1
    return number, count


@njit(cache=True, nogil=True)
def _vertices(field: F32, level: float, number: I32, count: int) -> F64:
    """One vertex (x, y, z index) a crossed cell: the mean of where the surface cuts the cell's edges."""
    out = np.zeros((count, 3))
    nz, ny, nx = number.shape
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                n = number[k, j, i]
                if n < 0:
                    continue
                cuts = 0
                for c in range(8):
                    here = field[k + (c >> 2), j + ((c >> 1) & 1), i + (c & 1)]
                    for a in range(3):  # the edge from corner c along +x, +y or +z
                        if (c >> a) & 1:
                            continue
                        d = c | (1 << a)
                        there = field[k + (d >> 2), j + ((d >> 1) & 1), i + (d & 1)]
                        if (here >= level) == (there >= level):
                            continue
                        cuts += 1
                        t = (level - here) / (there - here)
                        out[n, 0] += (c & 1) + (t if a == 0 else 0.0)
                        out[n, 1] += ((c >> 1) & 1) + (t if a == 1 else 0.0)
                        out[n, 2] += (c >> 2) + (t if a == 2 else 0.0)
                out[n, 0] = i + out[n, 0] / cuts
                out[n, 1] = j + out[n, 1] / cuts
                out[n, 2] = k + out[n, 2] / cuts
    return out


@njit(cache=True, nogil=True)
def _add_quad(triangles: I32, n: int, corners: tuple[int, int, int, int], is_outward: bool) -> int:
    a, b, c, d = corners
    if not is_outward:
        b, d = d, b
    triangles[n, 0], triangles[n, 1], triangles[n, 2] = a, b, c
    triangles[n + 1, 0], triangles[n + 1, 1], triangles[n + 1, 2] = a, c, d
    return n + 2


@njit(cache=True, nogil=True)
def _quads(field: F32, level: float, number: I32, triangles: I32) -> int:
    """Two triangles for each lattice edge that the surface cuts, seen counter-clockwise from outside."""
    nz, ny, nx = number.shape
    n = 0
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                is_in = field[k, j, i] >= level
                if j > 0 and k > 0 and is_in != (field[k, j, i + 1] >= level):
                    around = (number[k - 1, j - 1, i], number[k - 1, j, i], number[k, j, i], number[k, j - 1, i])
                    n = _add_quad(triangles, n, around, is_in)
                if i > 0 and k > 0 and is_in != (field[k, j + 1, i] >= level):
                    around = (number[k - 1, j, i - 1], number[k, j, i - 1], number[k, j, i], number[k - 1, j, i])
                    n = _add_quad(triangles, n, around, is_in)
                if i > 0 and j > 0 and is_in != (field[k + 1, j, i] >= level):
                    around = (number[k, j - 1, i - 1], number[k, j - 1, i], number[k, j, i], number[k, j, i - 1])
                    n = _add_quad(triangles, n, around, is_in)
    return n


@njit(cache=True, nogil=True)
def surface_nets(field: F32, level: float) -> tuple[F64, I32]:
    """Surface of a field [z, y, x] that is below the level all around its border (Gibson 1998, naive surface nets).

    Returns
    -------
    vertices : (n, 3) x, y, z index positions.
    triangles : (m, 3) vertex numbers, counter-clockwise from outside.
    """
    number, count = _number_cells(field, level)
    vertices = _vertices(field, level, number, count)
    triangles = np.empty((count * 6 + 6, 3), dtype=np.int32)
    used = _quads(field, level, number, triangles)
    return vertices, triangles[:used].copy()


@njit(cache=True, nogil=True)
def _relax(vertices: F64, triangles: I32, factor: float) -> None:
    """Move every vertex towards (factor > 0) or away from the mean of its neighbours."""
    total = np.zeros_like(vertices)
    weight = np.zeros(vertices.shape[0])
    for m in range(triangles.shape[0]):
        for c in range(3):
            n = triangles[m, c]
            for other in (triangles[m, (c + 1) % 3], triangles[m, (c + 2) % 3]):
                for a in range(3):
                    total[n, a] += vertices[other, a]
                weight[n] += 1.0
    for n in range(vertices.shape[0]):
        if weight[n] > 0.0:
            for a in range(3):
                vertices[n, a] += factor * (total[n, a] / weight[n] - vertices[n, a])


@njit(cache=True, nogil=True)
def smooth(vertices: F64, triangles: I32, rounds: int) -> None:
    """Smooth in place without shrinking (Taubin 1995: alternating factors 0.5 and -0.53)."""
    for _ in range(rounds):
        _relax(vertices, triangles, 0.5)
        _relax(vertices, triangles, -0.53)
