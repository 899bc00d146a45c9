"""Tissue averaged over the voxels of the Monte Carlo's grid."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]


@njit(cache=True, nogil=True, parallel=True)
def voxel_means(
    density: Float32, stopping: Float32, scattering: Float32, patient: NDArray[np.bool_], affine: Float,
    samples: int, air_g_cm3: float, out: Float32, share: Float32,
) -> None:  # fmt: skip
    """Means of density, relative stopping and scattering power over voxels, and the share inside the patient.

    Parameters
    ----------
    density, stopping, scattering, patient : [z, y, x] on the tissue grid; patient may be empty (everywhere).
    affine : [3, 4], from index (x, y, z) of the output to index of the tissue grid.
    samples : points along each axis of a voxel.
    out : float32 [3, z, y, x]; share : float32 [z, y, x].
    """
    nz, ny, nx = out.shape[1], out.shape[2], out.shape[3]
    part = 1.0 / samples
    whole = patient.size == 0
    for k in prange(nz):
        at = np.empty(3, dtype=np.int64)
        for j in range(ny):
            for i in range(nx):
                rho = stop = scatter = inside = 0.0
                for c in range(samples**3):
                    z = k + ((c // (samples * samples)) + 0.5) * part - 0.5
                    y = j + ((c // samples) % samples + 0.5) * part - 0.5
                    x = i + (c % samples + 0.5) * part - 0.5
                    hit = True
                    for a in range(3):
                        at[a] = math.floor(affine[a, 0] * x + affine[a, 1] * y + affine[a, 2] * z + affine[a, 3] + 0.5)
                        hit = hit and 0 <= at[a] < density.shape[2 - a]
                    if not hit:
                        rho += air_g_cm3
                        stop += air_g_cm3
                        scatter += air_g_cm3
                        continue
                    rho += density[at[2], at[1], at[0]]
                    stop += stopping[at[2], at[1], at[0]]
                    scatter += scattering[at[2], at[1], at[0]]
                    if whole or patient[at[2], at[1], at[0]]:
                        inside += 1.0
                scale = part**3
                out[0, k, j, i], out[1, k, j, i], out[2, k, j, i] = rho * scale, stop * scale, scatter * scale
                share[k, j, i] = inside * scale
