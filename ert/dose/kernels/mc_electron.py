"""Electrons through voxels: class II condensed history with a random hinge (docs/physics/monte_carlo.md)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ert.dose.kernels.mc_events import (
    brems_energy_mev,
    brems_turn,
    collision_turn,
    deflection_at,
    deflection_of,
    moller_energy_mev,
)
from ert.dose.kernels.mc_random import State, exponential, inlined, kernel, on_circle, on_circle_and, turned, uniform
from ert.dose.kernels.mc_transport import (
    ABSORB_MEV,
    ELECTRON,
    ESCAPED,
    PHOTON,
    Float,
    Pack,
    between,
    face_ahead,
    push,
    reciprocal,
    voxel_of,
)

LOCAL_MEV = 1.0
LAST_MEV, LAST_SHARE = 0.6, 0.75
"""An electron of less energy and less path than this share of its voxel's smallest side is not followed to its end."""
HALF_HINGE = 0.905
"""Mean of exp(−ξK), K = 0.2, 0 < ξ < 1: what the scattering that an electron at a hinge has not had yet leaves of the
direction it comes with."""
PHOTONS = 3.0
"""Of so many bremsstrahlung photons one is followed, with as much more weight."""
# Unsigned indices and 32-bit floats of their own, because a plain number would make 64-bit floats of both.
_COLUMNS, _1, _2, _3, _4, _5, _6, _7 = (np.uint64(n) for n in (8, 1, 2, 3, 4, 5, 6, 7))
_NEXT, _ONE, _HALF = np.uint32(1), np.float32(1.0), np.float32(0.5)


@kernel
def _nearest_face(
    x: float, y: float, z: float, i: int, j: int, k: int, dx: float, dy: float, dz: float
) -> float:  # fmt: skip
    """Distance from a point of voxel (i, j, k) to the nearest of its faces."""
    return min(x - i * dx, (i + 1) * dx - x, y - j * dy, (j + 1) * dy - y, z - k * dz, (k + 1) * dz - z)


@kernel
def _is_local(energy: float, loss: float, near: float) -> bool:
    """Whether the electron will be absorbed before it can leave its voxel, whose nearest face is `near` away.

    Below 1 MeV the loss only grows on the way, so the path down to `ABSORB_MEV` is below (E − ABSORB_MEV) / loss.
    """
    return energy <= LOCAL_MEV and energy - ABSORB_MEV < loss * near


@inlined
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
    at = (first + np.uint64(np.uint32(given * tables[5]))) * _COLUMNS
    steps = tables[9]
    stays = given if _is_local(given, steps[at] + given * steps[at + _1], near) else 0.0
    if stays == 0.0:
        turn = turned(p[4], p[5], p[6], collision_turn(energy, given), -c, -s)
        count = push(stack, count, p, given, turn, ELECTRON, tally)
    p[4], p[5], p[6] = turned(p[4], p[5], p[6], collision_turn(energy, p[0]), c, s)
    return count, stays


@inlined
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


@inlined
def _hard_event(
    p: Float, e: np.float32, hard: np.float32, near: float, first: np.uint64, medium: int, tables: Pack, stack: Float,
    count: int, tally: Float, rng: State,
) -> tuple[int, float]:  # fmt: skip
    """Collision or bremsstrahlung; as `_collide`.

    The rates are those of the energy `e` at the step's beginning, as the way to the event was; `hard` is their sum.
    """
    n = int(e * tables[5])
    if uniform(rng) * hard < between(tables[0], medium, n, e * tables[5] - n, 2):
        return _collide(p, near, first, tables, stack, count, tally, rng)
    return _radiate(p, medium, tables, stack, count, tally, rng), 0.0


@kernel
def _course(
    u: float, v: float, w: float, x: float, y: float, z: float, i: int, j: int, k: int, dx: float, dy: float, dz: float
) -> tuple[float, float, float, float, float, float]:  # fmt: skip
    """Reciprocals of a direction, and the distances to the faces ahead."""
    iu, iv, iw = reciprocal(u), reciprocal(v), reciprocal(w)
    return iu, iv, iw, face_ahead(x, i, dx, iu), face_ahead(y, j, dy, iv), face_ahead(z, k, dz, iw)


@kernel
def _crossed(
    to_face: float, i: int, j: int, k: int, tx: float, ty: float, tz: float, iu: float, iv: float, iw: float,
    dx: float, dy: float, dz: float,
) -> tuple[int, int, int, float, float, float]:  # fmt: skip
    """Voxel and faces ahead behind the nearest face.

    Added without a branch on the axis, which a processor would guess wrong one time in three.
    """
    is_x = int(tx == to_face)
    is_y = int(ty == to_face) & (1 - is_x)
    is_z = 1 - is_x - is_y
    return (
        i + is_x * (1 if iu > 0.0 else -1), j + is_y * (1 if iv > 0.0 else -1), k + is_z * (1 if iw > 0.0 else -1),
        tx + is_x * abs(dx * iu), ty + is_y * abs(dy * iv), tz + is_z * abs(dz * iw),
    )  # fmt: skip


