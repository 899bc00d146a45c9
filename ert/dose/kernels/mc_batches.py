"""A batch of histories: every history has its own random numbers, every batch its own grid."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.mc_electron import electron
from ert.dose.kernels.mc_random import LATTICE_NUMBERS, State, inlined, kernel, start_history, start_lattice
from ert.dose.kernels.mc_source import INCIDENT, Metals, into_grid, photon_in_insert, through_insert
from ert.dose.kernels.mc_start import start
from ert.dose.kernels.mc_transport import ABSORB_MEV, NUMBERS, OVERFLOW, PHOTON, Pack, copy, photon, voxel_of

Float = NDArray[np.float64]
STACK = 64


@inlined
def follow(
    p: Float, scene: Pack, tables: Pack, stack: Float, count: int, score: Float, tally: Float, rng: State
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


@njit(cache=True, nogil=True, error_model="numpy")
def run_pencil(
    energy_mev: float, at: Float, direction: Float, first: int, histories: int, seed: np.uint64, scene: Pack,
    tables: Pack, score: Float, tally: Float,
) -> None:  # fmt: skip
    """Histories of electrons that all start at one point in one direction (tests and benchmarks)."""
    rng = np.empty(1, dtype=np.uint64)
    p = np.empty(NUMBERS)
    stack = np.empty((STACK, NUMBERS))
    for history in range(first, first + histories):
        start_history(rng, seed, np.uint64(history))
        p[0] = energy_mev
        p[1], p[2], p[3] = at[0], at[1], at[2]
        p[4], p[5], p[6] = direction[0], direction[1], direction[2]
        p[7], p[8] = 1.0, 0.0
        for a in range(NUMBERS):
            stack[0, a] = p[a]
        follow(p, scene, tables, stack, 1, score, tally, rng)


@inlined
def _leaving(
    p: Float, source: Pack, numbers: Float, metals: Metals, tables: Pack, metal: Float, leaving: Float, tally: Float,
    rng: State,
) -> int:  # fmt: skip
    """Follow a primary and what it sets free through the insert; how many leave it, in `leaving`.

    `metal` is room for a stack.
    """
    for a in range(NUMBERS):
        metal[0, a] = p[a]
    inside, count = 1, 0
    while inside > 0:
        inside -= 1
        copy(metal, inside, p)
        if p[8] == PHOTON:
            alive, inside = photon_in_insert(
                p, source[0], numbers[1], numbers[2], metals[0], numbers[11], tables, metal, inside, tally, rng
            )
        else:
            alive, inside = through_insert(
                p, source[0], numbers[1], numbers[2], metals, numbers[11], tables, metal, inside, tally, rng
            )
        if not alive:
            continue
        if count < STACK:
            for a in range(NUMBERS):
                leaving[count, a] = p[a]
            count += 1
        else:
            tally[OVERFLOW] += p[7] * p[0]
    return count


@inlined
def _arrivals(
    p: Float, leaving: Float, count: int, affine: Float, air_g_cm3: float, scene: Pack, tables: Pack, stack: Float,
    tally: Float, rng: State,
) -> int:  # fmt: skip
    """Take what has left the insert through the air onto the stack; its height."""
    height = 0
    for n in range(count):
        copy(leaving, n, p)
        if into_grid(p, affine, scene, tables, air_g_cm3, tally, rng):
            for a in range(NUMBERS):
                stack[height, a] = p[a]
            height += 1
    return height


@njit(cache=True, nogil=True, error_model="numpy")
def run_beam(
    first: int, histories: int, seed: np.uint64, source: Pack, numbers: Float, metals: Metals, affine: Float,
    scene: Pack, tables: Pack, score: Float, tally: Float, origin: int, sharing: int,
) -> None:  # fmt: skip
    """Histories `first` … of a beam into `score` (MeV per voxel for one electron per cm² on the insert, × histories).

    So many histories share what leaves the insert (`sharing`), and go on from there with random numbers of their own.
    Where they start belongs to the lattice of the batch, which begins with history `origin`.
    `metals`: as `ert.dose.kernels.mc_source.Metals`.
    Tally: energy that escaped, overflow of the stack, lost before the grid, incident; MeV × weight.
    """
    rng, lattice = np.empty(1, dtype=np.uint64), np.empty(LATTICE_NUMBERS, dtype=np.uint64)
    start_lattice(lattice, seed, np.uint64(origin))
    p = np.empty(NUMBERS)
    stack, metal, leaving = np.empty((STACK, NUMBERS)), np.empty((STACK, NUMBERS)), np.empty((STACK, NUMBERS))
    for history in range(first, first + histories, sharing):
        several = min(sharing, first + histories - history)
        start_history(rng, seed, np.uint64(history))
        point = np.uint64((history - origin) // sharing)
        if not start(p, source, numbers, tables, metals[1], lattice, point, rng):
            continue
        p[7] *= several
        tally[INCIDENT] += p[7] * p[0]
        count = _leaving(p, source, numbers, metals, tables, metal, leaving, tally, rng)
        for n in range(count):
            leaving[n, 7] /= several
        for one in range(several if count > 0 else 0):
            if one > 0:
                start_history(rng, seed, np.uint64(history + one))
            height = _arrivals(p, leaving, count, affine, numbers[12], scene, tables, stack, tally, rng)
            follow(p, scene, tables, stack, height, score, tally, rng)
