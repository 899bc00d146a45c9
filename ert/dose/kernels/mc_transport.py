"""Particles and photons in voxels: stack, faces, tables, Woodcock tracking (docs/physics/monte_carlo.md).

A particle is nine numbers: energy, x, y, z, u, v, w, statistical weight, kind. Lengths in cm from the corner of the
grid; volumes are flat arrays, index (z · ny + y) · nx + x. Positions are walked by whole voxel indices.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ert.dose.kernels.mc_events import (
    MC2,
    brems_energy_mev,
    brems_turn,
    collision_turn,
    compton,
    moller_energy_mev,
)
from ert.dose.kernels.mc_random import State, exponential, inlined, kernel, on_circle, turned, uniform

Float = NDArray[np.float64]
Pack = tuple[Any, ...]
ELECTRON, PHOTON = 0.0, 1.0
NUMBERS = 9
ABSORB_MEV = 0.2
PHOTON_CUT_MEV = 0.05
ESCAPED, OVERFLOW = 0, 1
_FAR = 1e30


@kernel
def copy(stack: Float, at: int, p: Float) -> None:
    """The particle of the stack at `at` into `p`; a slice would cost more than the particle's first step."""
    for a in range(NUMBERS):
        p[a] = stack[at, a]


@kernel
def push(
    stack: Float, count: int, p: Float, energy_mev: float, turn: tuple[float, float, float], kind: float, tally: Float
) -> int:
    """A new particle where `p` is, with its weight; returns the new height.

    A full stack loses the particle: its energy is counted as overflow, which must be zero at the end of a run.
    """
    if count >= stack.shape[0]:
        tally[OVERFLOW] += p[7] * energy_mev
        return count
    stack[count, 0] = energy_mev
    for a in range(1, 4):
        stack[count, a] = p[a]
    stack[count, 4], stack[count, 5], stack[count, 6] = turn
    stack[count, 7], stack[count, 8] = p[7], kind
    return count + 1


@inlined
def hard_event(
    p: Float, collision_frac: float, tables: Pack, medium: int, stack: Float, count: int, tally: Float, rng: State
) -> int:
    """Møller collision (with probability `collision_frac`) or bremsstrahlung; changes energy and direction of `p`."""
    energy = p[0]
    c, s = on_circle(rng)
    if uniform(rng) < collision_frac:
        given = moller_energy_mev(energy, rng)
        turn = turned(p[4], p[5], p[6], collision_turn(energy, given), -c, -s)
        count = push(stack, count, p, given, turn, ELECTRON, tally)
        p[0] = energy - given
        p[4], p[5], p[6] = turned(p[4], p[5], p[6], collision_turn(energy, p[0]), c, s)
        return count
    k = brems_energy_mev(energy, tables[3], medium, tables[4][int(energy * tables[5])], rng)
    p[0] = energy - k
    return push(stack, count, p, k, turned(p[4], p[5], p[6], brems_turn(energy, rng), c, s), PHOTON, tally)


@kernel
def voxel_of(position: float, per_cm: float, count: int) -> int:
    """Voxel index, the outer faces belong to the grid."""
    return min(max(int(position * per_cm), 0), count - 1)


@kernel
def reciprocal(u: float) -> float:
    """1/u, finite."""
    return 1.0 / u if abs(u) > 1e-12 else math.copysign(1e12, u)


@kernel
def face_ahead(x: float, i: int, size: float, inverse_u: float) -> float:
    """Distance to the face of voxel `i` that lies ahead, along one axis."""
    return ((i + 1) * size - x) * inverse_u if inverse_u > 0.0 else (i * size - x) * inverse_u


@kernel
def next_event(
    s: float, hard: float, x: float, y: float, z: float, i: int, j: int, k: int,
    size: Float, iu: float, iv: float, iw: float,
) -> tuple[float, int]:  # fmt: skip
    """The nearest of hinge (0, at `s`), hard event (1, at `hard`) and the faces ahead along x, y, z (2, 3, 4)."""
    event = 0
    if hard < s:
        s, event = hard, 1
    t = face_ahead(x, i, size[0], iu)
    if t < s:
        s, event = t, 2
    t = face_ahead(y, j, size[1], iv)
    if t < s:
        s, event = t, 3
    t = face_ahead(z, k, size[2], iw)
    if t < s:
        s, event = t, 4
    return max(s, 0.0), event


