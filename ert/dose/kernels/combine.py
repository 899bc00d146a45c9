"""Smooth background components on the fan, and from the fan to the dose grid."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.sampling import sample_inner
from ert.dose.kernels.spread import coarsen, refine_add

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


@njit(cache=True, nogil=True)
def _point_gaussian(variance: float) -> Float32:
    """A Gaussian at pixels 0, 1, 2 … to 3.5 standard deviations, normalised to the sum of both sides."""
    reach = int(3.5 * math.sqrt(variance)) + 1
    weights = np.empty(reach + 1, dtype=np.float32)
    total = 1.0
    for k in range(reach + 1):
        weights[k] = math.exp(-0.5 * k * k / variance)
        total += 2.0 * weights[k] if k > 0 else 0.0
    return weights / np.float32(total)


@njit(cache=True, nogil=True)
def _blur(fine: Float32, sigma: float) -> Float32:
    """One map blurred; wide blurs run on a coarser lattice whose pitch stays below sigma / 2.

    `coarsen` keeps moments to second order, so that position and width of every edge stay what they are.
    """
    level = 0
    while level < 3 and sigma / (2 << level) >= 2.0:
        level += 1
    if level == 0:
        weights = _box_gaussian(sigma)
        return _blur_rows(_blur_rows(fine, weights), weights)
    plane = fine
    for _ in range(level):
        plane = coarsen(plane)
    weights = _point_gaussian((sigma * sigma + 1.0 / 12.0) / (1 << 2 * level))
    plane = _blur_rows(_blur_rows(plane, weights), weights)
    for _ in range(level):
        wider = np.zeros((2 * plane.shape[0], 2 * plane.shape[1]), dtype=np.float32)
        refine_add(plane, wider)
        plane = wider
    return plane


@njit(cache=True, nogil=True, parallel=True)
def blur_maps(maps: Float32, sigmas: Float) -> Float32:
    """Blur each map with each of its Gaussian widths.

    Parameters
    ----------
    maps : float32 [m, ny, nx], sides multiples of 8; sigmas : [m, q] widths in pixels.

    Returns
    -------
    float32 [m, q, ny, nx]
    """
    count, ny, nx = maps.shape
    knots = sigmas.shape[1]
    out = np.empty((count, knots, ny, nx), dtype=np.float32)
    for c in prange(count * knots):
        m, q = c // knots, c % knots
        out[m, q] = _blur(maps[m], sigmas[m, q])
    return out


@njit(cache=True, nogil=True, inline="always")
def _mix(one: Float32, a: np.float32, two: Float32, b: np.float32, out: Float32) -> None:
    """A × one + b × two, along a row."""
    for i in range(out.shape[0]):
        out[i] = a * one[i] + b * two[i]


@njit(cache=True, nogil=True, parallel=True)
def add_background(
    dose: Float32, depth: Float32, blurred: Float32, knots: Float, nodes: Float, order: NDArray[np.int64],
    falls: Float32, numbers: Float,
) -> None:  # fmt: skip
    """Add edge electrons, bremsstrahlung of the open field and what the insert lets through.

    Parameters
    ----------
    dose : float32 [node, y, x], added to; depth : water-equivalent depth on the same nodes.
    blurred : float32 [4, q, y, x] of `blur_maps`: edge and rim length density (1/cm), open and blocked fraction.
    knots : distances from the insert the maps were blurred for, in geometric progression.
    order : the planes to add to.
    falls : float32 [d, 4] dose of each component per unit of its map against water-equivalent depth.
    numbers : sad_cm, virtual_sad_cm, insert_cm, step of `falls` in cm.
    """
    _, ny, nx = depth.shape
    sad, virtual, insert = numbers[0], numbers[1], numbers[2]
    per_step, end = np.float32(1.0 / numbers[3]), np.float32(falls.shape[0] - 1.001)
    span = math.log(knots[-1] / knots[0]) / (knots.shape[0] - 1)
    for m in prange(order.shape[0]):
        n = order[m]
        gap = max(nodes[n] - insert, knots[0])
        position = min(math.log(gap / knots[0]) / span, knots.shape[0] - 1.000001)
        q = int(position)
        t = np.float32(position - q)
        electrons = np.float32((virtual / (nodes[n] - sad + virtual)) ** 2)
        photons = np.float32((sad / nodes[n]) ** 2)
        electrons_t, photons_t = electrons * t, photons * t
        electrons, photons = electrons - electrons_t, photons - photons_t
        share = np.empty((4, nx), dtype=np.float32)
        for j in range(ny):
            for c in range(4):
                near, far = (photons, photons_t) if c == 2 else (electrons, electrons_t)
                _mix(blurred[c, q, j], near, blurred[c, q + 1, j], far, share[c])
            for i in range(nx):
                at = min(depth[n, j, i] * per_step, end)
                d = np.uint32(int(at))
                a = at - np.float32(d)
                value = np.float32(0.0)
                for c in range(4):
                    low = falls[d, c]
                    value += share[c, i] * (low + a * (falls[d + np.uint32(1), c] - low))
                dose[n, j, i] += value


@njit(cache=True, nogil=True, inline="always")
def _is_beside(ends: Float32, j: int, i: int, distance: float) -> bool:
    """True if the ray has no tissue before, or none after, that distance."""
    return bool(ends[0, j, i] < 0.0 or distance < ends[0, j, i] or distance > ends[1, j, i])


@njit(cache=True, nogil=True, inline="always")
def _row(chain: Float, axis: int, j: int, k: int) -> float:
    """Where a row of voxels begins: an affine map without the part of the index along the row."""
    return float(chain[axis, 1] * j + chain[axis, 2] * k + chain[axis, 3])


@njit(cache=True, nogil=True, parallel=True)
def resample_to_grid(
    fan: Float32, ends: Float32, density: Float32, stopping: Float32, is_patient: NDArray[np.bool_], chain: Float,
    box: NDArray[np.int64], numbers: Float, is_to_medium: bool, out: Float32,
) -> None:  # fmt: skip
    """Trilinear dose on the dose grid from the fan, to water or to the medium of the nearest tissue voxel.

    Fan values in the air before the surface continue the entrance dose, so that interpolation never mixes tissue dose
    with nothing. Outside the patient dose is zero.

    Parameters
    ----------
    fan : float32 [node, y, x], dose to water, Gy/MU; ends : float32 [2, y, x] of `trace_fan`.
    density, stopping : float32 [z, y, x] of the tissue grid.
    is_patient : bool of the same shape, where dose is wanted; of size 0: everywhere but in air before the first and
        behind the last tissue of its ray.
    chain : float64 [2, 3, 4]; affine maps from dose voxel index (x, y, z) to bev point, and to tissue voxel index.
    box : first and one past the last dose voxel (x, y, z) that the fan can reach.
    numbers : x and y of the fan's first column and row, pitch, first node, node spacing, sad, virtual sad.
    out : float32 [z, y, x] of the dose grid, zero; filled inside the box.
    """
    nn, ny, nx = fan.shape
    tz, ty, tx = density.shape
    node0, per_spacing, sad, virtual = numbers[3], 1.0 / numbers[4], numbers[5], numbers[6]
    to_column, to_row, pitches = numbers[0] / numbers[2], numbers[1] / numbers[2], virtual / numbers[2]
    is_masked = is_patient.size > 0
    b, t = chain[0], chain[1]
    b0, b1, b2, t0, t1, t2 = b[0, 0], b[1, 0], b[2, 0], t[0, 0], t[1, 0], t[2, 0]
    for k in prange(box[2], box[5]):
        for j in range(box[1], box[4]):
            bx, by, bz = _row(b, 0, j, k), _row(b, 1, j, k), _row(b, 2, j, k)
            tissue_x, tissue_y, tissue_z = _row(t, 0, j, k) + 0.5, _row(t, 1, j, k) + 0.5, _row(t, 2, j, k) + 0.5
            for i in range(box[0], box[3]):
                zb = b2 * i + bz
                n = (sad - zb - node0) * per_spacing
                if n < 0.0 or n > nn - 1:
                    continue
                scale = pitches / (virtual - zb)
                u = (b0 * i + bx) * scale - to_column
                v = (b1 * i + by) * scale - to_row
                if u < 0.0 or v < 0.0 or u > nx - 1 or v > ny - 1:
                    continue
                x, y, z = t0 * i + tissue_x, t1 * i + tissue_y, t2 * i + tissue_z
                if x < 0.0 or y < 0.0 or z < 0.0 or x >= tx or y >= ty or z >= tz:
                    continue
                ti, tj, tk = np.uint32(int(x)), np.uint32(int(y)), np.uint32(int(z))
                rho = density[tk, tj, ti]
                if is_masked:
                    if not is_patient[tk, tj, ti]:
                        continue
                elif rho < 0.05 and _is_beside(ends, int(v + 0.5), int(u + 0.5), sad - zb):
                    continue
                # Refining (`refine_add`) undershoots beside steep edges by less than 1e-5 of the maximum.
                value = max(sample_inner(fan, u, v, n), np.float32(0.0))
                out[k, j, i] = value * (stopping[tk, tj, ti] / rho) if is_to_medium else value
