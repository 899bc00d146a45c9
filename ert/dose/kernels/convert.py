"""CT numbers to tissue quantities, voxel by voxel."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
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
def count_within(hu: NDArray[np.int16], inside: NDArray[np.bool_], low_hu: int, high_hu: int) -> int:
    """Number of voxels inside whose CT number lies between two limits, limits included."""
    count = 0
    nz, ny, nx = hu.shape
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                if inside[k, j, i] and low_hu <= hu[k, j, i] <= high_hu:
                    count += 1
    return count


AIR_BELOW_G_CM3 = 0.05
"""Density, and relative stopping power, below which a voxel is air (lung holds 0.26)."""


@njit(cache=True, nogil=True, inline="always")
def _is_air(density: F32, stopping: F32, is_patient: NDArray[np.bool_], k: int, j: int, i: int) -> bool:
    is_thin = density[k, j, i] < AIR_BELOW_G_CM3 and stopping[k, j, i] <= AIR_BELOW_G_CM3
    return bool(is_thin and (is_patient.size == 0 or not is_patient[k, j, i]))


@njit(cache=True, nogil=True, parallel=True)
def row_ends(density: F32, stopping: F32, is_patient: NDArray[np.bool_]) -> NDArray[np.int32]:
    """First and last voxel of each row that is tissue, or in the patient.

    Parameters
    ----------
    density, stopping : float32 [z, y, x]; is_patient : bool of the same shape, or of size 0 for none.

    Returns
    -------
    int32 [2, z, y], −1 in rows of air.
    """
    nz, ny, nx = density.shape
    out = np.empty((2, nz, ny), dtype=np.int32)
    for k in prange(nz):
        for j in range(ny):
            first, last = 0, nx - 1
            while first < nx and _is_air(density, stopping, is_patient, k, j, first):
                first += 1
            while last > first and _is_air(density, stopping, is_patient, k, j, last):
                last -= 1
            out[0, k, j], out[1, k, j] = (first, last) if first < nx else (-1, -1)
    return out


BLOCK_BITS = 2
"""Voxels along each side of a block of `may_be_tissue`, as a power of two."""
_SURELY_AIR = 0.04


@njit(cache=True, nogil=True, parallel=True)
def may_be_tissue(stopping: F32) -> NDArray[np.bool_]:
    """Blocks of 4 × 4 × 4 voxels that hold, or have next to them, more stopping power than air has.

    In all others any mean of neighbouring voxels is below what counts as tissue on a ray.

    Parameters
    ----------
    stopping : float32 [z, y, x].

    Returns
    -------
    bool [z, y, x] of the blocks
    """
    nz, ny, nx = stopping.shape
    side = 1 << BLOCK_BITS
    near = np.zeros(((nz + side - 1) // side, ny, (nx + side - 1) // side), dtype=np.bool_)
    out = np.zeros((near.shape[0], (ny + side - 1) // side, near.shape[2]), dtype=np.bool_)
    for b in prange(out.shape[0]):
        for k in range(max(b * side - 1, 0), min((b + 1) * side + 1, nz)):
            for j in range(ny):
                for i in range(nx):
                    if stopping[k, j, i] > np.float32(_SURELY_AIR):
                        near[b, j, max(i - 1, 0) >> BLOCK_BITS] = True
                        near[b, j, min(i + 1, nx - 1) >> BLOCK_BITS] = True
        for j in range(ny):
            for c in range(near.shape[2]):
                if near[b, j, c]:
                    out[b, max(j - 1, 0) >> BLOCK_BITS, c] = True
                    out[b, min(j + 1, ny - 1) >> BLOCK_BITS, c] = True
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def medium_factors(density: F32, stopping: F32, is_patient: NDArray[np.bool_]) -> F32:
    """Dose to the medium over dose to water, S_r/ρ, of every tissue voxel: 0 where no dose is wanted, negative in air.

    Parameters
    ----------
    density, stopping : float32 [z, y, x].
    is_patient : bool of the same shape; of size 0: dose is wanted everywhere but in air before the first and behind the
        last tissue of its ray. In a patient air is not told apart.
    """
    out = np.empty(density.shape, dtype=np.float32)
    ratio, rho, power, mask = out.ravel(), density.ravel(), stopping.ravel(), is_patient.ravel()
    for i in range(ratio.shape[0]):
        if mask.size > 0:
            ratio[i] = power[i] / rho[i] if mask[i] else np.float32(0.0)
        else:
            ratio[i] = power[i] / rho[i] if rho[i] >= np.float32(AIR_BELOW_G_CM3) else -power[i] / rho[i]
    return out
