"""Smooth background components on the fan, and from the fan to the dose grid."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.trace import _sample

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]


@njit(cache=True, nogil=True)
def _blur_rows(source: Float32, weights: Float32) -> Float32:
    """Convolve every row with a symmetric kernel (weights[0] centre) and return the transpose."""
    ny, nx = source.shape
    reach = weights.shape[0] - 1
    out = np.zeros((nx, ny), dtype=np.float32)
    line = np.empty(nx + 2 * reach, dtype=np.float32)
    blurred = np.empty(nx, dtype=np.float32)
    for j in range(ny):
        line[:] = 0.0
        line[reach : reach + nx] = source[j]
        blurred[:] = weights[0] * source[j]
        for k in range(1, reach + 1):
            w = weights[k]
            for i in range(nx):
                blurred[i] += w * (line[reach + i - k] + line[reach + i + k])
        out[:, j] = blurred
    return out


@njit(cache=True, nogil=True)
def _box_gaussian(sigma: float) -> Float32:
    """Integrals of a Gaussian over pixels 0, 1, 2 … (pixel units), to 3.5 sigma, normalised."""
    reach = int(3.5 * sigma + 0.5) + 1
    q = 1.0 / (math.sqrt(2.0) * sigma)
    weights = np.empty(reach + 1, dtype=np.float32)
    before = -math.erf(0.5 * q)
    for k in range(reach + 1):
        after = math.erf((k + 0.5) * q)
        weights[k] = 0.5 * (after - before) / math.erf((reach + 0.5) * q)
        before = after
    return weights


@njit(cache=True, nogil=True, parallel=True)
def blur_maps(maps: Float32, sigmas: Float) -> Float32:
    """Blur each map with each of its Gaussian widths.

    Parameters
    ----------
    maps : float32 [m, ny, nx]; sigmas : [m, q] widths in pixels.

    Returns
    -------
    float32 [m, q, ny, nx]
    """
    count, ny, nx = maps.shape
    knots = sigmas.shape[1]
    out = np.empty((count, knots, ny, nx), dtype=np.float32)
    for c in prange(count * knots):
        m, q = c // knots, c % knots
        weights = _box_gaussian(sigmas[m, q])
        out[m, q] = _blur_rows(_blur_rows(maps[m], weights), weights)
    return out


@njit(cache=True, nogil=True, parallel=True)
def add_background(
    dose: Float32, depth: Float32, blurred: Float32, knots: Float, nodes: Float, first: int, numbers: Float
) -> None:
    """Add edge electrons, bremsstrahlung of the open field and what the insert lets through.

    Parameters
    ----------
    dose : float32 [node, y, x], added to; depth : water-equivalent depth on the same nodes.
    blurred : float32 [3, q, y, x] of `blur_maps`: edge length density (1/cm), open and blocked fraction.
    knots : distances from the insert the maps were blurred for, in geometric progression.
    numbers : sad_cm, virtual_sad_cm, insert_cm, edge_gy_cm_per_mu, edge_range_cm, photon_gy_per_mu, photon_attenuation_per_cm,
        photon_buildup_frac, photon_buildup_per_cm, blocked_gy_per_mu, blocked_attenuation_per_cm.
    """
    nn, ny, nx = depth.shape
    sad, virtual = numbers[0], numbers[1]
    span = math.log(knots[-1] / knots[0]) / (knots.shape[0] - 1)
    for n in prange(first, nn):
        gap = max(nodes[n] - numbers[2], knots[0])
        position = min(math.log(gap / knots[0]) / span, knots.shape[0] - 1.000001)
        q = int(position)
        t = np.float32(position - q)
        electrons = (virtual / (nodes[n] - sad + virtual)) ** 2
        photons = (sad / nodes[n]) ** 2
        edge, blocked = np.float32(numbers[3] * electrons), np.float32(numbers[9] * electrons)
        bremsstrahlung = np.float32(numbers[5] * photons)
        for j in range(ny):
            for i in range(nx):
                z = depth[n, j, i]
                left = max(np.float32(0.0), np.float32(1.0) - z / np.float32(numbers[4]))
                b0 = blurred[0, q, j, i] + t * (blurred[0, q + 1, j, i] - blurred[0, q, j, i])
                b1 = blurred[1, q, j, i] + t * (blurred[1, q + 1, j, i] - blurred[1, q, j, i])
                b2 = blurred[2, q, j, i] + t * (blurred[2, q + 1, j, i] - blurred[2, q, j, i])
                value = edge * left * left * b0
                if b1 > 1e-6 or b2 > 1e-6:
                    build = np.float32(1.0) - np.float32(numbers[7]) * math.exp(-np.float32(numbers[8]) * z)
                    value += bremsstrahlung * b1 * build * math.exp(-np.float32(numbers[6]) * z)
                    value += blocked * b2 * math.exp(-np.float32(numbers[10]) * z)
                dose[n, j, i] += value


@njit(cache=True, nogil=True, inline="always")
def _is_outside(ends: Float32, j: int, i: int, distance: float) -> bool:
    """True if the ray has no tissue before, or none after, that distance."""
    return ends[0, j, i] < 0.0 or distance < ends[0, j, i] or distance > ends[1, j, i]


@njit(cache=True, nogil=True, parallel=True)
def resample_to_grid(
    fan: Float32,
    ends: Float32,
    density: Float32,
    stopping: Float32,
    to_bev: Float,
    bev_origin: Float,
    to_index: Float,
    offset: Float,
    box: NDArray[np.int64],
    shape: tuple[int, int, int],
    numbers: Float,
    is_to_medium: bool,
) -> Float32:
    """Trilinear dose on the dose grid from the fan.

    Fan values in the air before the surface continue the entrance dose, so that interpolation never mixes tissue dose
    with nothing; voxels of air outside the patient (before the first, behind the last tissue of their ray) are zero.

    Parameters
    ----------
    fan : float32 [node, y, x], dose to water, Gy/MU; ends : float32 [2, y, x] of `trace_fan`.
    density, stopping : float32 [z, y, x] of the tissue grid; to_index, offset : bev point → tissue voxel index.
    to_bev, bev_origin : dose voxel index (x, y, z) → bev point, cm.
    box : first and one past the last dose voxel (x, y, z) that the fan can reach.
    numbers : x and y of the fan's first column and row, pitch, first node, node spacing, sad, virtual sad.
    """
    nn, ny, nx = fan.shape
    x0, y0, pitch, node0, spacing, sad, virtual = (
        numbers[0],
        numbers[1],
        numbers[2],
        numbers[3],
        numbers[4],
        numbers[5],
        numbers[6],
    )
    tz, ty, tx = density.shape
    out = np.zeros(shape, dtype=np.float32)
    for k in prange(box[2], box[5]):
        for j in range(box[1], box[4]):
            for i in range(box[0], box[3]):
                xb = bev_origin[0] + to_bev[0, 0] * i + to_bev[0, 1] * j + to_bev[0, 2] * k
                yb = bev_origin[1] + to_bev[1, 0] * i + to_bev[1, 1] * j + to_bev[1, 2] * k
                zb = bev_origin[2] + to_bev[2, 0] * i + to_bev[2, 1] * j + to_bev[2, 2] * k
                distance = sad - zb
                n = (distance - node0) / spacing
                if n < 0.0 or n > nn - 1:
                    continue
                scale = virtual / (virtual - zb)
                u, v = (xb * scale - x0) / pitch, (yb * scale - y0) / pitch
                if u < 0.0 or v < 0.0 or u > nx - 1 or v > ny - 1:
                    continue
                fx = offset[0] + to_index[0, 0] * xb + to_index[0, 1] * yb + to_index[0, 2] * zb
                fy = offset[1] + to_index[1, 0] * xb + to_index[1, 1] * yb + to_index[1, 2] * zb
                fz = offset[2] + to_index[2, 0] * xb + to_index[2, 1] * yb + to_index[2, 2] * zb
                if not (-0.5 <= fx < tx - 0.5 and -0.5 <= fy < ty - 0.5 and -0.5 <= fz < tz - 0.5):
                    continue
                rho = _sample(density, fx, fy, fz)
                if rho < 0.05 and _is_outside(ends, int(v + 0.5), int(u + 0.5), distance):
                    continue
                value = _sample(fan, u, v, n)
                if is_to_medium:
                    value *= _sample(stopping, fx, fy, fz) / rho
                out[k, j, i] = value
    return out
