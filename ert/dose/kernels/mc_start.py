"""What starts on the insert's upstream face: fan of the virtual source, spectrum, spreads, contaminant photons.

Beam's eye view: z rises towards the source, isocentre at z = 0, cm. Numbers of a source, in order: z of the virtual
source, z of the insert's upstream and downstream face, angular spread (rad), off-axis coefficients c2, c4 and their
largest radius, scale from the upstream face to the isocentre plane, probability of the outer rectangle, weights of the
inner and the outer rectangle, density of the insert, density of air, probability that a history is a contaminant
photon, weights of electrons and of photons, angular spread of the photons (rad), share and spread (rad)
of the wide component; one above 0.2 rad is that of the lowest energies; energy (MeV) below which electrons have a
spread of their own, and that spread (rad); height of the plane of arrival, which changes noise but no mean.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ert.dose.kernels.mc_events import brems_energy_mev
from ert.dose.kernels.mc_random import State, gaussian_pair, inlined, kernel, lattice_points, uniform
from ert.dose.kernels.mc_source import edge_distance, is_open
from ert.dose.kernels.mc_transport import ELECTRON, PHOTON, Pack

Float = NDArray[np.float64]
_EDGE_CM, _NEAR_CM = 0.05, 0.2
_EDGE_SHARE, _NEAR_SHARE, _DEEP_SHARE, _OUTER_SHARE = 0.4, 0.2, 0.0625, 0.25
SCATTERED_RAD = 0.2


@inlined
def followed_share(x: float, y: float, is_outer: bool, outline: Float) -> float:
    """Which share of the electrons that start here is followed; all in the opening.

    The deeper they hit the metal the less they give for the time that their way through it takes.
    """
    if is_outer:
        return _OUTER_SHARE
    if is_open(x, y, outline):
        return 1.0
    far = edge_distance(x, y, outline)
    if far < _NEAR_CM:
        return _EDGE_SHARE if far < _EDGE_CM else _NEAR_SHARE
    return _DEEP_SHARE


@kernel
def _start_of(place: float, drift: float, width: float) -> float:
    """Where on a width something starts that moves by `drift` on its way and arrives at `place` of it, modulo width.

    Uniform and independent of the drift for a uniform place.
    """
    at = place - drift / width
    return (at - math.floor(at)) * width


@kernel
def _energy_of(number: float, edges: Float, cumulative: Float) -> float:
    """Energy of the spectrum at its cumulative probability `number`."""
    n = min(max(int(np.searchsorted(cumulative, number, side="right")) - 1, 0), len(edges) - 2)
    within = (number - cumulative[n]) / max(cumulative[n + 1] - cumulative[n], 1e-300)
    energy: float = edges[n] + within * (edges[n + 1] - edges[n])
    return energy


@kernel
def _spread_of(energy: float, number: float, numbers: Float, rng: State) -> float:
    """Angular spread of an electron whose energy `number` has drawn."""
    draw = number if numbers[18] > SCATTERED_RAD else uniform(rng)
    spread: float = numbers[20] if energy < numbers[19] else numbers[3]
    if draw < numbers[17]:
        spread = numbers[18]
    return spread


@kernel
def _weight_of(x: float, y: float, numbers: Float, is_outer: bool) -> float:
    """Weight of what starts at a place: area over histories, times the off-axis ratio."""
    q = (min(math.hypot(x, y) * numbers[7], numbers[6]) * 0.1) ** 2
    weight: float = numbers[10 if is_outer else 9] * (1.0 + numbers[4] * q + numbers[5] * q * q)
    return weight


@inlined
def start(
    p: Float, source: Pack, numbers: Float, tables: Pack, target: int, lattice: State, point: np.uint64, rng: State
) -> bool:
    """A primary on the insert's upstream face; False for a history that starts nothing.

    Two rectangles share the histories: around the opening, and the rest of what the applicator leaves free; what the
    outer one draws inside the inner one is left out. Of electrons that hit metal a share is followed, with as much more
    weight.

    The lattice says where in the rectangle an undisturbed particle crosses the plane of arrival; energy and direction
    are drawn first, and with them follows where it starts. So the dose of the first centimetres, where electrons have
    not been scattered apart yet, has hardly the noise of how many happen to come.
    """
    outline, rectangles, edges, cumulative = source
    across, along, kind = lattice_points(lattice, point)
    is_outer = kind < numbers[8]
    kind = kind / numbers[8] if is_outer else (kind - numbers[8]) / (1.0 - numbers[8])
    is_photon = kind < numbers[13]
    number = uniform(rng)
    p[0] = _energy_of(number, edges, cumulative)
    spread = numbers[16] if is_photon else _spread_of(p[0], number, numbers, rng)
    a, b = gaussian_pair(rng)
    far, way = numbers[0] - numbers[1], numbers[1] - numbers[21]
    drift = spread * way / (1.0 + way / far)
    box, inner = rectangles[1 if is_outer else 0], rectangles[0]
    x = box[0] + _start_of(across, drift * a, box[1] - box[0])
    y = box[2] + _start_of(along, drift * b, box[3] - box[2])
    if is_outer and inner[0] <= x <= inner[1] and inner[2] <= y <= inner[3]:
        return False
    p[1], p[2], p[3], p[7] = x, y, numbers[1], _weight_of(x, y, numbers, is_outer)
    if is_photon:
        p[0] = brems_energy_mev(p[0], tables[3], target, tables[4][int(p[0] * tables[5])], rng)
        p[7], p[8] = p[7] * numbers[15], PHOTON
    else:
        share = followed_share(x, y, is_outer, outline)
        if share < 1.0 and uniform(rng) >= share:
            return False
        p[7], p[8] = p[7] * numbers[14] / share, ELECTRON
    u, v = x / far + spread * a, y / far + spread * b
    norm = 1.0 / math.sqrt(1.0 + u * u + v * v)
    p[4], p[5], p[6] = u * norm, v * norm, -norm
    return True
