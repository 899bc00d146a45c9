"""The Monte Carlo's source from beam data: spectrum by linear inversion, the rest from the pencil beam's fit.

Virtual source and off-axis ratio are those of the pencil beam model, from profiles in air and water. The angular spread
is fitted to the profiles in air (`monte_carlo_angles`); without any it is the pencil beam's.
The spectrum is the non-negative, smooth combination of monoenergetic depth doses, computed by the engine itself,
that gives the reference depth dose (docs/physics/monte_carlo.md, "Spectrum"). Deterministic: fixed seeds and order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ert.analysis.depth import smooth_curve
from ert.commissioning.measured import AirProfile, Curve
from ert.commissioning.monte_carlo_angles import with_angles
from ert.commissioning.monte_carlo_profiles import Water, with_photon_spread, with_wide_electrons
from ert.domain.beam_model import BeamModel
from ert.domain.identity import read_only
from ert.domain.machine import Machine
from ert.domain.monte_carlo_model import MonteCarloModel, MonteCarloSettings
from ert.dose.geometry import BeamGeometry
from ert.dose.kernels.mc_batches import run_pencil
from ert.dose.monte_carlo import GY_PER_MEV_PER_G
from ert.dose.monte_carlo_batches import BATCHES, BatchRunner, relative_sigma
from ert.dose.monte_carlo_scene import Scene, build_scene
from ert.dose.monte_carlo_source import source_numbers
from ert.dose.monte_carlo_tables import MonteCarloTables, kernel_tables, monte_carlo_tables, photon_majorant
from ert.dose.output import rectangle_cm
from ert.dose.tissue import TissueGrid
from ert.errors import InvalidBeamData
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
METALS_G_CM3 = {"cerrobend": 9.4, "lead": 11.35, "tungsten": 19.3}
_SEED = 7
_BINS, _LOW, _HIGH = 32, 0.20, 1.16
_PER_BIN, _PARTS = 24_000, 4
_HISTORIES = (480_000, 480_000, 3_840_000)
_FIRST_PHOTONS, _PHOTON_HISTORIES = 240_000, 1_440_000
_CENTRE_CM = 1.5
_SIDE_CM, _STEPS_PER_RANGE = 0.5, 50
_LEAST_RATIO_SIGMA = 1e-4
_SMOOTHNESS = np.geomspace(1e-4, 1.0, 13)
_CHI2_ALLOWANCE = 1.2


@attrs.frozen(kw_only=True)
class _Reference:
    """The reference field of one energy: where it is computed and what was measured there (Gy/MU)."""

    geometry: BeamGeometry
    scene: Scene
    tissue: TissueGrid
    depth_cm: Float
    dose_gy_per_mu: Float
    weight: Float


@functools.lru_cache(maxsize=8)
def _basis(edges_mev: tuple[float, ...], step_cm: float, count: int) -> Float:
    """Depth doses (MeV cm²/g for one electron per cm²) of broad beams of each energy bin in water: [bin, depth]."""
    tables = monte_carlo_tables()
    water = tables.medium("water")
    largest = np.zeros(len(tables.media))
    largest[water] = 1.0
    shape, size = np.array([1, 1, count], dtype=np.int64), np.array([200.0, 200.0, step_cm])
    scene = (np.full(count, water, dtype=np.uint8), np.ones(count, dtype=np.float32), shape, size, 1.0 / size)
    lookup = kernel_tables(tables, photon_majorant(tables, largest))
    rows = []
    for low, high in zip(edges_mev[:-1], edges_mev[1:], strict=True):
        score, tally = np.zeros(count), np.zeros(4)
        for part in range(_PARTS):
            energy = low + (high - low) * (part + 0.5) / _PARTS
            number = _PER_BIN // _PARTS
            run_pencil(
                energy, np.array([100.0, 100.0, 0.0]), np.array([0.0, 0.0, 1.0]), part * number, number,
                np.uint64(_SEED), scene, lookup, score, tally,
            )  # fmt: skip
        rows.append(score / (_PER_BIN * step_cm))
    return read_only(np.array(rows))


def _water(model: BeamModel, machine: Machine, tables: MonteCarloTables) -> _Reference:
    """The reference field on a water phantom as wide as the field and a margin."""
    applicator = machine.applicator(model.reference_applicator_id)
    step = model.practical_range_cm / _STEPS_PER_RANGE
    depth_end = min(float(model.reference_depth_cm[-1]), 1.5 * model.practical_range_cm)
    count = int(depth_end / step)
    half = 0.5 * max(applicator.opening_x_cm, applicator.opening_y_cm) + 0.6 * model.practical_range_cm + 1.0
    side = 2 * int(np.ceil(half / _SIDE_CM))
    edge = -0.5 * (side - 1) * _SIDE_CM
    surface = model.reference_ssd_cm - machine.sad_cm
    grid = VoxelGrid(
        origin_cm=(edge, surface + 0.5 * step, edge),
        spacing_cm=(_SIDE_CM, step, _SIDE_CM),
        shape_zyx=(side, count, side),
    )
    water = np.ones(grid.shape_zyx, dtype=np.float32)
    tissue = TissueGrid(grid=grid, relative_stopping=water, relative_scattering=water, density_g_cm3=water)
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=0.0, collimator_deg=0.0, couch_deg=0.0, patient_position="HFS",
        sad_cm=machine.sad_cm,
    )  # fmt: skip
    depth = np.asarray((np.arange(count) + 0.5) * step, dtype=np.float64)
    dose = np.interp(depth, model.reference_depth_cm, model.reference_dose_gy_per_mu)
    sigma = np.maximum(np.minimum(0.005 * dose.max(), 0.05 * dose), np.abs(np.gradient(dose, step)) * 0.05)
    return _Reference(
        geometry=BeamGeometry(
            frame=frame,
            outline_cm=rectangle_cm(applicator.opening_x_cm, applicator.opening_y_cm),
            applicator=applicator,
            insert_distance_cm=machine.insert_distance_cm,
        ),
        scene=build_scene(tables, tissue, grid),
        tissue=tissue,
        depth_cm=depth,
        dose_gy_per_mu=dose,
        weight=1.0 / sigma,
    )


def _central_dose(
    reference: _Reference,
    source: MonteCarloModel,
    tables: MonteCarloTables,
    *,
    seed: int,
    histories: int,
    check: Callable[[], None] | None,
) -> tuple[Float, Float]:
    """Depth dose (Gy for one electron per cm² on the insert), mean over the field's flat centre, and standard error."""
    numbers = source_numbers(source, tables, reference.geometry, reference.scene.grid)
    runner = BatchRunner(reference.scene, numbers, MonteCarloSettings(seed=seed))
    for _ in runner.run(BATCHES, histories // BATCHES, check):
        pass
    run = runner.sums.run()
    shape = reference.scene.grid.shape_zyx
    keep, middle = round(_CENTRE_CM / _SIDE_CM), shape[0] // 2
    centre = slice(middle - keep, middle + keep)
    energy, variance = (
        a.reshape(shape)[reference.scene.window][centre, :, centre]
        for a in (run.total, (relative_sigma(run) * run.total) ** 2)
    )
    scale = GY_PER_MEV_PER_G / reference.scene.grid.voxel_volume_cm3 / run.histories
    return energy.mean(axis=(0, 2)) * scale, np.sqrt(variance.sum(axis=(0, 2))) / (2 * keep) ** 2 * scale


def _solved(source: MonteCarloModel, basis: Float, photons: Float, reference: _Reference) -> MonteCarloModel:
    """The source with non-negative weights of bins and photons; the smoothest spectrum with nearly the least χ²."""
    count = len(basis)
    matrix = np.vstack([basis, photons[None]]).T * reference.weight[:, None]
    wanted = reference.dose_gy_per_mu * reference.weight
    level = np.linalg.norm(matrix[:, :count]) / np.sqrt(count)
    second = np.diff(np.eye(count), 2, axis=0)
    found = []
    for strength in _SMOOTHNESS:
        rows = np.hstack([strength * level * second, np.zeros((count - 2, 1))])
        weights, _ = nnls(np.vstack([matrix, rows]), np.concatenate([wanted, np.zeros(count - 2)]), maxiter=2000)
        found.append((float(np.sum((matrix @ weights - wanted) ** 2)), weights))
    least = min(chi2 for chi2, _ in found)
    weights = next(w for chi2, w in reversed(found) if chi2 <= _CHI2_ALLOWANCE * least)
    total = float(weights[:count].sum())
    return attrs.evolve(
        source, spectrum_share=weights[:count] / total, electrons_per_cm2_mu=total,
        photons_per_electron=float(weights[count]) / total,
    )  # fmt: skip


def _first_source(model: BeamModel, machine: Machine, tables: MonteCarloTables, edges: Float) -> MonteCarloModel:
    medium = machine.insert_material.strip().lower()
    if medium not in METALS_G_CM3:
        raise InvalidBeamData(
            f"The Monte Carlo knows no insert of '{machine.insert_material}'.",
            hint=f"Inserts may be of {', '.join(METALS_G_CM3)}.",
        )
    share = np.zeros(len(edges) - 1)
    share[np.searchsorted(edges, model.surface_energy_mev) - 1] = 1.0
    return MonteCarloModel(
        electrons_per_cm2_mu=1.0,
        spectrum_edges_mev=edges,
        spectrum_share=share,
        core_angle_rad=model.source.core_angle_rad,
        wide_frac=float(model.wide_frac[0]),
        wide_angle_rad=model.source.wide_angle_rad,
        virtual_sad_cm=model.source.virtual_sad_cm,
        off_axis=model.source.off_axis,
        off_axis_limit_cm=model.source.off_axis_limit_cm,
        photons_per_electron=0.0,
        photon_angle_rad=model.photons.open_angle_rad,
        irradiated_margin_cm=model.photons.irradiated_margin_cm,
        insert_thickness_cm=machine.insert_thickness_cm,
        insert_medium=medium,
        insert_density_g_cm3=METALS_G_CM3[medium],
        tables_digest=tables.digest,
    )


def _photon_dose(
    reference: _Reference,
    source: MonteCarloModel,
    tables: MonteCarloTables,
    histories: int,
    check: Callable[[], None] | None,
) -> Float:
    """Depth dose of the contaminant photons for one electron per cm² and one photon to an electron, smooth.

    Its noise goes straight into the photons' share.
    """
    many = 1e4  # photons to an electron: what they give is then all there is
    lit, _ = _central_dose(
        reference, attrs.evolve(source, photons_per_electron=many), tables, seed=_SEED, histories=histories,
        check=check,
    )  # fmt: skip
    log = np.log(np.maximum(lit / many, 1e-30))
    return np.asarray(np.exp(np.polynomial.Polynomial.fit(reference.depth_cm, log, 3)(reference.depth_cm)))


def fit_monte_carlo(
    model: BeamModel,
    machine: Machine,
    *,
    air: Sequence[AirProfile] = (),
    profiles: Sequence[Curve] = (),
    check: Callable[[], None] | None = None,
) -> MonteCarloModel:
    """The Monte Carlo's source for one energy.

    Parameters
    ----------
    model : the fitted pencil beam model, with the smoothed reference depth dose.
    air : profiles in air of the open reference applicator.
    profiles : profiles in water of the open reference field.

    Raises
    ------
    InvalidBeamData
        The insert's material has no cross sections.
    """
    tables = monte_carlo_tables()
    reference = _water(model, machine, tables)
    edges = model.surface_energy_mev * np.linspace(_LOW, _HIGH, _BINS + 1)
    step = float(reference.depth_cm[1] - reference.depth_cm[0])
    basis = _basis(tuple(float(e) for e in edges), step, len(reference.depth_cm)) * GY_PER_MEV_PER_G
    source = _first_source(model, machine, tables, edges)
    photons = _photon_dose(reference, source, tables, _FIRST_PHOTONS, check)
    far = model.source.virtual_sad_cm - machine.sad_cm + model.reference_ssd_cm
    ratio = (far / (far + reference.depth_cm)) ** 2
    for number, histories in enumerate(_HISTORIES, start=1):
        source = _solved(source, basis * ratio, photons, reference)
        if number == 1:
            water = Water(
                geometry=reference.geometry, tables=tables, ssd_cm=model.reference_ssd_cm, check=check
            )  # fmt: skip
            source = with_angles(source, air, machine, reference.geometry, tables, check=check)
            source = with_photon_spread(source, profiles, water, range_cm=model.practical_range_cm)
            source = with_wide_electrons(source, profiles, water)
            photons = _photon_dose(reference, source, tables, _PHOTON_HISTORIES, check)
        computed, sigma = _central_dose(
            reference, attrs.evolve(source, photons_per_electron=0.0), tables, seed=_SEED + number,
            histories=histories, check=check,
        )  # fmt: skip
        broad = source.spectrum_share @ basis
        ratio = smooth_curve(
            reference.depth_cm, computed / broad, np.maximum(sigma / broad, _LEAST_RATIO_SIGMA),
            range_cm=model.practical_range_cm, grid_cm=reference.depth_cm,
        )  # fmt: skip
    return _solved(source, basis * ratio, photons, reference)
