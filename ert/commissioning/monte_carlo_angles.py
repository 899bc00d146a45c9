"""Angular spread of the Monte Carlo's electrons from profiles in air.

Two components, as treatment heads give them: a narrow one, and a wide one of low energy that was scattered on the way.
Profiles in air are linear in what each spread gives, edge scatter of the insert and scatter in air included, so that
for every pair out of a row of spreads the two shares follow from non-negative least squares; the best pair is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ert.commissioning.measured import AirProfile
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import MonteCarloModel
from ert.dose.geometry import BeamGeometry
from ert.dose.kernels.mc_air import run_air
from ert.dose.kernels.mc_source import SCATTERED_RAD
from ert.dose.monte_carlo_source import SourceNumbers, source_numbers
from ert.dose.monte_carlo_tables import MonteCarloTables, kernel_tables
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
_SEED, _HISTORIES, _SLICE = 17, 400_000, 50_000
_CORE_RAD = np.geomspace(0.02, 0.09, 13)
_WIDE_RAD = (0.25, 0.4, 0.7, 1.0)
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
) -> MonteCarloModel:
    """The source with the angular spread that the profiles in air ask for; as it is without any below the insert.

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
        return source
    planes_cm = np.array([machine.sad_cm - a.distance_cm for a in below])
    reach_cm = max(float(np.abs(a.position_cm).max()) for a in below) + 2.0 * _BIN_CM
    row = []
    for angle in (*_CORE_RAD, *_WIDE_RAD):
        numbers = source_numbers(of_one_spread(source, float(angle)), tables, geometry, _NOWHERE)
        fluence = _fluence(numbers, planes_cm, reach_cm, tables, check)
        at_cm = (np.arange(fluence.shape[1]) + 0.5) * _BIN_CM
        row.append(np.concatenate([
            np.interp(np.abs(a.position_cm), at_cm, f) for a, f in zip(below, fluence, strict=True)
        ]))  # fmt: skip
    sigma = np.concatenate([np.hypot(a.sigma, _LEAST_SIGMA * a.fluence.max()) for a in below])
    wanted = np.concatenate([a.fluence for a in below]) / sigma
    found = []
    for core, narrow in zip(_CORE_RAD, row, strict=False):
        for wide, broad in zip(_WIDE_RAD, row[len(_CORE_RAD) :], strict=True):
            weights, residual = nnls(np.column_stack([narrow, broad]) / sigma[:, None], wanted)
            found.append((float(residual), float(core), wide, float(weights[1] / weights.sum())))
    _, core, wide, share = min(found)
    return attrs.evolve(
        source, core_angle_rad=core, wide_frac=share, wide_angle_rad=float(np.sqrt(wide**2 - core**2))
    )  # fmt: skip


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
    numbers: SourceNumbers, planes_cm: Float, reach_cm: float, tables: MonteCarloTables,
    check: Callable[[], None] | None,
) -> Float:  # fmt: skip
    """Electrons for one per cm² on the insert, in planes, by distance from the axis: [plane, bin]."""
    lookup = kernel_tables(tables, np.ones(tables.photon.shape[1]))
    fluence = np.zeros((len(planes_cm), int(np.ceil(reach_cm / _BIN_CM))))
    for first in range(0, _HISTORIES, _SLICE):
        if check is not None:
            check()
        run_air(
            first, _SLICE, np.uint64(_SEED), numbers.source, numbers.numbers, numbers.metals, lookup, planes_cm,
            _STRIP_CM, _BIN_CM, fluence,
        )  # fmt: skip
    return fluence / (_HISTORIES * 4 * 2.0 * _STRIP_CM * _BIN_CM)
