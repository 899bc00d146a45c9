"""Mean tissue along each step of each pixel of the fan."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.sampling import is_in_volume

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]

METAL_G_CM3 = 7.0
"""Density from which a voxel is a shield that ends electrons (lead, tungsten, brass, low-melting alloy)."""
_AIR = 0.0012


@njit(cache=True, nogil=True, inline="always")
def _mean(
    stopping: Float32, scattering: Float32, density: Float32, to_index: Float, offset: Float, tx: float, ty: float,
    side: float, near: float, spacing: float, samples: int, shift: float, sad: float,
) -> tuple[float, float, float]:  # fmt: skip
    """Mean over 2 × 2 × samples points of one step's frustum: stopping and scattering of what is no metal, its part."""
    s = t = 0.0
    open_points = 0
    for m in range(samples):
        distance = near + (m + 0.5) / samples * spacing
        z, virtual = sad - distance, distance - shift
        for q in range(4):
            x = (tx + (0.25 if q & 1 else -0.25) * side) * virtual
            y = (ty + (0.25 if q & 2 else -0.25) * side) * virtual
            fx = offset[0] + to_index[0, 0] * x + to_index[0, 1] * y + to_index[0, 2] * z
            fy = offset[1] + to_index[1, 0] * x + to_index[1, 1] * y + to_index[1, 2] * z
            fz = offset[2] + to_index[2, 0] * x + to_index[2, 1] * y + to_index[2, 2] * z
            if not is_in_volume(stopping.shape, fx, fy, fz):
                s += _AIR
                t += _AIR
                open_points += 1
                continue
            i, j, k = int(math.floor(fx + 0.5)), int(math.floor(fy + 0.5)), int(math.floor(fz + 0.5))
            if density[k, j, i] <= METAL_G_CM3:
                s += float(stopping[k, j, i])
                t += float(scattering[k, j, i])
                open_points += 1
    if open_points == 0:
        return 0.0, 0.0, 0.0
    return s / open_points, t / open_points, open_points / (4.0 * samples)


@njit(cache=True, nogil=True, parallel=True)
def sample_steps(
    stopping: Float32, scattering: Float32, density: Float32, to_index: Float, offset: Float, x_cm: Float, y_cm: Float,
    nodes: Float, first: int, samples: int, sad_cm: float, virtual_cm: float,
) -> Float32:  # fmt: skip
    """Relative stopping and scattering power and open part, averaged over each step of each pixel.

    Parameters
    ----------
    stopping, scattering, density : float32 [z, y, x]; to_index, offset : voxel index = to_index @ bev_cm + offset.
    x_cm, y_cm : centres of the fan's columns and rows on the isocentre plane, seen from the virtual source.
    nodes : distances of the planes from the nominal source, evenly spaced; steps before `first` are left unset.
    samples : points along a step (× 2 × 2 across); each takes the voxel it lies in, outside the volume air.

    Returns
    -------
    float32 [step, 3, y, x]
    """
    ny, nx, steps = y_cm.shape[0], x_cm.shape[0], nodes.shape[0] - 1
    out = np.empty((steps, 3, ny, nx), dtype=np.float32)
    spacing, side = nodes[1] - nodes[0], (x_cm[1] - x_cm[0]) / virtual_cm
    for j in prange(ny):
        for n in range(first, steps):
            for i in range(nx):
                s, t, opening = _mean(
                    stopping, scattering, density, to_index, offset, x_cm[i] / virtual_cm, y_cm[j] / virtual_cm, side,
                    nodes[n], spacing, samples, sad_cm - virtual_cm, sad_cm,
                )  # fmt: skip
                out[n, 0, j, i], out[n, 1, j, i], out[n, 2, j, i] = s, t, opening
    return out
