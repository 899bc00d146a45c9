"""Electrons of a beam in air: how many cross planes below the insert, by distance from the axis."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ert.dose.kernels.mc_random import State, start_history, uniform
from ert.dose.kernels.mc_source import photon_in_insert, scatter_in_air, start, through_insert
from ert.dose.kernels.mc_transport import ELECTRON, NUMBERS, PHOTON, Pack, copy

Float = NDArray[np.float64]
_STACK = 64
_AXIAL = 0.05


@njit(cache=True, nogil=True, error_model="numpy")
def cross_planes(
    p: Float, air_g_cm3: float, tables: Pack, planes_cm: Float, strip_cm: float, bin_cm: float, fluence: Float,
    rng: State,
) -> None:  # fmt: skip
    """Add an electron that has left the insert to every plane: one hinge at a random place of each way."""
    x, y, z, u, v, w = p[1], p[2], p[3], p[4], p[5], p[6]
    for plane in range(len(planes_cm)):
        p[1], p[2], p[3], p[4], p[5], p[6] = x, y, z, u, v, w
        path = (z - planes_cm[plane]) / max(-w, _AXIAL)
        before = uniform(rng) * path
        for a in range(1, 4):
            p[a] += before * p[a + 3]
        scatter_in_air(p, path, air_g_cm3, tables, rng)
        after = (p[3] - planes_cm[plane]) / max(-p[6], _AXIAL)
        across, along = abs(p[1] + after * p[4]), abs(p[2] + after * p[5])
        for a, b in ((across, along), (along, across)):
            n = int(a / bin_cm)
            if b < strip_cm and n < fluence.shape[1]:
                fluence[plane, n] += p[7]


@njit(cache=True, nogil=True, error_model="numpy")
def run_air(
    first: int, histories: int, seed: np.uint64, source: Pack, numbers: Float, metals: tuple[int, int], tables: Pack,
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
    p, tally, metal = np.empty(NUMBERS), np.zeros(4), np.empty((_STACK, NUMBERS))
    for history in range(first, first + histories):
        start_history(rng, seed, np.uint64(history))
        if not start(p, source, numbers, tables, metals[1], rng) or p[8] == PHOTON:
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
                    p, source[0], numbers[1], numbers[2], metals[0], numbers[11], tables, metal, inside, tally, rng
                )
            if alive and p[8] == ELECTRON:
                cross_planes(p, numbers[12], tables, planes_cm, strip_cm, bin_cm, fluence, rng)
