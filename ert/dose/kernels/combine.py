"""Smooth background components on the fan."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.lattice import add_blurred_map, gather, no_sums, occupied
from ert.dose.kernels.sampling import least_bits

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]


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
        sums = no_sums(ny, nx)
        gather(sums, add_blurred_map(maps[m], occupied(maps[m]), sigmas[m, q], sums))
        out[m, q] = sums[0]
    return out


@njit(cache=True, nogil=True, inline="always")
def _decay(x: np.float32) -> np.float32:
    """e^−x for x ≥ 0 without a table or a library: Taylor's series of x / 32, squared five times (2e-6 of the value).

    From 16 on the value stays: 1e-7.
    """
    one, y = np.float32(1.0), min(x, np.float32(16.0)) * np.float32(-1.0 / 32.0)
    series = one + y * (np.float32(1.0 / 4.0) + y * np.float32(1.0 / 20.0))
    value = one + y * (one + y * np.float32(1.0 / 2.0) * (one + y * np.float32(1.0 / 3.0) * series))
    value *= value  # five times in words: a loop here would keep the caller's from becoming vectors
    value *= value
    value *= value
    value *= value
    return value * value


@njit(cache=True, nogil=True, error_model="numpy")
def _add_photons(
    line: Float32, depth: Float32, open_near: Float32, open_far: Float32, blocked_near: Float32, blocked_far: Float32,
    mix: Float32, photons: Float32,
) -> None:  # fmt: skip
    """Add open photons and what the insert lets through to a row.

    …_near, …_far : rows of the maps at the knots around the plane; mix : [4] their factors.
    """
    a, b, c, d = mix[0], mix[1], mix[2], mix[3]
    build, build_per_cm, per_cm, blocked_per_cm, deepest = photons[0], photons[1], photons[2], photons[3], photons[4]
    for i in range(line.shape[0]):
        z = min(depth[i], deepest)
        beam = (a * open_near[i] + b * open_far[i]) * (np.float32(1.0) - build * _decay(build_per_cm * z))
        through = (c * blocked_near[i] + d * blocked_far[i]) * _decay(blocked_per_cm * z)
        line[i] += beam * _decay(per_cm * z) + through


@njit(cache=True, nogil=True, error_model="numpy")
def _add_edges(
    line: Float32, depth: Float32, edge_near: Float32, edge_far: Float32, rim_near: Float32, rim_far: Float32,
    a: np.float32, b: np.float32, falls: Float32, per_cm: np.float32,
) -> None:  # fmt: skip
    """Add edge and rim electrons to a row; falls : [d, 4] edge, rim, and their rise to the next depth."""
    end = np.float32(falls.shape[0] - 1)
    for i in range(line.shape[0]):
        at = min(depth[i] * per_cm, end)
        d = np.uint32(int(at))
        t = at - np.float32(d)
        edge = (a * edge_near[i] + b * edge_far[i]) * (falls[d, 0] + t * falls[d, 2])
        line[i] += edge + (a * rim_near[i] + b * rim_far[i]) * (falls[d, 1] + t * falls[d, 3])


@njit(cache=True, nogil=True)
def _scale(line: Float32, factor: np.float32) -> None:
    for i in range(line.shape[0]):
        line[i] *= factor


@njit(cache=True, nogil=True, parallel=True)
def add_background(
    dose: Float32, depth: Float32, blurred: Float32, knots: Float, nodes: Float, order: NDArray[np.int64],
    falls: Float32, photons: Float, numbers: Float, factor: float,
) -> None:  # fmt: skip
    """Add edge electrons, bremsstrahlung of the open field and what the insert lets through; the sum × a factor.

    Parameters
    ----------
    dose : float32 [node, y, x], added to; depth : water-equivalent depth on the same nodes.
    blurred : float32 [4, q, y, x] of `blur_maps`: edge and rim length density (1/cm), open and blocked fraction.
    knots : distances from the insert the maps were blurred for, in geometric progression.
    order : the planes to add to.
    falls : float32 [d, 4] dose of edge and rim electrons per unit of their maps against water-equivalent depth, and
        its rise to the next row; zero at the end.
    photons : dose per unit of the open map, buildup and its 1/cm, attenuation 1/cm; dose per unit of the blocked map
        and attenuation 1/cm; depth from which they fall no further, cm.
    numbers : sad_cm, virtual_sad_cm, insert_cm, step of `falls` in cm.
    factor : on all of the dose.
    """
    _, ny, nx = depth.shape
    sad, virtual, insert = numbers[0], numbers[1], numbers[2]
    per_cm, end_cm = np.float32(1.0 / numbers[3]), np.full(1, (falls.shape[0] - 1) * numbers[3], dtype=np.float32)
    bits, end = depth.view(np.int32), end_cm.view(np.int32)[0]
    whole = np.float32(factor)
    span = math.log(knots[-1] / knots[0]) / (knots.shape[0] - 1)
    laws = np.empty(5, dtype=np.float32)
    laws[0], laws[1], laws[2], laws[3], laws[4] = photons[1], photons[2], photons[3], photons[5], photons[6]
    for m in prange(order.shape[0]):
        n = order[m]
        gap = max(nodes[n] - insert, knots[0])
        position = min(math.log(gap / knots[0]) / span, knots.shape[0] - 1.000001)
        q = int(position)
        t = position - q
        from_virtual, from_nominal = (virtual / (nodes[n] - sad + virtual)) ** 2, (sad / nodes[n]) ** 2
        mix = np.empty(4, dtype=np.float32)
        mix[0], mix[1] = from_nominal * photons[0] * (1.0 - t), from_nominal * photons[0] * t
        mix[2], mix[3] = from_virtual * photons[4] * (1.0 - t), from_virtual * photons[4] * t
        a, b = np.float32(from_virtual * (1.0 - t)), np.float32(from_virtual * t)
        for j in range(ny):
            line, at = dose[n, j], depth[n, j]
            _add_photons(
                line, at, blurred[2, q, j], blurred[2, q + 1, j], blurred[3, q, j], blurred[3, q + 1, j], mix, laws
            )
            if least_bits(bits[n, j]) < end:
                _add_edges(
                    line, at, blurred[0, q, j], blurred[0, q + 1, j], blurred[1, q, j], blurred[1, q + 1, j], a, b,
                    falls, per_cm,
                )  # fmt: skip
            _scale(line, whole)