@kernel
def rates(
    rows: NDArray[np.float32], medium: int, n: int, f: float, density_g_cm3: float
) -> tuple[float, float, float, float, float, float]:
    """Per cm between rows n and n + 1: loss, its step, first transport moment, its step, collisions, photons.

    Steps are differences over one row of the energy grid. In 32-bit floats, as the tables are.
    """
    part, rho = np.float32(f), np.float32(density_g_cm3)
    loss, scatter = rows[medium, n, 0], rows[medium, n, 1]
    collisions, photons = rows[medium, n, 2], rows[medium, n, 3]
    loss_step, scatter_step = rows[medium, n + 1, 0] - loss, rows[medium, n + 1, 1] - scatter
    collisions += part * (rows[medium, n + 1, 2] - collisions)
    photons += part * (rows[medium, n + 1, 3] - photons)
    return (
        rho * (loss + part * loss_step), rho * loss_step, rho * (scatter + part * scatter_step), rho * scatter_step,
        rho * collisions, rho * photons,
    )  # fmt: skip


@kernel
def between(rows: NDArray[np.float32], medium: int, n: int, f: float, column: int) -> float:
    """A column of a table between rows n and n + 1."""
    low: float = rows[medium, n, column]
    found: float = low + f * (rows[medium, n + 1, column] - low)
    return found


@kernel
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


@inlined
def photon(
    p: Float, scene: Pack, tables: Pack, stack: Float, count: int, score: Float, tally: Float, rng: State
) -> int:
    """Follow a photon (Woodcock): Compton, pair, photoelectric; returns the height of the stack."""
    medium, density, shape, size, per_cm, _ = scene
    attenuation, majorant, inverse = tables[6], tables[7], tables[5]
    nx, ny, nz = shape[0], shape[1], shape[2]
    while True:
        f = p[0] * inverse
        n = int(f)
        f -= n
        s = exponential(rng) / majorant[n]
        x, y, z = p[1] + s * p[4], p[2] + s * p[5], p[3] + s * p[6]
        p[1], p[2], p[3] = x, y, z
        if not (0.0 <= x < nx * size[0] and 0.0 <= y < ny * size[1] and 0.0 <= z < nz * size[2]):
            tally[ESCAPED] += p[7] * p[0]
            return count
        voxel = voxel_of(z, per_cm[2], nz) * ny + voxel_of(y, per_cm[1], ny)
        voxel = voxel * nx + voxel_of(x, per_cm[0], nx)
        m, rho = medium[voxel], density[voxel]
        number = uniform(rng) * majorant[n] - rho * between(attenuation, m, n, f, 0)
        if number < 0.0:
            k, turn = compton(p[0], rng)
            kinetic = p[0] - k
            if kinetic > ABSORB_MEV:
                count = compton_electron(p, k, turn, stack, count, tally, rng)
            else:
                score[voxel] += p[7] * kinetic
                c, s = on_circle(rng)
                p[4], p[5], p[6] = turned(p[4], p[5], p[6], turn, c, s)
            p[0] = k
            if k > PHOTON_CUT_MEV:
                continue
            score[voxel] += p[7] * k
            return count
        number -= rho * between(attenuation, m, n, f, 1)
        if number < 0.0 and p[0] > 2.0 * MC2:
            return pair(p, stack, count, tally, rng)
        number -= rho * between(attenuation, m, n, f, 2)
        if number < 0.0:
            return push(stack, count, p, p[0], (p[4], p[5], p[6]), ELECTRON, tally)


@kernel
def compton_electron(p: Float, k: float, x: float, stack: Float, count: int, tally: Float, rng: State) -> int:
    """Push the electron of a Compton event and turn the photon; momentum is conserved."""
    u, v, w = p[4], p[5], p[6]
    c, s = on_circle(rng)
    p[4], p[5], p[6] = turned(u, v, w, x, c, s)
    a, b, d = p[0] * u - k * p[4], p[0] * v - k * p[5], p[0] * w - k * p[6]
    scale = 1.0 / math.sqrt(a * a + b * b + d * d)
    return push(stack, count, p, p[0] - k, (a * scale, b * scale, d * scale), ELECTRON, tally)
