"""Monte Carlo dose of one beam: batches until the uncertainty asked for is reached; docs/physics/monte_carlo.md."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from ert.domain.monte_carlo_model import DoseStatistics, MonteCarloModel, MonteCarloSettings
from ert.domain.monte_carlo_run import RunWatch
from ert.dose.geometry import BeamGeometry
from ert.dose.monte_carlo_batches import (
    BATCHES,
    BatchRunner,
    Run,
    check_run,
    mean_uncertainty_pct,
    relative_sigma,
)
from ert.dose.monte_carlo_checkpoint import Round, restored, run_key
from ert.dose.monte_carlo_scene import Scene, build_scene
from ert.dose.monte_carlo_source import scene_numbers
from ert.dose.monte_carlo_tables import MonteCarloTables, monte_carlo_tables
from ert.dose.monte_carlo_watch import Watcher
from ert.dose.tissue import TissueGrid
from ert.errors import Cancelled, DigestMismatch, OutsideModel
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
GY_PER_MEV_PER_G = 1.602176634e-10
_FIRST_BATCH, _LARGEST_BATCH = 2_000, 50_000
_GROWTH, _MARGIN = 4, 1.01
_FIRST = Round(batch_histories=_FIRST_BATCH, batches=BATCHES)
_DENSE_G_CM3 = 0.1


def scored_dose(scene: Scene, run: Run, model: MonteCarloModel, *, is_to_medium: bool) -> tuple[Float, Float]:
    """Dose (Gy/MU) and relative standard error on the dose grid, zero outside the patient and in thin air around it."""
    shape, window = scene.grid.shape_zyx, scene.window
    energy = run.total.reshape(shape)[window]
    density = scene.density_g_cm3[window].astype(np.float64)
    mass = (density if is_to_medium else scene.relative_stopping[window]) * scene.grid.voxel_volume_cm3
    scale = GY_PER_MEV_PER_G * model.electrons_per_cm2_mu / run.histories
    is_wanted = scene.patient_share[window] >= 0.5  # noqa: PLR2004
    dose = np.where(is_wanted, energy / mass * scale, 0.0)
    return dose, np.where(is_wanted, relative_sigma(run).reshape(shape)[window], 0.0)


def _with_uncertainty(
    scene: Scene, run: Run, model: MonteCarloModel, *, is_to_medium: bool
) -> tuple[Float, Float, float]:
    """Dose, relative standard error and its mean above half of the maximum, percent, outside of air."""
    dose, sigma = scored_dose(scene, run, model, is_to_medium=is_to_medium)
    is_dense = scene.density_g_cm3[scene.window] > _DENSE_G_CM3
    return dose, sigma, mean_uncertainty_pct(dose[is_dense], sigma[is_dense])


def simulate(
    *,
    tissue: TissueGrid,
    geometry: BeamGeometry,
    model: MonteCarloModel,
    dose_grid: VoxelGrid,
    settings: MonteCarloSettings,
    is_to_medium: bool = True,
    progress: Callable[[float], None] | None = None,
    check: Callable[[], None] | None = None,
    watch: RunWatch | None = None,
) -> tuple[Float32, DoseStatistics]:
    """Gy/MU on the dose grid and how certain it is.

    Rounds of batches, each at most `_GROWTH` times what the run had: a look after each says how many are still needed.

    Parameters
    ----------
    progress : called with 0…1; check : may raise `Cancelled`, which takes effect within a tenth of a second or so.
    watch : who is told more, and the checkpoint to go on from; the result is the same with and without.

    Raises
    ------
    Refused
        The tables are not those of the model, the grid is too large, or the checkpoint is of another run.
    OutsideModel
        The beam does not reach the dose grid.
    """
    tables, watch = _tables_of(model), watch or RunWatch()
    scene = build_scene(tables, tissue, dose_grid)
    runner = BatchRunner(scene, scene_numbers(model, tables, geometry, scene), settings)
    key = run_key(runner, tables.digest, is_to_medium=is_to_medium) if watch.save or watch.resume_from else ""
    now = _FIRST
    if watch.resume_from is not None:
        runner.sums, now = restored(watch.resume_from, key, scene.grid.size_zyx)

    def evaluate(run: Run) -> tuple[Float, Float, float]:
        return _with_uncertainty(scene, run, model, is_to_medium=is_to_medium)

    watcher = Watcher(watch, runner, grid=dose_grid, key=key, progress=progress, evaluate=evaluate)
    try:
        while True:
            watcher.begin(now)
            with closing(runner.run(now.batches - runner.sums.batches, now.batch_histories, check)) as steps:
                for _ in steps:
                    watcher.step()
            run = runner.sums.run()
            dose, sigma, reached_pct = evaluate(run)
            if not math.isfinite(reached_pct):
                raise OutsideModel("The beam does not reach the dose grid.", hint="Check isocentre and angles.")
            if reached_pct <= settings.uncertainty_pct or run.histories >= settings.max_histories:
                break
            now = next_round(run, reached_pct, settings)
    except Cancelled:
        watcher.stopped()
        raise
    check_run(run)
    watcher.finished()
    return dose.astype(np.float32), DoseStatistics(
        relative_sigma=sigma.astype(np.float32),
        uncertainty_pct=reached_pct,
        histories=run.histories,
        seed=settings.seed,
        batches=run.batches,
    )


def next_round(run: Run, reached_pct: float, settings: MonteCarloSettings) -> Round:
    """The round that is still needed after a look at the uncertainty.

    Noise falls with the root of the histories. An early look is itself uncertain, so that a round never makes more than
    `_GROWTH` times the histories there are; nothing is thrown away, and batches of one run may differ in size.
    """
    wanted = _MARGIN * run.histories * (reached_pct / settings.uncertainty_pct) ** 2
    expected = int(min(max(wanted, run.histories + _FIRST_BATCH), settings.max_histories))
    more = min(expected, _GROWTH * run.histories) - run.histories
    size = min(max(math.ceil(more / BATCHES), _FIRST_BATCH), _LARGEST_BATCH)
    return Round(
        batch_histories=size, batches=run.batches + math.ceil(more / size), expected_histories=expected,
        found_pct=reached_pct, found_histories=run.histories,
    )  # fmt: skip


def _tables_of(model: MonteCarloModel) -> MonteCarloTables:
    tables = monte_carlo_tables()
    if tables.digest != model.tables_digest:
        raise DigestMismatch(
            "The machine's Monte Carlo source was fitted with other cross sections than this version of ERT has.",
            hint="Commission the machine again.",
        )
    return tables
