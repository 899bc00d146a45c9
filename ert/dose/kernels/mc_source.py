"""From the insert's upstream face into the voxel grid: insert and air.

Beam's eye view: z rises towards the source, isocentre at z = 0, cm. What starts: `ert.dose.kernels.mc_start`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ert.dose.kernels.mc_events import MC2, compton, deflection
from ert.dose.kernels.mc_random import State, exponential, inlined, kernel, on_circle, turned, uniform
from ert.dose.kernels.mc_transport import (
    ELECTRON,
    PHOTON_CUT_MEV,
    Pack,
    compton_electron,
    hard_event,
    next_event,
    pair,
    push,
    rates,
    reciprocal,
    voxel_of,
)  # fmt: skip

Float = NDArray[np.float64]
Metals = tuple[int, int, int]
"""Media of the insert and of the target that contaminant photons come from; the insert's row in tables of metals."""
LOST = 2
INCIDENT = 3
_BLOCK_CUT_MEV = 0.2
_CAUGHT_MEV = 1.0
_NUDGE_CM = 1e-7
_AIR_BELOW_G_CM3 = 0.05
_AIR_RUTHERFORD = 2.0 * math.pi * 2.8179403e-13**2 * 6.02214076e23 * 4.1729  # Σ w Z(Z+1)/A of dry air
_FAR = 1e30
_BESIDE_CM = 0.01
"""Nearer to a wall deflections follow one another after shorter paths: an electron leaves again after the first few."""


@kernel
def is_open(x: float, y: float, outline: Float) -> bool:
    """Whether a point lies inside the outline (even–odd rule)."""
    inside = False
    n = outline.shape[0]
    j = n - 1
    for i in range(n):
        ya, yb = outline[i, 1], outline[j, 1]
        if (ya > y) != (yb > y) and x < outline[i, 0] + (y - ya) / (yb - ya) * (outline[j, 0] - outline[i, 0]):
            inside = not inside
        j = i
    return inside


@kernel
def edge_distance(x: float, y: float, outline: Float) -> float:
    """Distance from a point to the outline."""
    best = _FAR
    n = outline.shape[0]
    j = n - 1
    for i in range(n):
        a, b = outline[j, 0], outline[j, 1]
        dx, dy = outline[i, 0] - a, outline[i, 1] - b
        along = ((x - a) * dx + (y - b) * dy) / max(dx * dx + dy * dy, 1e-30)
        along = min(1.0, max(0.0, along))
        best = min(best, (a + along * dx - x) ** 2 + (b + along * dy - y) ** 2)
        j = i
    return math.sqrt(best)


@kernel
def wall_distance(x: float, y: float, u: float, v: float, outline: Float) -> float:
    """Path (of a unit vector with components u, v across the beam) to the first wall ahead."""
    best = _FAR
    n = outline.shape[0]
    j = n - 1
    for i in range(n):
        a, b = outline[j, 0] - x, outline[j, 1] - y
        dx, dy = outline[i, 0] - outline[j, 0], outline[i, 1] - outline[j, 1]
        across = u * dy - v * dx
        if abs(across) > 1e-14:
            s = (a * dy - b * dx) / across
            along = (a * v - b * u) / across
            if 0.0 < s < best and 0.0 <= along <= 1.0:
                best = s
        j = i
    return best


@kernel
def _move(p: Float, s: float) -> None:
    p[1] += p[4] * s
    p[2] += p[5] * s
    p[3] += p[6] * s


@inlined
def photon_in_insert(
    p: Float, outline: Float, up_cm: float, down_cm: float, medium: int, density_g_cm3: float, tables: Pack,
    stack: Float, count: int, tally: Float, rng: State,
) -> tuple[bool, int]:  # fmt: skip
    """Walk a photon through the insert (Woodcock); whether it leaves downwards, and the height of the stack.

    Electrons it sets free are pushed.
    """
    while p[0] > PHOTON_CUT_MEV:
        n = int(p[0] * tables[5])
        scatters, pairs = tables[6][medium, n, 0], tables[6][medium, n, 1]
        rate = (scatters + pairs + tables[6][medium, n, 2]) * density_g_cm3
        s = exponential(rng) / rate
        to_face = (down_cm - p[3]) / p[6] if p[6] < 0.0 else (up_cm - p[3]) / max(p[6], 1e-12)
        _move(p, min(s, to_face))
        if s >= to_face:
            if p[6] < 0.0:
                return True, count
            break
        if is_open(p[1], p[2], outline):
            continue
        number = uniform(rng) * rate / density_g_cm3
        if number < scatters:
            k, x = compton(p[0], rng)
            if p[0] - k > _BLOCK_CUT_MEV:
                count = compton_electron(p, k, x, stack, count, tally, rng)
            else:
                tally[LOST] += p[7] * (p[0] - k)
                c, s = on_circle(rng)
                p[4], p[5], p[6] = turned(p[4], p[5], p[6], x, c, s)
            p[0] = k
        elif number < scatters + pairs and p[0] > 2.0 * MC2:
            return False, pair(p, stack, count, tally, rng)
        else:
            return False, push(stack, count, p, p[0], (p[4], p[5], p[6]), ELECTRON, tally)
    tally[LOST] += p[7] * p[0]
    return False, count


