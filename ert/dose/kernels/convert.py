"""CT numbers to tissue quantities, voxel by voxel."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
HU_OFFSET = 32768


@njit(cache=True, nogil=True)
def convert_hu(
    hu: NDArray[np.int16],
    inside: NDArray[np.bool_],
    table: F32,
    air: F32,
    stopping: F32,
    scattering: F32,
    density: F32,
) -> None:
    """Fill three arrays [z, y, x] from CT numbers: table (65536, 3) inside, air (3,) outside."""
    nz, ny, nx = hu.shape
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                if inside[k, j, i]:
                    row = np.int64(hu[k, j, i]) + HU_OFFSET
                    stopping[k, j, i] = table[row, 0]
                    scattering[k, j, i] = table[row, 1]
                    density[k, j, i] = table[row, 2]
                else:
                    stopping[k, j, i] = air[0]
                    scattering[k, j, i] = air[1]
                    density[k, j, i] = air[2]


@njit(cache=True, nogil=True)
def blend(values: F32, occupancy: F32, value: float) -> None:
    """Mix a material into an array [z, y, x] by the fraction of each voxel it fills."""
    nz, ny, nx = values.shape
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                share = occupancy[k, j, i]
                if share > 0.0:
                    values[k, j, i] = share * value + (1.0 - share) * values[k, j, i]


@njit(cache=True, nogil=True)
def count_above(hu: NDArray[np.int16], inside: NDArray[np.bool_], limit_hu: int) -> int:
    """Number of voxels inside whose CT number is above a limit."""
    count = 0
    nz, ny, nx = hu.shape
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                if inside[k, j, i] and hu[k, j, i] > limit_hu:
                    count += 1
    return count
