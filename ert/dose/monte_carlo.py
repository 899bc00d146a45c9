"""Monte Carlo dose of one beam: batches until the uncertainty asked for is reached; docs/physics/monte_carlo.md."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.monte_carlo_model import DoseStatistics, MonteCarloModel, MonteCarloSettings
from ert.dose.geometry import BeamGeometry
from ert.dose.kernels.mc_batches import run_beam
from ert.dose.monte_carlo_scene import Scene, build_scene
from ert.dose.monte_carlo_source import SourceNumbers, source_numbers
from ert.dose.monte_carlo_tables import MonteCarloTables, monte_carlo_tables
from ert.dose.tissue import TissueGrid
from ert.errors import DigestMismatch, OutsideModel, Refused
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
BATCHES = 32
"""Batches of one round; the standard error rests on at least so many, whatever the number of threads."""
GY_PER_MEV_PER_G = 1.602176634e-10
_FIRST_BATCH, _LARGEST_BATCH = 2_000, 50_000
_DENSE_G_CM3 = 0.1
_TALLIES = 4


@attrs.frozen(kw_only=True, eq=False)
class Run:
    """Sums over batches of equal size, on the grid of the scene.

    Attributes
    ----------
    total, squares : Σ and Σ² over batches of the energy in each voxel, MeV × weight.
    batches, histories : how many.
    escaped, overflow, lost, incident : MeV × weight; overflow must be zero.
    """

    total: Float
    squares: Float
    batches: int
    histories: int
    escaped: float
    overflow: float
    lost: float
    incident: float


class _Accumulator:
    """Adds batches in the order of their numbers."""

    def __init__(self, size: int) -> None:
        self.total = np.zeros(size)
        self.squares = np.zeros(size)
        self.tally = np.zeros(_TALLIES)
        self.batches = 0
        self.histories = 0

    def add(self, score: Float, tally: Float, histories: int) -> None:
        self.total += score
        np.multiply(score, score, out=score)
        self.squares += score
        self.tally += tally
        self.batches += 1
        self.histories += histories

    def run(self) -> Run:
        escaped, overflow, lost, incident = (float(v) for v in self.tally)
        return Run(
            total=self.total, squares=self.squares, batches=self.batches, histories=self.histories, escaped=escaped,
            overflow=overflow, lost=lost, incident=incident,
        )  # fmt: skip


class BatchRunner:
    """Runs batches of one beam on threads and adds them in order: the same bytes for any number of threads."""

    def __init__(self, scene: Scene, source: SourceNumbers, settings: MonteCarloSettings) -> None:
        self.scene, self.source, self.settings = scene, source, settings
        self.threads = settings.threads or os.cpu_count() or 1
        self.sums = _Accumulator(scene.grid.size_zyx)
        self._spare: list[Float] = []

    def _batch(self, score: Float, first: int, histories: int) -> tuple[Float, Float]:
        score.fill(0.0)
        tally = np.zeros(_TALLIES)
        run_beam(
            first, histories, np.uint64(self.settings.seed), self.source.source, self.source.numbers,
            self.source.metals, self.source.affine, self.scene.kernel, self.scene.tables, score, tally,
        )  # fmt: skip
        return score, tally

    def run(self, batches: int, histories: int, check: Callable[[], None] | None) -> Iterator[int]:
        """Run further batches of so many histories; yields after each how many are done."""
        begin = self.sums.histories
        waiting: deque[Future[tuple[Float, Float]]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            started = done = 0
            try:
                while done < batches:
                    while started < batches and len(waiting) < self.threads:
                        score = self._spare.pop() if self._spare else np.empty(self.scene.grid.size_zyx)
                        waiting.append(pool.submit(self._batch, score, begin + started * histories, histories))
                        started += 1
                    score, tally = waiting.popleft().result()
                    self.sums.add(score, tally, histories)
                    self._spare.append(score)
                    done += 1
                    if check is not None:
                        check()
                    yield done
            finally:
                for future in waiting:
                    future.cancel()


def relative_sigma(run: Run) -> Float:
    """Standard error over mean of each voxel, from the spread of the batches; 0 where nothing was scored."""
    n = run.batches
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.maximum(run.squares - run.total**2 / n, 0.0) * (n / (n - 1.0))
        return np.where(run.total > 0.0, np.sqrt(variance) / run.total, 0.0)


def mean_uncertainty_pct(dose: Float, sigma: Float) -> float:
    """Mean relative standard error over voxels above half of the maximum, percent (AAPM TG-105)."""
    is_high = dose > 0.5 * dose.max(initial=0.0)
    return 100.0 * float(sigma[is_high].mean()) if np.any(is_high) else math.inf


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
) -> tuple[Float32, DoseStatistics]:
    """Gy/MU on the dose grid and how certain it is.

    Rounds of `BATCHES` batches: the first, small one says how many histories the uncertainty needs.

    Raises
    ------
    Refused
        The tables are not those of the model, or the grid is too large.
    OutsideModel
        The beam does not reach the dose grid.
    """
    tables = _tables_of(model)
    scene = build_scene(tables, tissue, dose_grid)
    runner = BatchRunner(scene, source_numbers(model, tables, geometry, scene.grid), settings)
    is_dense = scene.density_g_cm3[scene.window] > _DENSE_G_CM3
    size, rounds, done_frac = _FIRST_BATCH, 1, 0.0
    while True:
        for done in runner.run(rounds * BATCHES, size, check):
            if progress is not None and runner.sums.histories > 0:
                progress(min(0.99, done_frac + (1.0 - done_frac) * done / (rounds * BATCHES)))
        run = runner.sums.run()
        dose, sigma = scored_dose(scene, run, model, is_to_medium=is_to_medium)
        reached_pct = mean_uncertainty_pct(dose[is_dense], sigma[is_dense])
        if not math.isfinite(reached_pct):
            raise OutsideModel("The beam does not reach the dose grid.", hint="Check isocentre and angles.")
        factor = (reached_pct / settings.uncertainty_pct) ** 2
        if factor <= 1.0 or run.histories >= settings.max_histories:
            break
        size, rounds, done_frac = _next_round(runner, run, factor, settings)
    _check_run(run)
    return dose.astype(np.float32), DoseStatistics(
        relative_sigma=sigma.astype(np.float32),
        uncertainty_pct=reached_pct,
        histories=run.histories,
        seed=settings.seed,
        batches=run.batches,
    )


def _next_round(runner: BatchRunner, run: Run, factor: float, settings: MonteCarloSettings) -> tuple[int, int, float]:
    """Size and number of rounds of the batches still needed; a first round of small batches is thrown away.

    Batches of one run are of equal size, so that their spread is the standard error; the trial's histories are run
    again as part of larger batches.
    """
    if run.batches == BATCHES and run.histories == BATCHES * _FIRST_BATCH:
        wanted = min(1.02 * factor * run.histories, float(settings.max_histories))
        size = int(min(max(wanted / BATCHES, _FIRST_BATCH + 1), _LARGEST_BATCH))
        runner.sums = _Accumulator(len(runner.sums.total))
        return size, max(1, math.ceil(wanted / (size * BATCHES))), 0.0
    size = run.histories // run.batches
    more = min(1.02 * factor * run.histories, float(settings.max_histories)) - run.histories
    return size, max(1, math.ceil(more / (size * BATCHES))), min(0.95, 1.0 / factor)


def _tables_of(model: MonteCarloModel) -> MonteCarloTables:
    tables = monte_carlo_tables()
    if tables.digest != model.tables_digest:
        raise DigestMismatch(
            "The machine's Monte Carlo source was fitted with other cross sections than this version of ERT has.",
            hint="Commission the machine again.",
        )
    return tables


def _check_run(run: Run) -> None:
    """Energy in = energy out, and nothing lost from the stack."""
    if run.overflow > 0.0:
        raise Refused("The Monte Carlo lost particles; the dose was thrown away.", hint="Report this as a defect.")
    found = float(run.total.sum()) + run.escaped + run.lost
    if abs(found - run.incident) > 1e-9 * run.incident:
        raise Refused("The Monte Carlo's energy balance failed; the dose was thrown away.", hint="Report this.")
