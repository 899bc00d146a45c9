"""Electrons and photons through voxels: class II condensed history with a random hinge (docs/physics/monte_carlo.md).

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
    deflection_at,
    deflection_of,
    moller_energy_mev,
)
from ert.dose.kernels.mc_random import State, exponential, kernel, on_circle, on_circle_and, turned, uniform

Float = NDArray[np.float64]
Pack = tuple[Any, ...]
ELECTRON, PHOTON = 0.0, 1.0
NUMBERS = 9
ABSORB_MEV = 0.2
PHOTON_CUT_MEV = 0.05
LOCAL_MEV = 1.0
PHOTONS = 3.0
ESCAPED, OVERFLOW = 0, 1
_FAR = 1e30
_STEP_COLUMNS, _1, _2, _3, _4, _5 = (np.uint64(n) for n in (8, 1, 2, 3, 4, 5))
_N1 = np.uint32(1)
_ONE, _HALF = np.float32(1.0), np.float32(0.5)


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


@kernel
def voxel_of(position: float, per_cm: float, count: int) -> int:
    """Voxel index, the outer faces belong to the grid."""
    return min(max(int(position * per_cm), 0), count - 1)


@kernel
def reciprocal(u: float) -> float:
    """1/u, finite."""
    return 1.0 / u if abs(u) > 1e-12 else math.copysign(1e12, u)


@kernel
def _nearest_face(
    x: float, y: float, z: float, i: int, j: int, k: int, dx: float, dy: float, dz: float
) -> float:  # fmt: skip
    """Distance from a point of voxel (i, j, k) to the nearest of its faces."""
    return min(
        min(x - i * dx, (i + 1) * dx - x), min(y - j * dy, (j + 1) * dy - y), min(z - k * dz, (k + 1) * dz - z)
    )


@kernel
def _is_local(energy: float, loss: float, near: float) -> bool:
    """Whether the electron will be absorbed before it can leave its voxel, whose nearest face is `near` away.

    Below 1 MeV the loss only grows on the way, so the path down to `ABSORB_MEV` is below (E − ABSORB_MEV) / loss.
    """
    return energy <= LOCAL_MEV and energy - ABSORB_MEV < loss * near


@kernel
def _collide(
    p: Float, near: float, first: np.uint64, tables: Pack, stack: Float, count: int, tally: Float, rng: State
) -> tuple[int, float]:
    """Møller collision: turns `p`; height of the stack, and the energy of the other electron if it stays in its voxel.

    `near` is the distance to the nearest face, g/cm².
    """
    energy = p[0]
    given = moller_energy_mev(energy, rng)
    c, s = on_circle(rng)
    p[0] = energy - given
    at = (first + np.uint64(np.uint32(given * tables[5]))) * _STEP_COLUMNS
    steps = tables[9]
    stays = given if _is_local(given, steps[at] + given * steps[at + _1], near) else 0.0
    if stays == 0.0:
        turn = turned(p[4], p[5], p[6], collision_turn(energy, given), -c, -s)
        count = push(stack, count, p, given, turn, ELECTRON, tally)
    p[4], p[5], p[6] = turned(p[4], p[5], p[6], collision_turn(energy, p[0]), c, s)
    return count, stays


@kernel
def _radiate(p: Float, medium: int, tables: Pack, stack: Float, count: int, tally: Float, rng: State) -> int:
    """Bremsstrahlung: one photon in `PHOTONS` goes on, for as many; returns the height of the stack.

    The energy of the others counts as escaped, and what the one stands for beyond its own is taken off again.
    """
    energy, weight = p[0], p[7]
    k = brems_energy_mev(energy, tables[3], medium, tables[4][int(energy * tables[5])], rng)
    p[0] = energy - k
    tally[ESCAPED] += weight * k
    if uniform(rng) * PHOTONS < 1.0:
        c, s = on_circle(rng)
        p[7] = PHOTONS * weight
        tally[ESCAPED] -= p[7] * k
        count = push(stack, count, p, k, turned(p[4], p[5], p[6], brems_turn(energy, rng), c, s), PHOTON, tally)
        p[7] = weight
    return count


@kernel
def _face(x: float, i: int, size: float, inverse_u: float) -> float:
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
def _draw_hinge(
    moments: NDArray[np.float32], at_angles: NDArray[np.float32], at: float, share: float
) -> tuple[np.float32, np.float32, np.float32]:
    """First transport moment before and after a new hinge at `share` of its path, and the row of its angle's table."""
    n = np.uint32(at)
    f = np.float32(at - n)
    whole = moments[n] + f * (moments[n + _N1] - moments[n])
    before = np.float32(share) * whole
    return before, whole - before, at_angles[n] + f * (at_angles[n + _N1] - at_angles[n])


