"""What happens at a point: Møller collisions, bremsstrahlung, Compton scattering (docs/physics/monte_carlo.md)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ert.dose.kernels.mc_random import State, kernel, quarters, uniform

Float32 = NDArray[np.float32]
MC2 = 0.51099895
SOFT_MEV = 0.2
"""Collisions and photons that take more than this are events; resources/tables/monte_carlo_electrons.npz."""


@kernel
def moller_energy_mev(energy_mev: float, rng: State) -> float:
    """Energy of the slower electron after a Møller collision above SOFT_MEV.

    1/ε² + 1/(1 − ε)² is 1/ε² over both electrons; the rest of the cross section, at most an eighth of it, by rejection.
    """
    tau = energy_mev / MC2
    a = (tau / (tau + 1.0)) ** 2
    b = (2.0 * tau + 1.0) / (tau + 1.0) ** 2
    cut = SOFT_MEV / energy_mev
    while True:
        eps = cut / (1.0 - uniform(rng) * (1.0 - cut / (1.0 - cut)))
        both = eps * (1.0 - eps)
        squares = 1.0 - 2.0 * both
        if 1.125 * uniform(rng) * squares <= squares + both * (a * both - b):
            return min(eps, 1.0 - eps) * energy_mev


@kernel
def collision_turn(energy_mev: float, left_mev: float) -> float:
    """1 − cos of the direction of an electron that leaves a collision of two electrons with energy `left_mev`."""
    cos2 = left_mev * (energy_mev + 2.0 * MC2) / (energy_mev * (left_mev + 2.0 * MC2))
    return 1.0 - math.sqrt(min(1.0, cos2))


@kernel
def brems_energy_mev(energy_mev: float, rows: Float32, medium: int, at: float, rng: State) -> float:
    """Energy of a photon above SOFT_MEV from the inverse tables; `at` is the fractional row of the energy."""
    row = int(at)
    if uniform(rng) < at - row:
        row += 1
    last = rows.shape[2] - 1
    y = uniform(rng) * last
    k = min(int(y), last - 1)
    low = float(rows[medium, row, k])
    log = low + (y - k) * (float(rows[medium, row, k + 1]) - low)
    return min(SOFT_MEV * math.exp(log * math.log(energy_mev / SOFT_MEV)), energy_mev)


@kernel
def brems_turn(energy_mev: float, rng: State) -> float:
    """1 − cos of a photon's direction: θ dθ / (θ² + γ⁻²)², the leading factor of Schiff's distribution."""
    g = MC2 / (energy_mev + MC2)
    share = uniform(rng)
    theta2 = g * g * share / (1.0 - share)
    return 2.0 * math.sin(0.5 * math.sqrt(min(theta2, math.pi * math.pi))) ** 2


@kernel
def compton(energy_mev: float, rng: State) -> tuple[float, float]:
    """Energy of the scattered photon and 1 − cos of its direction (Klein–Nishina, composition and rejection)."""
    a = energy_mev / MC2
    least = 1.0 / (1.0 + 2.0 * a)
    first, second = -math.log(least), 0.5 * (1.0 - least * least)
    while True:
        if uniform(rng) * (first + second) < first:
            eps = math.exp(-first * uniform(rng))
        else:
            eps = math.sqrt(least * least + (1.0 - least * least) * uniform(rng))
        x = (1.0 - eps) / (a * eps)
        sin2 = x * (2.0 - x)
        if uniform(rng) <= 1.0 - eps * sin2 / (1.0 + eps * eps):
            return eps * energy_mev, x


@kernel
def deflection_at(at: float | np.float32, last: int, rng: State) -> tuple[np.uint32, float]:
    """Row and place in the row of a random multiple-scattering angle; `at` is the fractional row of its energy.

    Tables are even in 1 − (1 − y/N)³: the largest of three numbers.
    """
    choice, largest = quarters(rng)
    row = np.uint32(at)
    return row + np.uint32(choice < at - row), (1.0 - largest) * last


@kernel
def deflection_of(rows: Float32, medium: int, row: np.uint32, y: float) -> float:
    """1 − cos of that angle in a medium."""
    k = np.uint32(y)
    low: float = rows[medium, row, k]
    found: float = low + (y - k) * (rows[medium, row, k + np.uint32(1)] - low)
    return found


@kernel
def deflection(rows: Float32, medium: int, at: float, rng: State) -> float:
    """1 − cos of a multiple-scattering angle."""
    row, y = deflection_at(at, rows.shape[2] - 1, rng)
    return deflection_of(rows, medium, row, y)
