"""Electrons and photons through voxels: class II condensed history with a random hinge (docs/physics/monte_carlo.md).

A particle is nine numbers: energy, x, y, z, u, v, w, statistical weight, kind. Lengths in cm from the corner of the
grid; volumes are flat arrays, index (z · ny + y) · nx + x. Positions are walked by whole voxel indices.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.mc_events import (
    MC2,
    brems_energy_mev,
    brems_turn,
    collision_turn,
    compton,
    deflection,
    moller_energy_mev,
)
from ert.dose.kernels.mc_random import State, exponential, on_circle, turned, uniform

Float = NDArray[np.float64]
Pack = tuple[Any, ...]
ELECTRON, PHOTON = 0.0, 1.0
ABSORB_MEV = 0.2
PHOTON_CUT_MEV = 0.05
LOCAL_MEV = 1.0
ESCAPED, OVERFLOW = 0, 1
_FAR = 1e30


@njit(cache=True, nogil=True)
def push(
    stack: Float, count: int, p: Float, energy_mev: float, turn: tuple[float, float, float], kind: float, tally: Float
) -> int:
    """A new particle where `p` is, with its weight; returns the new height.

    A full stack loses the particle: its energy is counted as overflow, which must be zero at the end of a run.
    """
    if count >= stack.shape[0]:
        tally[OVERFLOW] += p[7] * energy_mev
        return count
    q = stack[count]
    q[0], q[1], q[2], q[3] = energy_mev, p[1], p[2], p[3]
    q[4], q[5], q[6] = turn
    q[7], q[8] = p[7], kind
    return count + 1


@njit(cache=True, nogil=True)
def voxel_of(position: float, per_cm: float, count: int) -> int:
    """Voxel index, the outer faces belong to the grid."""
    return min(max(int(position * per_cm), 0), count - 1)


@njit(cache=True, nogil=True)
def reciprocal(u: float) -> float:
    """1/u, finite."""
    return 1.0 / u if abs(u) > 1e-12 else math.copysign(1e12, u)


@njit(cache=True, nogil=True)
def _nearest_face(x: float, i: int, size: float) -> float:
    return min(x - i * size, (i + 1) * size - x)


@njit(cache=True, nogil=True)
def _hard_event(
    p: Float,
    share: float,
    tables: Pack,
    medium: int,
    stack: Float,
    count: int,
    tally: Float,
    rng: State,
) -> int:
    """Møller collision (with probability `share`) or bremsstrahlung; changes energy and direction of `p`."""
    energy = p[0]
    c, s = on_circle(rng)
    if uniform(rng) < share:
        given = moller_energy_mev(energy, rng)
        turn = turned(p[4], p[5], p[6], collision_turn(energy, given), -c, -s)
        count = push(stack, count, p, given, turn, ELECTRON, tally)
        p[0] = energy - given
        p[4], p[5], p[6] = turned(p[4], p[5], p[6], collision_turn(energy, p[0]), c, s)
        return count
    k = brems_energy_mev(energy, tables[3][medium], tables[4][int(energy * tables[5])], rng)
    p[0] = energy - k
    return push(stack, count, p, k, turned(p[4], p[5], p[6], brems_turn(energy, rng), c, s), PHOTON, tally)


@njit(cache=True, nogil=True)
def _is_local(energy: float, loss: float, p: Float, i: int, j: int, k: int, size: Float) -> bool:
    """Whether the electron cannot leave its voxel: below 1 MeV the loss only grows, so the range is below E / loss."""
    if energy > LOCAL_MEV:
        return False
    near = min(_nearest_face(p[1], i, size[0]), _nearest_face(p[2], j, size[1]), _nearest_face(p[3], k, size[2]))
    return energy < loss * near


@njit(cache=True, nogil=True)
def _face(x: float, i: int, size: float, inverse_u: float) -> float:
    """Distance to the face of voxel `i` that lies ahead, along one axis."""
    return ((i + 1) * size - x) * inverse_u if inverse_u > 0.0 else (i * size - x) * inverse_u


@njit(cache=True, nogil=True)
def next_event(
    s: float, hard: float, x: float, y: float, z: float, i: int, j: int, k: int,
    size: Float, iu: float, iv: float, iw: float,
) -> tuple[float, int]:  # fmt: skip
    """The nearest of hinge (0, at `s`), hard event (1, at `hard`) and the faces ahead along x, y, z (2, 3, 4)."""
    event = 0
    if hard < s:
        s, event = hard, 1
    t = _face(x, i, size[0], iu)
    if t < s:
        s, event = t, 2
    t = _face(y, j, size[1], iv)
    if t < s:
        s, event = t, 3
    t = _face(z, k, size[2], iw)
    if t < s:
        s, event = t, 4
    return max(s, 0.0), event


@njit(cache=True, nogil=True)
def _hinge_distance(left: float, scatter: float, slope: float, loss: float) -> float:
    """Path on which the first moment `left` is used up, to second order in the energy loss on the way."""
    s = left / scatter
    return s * (1.0 + max(-0.4, 0.5 * slope * loss * s / scatter))


@njit(cache=True, nogil=True)
def rates(
    rows: NDArray[np.float32], medium: int, n: int, f: float, density_g_cm3: float
) -> tuple[float, float, float, float, float, float]:
    """Per cm between rows n and n + 1: loss, its step, first transport moment, its step, collisions, photons.

    Steps are differences over one row of the energy grid.
    """
    low, high = rows[medium, n], rows[medium, n + 1]
    loss_step, scatter_step = (high[0] - low[0]) * density_g_cm3, (high[1] - low[1]) * density_g_cm3
    return (
        low[0] * density_g_cm3 + f * loss_step, loss_step, low[1] * density_g_cm3 + f * scatter_step, scatter_step,
        (low[2] + f * (high[2] - low[2])) * density_g_cm3, (low[3] + f * (high[3] - low[3])) * density_g_cm3,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def electron(
    p: Float, scene: Pack, tables: Pack, stack: Float, count: int, score: Float, tally: Float, rng: State
) -> int:
    """Follow an electron inside the grid until it is absorbed or leaves; returns the height of the stack."""
    medium, density, shape, size, per_cm = scene
    i = voxel_of(p[1], per_cm[0], shape[0])
    j = voxel_of(p[2], per_cm[1], shape[1])
    k = voxel_of(p[3], per_cm[2], shape[2])
    rows, moments, inverse = tables[0], tables[1], tables[5]
    energy, weight = p[0], p[7]
    path, left, after, at_angle, is_hinge = exponential(rng), 0.0, 0.0, 0.0, False
    iu, iv, iw = reciprocal(p[4]), reciprocal(p[5]), reciprocal(p[6])
    while 0 <= i < shape[0] and 0 <= j < shape[1] and 0 <= k < shape[2]:
        voxel = (k * shape[1] + j) * shape[0] + i
        m, rho = medium[voxel], density[voxel]
        f = energy * inverse
        n = int(f)
        f -= n
        loss, loss_slope, scatter, scatter_slope, hard, brems = rates(rows, m, n, f, rho)
        all_hard = hard + brems
        if left <= 0.0 and is_hinge:
            c, s = on_circle(rng)
            p[4], p[5], p[6] = turned(p[4], p[5], p[6], deflection(tables[2][m], at_angle, rng), c, s)
            iu, iv, iw = reciprocal(p[4]), reciprocal(p[5]), reciprocal(p[6])
            left, is_hinge = after, False
        elif left <= 0.0:
            if _is_local(energy, loss, p, i, j, k, size):
                break
            whole = moments[n] + f * (moments[n + 1] - moments[n])
            at_angle = tables[4][n] + f * (tables[4][n + 1] - tables[4][n])
            left = uniform(rng) * whole
            after, is_hinge = whole - left, True
        s = _hinge_distance(left, scatter, scatter_slope * inverse, loss)
        to_hard = path / all_hard if all_hard * s > path else _FAR
        s, event = next_event(s, to_hard, p[1], p[2], p[3], i, j, k, size, iu, iv, iw)
        lost = loss * s * (1.0 - 0.5 * loss_slope * inverse * s)
        if lost >= energy - ABSORB_MEV:
            break
        score[voxel] += weight * lost
        p[1], p[2], p[3] = p[1] + p[4] * s, p[2] + p[5] * s, p[3] + p[6] * s
        path -= all_hard * s
        left = 0.0 if event == 0 else max(1e-12, left - s * (scatter - 0.5 * scatter_slope * inverse * loss * s))
        energy -= lost
        if event == 1:
            p[0] = energy
            count = _hard_event(p, hard / all_hard, tables, m, stack, count, tally, rng)
            energy, path = p[0], exponential(rng)
            iu, iv, iw = reciprocal(p[4]), reciprocal(p[5]), reciprocal(p[6])
            if energy <= ABSORB_MEV:
                break
        elif event == 2:
            i += 1 if iu > 0.0 else -1
        elif event == 3:
            j += 1 if iv > 0.0 else -1
        elif event == 4:
            k += 1 if iw > 0.0 else -1
    if 0 <= i < shape[0] and 0 <= j < shape[1] and 0 <= k < shape[2]:
        score[(k * shape[1] + j) * shape[0] + i] += weight * energy
    else:
        tally[ESCAPED] += weight * energy
    return count


@njit(cache=True, nogil=True)
def pair(p: Float, stack: Float, count: int, tally: Float, rng: State) -> int:
    """Two electrons share the energy evenly distributed, and two annihilation photons leave from the same point.

    The positron is followed as an electron.
    """
    kinetic = p[0] - 2.0 * MC2
    share = uniform(rng) * kinetic
    ahead = (p[4], p[5], p[6])
    count = push(stack, count, p, share, ahead, ELECTRON, tally)
    count = push(stack, count, p, kinetic - share, ahead, ELECTRON, tally)
    w = 2.0 * uniform(rng) - 1.0
    c, s = on_circle(rng)
    across = math.sqrt(max(0.0, 1.0 - w * w))
    count = push(stack, count, p, MC2, (across * c, across * s, w), PHOTON, tally)
    return push(stack, count, p, MC2, (-across * c, -across * s, -w), PHOTON, tally)


@njit(cache=True, nogil=True)
def photon(
    p: Float, scene: Pack, tables: Pack, stack: Float, count: int, score: Float, tally: Float, rng: State
) -> int:
    """Follow a photon (Woodcock): Compton, pair, photoelectric; returns the height of the stack."""
    medium, density, shape, size, per_cm = scene
    while True:
        f = p[0] * tables[5]
        n = int(f)
        f -= n
        s = exponential(rng) / tables[7][n]
        for a in range(3):
            p[1 + a] += s * p[4 + a]
            if not 0.0 <= p[1 + a] < shape[a] * size[a]:
                tally[ESCAPED] += p[7] * p[0]
                return count
        voxel = voxel_of(p[3], per_cm[2], shape[2]) * shape[1] + voxel_of(p[2], per_cm[1], shape[1])
        voxel = voxel * shape[0] + voxel_of(p[1], per_cm[0], shape[0])
        low, high = tables[6][medium[voxel], n], tables[6][medium[voxel], n + 1]
        rho = density[voxel]
        number = uniform(rng) * tables[7][n]
        number -= rho * (low[0] + f * (high[0] - low[0]))
        if number < 0.0:
            k, x = compton(p[0], rng)
            kinetic = p[0] - k
            if kinetic > ABSORB_MEV:
                count = compton_electron(p, k, x, stack, count, tally, rng)
            else:
                score[voxel] += p[7] * kinetic
                c, s = on_circle(rng)
                p[4], p[5], p[6] = turned(p[4], p[5], p[6], x, c, s)
            p[0] = k
            if k > PHOTON_CUT_MEV:
                continue
            score[voxel] += p[7] * k
            return count
        number -= rho * (low[1] + f * (high[1] - low[1]))
        if number < 0.0 and p[0] > 2.0 * MC2:
            return pair(p, stack, count, tally, rng)
        number -= rho * (low[2] + f * (high[2] - low[2]))
        if number < 0.0:
            return push(stack, count, p, p[0], (p[4], p[5], p[6]), ELECTRON, tally)


@njit(cache=True, nogil=True)
def compton_electron(p: Float, k: float, x: float, stack: Float, count: int, tally: Float, rng: State) -> int:
    """Push the electron of a Compton event and turn the photon; momentum is conserved."""
    u, v, w = p[4], p[5], p[6]
    c, s = on_circle(rng)
    p[4], p[5], p[6] = turned(u, v, w, x, c, s)
    a, b, d = p[0] * u - k * p[4], p[0] * v - k * p[5], p[0] * w - k * p[6]
    scale = 1.0 / math.sqrt(a * a + b * b + d * d)
    return push(stack, count, p, p[0] - k, (a * scale, b * scale, d * scale), ELECTRON, tally)


@njit(cache=True, nogil=True)
def follow(
    p: Float,
    scene: Pack,
    tables: Pack,
    stack: Float,
    count: int,
    score: Float,
    tally: Float,
    rng: State,
) -> None:
    """Follow the particles on the stack, which stand inside the grid, and all their descendants."""
    while count > 0:
        count -= 1
        p[:] = stack[count]
        if p[8] == PHOTON:
            count = photon(p, scene, tables, stack, count, score, tally, rng)
        elif p[0] > ABSORB_MEV:
            count = electron(p, scene, tables, stack, count, score, tally, rng)
        else:
            _deposit(p, scene, score)


@njit(cache=True, nogil=True)
def _deposit(p: Float, scene: Pack, score: Float) -> None:
    shape, per_cm = scene[2], scene[4]
    voxel = voxel_of(p[3], per_cm[2], shape[2]) * shape[1] + voxel_of(p[2], per_cm[1], shape[1])
    score[voxel * shape[0] + voxel_of(p[1], per_cm[0], shape[0])] += p[7] * p[0]