@kernel
def electron(
    p: Float, scene: Pack, tables: Pack, stack: Float, count: int, score: Float, tally: Float, rng: State
) -> int:
    """Follow an electron inside the grid until it is absorbed or leaves; returns the height of the stack.

    Between two turns it flies straight: `gone` cm from where it last turned, with the faces ahead at tx, ty, tz.
    """
    medium, density, shape, size, per_cm = scene
    steps, angles, inverse = tables[9], tables[2], tables[5]
    rows = np.uint64(tables[0].shape[1])
    nx, ny, nz, dx, dy, dz = shape[0], shape[1], shape[2], size[0], size[1], size[2]
    energy, x, y, z, u, v, w, weight = p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
    i, j, k = voxel_of(x, per_cm[0], nx), voxel_of(y, per_cm[1], ny), voxel_of(z, per_cm[2], nz)
    voxel = (k * ny + j) * nx + i
    m, rho = medium[voxel], np.float64(density[voxel])
    first = rows * np.uint64(m)
    c, s, share = on_circle_and(rng)
    left, after, at_angle = _draw_hinge(tables[1], tables[4], energy * inverse, share)
    row, bin_at = deflection_at(at_angle, angles.shape[2] - 1, rng)
    turn, turn_m = deflection_of(angles, m, row, bin_at), m
    path, gone = np.float32(exponential(rng)), 0.0
    iu, iv, iw = reciprocal(u), reciprocal(v), reciprocal(w)
    tx, ty, tz = _face(x, i, dx, iu), _face(y, j, dy, iv), _face(z, k, dz, iw)
    while True:
        at = (first + np.uint64(np.uint32(energy * inverse))) * _STEP_COLUMNS
        e = np.float32(energy)
        loss_slope, scatter_slope = steps[at + _1], steps[at + _3]
        loss = steps[at] + e * loss_slope
        scatter = steps[at + _2] + e * scatter_slope
        hard = steps[at + _4] + e * steps[at + _5]
        bend = _HALF * scatter_slope * loss
        to_face = min(tx, ty, tz)
        g, event = np.float32(max(0.0, to_face - gone) * rho), 2
        squared = scatter * scatter
        used = left
        if squared * g >= left * (scatter + bend * g):
            g, event = min(g, left * scatter / (squared - bend * left)), 0
        else:
            used = squared * g / (scatter + bend * g)
        if hard * g > path:
            g, event = path / hard, 1
            used = min(left, squared * g / (scatter + bend * g))
        lost = np.float64(loss * g * (_ONE - _HALF * loss_slope * g))
        if lost >= energy - ABSORB_MEV:
            break
        score[voxel] += weight * lost
        energy -= lost
        path -= hard * g
        left -= used
        if event == 2:
            gone = max(gone, to_face)
            is_x = np.int64(tx == to_face)
            is_y = np.int64(ty == to_face) & (1 - is_x)
            is_z = 1 - is_x - is_y
            i, tx = i + is_x * (1 if iu > 0.0 else -1), tx + is_x * abs(dx * iu)
            j, ty = j + is_y * (1 if iv > 0.0 else -1), ty + is_y * abs(dy * iv)
            k, tz = k + is_z * (1 if iw > 0.0 else -1), tz + is_z * abs(dz * iw)
            if not (0 <= i < nx and 0 <= j < ny and 0 <= k < nz):
                tally[ESCAPED] += weight * energy
                return count
            voxel = (k * ny + j) * nx + i
            m, rho = medium[voxel], np.float64(density[voxel])
            first = rows * np.uint64(m)
            continue
        gone += g / rho
        x, y, z, gone = x + u * gone, y + v * gone, z + w * gone, 0.0
        if event == 1:
            p[0], p[1], p[2], p[3], p[4], p[5], p[6] = energy, x, y, z, u, v, w
            n = int(energy * inverse)
            collisions, photons = tables[0][m, n, 2], tables[0][m, n, 3]
            if uniform(rng) * (collisions + photons) < collisions:
                near = _nearest_face(x, y, z, i, j, k, dx, dy, dz)
                count, stays = _collide(p, near * rho, first, tables, stack, count, tally, rng)
                score[voxel] += weight * stays
            else:
                count = _radiate(p, m, tables, stack, count, tally, rng)
            energy, u, v, w, path = p[0], p[4], p[5], p[6], np.float32(exponential(rng))
            if energy <= ABSORB_MEV:
                break
        else:
            if _is_local(energy, loss * rho, _nearest_face(x, y, z, i, j, k, dx, dy, dz)):
                break
            if m != turn_m:
                turn = deflection_of(angles, m, row, bin_at)
            u, v, w = turned(u, v, w, turn, c, s)
            end = max(ABSORB_MEV, energy - loss * after / scatter)
            c, s, share = on_circle_and(rng)
            left, more, at_angle = _draw_hinge(tables[1], tables[4], end * inverse, share)
            left, after = left + after, more
            row, bin_at = deflection_at(at_angle, angles.shape[2] - 1, rng)
            turn, turn_m = deflection_of(angles, m, row, bin_at), m
        iu, iv, iw = reciprocal(u), reciprocal(v), reciprocal(w)
        tx, ty, tz = _face(x, i, dx, iu), _face(y, j, dy, iv), _face(z, k, dz, iw)
    score[voxel] += weight * energy
    return count


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


@kernel
def photon(
    p: Float, scene: Pack, tables: Pack, stack: Float, count: int, score: Float, tally: Float, rng: State
) -> int:
    """Follow a photon (Woodcock): Compton, pair, photoelectric; returns the height of the stack."""
    medium, density, shape, size, per_cm = scene
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


@kernel
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
        copy(stack, count, p)
        if p[8] == PHOTON:
            count = photon(p, scene, tables, stack, count, score, tally, rng)
        elif p[0] > ABSORB_MEV:
            count = electron(p, scene, tables, stack, count, score, tally, rng)
        else:
            _deposit(p, scene, score)


@kernel
def _deposit(p: Float, scene: Pack, score: Float) -> None:
    shape, per_cm = scene[2], scene[4]
    voxel = voxel_of(p[3], per_cm[2], shape[2]) * shape[1] + voxel_of(p[2], per_cm[1], shape[1])
    score[voxel * shape[0] + voxel_of(p[1], per_cm[0], shape[0])] += p[7] * p[0]