@kernel
def _is_caught(p: Float, loss: float, safe_cm: float, up_cm: float, down_cm: float) -> bool:
    """Whether an electron below 1 MeV, absorbed within (E − 0.2 MeV) / loss, can no longer leave the metal."""
    caught: bool = p[0] < _CAUGHT_MEV and p[0] - _BLOCK_CUT_MEV < loss * min(safe_cm, up_cm - p[3], p[3] - down_cm)
    return caught


@kernel
def _parts(whole: float, rng: State) -> tuple[float, float]:
    """Transport moment before and after a hinge anywhere on a path."""
    left = uniform(rng) * whole
    return left, whole - left


@kernel
def _turn_in_metal(p: Float, is_beside: bool, at_angle: float, metals: Metals, tables: Pack, rng: State) -> None:
    """Deflection at the hinge of a path, a shorter one beside a wall."""
    c, s = on_circle(rng)
    if is_beside:
        turn = deflection(tables[11], metals[2], at_angle, rng)
    else:
        turn = deflection(tables[2], metals[0], at_angle, rng)
    p[4], p[5], p[6] = turned(p[4], p[5], p[6], turn, c, s)


@inlined
def through_insert(
    p: Float, outline: Float, up_cm: float, down_cm: float, metals: Metals, density_g_cm3: float, tables: Pack,
    stack: Float, count: int, tally: Float, rng: State,
) -> tuple[bool, int]:  # fmt: skip
    """Walk an electron through the insert; whether it leaves downwards, and the height of the stack.

    In the metal as in the patient: collisions and bremsstrahlung above 0.2 MeV as events, continuous loss, random
    hinge; absorbed below 0.2 MeV.
    """
    medium = metals[0]
    opened = is_open(p[1], p[2], outline)
    left = after = at_angle = 0.0
    is_hinge = is_beside = False
    path, safe = exponential(rng), 0.0 if opened else edge_distance(p[1], p[2], outline)
    while True:
        to_face = (down_cm - p[3]) / p[6] if p[6] < 0.0 else (up_cm - p[3]) / max(p[6], 1e-12)
        if opened:
            wall = wall_distance(p[1], p[2], p[4], p[5], outline)
            _move(p, min(to_face, wall + _NUDGE_CM))
            if to_face <= wall:
                break
            opened, safe = False, 0.0
            continue
        f = p[0] * tables[5]
        n = int(f)
        f -= n
        loss, _, scatter, _, collisions, photons = rates(tables[0], medium, n, f, density_g_cm3)
        events = max(collisions + photons, 1e-12)
        if left <= 0.0 and is_hinge:
            _turn_in_metal(p, is_beside, at_angle, metals, tables, rng)
            left, is_hinge = after, False
            continue
        if left <= 0.0:
            safe = edge_distance(p[1], p[2], outline) if safe < _BESIDE_CM else safe
            is_beside, is_hinge, at_angle = safe < _BESIDE_CM, True, tables[4][n]
            left, after = _parts(tables[10][n] if is_beside else tables[1][n], rng)
        s = min(left / scatter, path / events, max(to_face, 0.0))
        is_wall = False
        if s >= safe:
            safe = edge_distance(p[1], p[2], outline)
            if s >= safe:
                wall = wall_distance(p[1], p[2], p[4], p[5], outline)
                is_wall = wall < s
                s = min(s, wall + _NUDGE_CM)
        lost = min(loss * s, p[0])
        _move(p, s)
        p[0] -= lost
        tally[LOST] += p[7] * lost
        safe, left, path = safe - s, left - s * scatter, path - s * events
        left = 0.0 if left < 1e-12 else left
        if p[0] < _BLOCK_CUT_MEV or _is_caught(p, loss, safe, up_cm, down_cm):
            p[6] = abs(p[6])
            break
        if is_wall:
            opened = True
        elif s >= to_face:
            break
        elif path <= 1e-12:
            count = hard_event(p, collisions / events, tables, medium, stack, count, tally, rng)
            path = exponential(rng)
    if p[6] < 0.0:
        return True, count
    tally[LOST] += p[7] * p[0]
    return False, count