@kernel
def _draw_hinge(
    moments: NDArray[np.float32], at_angles: NDArray[np.float32], at: float, share: float
) -> tuple[np.float32, np.float32, np.float32]:
    """First transport moment before and after a new hinge at `share` of its path, and the row of its angle's table."""
    n = np.uint32(at)
    f = np.float32(at - n)
    whole = moments[n] + f * (moments[n + _NEXT] - moments[n])
    before = np.float32(share) * whole
    return before, whole - before, at_angles[n] + f * (at_angles[n + _NEXT] - at_angles[n])


@kernel
def _next_hinge(
    tables: Pack, medium: int, at: float, rng: State
) -> tuple[float, float, np.float32, np.float32, np.uint32, float, float]:
    """A hinge on the path that begins at row `at` of the energies.

    Returns
    -------
    cosine and sine of its azimuth, transport moment before and after it, row and bin of its deflection, the deflection.
    """
    c, s, share = on_circle_and(rng)
    before, after, at_angle = _draw_hinge(tables[1], tables[4], at, share)
    row, bin_at = deflection_at(at_angle, tables[2].shape[2] - 1, rng)
    return c, s, before, after, row, bin_at, deflection_of(tables[2], medium, row, bin_at)


@kernel
def _step(
    steps: NDArray[np.float32], at: np.uint64, e: np.float32, left: np.float32, path: np.float32, ahead: np.float32
) -> tuple[np.float32, int, np.float32, np.float32, np.float32, np.float32, np.float32]:
    """A step that begins with the energy `e`, at most `ahead` g/cm² long, up to the transport moment `left` or `path`.

    Returns
    -------
    length, what ends it (0: hinge, 1: hard event, 2: face), moment used, loss and its slope with energy, first moment,
    rate of hard events. The moment G along the way is taken as G · (G / (G + bend g))²: right to second order in g, and
    inverted without a root.
    """
    loss_slope, scatter_slope = steps[at + _1], steps[at + _3]
    loss = steps[at] + e * loss_slope
    scatter = steps[at + _2] + e * scatter_slope
    hard = steps[at + _4] + e * steps[at + _5]
    bend = _HALF * scatter_slope * loss
    g, event, used = ahead, 2, left
    squared = scatter * scatter
    if squared * g >= left * (scatter + bend * g):
        g, event = min(g, left * scatter / (squared - bend * left)), 0
    else:
        used = squared * g / (scatter + bend * g)
    if hard * g > path:
        g, event = path / hard, 1
        used = min(left, squared * g / (scatter + bend * g))
    return g, event, used, loss, loss_slope, scatter, hard


@kernel
def _end_at(
    steps: NDArray[np.float32], at: np.uint64, turned_by: float, rho: float, x: float, y: float, z: float, u: float,
    v: float, w: float, nx: int, ny: int, nz: int, px: float, py: float, pz: float, rng: State,
) -> tuple[int, int]:  # fmt: skip
    """The voxels in which an electron leaves each half of its last energy, among neighbours that are all alike.

    Anywhere on both halves of a straight way of the tables' length, whose cosine is even in [1 − 2 (1 − mean), 1]; the
    mean is the tables' times `turned_by`.
    """
    c, s, share = on_circle_and(rng)
    u, v, w = turned(u, v, w, 2.0 * (1.0 - turned_by * steps[at + _7]) * share, c, s)
    half = 0.5 * steps[at + _6] / rho
    near = half * uniform(rng)
    far = near + half
    i, j, k = voxel_of(x + near * u, px, nx), voxel_of(y + near * v, py, ny), voxel_of(z + near * w, pz, nz)
    voxel = (k * ny + j) * nx + i
    i, j, k = voxel_of(x + far * u, px, nx), voxel_of(y + far * v, py, ny), voxel_of(z + far * w, pz, nz)
    return voxel, (k * ny + j) * nx + i


@inlined
def _ends(
    energy: float, turned_by: float, weight: float, voxel: int, x: float, y: float, z: float, u: float, v: float,
    w: float, scene: Pack, tables: Pack, score: Float, rng: State,
) -> bool:  # fmt: skip
    """Whether an electron is on its last, where all around is alike; then its energy is left."""
    medium, density, shape, size, per_cm, alike = scene
    if energy > LAST_MEV or not alike[voxel]:
        return False
    steps, first = tables[9], np.uint64(tables[0].shape[1]) * np.uint64(medium[voxel])
    at = (first + np.uint64(np.uint32(energy * tables[5]))) * _COLUMNS
    rho, reach = np.float64(density[voxel]), LAST_SHARE * min(size[0], size[1], size[2])
    if energy - ABSORB_MEV >= (steps[at] + energy * steps[at + _1]) * rho * reach:
        return False
    near, far = _end_at(
        steps, at, turned_by, rho, x, y, z, u, v, w, shape[0], shape[1], shape[2], per_cm[0], per_cm[1], per_cm[2], rng
    )
    score[near] += 0.5 * weight * energy
    score[far] += 0.5 * weight * energy
    return True


