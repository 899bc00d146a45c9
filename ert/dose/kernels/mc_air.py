"""Electrons of a beam in air: how many cross planes below the insert, by distance from the axis."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.mc_events import collision_turn, moller_energy_mev
from ert.dose.kernels.mc_random import (
    LATTICE_NUMBERS,
    State,
    exponential,
    kernel,
    on_circle,
    start_history,
    start_lattice,
    turned,
    uniform,
)
from ert.dose.kernels.mc_source import Metals, photon_in_insert, scatter_in_air, through_insert
from ert.dose.kernels.mc_start import start
from ert.dose.kernels.mc_transport import ELECTRON, NUMBERS, PHOTON, Pack, copy

Float = NDArray[np.float64]
_STACK = 64
_AXIAL = 0.05
_AIR = 0  # medium


@kernel
def _path_cm(p: Float, plane_cm: float) -> float:
    path: float = (p[3] - plane_cm) / max(-p[6], _AXIAL)
    return path


@kernel
def _cross(
    p: Float, plane_cm: float, air_g_cm3: float, tables: Pack, strip_cm: float, bin_cm: float, row: Float, rng: State
) -> None:
    """Move an electron to a plane below it, one hinge at a random place of the way, and count it there."""
    path = _path_cm(p, plane_cm)
    before = uniform(rng) * path
    for a in range(1, 4):
        p[a] += before * p[a + 3]
    scatter_in_air(p, path, air_g_cm3, tables, rng)
    after = _path_cm(p, plane_cm)
    across, along = abs(p[1] + after * p[4]), abs(p[2] + after * p[5])
    for a, b in ((across, along), (along, across)):
        n = int(a / bin_cm)
        if b < strip_cm and n < len(row):
            row[n] += p[7]


@kernel
def _knock_on(p: Float, path_cm: float, rng: State) -> None:
    """Make of an electron one that it sets free somewhere on its path."""
    along = uniform(rng) * path_cm
    for a in range(1, 4):
        p[a] += along * p[a + 3]
    given = moller_energy_mev(p[0], rng)
    c, s = on_circle(rng)
    p[4], p[5], p[6] = turned(p[4], p[5], p[6], collision_turn(p[0], given), c, s)
    p[0] = given


@kernel
def cross_planes(
    p: Float, old: Float, air_g_cm3: float, tables: Pack, planes_cm: Float, strip_cm: float, bin_cm: float,
    fluence: Float, rng: State,
) -> None:  # fmt: skip
    """Add an electron that has left the insert to every plane, and the electrons above 0.2 MeV that it frees in air.

    These fly wide of the beam, and are half of what a profile in air holds far from the field. `old` is room for `p`.
    """
    for a in range(NUMBERS):
        old[a] = p[a]
    collisions = air_g_cm3 * tables[0][_AIR, int(p[0] * tables[5]), 2]
    for plane in range(len(planes_cm)):
        path = _path_cm(old, planes_cm[plane])
        number = 0.0
        while number < collisions * path:
            for a in range(NUMBERS):
                p[a] = old[a]
            if number > 0.0:
                _knock_on(p, path, rng)
            if p[6] < 0.0:
                _cross(p, planes_cm[plane], air_g_cm3, tables, strip_cm, bin_cm, fluence[plane], rng)
            number += exponential(rng)


@njit(cache=True, nogil=True, error_model="numpy")
def run_air(
    first: int, histories: int, seed: np.uint64, source: Pack, numbers: Float, metals: Metals, tables: Pack,
    planes_cm: Float, strip_cm: float, bin_cm: float, fluence: Float,
) -> None:  # fmt: skip
    """Histories `first` … of a beam, electrons only, into `fluence` [plane, distance from the axis].

    The beam is taken as alike across x and across y: both are scored, within `strip_cm` of the axis.

    Parameters
    ----------
    source, numbers, metals, tables : as for `ert.dose.kernels.mc_batches.run_beam`.
    planes_cm : heights in beam's eye view, below the insert; bin_cm : width of a bin.
    """
    rng = np.empty(1, dtype=np.uint64)
    lattice = np.empty(LATTICE_NUMBERS, dtype=np.uint64)
    start_lattice(lattice, seed, np.uint64(first))
    p, old, tally, metal = np.empty(NUMBERS), np.empty(NUMBERS), np.zeros(4), np.empty((_STACK, NUMBERS))
    for history in range(first, first + histories):
        start_history(rng, seed, np.uint64(history))
        if not start(p, source, numbers, tables, metals[1], lattice, np.uint64(history - first), rng) or p[8] == PHOTON:
            continue
        for a in range(NUMBERS):
            metal[0, a] = p[a]
        inside = 1
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
            if alive and p[8] == ELECTRON:
                cross_planes(p, old, numbers[12], tables, planes_cm, strip_cm, bin_cm, fluence, rng)