@kernel
def _box_entry(p: Float, shape: NDArray[np.int64], size: Float) -> float:
    """Distance to the grid's surface, 0 inside, negative if the ray misses it."""
    near, far = 0.0, _FAR
    for a in range(3):
        u = p[4 + a]
        if abs(u) < 1e-12:
            if not 0.0 < p[1 + a] < shape[a] * size[a]:
                return -1.0
            continue
        t0, t1 = -p[1 + a] / u, (shape[a] * size[a] - p[1 + a]) / u
        near, far = max(near, min(t0, t1)), min(far, max(t0, t1))
    return near if near < far else -1.0


@inlined
def air_path(p: Float, scene: Pack) -> float:
    """Distance through air to the first voxel of something denser, negative if the ray meets none."""
    _, density, shape, size, per_cm, _ = scene
    far = _box_entry(p, shape, size)
    if far < 0.0:
        return -1.0
    i = voxel_of(p[1] + far * p[4], per_cm[0], shape[0])
    j = voxel_of(p[2] + far * p[5], per_cm[1], shape[1])
    k = voxel_of(p[3] + far * p[6], per_cm[2], shape[2])
    iu, iv, iw = reciprocal(p[4]), reciprocal(p[5]), reciprocal(p[6])
    while 0 <= i < shape[0] and 0 <= j < shape[1] and 0 <= k < shape[2]:
        if density[(k * shape[1] + j) * shape[0] + i] > _AIR_BELOW_G_CM3:
            return far
        to = next_event(_FAR, _FAR, p[1], p[2], p[3], i, j, k, size, iu, iv, iw)
        far = to[0]
        if to[1] == 2:
            i += 1 if iu > 0.0 else -1
        elif to[1] == 3:
            j += 1 if iv > 0.0 else -1
        else:
            k += 1 if iw > 0.0 else -1
    return -1.0


@inlined
def scatter_in_air(p: Float, path_cm: float, air_g_cm3: float, tables: Pack, rng: State) -> None:
    """Turn an electron by what it meets on a path in air: single scatters above 1 − cos = F, the rest as a Gaussian.

    F = 2π (r_e/((τ+1)β²))² N_A Σ w Z(Z+1)/A · ρ · path: Rutherford's law, of which one scatter above F is expected; the
    rest keeps what is left of the first transport moment (the separation that Molière's theory rests on).
    """
    n = int(p[0] * tables[5])
    tau = p[0] / MC2
    strength = _AIR_RUTHERFORD * ((tau + 1.0) / (tau * (tau + 2.0))) ** 2 * air_g_cm3 * path_cm
    cut = min(strength, 1.0)
    soft = tables[0][0, n, 1] * air_g_cm3 * path_cm - strength * math.log(2.0 / cut)
    c, s = on_circle(rng)
    x = min(2.0, max(0.0, soft) * exponential(rng))
    p[4], p[5], p[6] = turned(p[4], p[5], p[6], x, c, s)
    wanted = strength * (1.0 / cut - 0.5)
    number = exponential(rng)
    while number < wanted:
        x = 1.0 / (1.0 / cut - uniform(rng) * (1.0 / cut - 0.5))
        c, s = on_circle(rng)
        p[4], p[5], p[6] = turned(p[4], p[5], p[6], x, c, s)
        number += exponential(rng)


@inlined
def into_grid(p: Float, affine: Float, scene: Pack, tables: Pack, air_g_cm3: float, tally: Float, rng: State) -> bool:
    """From beam's eye view to grid coordinates; electrons through the air to denser matter; whether it arrives.

    Air: one hinge at a random place with the scattering and the mean energy loss of the whole way.
    """
    x, y, z, u, v, w = p[1], p[2], p[3], p[4], p[5], p[6]
    for a in range(3):
        p[1 + a] = affine[a, 0] * x + affine[a, 1] * y + affine[a, 2] * z + affine[a, 3]
        p[4 + a] = affine[a, 0] * u + affine[a, 1] * v + affine[a, 2] * w
    far = air_path(p, scene) if p[8] == ELECTRON else _box_entry(p, scene[2], scene[3])
    if far > 0.0 and p[8] == ELECTRON:
        n = int(p[0] * tables[5])
        lost = min(p[0], (tables[8][0, n, 0] + tables[8][0, n, 1]) * air_g_cm3 * far)
        _move(p, uniform(rng) * far)
        scatter_in_air(p, far, air_g_cm3, tables, rng)
        p[0] -= lost
        tally[LOST] += p[7] * lost
        far = air_path(p, scene)
    if far < 0.0:
        tally[LOST] += p[7] * p[0]
        return False
    _move(p, far)
    return True