@inlined
def electron(
    p: Float, scene: Pack, tables: Pack, stack: Float, count: int, score: Float, tally: Float, rng: State
) -> int:
    """Follow an electron inside the grid until it is absorbed or leaves; returns the height of the stack.

    Between two turns it flies straight: `gone` cm from where it last turned, with the faces ahead at tx, ty, tz. A step
    of `g` g/cm² ends at a face (event 2), a hard event (1) or a hinge (0). `left` is the transport moment to the next
    hinge, `after` what the hinge has behind it: it flies that and the next hinge's first part in one. The next
    deflection is looked up in advance, in the medium of here, so that nothing waits for it.
    """
    medium, density, shape, size, per_cm, _ = scene
    steps, inverse, rows = tables[9], tables[5], np.uint64(tables[0].shape[1])
    nx, ny, nz, dx, dy, dz = shape[0], shape[1], shape[2], size[0], size[1], size[2]
    energy, x, y, z, u, v, w, weight = p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]
    i, j, k = voxel_of(x, per_cm[0], nx), voxel_of(y, per_cm[1], ny), voxel_of(z, per_cm[2], nz)
    voxel = (k * ny + j) * nx + i
    m, rho, first = medium[voxel], np.float64(density[voxel]), rows * np.uint64(medium[voxel])
    if _ends(energy, 1.0, weight, voxel, x, y, z, u, v, w, scene, tables, score, rng):
        return count
    c, s, left, after, row, bin_at, turn = _next_hinge(tables, m, energy * inverse, rng)
    turn_m, path, gone = m, np.float32(exponential(rng)), 0.0
    iu, iv, iw, tx, ty, tz = _course(u, v, w, x, y, z, i, j, k, dx, dy, dz)
    while True:
        e, at = np.float32(energy), (first + np.uint64(np.uint32(energy * inverse))) * _COLUMNS
        to_face = min(tx, ty, tz)
        ahead = np.float32(max(0.0, to_face - gone) * rho)
        g, event, used, loss, loss_slope, scatter, hard = _step(steps, at, e, left, path, ahead)
        lost = np.float64(loss * g * (_ONE - _HALF * loss_slope * g))
        if lost >= energy - ABSORB_MEV:
            break
        score[voxel] += weight * lost
        energy -= lost
        path -= hard * g
        left -= used
        if event == 2:
            gone = max(gone, to_face)
            i, j, k, tx, ty, tz = _crossed(to_face, i, j, k, tx, ty, tz, iu, iv, iw, dx, dy, dz)
            if not (0 <= i < nx and 0 <= j < ny and 0 <= k < nz):
                tally[ESCAPED] += weight * energy
                return count
            voxel = (k * ny + j) * nx + i
            m, rho, first = medium[voxel], np.float64(density[voxel]), rows * np.uint64(medium[voxel])
            continue
        gone += g / rho
        x, y, z, gone = x + u * gone, y + v * gone, z + w * gone, 0.0
        if event == 1:
            p[0], p[1], p[2], p[3], p[4], p[5], p[6] = energy, x, y, z, u, v, w
            near = rho * _nearest_face(x, y, z, i, j, k, dx, dy, dz)
            count, stays = _hard_event(p, e, hard, near, first, m, tables, stack, count, tally, rng)
            score[voxel] += weight * stays
            energy, u, v, w, path = p[0], p[4], p[5], p[6], np.float32(exponential(rng))
            if energy <= ABSORB_MEV:
                break
        else:
            if _ends(energy, HALF_HINGE, weight, voxel, x, y, z, u, v, w, scene, tables, score, rng):
                return count
            if _is_local(energy, loss * rho, _nearest_face(x, y, z, i, j, k, dx, dy, dz)):
                break
            if m != turn_m:
                turn = deflection_of(tables[2], m, row, bin_at)
            u, v, w = turned(u, v, w, turn, c, s)
            end = max(ABSORB_MEV, energy - loss * after / scatter)
            c, s, before, more, row, bin_at, turn = _next_hinge(tables, m, end * inverse, rng)
            left, after, turn_m = before + after, more, m
        iu, iv, iw, tx, ty, tz = _course(u, v, w, x, y, z, i, j, k, dx, dy, dz)
    score[voxel] += weight * energy
    return count
