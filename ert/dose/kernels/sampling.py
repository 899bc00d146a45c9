"""Table lookup and trilinear sampling, written for inner loops."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]


@njit(cache=True, nogil=True, inline="always")
def lookup(table: Float, position: float) -> float:
    """Linear interpolation in a table with unit steps; the end values hold outside."""
    last = table.shape[0] - 1
    if position <= 0.0:
        return float(table[0])
    if position >= last:
        return float(table[last])
    i = int(position)
    return float(table[i] + (position - i) * (table[i + 1] - table[i]))


@njit(cache=True, nogil=True, inline="always")
def is_in_volume(shape: tuple[int, int, int], fx: float, fy: float, fz: float) -> bool:
    """True if a fractional index lies within the voxels' outer faces."""
    return -0.5 <= fx < shape[2] - 0.5 and -0.5 <= fy < shape[1] - 0.5 and -0.5 <= fz < shape[0] - 0.5


@njit(cache=True, nogil=True, inline="always")
def _cell(position: float, size: int) -> tuple[int, np.float32]:
    """Lower voxel and fraction; in the outermost half voxel the centre's value holds."""
    node = min(max(int(position), 0), max(size - 2, 0))
    part = np.float32(min(max(position - node, 0.0), 1.0)) if size > 1 else np.float32(0.0)
    return node, part


@njit(cache=True, nogil=True, inline="always")
def at_cell(volume: Float32, k: int, j: int, i: int, a: np.float32, b: np.float32, c: np.float32) -> np.float32:
    """Trilinear value in cell (k, j, i) of `cell_of`; three nested linear interpolations in float32."""
    nz, ny, nx = volume.shape
    # Unsigned, so that no index is checked for counting from the end.
    x1, y1, z1 = np.uint32(min(i + 1, nx - 1)), np.uint32(min(j + 1, ny - 1)), np.uint32(min(k + 1, nz - 1))
    x0, y0, z0 = np.uint32(i), np.uint32(j), np.uint32(k)
    v00 = volume[z0, y0, x0] + a * (volume[z0, y0, x1] - volume[z0, y0, x0])
    v01 = volume[z0, y1, x0] + a * (volume[z0, y1, x1] - volume[z0, y1, x0])
    v10 = volume[z1, y0, x0] + a * (volume[z1, y0, x1] - volume[z1, y0, x0])
    v11 = volume[z1, y1, x0] + a * (volume[z1, y1, x1] - volume[z1, y1, x0])
    v0 = v00 + b * (v01 - v00)
    value: np.float32 = v0 + c * (v10 + b * (v11 - v10) - v0)
    return value


@njit(cache=True, nogil=True, inline="always")
def cell_of(
    shape: tuple[int, int, int], fx: float, fy: float, fz: float
) -> tuple[int, int, int, np.float32, np.float32, np.float32]:
    """Lower corner (z, y, x) around a fractional index (x, y, z) inside the volume, and the parts x, y, z beyond it."""
    i, a = _cell(fx, shape[2])
    j, b = _cell(fy, shape[1])
    k, c = _cell(fz, shape[0])
    return k, j, i, a, b, c


@njit(cache=True, nogil=True, inline="always")
def sample(volume: Float32, fx: float, fy: float, fz: float) -> np.float32:
    """Trilinear value of volume [z, y, x] at a fractional index (x, y, z) inside the volume."""
    k, j, i, a, b, c = cell_of(volume.shape, fx, fy, fz)
    return at_cell(volume, k, j, i, a, b, c)


@njit(cache=True, nogil=True, inline="always")
def sample_inner(volume: Float32, fx: float, fy: float, fz: float) -> np.float32:
    """Trilinear value where 0 ≤ index ≤ size − 1 holds already and every side has two voxels or more."""
    nz, ny, nx = volume.shape
    # Unsigned, so that no index is checked for counting from the end.
    i, j, k = np.uint32(min(int(fx), nx - 2)), np.uint32(min(int(fy), ny - 2)), np.uint32(min(int(fz), nz - 2))
    i1, j1, k1 = np.uint32(i + np.uint32(1)), np.uint32(j + np.uint32(1)), np.uint32(k + np.uint32(1))
    a, b, c = np.float32(fx - i), np.float32(fy - j), np.float32(fz - k)
    v00 = volume[k, j, i] + a * (volume[k, j, i1] - volume[k, j, i])
    v01 = volume[k, j1, i] + a * (volume[k, j1, i1] - volume[k, j1, i])
    v10 = volume[k1, j, i] + a * (volume[k1, j, i1] - volume[k1, j, i])
    v11 = volume[k1, j1, i] + a * (volume[k1, j1, i1] - volume[k1, j1, i])
    v0 = v00 + b * (v01 - v00)
    value: np.float32 = v0 + c * (v10 + b * (v11 - v10) - v0)
    return value


@njit(cache=True, nogil=True, inline="always")
def nearest(volume: Float32, fx: float, fy: float, fz: float) -> float:
    """Value of the nearest voxel for a fractional index inside the volume."""
    return float(volume[np.uint32(int(fz + 0.5)), np.uint32(int(fy + 0.5)), np.uint32(int(fx + 0.5))])


@njit(cache=True, nogil=True, error_model="numpy")
def least_bits(bits: NDArray[np.int32]) -> np.int32:
    """Least of the bits of floats: below zero if one of them is, else the least float's own.

    A minimum of floats does not become vectors.
    """
    least: np.int32 = bits[0]
    for i in range(bits.shape[0]):
        least = min(least, bits[i])
    return least
