"""Smooth background components on the fan."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.lattice import add_blurred_map, gather, level_of, no_sums

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
        add_blurred_map(maps[m], sigmas[m, q], sums)
        gather(sums, level_of(sigmas[m, q]))
        out[m, q] = sums[0]
    return out


@njit(cache=True, nogil=True, inline="always")
def _mix(one: Float32, a: np.float32, two: Float32, b: np.float32, out: Float32) -> None:
    """A × one + b × two, along a row."""
    for i in range(out.shape[0]):
        out[i] = a * one[i] + b * two[i]


@njit(cache=True, nogil=True)
def _end_of_electrons(falls: Float32) -> int:
    """First row of `falls` from which edge and rim are nothing."""
    d = int(falls.shape[0])
    while d > 0 and falls[d - 1, 0] == 0.0 and falls[d - 1, 1] == 0.0:
        d -= 1
    return d


@njit(cache=True, nogil=True)
def _add_all(
    line: Float32, depth: Float32, share: Float32, falls: Float32, falling: Float32, per_step: np.float32,
    end: np.float32,
) -> None:  # fmt: skip
    """Add the four components to a row."""
    for i in range(line.shape[0]):
        at = min(depth[i] * per_step, end)
        d = np.uint32(int(at))
        a = at - np.float32(d)
        value = np.float32(0.0)
        for c in range(4):
            value += share[c, i] * (falls[d, c] + a * falling[d, c])
        line[i] += value


@njit(cache=True, nogil=True)
def _add_photons(
    line: Float32, depth: Float32, share: Float32, falls: Float32, falling: Float32, per_step: np.float32,
    end: np.float32,
) -> None:  # fmt: skip
    """Add open photons and what the insert lets through to a row: all there is beyond the electrons' range."""
    for i in range(line.shape[0]):
        at = min(depth[i] * per_step, end)
        d = np.uint32(int(at))
        a = at - np.float32(d)
        value = share[2, i] * (falls[d, 2] + a * falling[d, 2])
        line[i] += value + share[3, i] * (falls[d, 3] + a * falling[d, 3])


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
    falling = falls[1:] - falls[:-1]
    electrons_end = _end_of_electrons(falls)
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
            line, at = dose[n, j], depth[n, j]
            first = 2 if at.min() * per_step >= electrons_end else 0
            for c in range(first, 4):
                near, far = (photons, photons_t) if c == 2 else (electrons, electrons_t)
                _mix(blurred[c, q, j], near, blurred[c, q + 1, j], far, share[c])
            if first == 0:
                _add_all(line, at, share, falls, falling, per_step, end)
            else:
                _add_photons(line, at, share, falls, falling, per_step, end)
