"""Trilinear sampling of voxel arrays [z, y, x]."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]


@njit(cache=True, nogil=True, inline="always")
def _cell(position: float, size: int) -> tuple[int, float]:
    """Lower node and fraction; within half a voxel beyond the outermost centres the edge value holds."""
    if position <= 0.0 or size == 1:
        return 0, 0.0
    if position >= size - 1:
        return size - 2, 1.0
    node = int(position)
    return node, position - node


@njit(cache=True, nogil=True)
def trilinear(values: NDArray[Any], x: float, y: float, z: float, outside: float) -> float:
    """Value at a voxel index position; `outside` beyond the faces of the outermost voxels."""
    nz, ny, nx = values.shape
    if not (-0.5 <= x <= nx - 0.5 and -0.5 <= y <= ny - 0.5 and -0.5 <= z <= nz - 0.5):
        return outside
    i, fx = _cell(x, nx)
    j, fy = _cell(y, ny)
    k, fz = _cell(z, nz)
    i1 = min(i + 1, nx - 1)
    j1 = min(j + 1, ny - 1)
    k1 = min(k + 1, nz - 1)
    low = (values[k, j, i] * (1.0 - fx) + values[k, j, i1] * fx) * (1.0 - fy) + (
        values[k, j1, i] * (1.0 - fx) + values[k, j1, i1] * fx
    ) * fy
    high = (values[k1, j, i] * (1.0 - fx) + values[k1, j, i1] * fx) * (1.0 - fy) + (
        values[k1, j1, i] * (1.0 - fx) + values[k1, j1, i1] * fx
    ) * fy
    value: float = low * (1.0 - fz) + high * fz
    return value


@njit(cache=True, nogil=True)
def sample_points(values: NDArray[Any], index: F64, outside: float) -> F32:
    """Values at index positions (n, 3) in the order x, y, z."""
    out = np.empty(index.shape[0], dtype=np.float32)
    for n in range(index.shape[0]):
        out[n] = trilinear(values, index[n, 0], index[n, 1], index[n, 2], outside)
    return out


@njit(cache=True, nogil=True)
def sample_lattice(
    values: NDArray[Any], origin: F64, du: F64, dv: F64, dw: F64, shape: tuple[int, int, int], outside: float
) -> F32:
    """Values on a lattice [w, v, u]; origin and steps (3,) in index positions x, y, z."""
    nw, nv, nu = shape
    out = np.empty((nw, nv, nu), dtype=np.float32)
    for w in range(nw):
        for v in range(nv):
            x = origin[0] + w * dw[0] + v * dv[0]
            y = origin[1] + w * dw[1] + v * dv[1]
            z = origin[2] + w * dw[2] + v * dv[2]
            for u in range(nu):
                out[w, v, u] = trilinear(values, x + u * du[0], y + u * du[1], z + u * du[2], outside)
    return out
