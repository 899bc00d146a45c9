"""Tissue averaged over the voxels of the Monte Carlo's grid, which is parallel to the tissue's."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.int64]
_DECIMALS = 9


def overlaps(start: float, step: float, count: int, size: int) -> tuple[Integer, Float]:
    """Which tissue voxels the voxels of another grid cover along one axis, and with what share of their length.

    Parameters
    ----------
    start, step : centre of the first voxel and distance to the next, in indices of the tissue grid.
    count, size : voxels of the grid and of the tissue along the axis.

    Returns
    -------
    First tissue voxel [count] and shares [count, n] of it and the following. Tissue voxels that do not exist have a
    share of zero, so that what is left to one lies outside. Edges count to 1e-9 of a tissue voxel.
    """
    edges = np.round(start + 0.5 + step * (np.arange(count + 1) - 0.5), _DECIMALS)
    low, high = edges[:-1], edges[1:]
    first = np.floor(low).astype(np.int64)
    at = first[:, None] + np.arange(int((np.ceil(high) - first).max()))
    share = np.maximum(np.minimum(high[:, None], at + 1.0) - np.maximum(low[:, None], at), 0.0) / (high - low)[:, None]
    share[(at < 0) | (at >= size)] = 0.0
    return first, share


@njit(cache=True, nogil=True, parallel=True)
def voxel_means(
    density: Float32, stopping: Float32, scattering: Float32, patient: NDArray[np.bool_], first_x: Integer,
    share_x: Float, first_y: Integer, share_y: Float, first_z: Integer, share_z: Float, air_g_cm3: float,
    out: Float32, inside: Float32,
) -> None:  # fmt: skip
    """Means of density, relative stopping and scattering power over volume, and the share inside the patient.

    Parameters
    ----------
    density, stopping, scattering, patient : [z, y, x] on the tissue grid; patient may be empty (everywhere).
    first_x, share_x … : of `overlaps`, for each axis.
    air_g_cm3 : what lies outside the tissue grid.
    out : float32 [3, z, y, x]; inside : float32 [z, y, x].
    """
    whole = patient.size == 0
    for k in prange(out.shape[1]):
        for j in range(out.shape[2]):
            for i in range(out.shape[3]):
                rho = stop = scatter = within = known = 0.0
                for c in range(share_z.shape[1]):
                    for b in range(share_y.shape[1]):
                        for a in range(share_x.shape[1]):
                            share = share_z[k, c] * share_y[j, b] * share_x[i, a]
                            if share > 0.0:
                                z, y, x = first_z[k] + c, first_y[j] + b, first_x[i] + a
                                known += share
                                rho += share * density[z, y, x]
                                stop += share * stopping[z, y, x]
                                scatter += share * scattering[z, y, x]
                                if whole or patient[z, y, x]:
                                    within += share
                air = max(0.0, 1.0 - known) * air_g_cm3
                out[0, k, j, i], out[1, k, j, i], out[2, k, j, i] = rho + air, stop + air, scatter + air
                inside[k, j, i] = within
