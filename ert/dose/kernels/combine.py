"""Smooth background components on the fan."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from ert.dose.kernels.lattice import add_blurred_map, gather, occupied, sums_onto
from ert.dose.kernels.lend import lend
from ert.dose.kernels.sampling import least_bits

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
_DEEPEST = np.float32(16.0)
"""Where `_decay` ends."""
_AT_ONCE = 1024
"""Pixels that edge electrons are added to at once."""


@njit(cache=True, nogil=True)
def _boxes(maps: Float32) -> NDArray[np.int64]:
    """What `occupied` finds of each map: int64 [m, 4]."""
    boxes = np.empty((maps.shape[0], 4), dtype=np.int64)
    for m in range(maps.shape[0]):
        boxes[m, 0], boxes[m, 1], boxes[m, 2], boxes[m, 3] = occupied(maps[m])
    return boxes


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
    out, boxes = np.empty((count, knots, ny, nx), dtype=np.float32), _boxes(maps)
    for c in prange(count * knots):
        m, q = c // knots, c % knots
        sums, box = sums_onto(out[m, q]), (boxes[m, 0], boxes[m, 1], boxes[m, 2], boxes[m, 3])
        gather(sums, add_blurred_map(maps[m], box, sigmas[m, q], sums))
    return out


@njit(cache=True, nogil=True, inline="always")
def _decay(x: np.float32) -> np.float32:
    """e^−x for x ≥ 0 without a table or a library: Taylor's series of x / 32, squared five times (2e-6 of the value).

    From `_DEEPEST` on the value stays: 1e-7.
    """
    one, y = np.float32(1.0), min(x, _DEEPEST) * np.float32(-1.0 / 32.0)
    series = one + y * (np.float32(1.0 / 4.0) + y * np.float32(1.0 / 20.0))
    value = one + y * (one + y * np.float32(1.0 / 2.0) * (one + y * np.float32(1.0 / 3.0) * series))
    value *= value  # five times in words: a loop here would keep the caller's from becoming vectors
    value *= value
    value *= value
    value *= value
    return value * value


@njit(cache=True, nogil=True, error_model="numpy")
def _add_photons(
    dose: Float32, depth: Float32, open_near: Float32, open_far: Float32, blocked_near: Float32, blocked_far: Float32,
    mix: Float32, photons: Float32, factor: np.float32,
) -> None:  # fmt: skip
    """Add open photons and what the insert lets through to a plane, and multiply the sum by a factor.

    …_near, …_far : the maps at the knots around the plane; mix : [4] their factors. Planes and maps as one row each.
    """
    a, b, c, d = mix[0], mix[1], mix[2], mix[3]
    build, build_per_cm, per_cm, blocked_per_cm, deepest = photons[0], photons[1], photons[2], photons[3], photons[4]
    for i in range(dose.shape[0]):
        z = min(depth[i], deepest)
        beam = (a * open_near[i] + b * open_far[i]) * (np.float32(1.0) - build * _decay(build_per_cm * z))
        through = (c * blocked_near[i] + d * blocked_far[i]) * _decay(blocked_per_cm * z)
        dose[i] = (dose[i] + (beam * _decay(per_cm * z) + through)) * factor


@njit(cache=True, nogil=True, error_model="numpy")
def _add_deep_photons(
    dose: Float32, depth: Float32, open_near: Float32, open_far: Float32, blocked_near: Float32, blocked_far: Float32,
    mix: Float32, photons: Float32, factor: np.float32,
) -> None:  # fmt: skip
    """As `_add_photons`, to the last bit, where build-up has ended: a third of the exponential functions less."""
    a, b, c, d, per_cm, blocked_per_cm, deepest = mix[0], mix[1], mix[2], mix[3], photons[2], photons[3], photons[4]
    built = np.float32(1.0) - photons[0] * _decay(_DEEPEST)
    for i in range(dose.shape[0]):
        z = min(depth[i], deepest)
        through = (c * blocked_near[i] + d * blocked_far[i]) * _decay(blocked_per_cm * z)
        beam = (a * open_near[i] + b * open_far[i]) * built
        dose[i] = (dose[i] + (beam * _decay(per_cm * z) + through)) * factor


@njit(cache=True, nogil=True, error_model="numpy")
def _add_edges(
    dose: Float32, depth: Float32, edge_near: Float32, edge_far: Float32, rim_near: Float32, rim_far: Float32,
    a: np.float32, b: np.float32, falls: Float32, per_cm: np.float32, factor: np.float32,
) -> None:  # fmt: skip
    """Add edge and rim electrons to a plane, and multiply the sum by a factor.

    falls : [d, 4] edge, rim, and their rise to the next depth.
    """
    end, table, four = np.float32(falls.shape[0] - 1), falls.ravel(), np.uint32(4)
    one, two, three = np.uint32(1), np.uint32(2), np.uint32(3)
    row, part = np.empty(_AT_ONCE, dtype=np.uint32), np.empty(_AT_ONCE, dtype=np.float32)
    edge, rim = np.empty(_AT_ONCE, dtype=np.float32), np.empty(_AT_ONCE, dtype=np.float32)
    for begin in range(0, dose.shape[0], _AT_ONCE):  # what is found between the loops stays near the processor
        first, count = np.uint64(begin), np.uint64(min(_AT_ONCE, dose.shape[0] - begin))
        for i in range(count):
            at = min(depth[first + i] * per_cm, end)
            row[i] = np.uint32(np.int32(at)) * four
            part[i] = at - np.float32(np.int32(at))
        for i in range(count):  # alone: what reads at computed places is never made into vectors
            d, t = row[i], part[i]
            edge[i] = table[d] + t * table[d + two]
            rim[i] = table[d + one] + t * table[d + three]
        for i in range(count):
            n = first + i
            both = (a * edge_near[n] + b * edge_far[n]) * edge[i]
            dose[n] = (dose[n] + (both + (a * rim_near[n] + b * rim_far[n]) * rim[i])) * factor


@njit(cache=True, nogil=True)
def add_to_plane(
    dose: Float32, depth: Float32, distance_cm: float, blurred: Float32, knots: Float, falls: Float32, photons: Float,
    numbers: Float, factor: np.float32,
) -> None:  # fmt: skip
    """`add_background` for one plane [y, x] at a distance from the nominal source.

    Plane and maps are one row each: loops over the pixels of a line are too short for what surrounds them.
    """
    dose, depth, blurred, falls = lend(dose), lend(depth), lend(blurred), lend(falls)
    sad, virtual = numbers[0], numbers[1]
    span = math.log(knots[-1] / knots[0]) / (knots.shape[0] - 1)
    gap = max(distance_cm - numbers[2], knots[0])
    position = min(math.log(gap / knots[0]) / span, knots.shape[0] - 1.000001)
    q, t = int(position), position - int(position)
    from_virtual, from_nominal = (virtual / (distance_cm - sad + virtual)) ** 2, (sad / distance_cm) ** 2
    mix, laws = np.empty(4, dtype=np.float32), np.empty(5, dtype=np.float32)
    mix[0], mix[1] = from_nominal * photons[0] * (1.0 - t), from_nominal * photons[0] * t
    mix[2], mix[3] = from_virtual * photons[4] * (1.0 - t), from_virtual * photons[4] * t
    laws[0], laws[1], laws[2], laws[3], laws[4] = photons[1], photons[2], photons[3], photons[5], photons[6]
    per_cm, a, b = np.float32(1.0 / numbers[3]), np.float32(from_virtual * (1.0 - t)), np.float32(from_virtual * t)
    line, at, r, least = dose.ravel(), depth.ravel(), q + 1, np.empty(1, dtype=np.float32)
    least.view(np.int32)[0] = least_bits(at.view(np.int32))
    has_edges = least[0] * per_cm < np.float32(falls.shape[0] - 1)
    after = np.float32(1.0) if has_edges else factor
    near, far, blocked_near, blocked_far = (
        blurred[2, q].ravel(), blurred[2, r].ravel(), blurred[3, q].ravel(), blurred[3, r].ravel()
    )  # fmt: skip
    if min(least[0], laws[4]) * laws[1] >= _DEEPEST:
        _add_deep_photons(line, at, near, far, blocked_near, blocked_far, mix, laws, after)
    else:
        _add_photons(line, at, near, far, blocked_near, blocked_far, mix, laws, after)
    if has_edges:
        _add_edges(
            line, at, blurred[0, q].ravel(), blurred[0, r].ravel(), blurred[1, q].ravel(), blurred[1, r].ravel(), a, b,
            falls, per_cm, factor,
        )  # fmt: skip


@njit(cache=True, nogil=True, parallel=True)
def add_background(
    dose: Float32, is_empty: NDArray[np.bool_], depth: Float32, blurred: Float32, knots: Float, nodes: Float,
    order: NDArray[np.int64], falls: Float32, photons: Float, numbers: Float, factor: float,
) -> None:  # fmt: skip
    """Add edge electrons, bremsstrahlung of the open field and what the insert lets through; the sum × a factor.

    Parameters
    ----------
    dose : float32 [node, y, x], added to; depth : water-equivalent depth on the same nodes.
    is_empty : bool [node], planes that hold nothing yet: they are cleared first, while they are near the processor.
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
    whole = np.float32(factor)
    for m in prange(order.shape[0]):
        n = order[m]
        if is_empty[n]:
            dose[n] = np.float32(0.0)
        add_to_plane(dose[n], depth[n], nodes[n], blurred, knots, falls, photons, numbers, whole)
