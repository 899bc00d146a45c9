"""Depth doses from which a Monte Carlo source is fitted: broad beams of each energy, and the reference field's parts.

Below the electrons' range a depth dose is that of photons: a percent of the maximum, and noisy. There each is taken as
a line in depth over an exponential, so that it holds the mean of all its points and none of their noise. The phantom
reaches 10 cm farther than what is kept of it, below and beside: photons come back from there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.analysis.depth import smooth_curve
from ert.commissioning.side_by_side import Task, side_by_side
from ert.domain.beam_model import BeamModel
from ert.domain.identity import read_only
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import MonteCarloModel, MonteCarloSettings
from ert.dose.geometry import BeamGeometry
from ert.dose.kernels.mc_batches import run_pencil
from ert.dose.monte_carlo import GY_PER_MEV_PER_G
from ert.dose.monte_carlo_batches import BATCHES, BatchRunner, relative_sigma
from ert.dose.monte_carlo_scene import Scene, build_scene, kernel_scene
from ert.dose.monte_carlo_source import scene_numbers
from ert.dose.monte_carlo_tables import MonteCarloTables, kernel_tables, monte_carlo_tables, photon_majorant
from ert.dose.output import rectangle_cm
from ert.dose.tissue import TissueGrid
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
SEED = 7
_PER_BIN, _PARTS = 24_000, 4
_CENTRE_CM, _SIDE_CM, _AROUND_CM = 1.5, 0.5, 10.0
_STEPS_PER_RANGE, _END_FRAC, _END_CM = 50, 1.5, 4.0
_ERROR_FRAC, _TAIL_ERROR_FRAC, _ERROR_CM = 0.005, 0.05, 0.01
_LEAST_RATIO_SIGMA = 1e-4
_BEYOND_RANGE = 1.15
_BEYOND_CSDA = 1.05
_TAIL_PER_CM, _LEAST_TAIL_POINTS = 0.04, 5
MANY_PHOTONS = 1e4  # photons to an electron: what they give is then all there is


@attrs.frozen(kw_only=True)
class ReferenceField:
    """The reference field of one energy: where it is computed, `side` voxels wide, and what was measured there (Gy/MU).

    The scene's grid may be a row larger than asked for, where rounding puts the water's face beyond it.
    """

    geometry: BeamGeometry
    scene: Scene
    tables: MonteCarloTables
    check: Callable[[], None] | None
    side: int
    range_cm: float
    depth_cm: Float
    dose_gy_per_mu: Float
    weight: Float


def csda_range_cm(tables: MonteCarloTables, energy_mev: float) -> float:
    """Range in water of continuous slowing down; no electron goes more than a few percent farther."""
    energy = np.arange(1, int(energy_mev / tables.step_mev) + 1) * tables.step_mev
    row = np.arange(1, len(energy) + 1)
    loss = tables.total[tables.medium("water"), row].astype(np.float64).sum(axis=1)
    return float(np.sum(tables.step_mev / loss))


def with_smooth_tail(depth_cm: Float, dose: Float, from_cm: float) -> Float:
    """The depth dose with all that lies deeper as a line in depth over exp(−0.04 z/cm), which photons nearly follow.

    As it is where fewer than five points lie there.
    """
    tail = depth_cm > from_cm
    if np.count_nonzero(tail) < _LEAST_TAIL_POINTS:
        return dose
    fall = np.exp(-_TAIL_PER_CM * depth_cm[tail])
    line = np.polynomial.Polynomial.fit(depth_cm[tail], dose[tail] / fall, 1)
    smooth = dose.copy()
    smooth[tail] = np.maximum(line(depth_cm[tail]), 0.0) * fall
    return smooth


@functools.lru_cache(maxsize=8)
def broad_beams(edges_mev: tuple[float, ...], step_cm: float, count: int) -> Float:
    """Depth doses (Gy cm² for one electron per cm²) of broad beams of each energy bin in water: [bin, depth]."""
    tables = monte_carlo_tables()
    water = tables.medium("water")
    largest = np.zeros(len(tables.media))
    largest[water] = 1.0
    cells = count + round(_AROUND_CM / step_cm)
    scene = kernel_scene(
        np.full(cells, water, dtype=np.uint8), np.ones(cells, dtype=np.float32), (1, 1, cells), (200.0, 200.0, step_cm)
    )
    lookup = kernel_tables(tables, photon_majorant(tables, largest))
    depth = np.asarray((np.arange(count) + 0.5) * step_cm, dtype=np.float64)

    def row(low: float, high: float) -> Task[Float]:
        score, tally = np.zeros(cells), np.zeros(4)
        for part in range(_PARTS):
            energy = low + (high - low) * (part + 0.5) / _PARTS
            number = _PER_BIN // _PARTS
            run_pencil(
                energy, np.array([100.0, 100.0, 0.0]), np.array([0.0, 0.0, 1.0]), part * number, number,
                np.uint64(SEED), scene, lookup, score, tally,
            )  # fmt: skip
            yield
        dose = np.asarray(score[:count] / (_PER_BIN * step_cm), dtype=np.float64)
        return with_smooth_tail(depth, dose, _BEYOND_CSDA * csda_range_cm(tables, high))

    bins = zip(edges_mev[:-1], edges_mev[1:], strict=True)
    rows = side_by_side([row(low, high) for low, high in bins], None)
    return read_only(np.array(rows) * GY_PER_MEV_PER_G)


def reference_field(
    model: BeamModel, machine: Machine, tables: MonteCarloTables, check: Callable[[], None] | None
) -> ReferenceField:
    """The reference field on water; depths to 1.5 practical ranges, or 4 cm beyond one, as far as was measured."""
    applicator, range_cm = machine.applicator(model.reference_applicator_id), model.practical_range_cm
    step = range_cm / _STEPS_PER_RANGE
    count = int(min(float(model.reference_depth_cm[-1]), max(_END_FRAC * range_cm, range_cm + _END_CM)) / step)
    half = 0.5 * max(applicator.opening_x_cm, applicator.opening_y_cm) + _AROUND_CM
    side = 2 * int(np.ceil(half / _SIDE_CM))
    edge = -0.5 * (side - 1) * _SIDE_CM
    grid = VoxelGrid(
        origin_cm=(edge, model.reference_ssd_cm - machine.sad_cm + 0.5 * step, edge),
        spacing_cm=(_SIDE_CM, step, _SIDE_CM),
        shape_zyx=(side, count + round(_AROUND_CM / step), side),
    )
    water = np.ones(grid.shape_zyx, dtype=np.float32)
    tissue = TissueGrid(grid=grid, relative_stopping=water, relative_scattering=water, density_g_cm3=water)
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=0.0, collimator_deg=0.0, couch_deg=0.0, patient_position="HFS",
        sad_cm=machine.sad_cm,
    )  # fmt: skip
    depth = np.asarray((np.arange(count) + 0.5) * step, dtype=np.float64)
    dose = np.interp(depth, model.reference_depth_cm, model.reference_dose_gy_per_mu)
    return ReferenceField(
        geometry=BeamGeometry(
            frame=frame,
            outline_cm=rectangle_cm(applicator.opening_x_cm, applicator.opening_y_cm),
            applicator=applicator,
            insert_distance_cm=machine.insert_distance_cm,
        ),
        scene=build_scene(tables, tissue, grid),
        tables=tables,
        check=check,
        side=side,
        range_cm=range_cm,
        depth_cm=depth,
        dose_gy_per_mu=dose,
        weight=1.0 / _allowed_error(depth, dose, range_cm),
    )


def _allowed_error(depth_cm: Float, dose: Float, range_cm: float) -> Float:
    """How far the fitted depth dose may be off the measured one, as a standard deviation, in the unit of dose.

    Only below the electrons a share of the dose itself: at the foot of the fall-off the smoothed curve is no better
    than elsewhere. The allowance in depth is small: with 0.5 mm the fall-off weighed nothing against the wiggles of the
    tail, and R50 was left 0.1 to 0.3 mm short.
    """
    level = np.full_like(dose, _ERROR_FRAC * dose.max())
    tail = depth_cm > _BEYOND_RANGE * range_cm
    level[tail] = np.minimum(level[tail], _TAIL_ERROR_FRAC * dose[tail])
    return np.asarray(np.maximum(level, np.abs(np.gradient(dose, depth_cm)) * _ERROR_CM))


def central_dose(
    reference: ReferenceField, source: MonteCarloModel, *, seed: int, histories: int
) -> tuple[Float, Float]:
    """Depth dose (Gy for one electron per cm² on the insert), mean over the field's flat centre, and standard error."""
    numbers = scene_numbers(source, reference.tables, reference.geometry, reference.scene)
    runner = BatchRunner(reference.scene, numbers, MonteCarloSettings(seed=seed))
    for _ in runner.run(BATCHES, histories // BATCHES, reference.check):
        pass
    run = runner.sums.run()
    keep, middle = round(_CENTRE_CM / _SIDE_CM), reference.side // 2
    centre, depths = slice(middle - keep, middle + keep), slice(len(reference.depth_cm))
    energy, variance = (
        a.reshape(reference.scene.grid.shape_zyx)[reference.scene.window][centre, depths, centre]
        for a in (run.total, (relative_sigma(run) * run.total) ** 2)
    )
    scale = GY_PER_MEV_PER_G / reference.scene.grid.voxel_volume_cm3 / run.histories
    return energy.mean(axis=(0, 2)) * scale, np.sqrt(variance.sum(axis=(0, 2))) / (2 * keep) ** 2 * scale


def photon_dose(reference: ReferenceField, source: MonteCarloModel, histories: int) -> Float:
    """Depth dose of the contaminant photons for one electron per cm² and one photon to an electron, smooth.

    Its noise goes straight into the photons' share.
    """
    lit, sigma = central_dose(
        reference, attrs.evolve(source, photons_per_electron=MANY_PHOTONS), seed=SEED, histories=histories
    )  # fmt: skip
    relative = float(np.sqrt(np.mean((sigma / lit) ** 2)))
    return smooth_curve(
        reference.depth_cm, lit / MANY_PHOTONS, relative * lit / MANY_PHOTONS, range_cm=reference.range_cm,
        grid_cm=reference.depth_cm,
    )  # fmt: skip


def field_ratio(
    reference: ReferenceField,
    source: MonteCarloModel,
    broad: Float,
    inverse_square: Float,
    *,
    seed: int,
    histories: int,
) -> tuple[Float, Float]:
    """Dose of the electrons of the whole simulation over the broad beams' sum, smooth, and what smoothing took off it.

    Below the electrons' range it is one number times the inverse square: there it says what of the bremsstrahlung the
    field's size and the insert leave and add, and a few photons of large weight would bend any curve. All points count
    alike, because an error that few events give is low where the dose is.

    Parameters
    ----------
    inverse_square : fall with the distance from the virtual source, at the reference's depths.

    Returns
    -------
    ratio : (n,) smooth.
    rest : (n,) simulated dose less ratio × broad, Gy for one electron per cm²; nothing below the electrons' range. Just
        before it the ratio falls too steeply to be smooth, from the electrons' to the bremsstrahlung's.
    """
    computed, sigma = central_dose(
        reference, attrs.evolve(source, photons_per_electron=0.0), seed=seed, histories=histories
    )  # fmt: skip
    ratio, depth = computed / broad, reference.depth_cm
    error = np.maximum(sigma / broad, _LEAST_RATIO_SIGMA)
    tail = depth > _BEYOND_RANGE * reference.range_cm
    smooth = np.empty_like(ratio)
    smooth[~tail] = smooth_curve(
        depth[~tail], ratio[~tail], error[~tail], range_cm=reference.range_cm, grid_cm=depth[~tail]
    )  # fmt: skip
    if np.any(tail):
        smooth[tail] = float(np.mean(ratio[tail] / inverse_square[tail])) * inverse_square[tail]
    return smooth, np.where(tail, 0.0, computed - smooth * broad)
