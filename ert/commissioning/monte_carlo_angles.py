"""Angular spread of the Monte Carlo's electrons from profiles in air.

Two components, as treatment heads give them: a narrow one, and a wide one of low energy that was scattered on the way.
Profiles in air are linear in what each spread gives, edge scatter of the insert and scatter in air included, so that
for every pair out of a row of spreads the two shares follow from non-negative least squares; the best pair is taken,
the narrow one between those of the row, which are 13 % apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ert.commissioning.measured import AirProfile
from ert.commissioning.side_by_side import Task, side_by_side
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import MonteCarloModel
from ert.dose.geometry import BeamGeometry
from ert.dose.kernels.mc_air import run_air
from ert.dose.kernels.mc_source import SCATTERED_RAD
from ert.dose.monte_carlo_source import SourceNumbers, source_numbers
from ert.dose.monte_carlo_tables import MonteCarloTables, kernel_tables
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
_SEED, _HISTORIES, _SLICE = 17, 200_000, 50_000  # of each of the row; more of those that are mixed
_WIDE_TIMES, _FINE_TIMES = 4, 8
_CORE_RAD = np.geomspace(0.02, 0.09, 13)
_WIDE_RAD = (0.25, 0.4, 0.7, 1.0)
NEAR, FINE = (-0.1, 0.0, 0.1), np.linspace(-0.12, 0.12, 97)
_STRIP_CM, _BIN_CM = 1.0, 0.125
_LEAST_SIGMA = 0.005
_LOW_FRAC = 0.8
_NEAR_CM = 0.05
_NOWHERE = VoxelGrid(origin_cm=(0.0, 0.0, 0.0), spacing_cm=(1.0, 1.0, 1.0), shape_zyx=(1, 1, 1))


def with_angles(
    source: MonteCarloModel,
    air: Sequence[AirProfile],
    machine: Machine,
    geometry: BeamGeometry,
    tables: MonteCarloTables,
    *,
    check: Callable[[], None] | None = None,
) -> tuple[MonteCarloModel, float]:
    """The source with the angular spread that the profiles in air ask for, and the core's relative standard error.

    As it is, with an infinite error, without any below the insert.

    Parameters
    ----------
    source : with the spectrum of a first inversion.
    air : profiles in air; those across the applicator's whole opening are used.
    """
    opening_cm = min(geometry.applicator.opening_x_cm, geometry.applicator.opening_y_cm)
    below = [
        a for a in air if a.distance_cm > machine.insert_distance_cm + _NEAR_CM and a.width_cm == opening_cm
    ]  # fmt: skip
    if not below:
        return source, np.inf
    planes_cm = np.array([machine.sad_cm - a.distance_cm for a in below])
    reach_cm = max(float(np.abs(a.position_cm).max()) for a in below) + 2.0 * _BIN_CM
    sigma = np.concatenate([np.hypot(a.sigma, _LEAST_SIGMA * a.fluence.max()) for a in below])
    wanted = np.concatenate([a.fluence for a in below]) / sigma

    def row(angle: float, histories: int) -> Task[Float]:
        numbers = source_numbers(of_one_spread(source, angle), tables, geometry, _NOWHERE)
        fluence = yield from _fluence(numbers, planes_cm, reach_cm, tables, histories=histories)
        at_cm = (np.arange(fluence.shape[1]) + 0.5) * _BIN_CM
        lines = [np.interp(np.abs(a.position_cm), at_cm, f) for a, f in zip(below, fluence, strict=True)]
        return np.asarray(np.concatenate(lines) / sigma)

    def rows(*wanted_of: tuple[float, int]) -> list[Float]:
        return side_by_side([row(angle, times * _HISTORIES) for angle, times in wanted_of], check)

    first = rows(*((angle, _WIDE_TIMES) for angle in _WIDE_RAD), *((float(c), 1) for c in _CORE_RAD))
    wide, cores = dict(zip(_WIDE_RAD, first, strict=False)), first[len(_WIDE_RAD) :]
    rough = [(min(_shares(r, w, wanted)[0] for w in wide.values()), c) for r, c in zip(cores, _CORE_RAD, strict=True)]
    middle = float(min(rough)[1])
    near = rows(*((middle * (1.0 + step), _FINE_TIMES) for step in NEAR))
    found = {angle: [_shares(between(near, at)[0], w, wanted) for at in FINE] for angle, w in wide.items()}
    angle = min(found, key=lambda w: min(chi2 for chi2, _ in found[w]))
    at, error = least([chi2 for chi2, _ in found[angle]], len(wanted))
    core, share = middle * (1.0 + FINE[at]), found[angle][at][1]
    return attrs.evolve(
        source, core_angle_rad=core, wide_frac=share, wide_angle_rad=float(np.sqrt(angle**2 - core**2))
    ), error  # fmt: skip


def _shares(narrow: Float, broad: Float, wanted: Float) -> tuple[float, float]:
    """χ² of the best mixture of two rows, and the share of the second."""
    weights, residual = nnls(np.column_stack([narrow, broad]), wanted)
    return float(residual**2), float(weights[1] / weights.sum())


def between(near: Sequence[Float], *at: float) -> Float:
    """Rows at relative angles `at`, by the parabola through those at `NEAR`: [at, point].

    All have the same random numbers, so that what differs between them is the angle.
    """
    low, middle, high = near
    x = np.array(at)[:, None] / NEAR[2]
    return np.asarray(middle + 0.5 * x * (high - low) + 0.5 * x * x * (high - 2.0 * middle + low))


def least(chi2: Sequence[float], points: int) -> tuple[int, float]:
    """Which of the angles `FINE` has the least χ², and one standard error of it, as a share of the angle.

    From the bend of χ² (Δχ² = 1), times √(χ² per point) where that is above one.
    """
    best = int(np.argmin(chi2))
    bend = float(np.polyfit(FINE, chi2, 2)[0])
    excess = max(1.0, chi2[best] / points)
    return best, float(np.sqrt(excess / bend)) if bend > 0.0 else np.inf


def of_one_spread(source: MonteCarloModel, angle_rad: float) -> MonteCarloModel:
    """Electrons of one spread alone; a wide one belongs to the low energies of the spectrum."""
    share = source.spectrum_share
    if angle_rad > SCATTERED_RAD:
        middle = 0.5 * (source.spectrum_edges_mev[1:] + source.spectrum_edges_mev[:-1])
        share = np.where(middle < _LOW_FRAC * source.mean_energy_mev, 1.0, 0.0)
        share /= share.sum()
    return attrs.evolve(
        source, spectrum_share=share, core_angle_rad=angle_rad, wide_frac=0.0, wide_angle_rad=0.0,
        photons_per_electron=0.0,
    )  # fmt: skip


def _fluence(
    numbers: SourceNumbers, planes_cm: Float, reach_cm: float, tables: MonteCarloTables, *, histories: int
) -> Task[Float]:  # fmt: skip
    """Electrons for one per cm² on the insert, in planes, by distance from the axis: [plane, bin]."""
    lookup = kernel_tables(tables, np.ones(tables.photon.shape[1]))
    fluence = np.zeros((len(planes_cm), int(np.ceil(reach_cm / _BIN_CM))))
    for first in range(0, histories, _SLICE):
        run_air(
            first, _SLICE, np.uint64(_SEED), numbers.source, numbers.numbers, numbers.metals, lookup, planes_cm,
            _STRIP_CM, _BIN_CM, fluence,
        )  # fmt: skip
        yield
    return fluence / (histories * 4 * 2.0 * _STRIP_CM * _BIN_CM)
