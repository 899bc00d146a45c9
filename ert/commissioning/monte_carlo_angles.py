"""Angular spread of the Monte Carlo's electrons from profiles in air.

Three components, as treatment heads give them: a narrow one; electrons that have lost energy on the way, with a spread
of their own and the share that the spectrum tells; and few that were scattered far. Profiles in air are linear in what
each spread gives, edge scatter of the insert and scatter in air included, so that for every choice of spreads the share
of the widest follows from non-negative least squares; the best choice is taken, between those that were computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

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
from ert.dose.kernels.mc_start import SCATTERED_RAD
from ert.dose.monte_carlo_source import SourceNumbers, source_numbers
from ert.dose.monte_carlo_tables import MonteCarloTables, kernel_tables
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
_SEED, _HISTORIES, _SLICE = 17, 100_000, 50_000  # of each of the row; more of those that are mixed
_FEW_TIMES, _FINE_TIMES = 2, 32
_CORE_RAD = np.geomspace(0.02, 0.09, 9)
_WIDE_RAD = (0.25, 0.4, 0.7, 1.0)
_SLOW_RATIO, _SLOW_FINE = np.geomspace(1.0, 4.5, 6), 4
NEAR, FINE = (-0.1, 0.0, 0.1), np.linspace(-0.12, 0.12, 97)
_STRIP_FRAC, _BIN_CM = 0.25, 0.125
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

    def row(alone: MonteCarloModel, histories: int) -> Task[Float]:
        numbers = source_numbers(alone, tables, geometry, _NOWHERE)
        fluence = yield from _fluence(
            numbers, planes_cm, reach_cm, tables, strip_cm=_STRIP_FRAC * opening_cm, histories=histories
        )
        at_cm = (np.arange(fluence.shape[1]) + 0.5) * _BIN_CM
        lines = [np.interp(np.abs(a.position_cm), at_cm, f) for a, f in zip(below, fluence, strict=True)]
        return np.asarray(np.concatenate(lines) / sigma)

    def rows(times: int, parts: Iterable[MonteCarloModel]) -> list[Float]:
        return side_by_side([row(part, times * _HISTORIES) for part in parts], check)

    part = _slow_part(source)
    slow_share = float(source.spectrum_share @ part)
    fast, slow = (_of_energies(source, which) for which in (1.0 - part, part))
    wide = dict(zip(_WIDE_RAD, rows(_FEW_TIMES, [of_one_spread(source, w) for w in _WIDE_RAD]), strict=True))
    cores = rows(1, [_alone(fast, float(c)) for c in _CORE_RAD])
    rough = [(min(_mixed(r, w, wanted)[0] for w in wide.values()), c) for r, c in zip(cores, _CORE_RAD, strict=True)]
    middle = float(min(rough)[1])
    near = rows(_FINE_TIMES, [_alone(fast, middle * (1.0 + step)) for step in NEAR])
    core = (1.0 - slow_share) * between(near, *FINE)
    knots = rows(_FEW_TIMES, [_alone(slow, middle * ratio) for ratio in _SLOW_RATIO])
    slow_rad, slow_rows = middle * _between_knots(_SLOW_RATIO), slow_share * _between_knots(np.array(knots))
    angle, n, at, share, error = _chosen(core, slow_rows, wide, wanted)
    narrow = middle * (1.0 + FINE[at])
    return attrs.evolve(
        source, core_angle_rad=narrow, wide_frac=share, wide_angle_rad=float(np.sqrt(angle**2 - narrow**2)),
        slow_below_mev=_LOW_FRAC * source.mean_energy_mev, slow_angle_rad=float(slow_rad[n]),
    ), error  # fmt: skip


def _chosen(core: Float, slow: Float, wide: dict[float, Float], wanted: Float) -> tuple[float, int, int, float, float]:
    """The choice of least χ²: widest spread, slow and narrow one by number, share of the widest, error.

    The error is the narrow one's, with the slow electrons' spread left free.
    """
    found = {(w, n): [_mixed(c + s, row, wanted) for c in core] for w, row in wide.items() for n, s in enumerate(slow)}
    chi2 = {key: np.array([c for c, _ in line]) for key, line in found.items()}
    widest, n = min(chi2, key=lambda key: float(chi2[key].min()))
    at = int(np.argmin(chi2[widest, n]))
    _, error = least(list(np.min([line for (w, _), line in chi2.items() if w == widest], axis=0)), len(wanted))
    return widest, n, at, found[widest, n][at][1], error


def _slow_part(source: MonteCarloModel) -> Float:
    """Which part of each bin lies below 0.8 of the mean energy.

    Whole bins, up to numerics 15, made the share of slow electrons at 20 MeV 7.7 or 9.3 % whichever way noise fell.
    """
    low, high = source.spectrum_edges_mev[:-1], source.spectrum_edges_mev[1:]
    return np.clip((_LOW_FRAC * source.mean_energy_mev - low) / (high - low), 0.0, 1.0)


def _of_energies(source: MonteCarloModel, part: Float) -> MonteCarloModel:
    """A part of each bin of the spectrum; of all bins alike if it has nothing there."""
    share = part * source.spectrum_share
    share = share if share.sum() > 0.0 else part
    return attrs.evolve(source, spectrum_share=share / share.sum())


def _between_knots(knots: Float) -> Float:
    """Those and three evenly between each two, along the first axis: straight in what they give, by row of a spread."""
    place = np.linspace(0.0, len(knots) - 1.0, _SLOW_FINE * (len(knots) - 1) + 1)
    before = np.minimum(place.astype(np.int64), len(knots) - 2)
    part = (place - before).reshape(-1, *[1] * (knots.ndim - 1))
    return np.asarray((1.0 - part) * knots[before] + part * knots[before + 1])


def _mixed(most: Float, broad: Float, wanted: Float) -> tuple[float, float]:
    """χ² of the best mixture of two rows, and the share of the second."""
    weights, residual = nnls(np.column_stack([most, broad]), wanted)
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
    """Electrons of one spread alone; a wide one belongs to the low energies, all alike."""
    if angle_rad > SCATTERED_RAD:
        low = _slow_part(source)
        source = attrs.evolve(source, spectrum_share=low / low.sum())
    return _alone(source, angle_rad)


def _alone(source: MonteCarloModel, angle_rad: float) -> MonteCarloModel:
    """All electrons with one spread, and no photons."""
    return attrs.evolve(
        source, core_angle_rad=angle_rad, wide_frac=0.0, wide_angle_rad=0.0, photons_per_electron=0.0,
        slow_below_mev=0.0,
    )  # fmt: skip


def _fluence(
    numbers: SourceNumbers, planes_cm: Float, reach_cm: float, tables: MonteCarloTables, *, strip_cm: float,
    histories: int,
) -> Task[Float]:  # fmt: skip
    """Electrons for one per cm² on the insert, in planes, by distance from the axis: [plane, bin]."""
    lookup = kernel_tables(tables, np.ones(tables.photon.shape[1]))
    fluence = np.zeros((len(planes_cm), int(np.ceil(reach_cm / _BIN_CM))))
    for first in range(0, histories, _SLICE):
        run_air(
            first, _SLICE, np.uint64(_SEED), numbers.source, numbers.numbers, numbers.metals, lookup, planes_cm,
            strip_cm, _BIN_CM, fluence,
        )  # fmt: skip
        yield
    return fluence / (histories * 4 * 2.0 * strip_cm * _BIN_CM)
