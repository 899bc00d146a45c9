"""Tells the watcher of a Monte Carlo run how it goes; the run itself does not depend on it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ert.domain.monte_carlo_run import PartialDose, RunProgress, RunWatch
from ert.dose.monte_carlo_batches import BatchRunner, Run
from ert.dose.monte_carlo_checkpoint import Round, checkpoint_bytes
from ert.geometry.grid import VoxelGrid

Float = NDArray[np.float64]
Evaluate = Callable[[Run], tuple[Float, Float, float]]
LEAST_BATCHES = 8
"""A picture rests on at least so many, so that its standard error is not noise itself."""


class Watcher:
    """Progress, pictures and checkpoints of one run.

    Parameters
    ----------
    key : of the run, for its checkpoints.
    progress : takes the share that is done, as from every dose engine.
    evaluate : dose, relative standard error and uncertainty (percent) of a run's sums on the dose grid.
    """

    def __init__(
        self,
        watch: RunWatch,
        runner: BatchRunner,
        *,
        grid: VoxelGrid,
        key: str,
        progress: Callable[[float], None] | None,
        evaluate: Evaluate,
    ) -> None:
        self._watch, self._runner, self._grid, self._key = watch, runner, grid, key
        self._progress, self._evaluate = progress, evaluate
        self._saved_s = time.monotonic()

    def begin(self, now: Round) -> None:
        """A round begins."""
        self._round = now
        self._began_s, self._began_at = time.monotonic(), self._runner.sums.histories

    def step(self) -> None:
        """A batch was added."""
        found = self.progress()
        if self._progress is not None:
            self._progress(min(0.99, found.done_frac))
        if self._watch.report is not None:
            self._watch.report(found)
        if self._watch.wants_picture is not None and self._watch.wants_picture():
            self._give_picture()
        if self._watch.save is not None and time.monotonic() - self._saved_s >= self._watch.save_every_s:
            self._save()

    def stopped(self) -> None:
        """The run ends before its time: a last picture and a checkpoint."""
        self._give_picture()
        self._save()

    def finished(self) -> None:
        """The run has come to its end."""
        if self._watch.saves_end:
            self._save()

    def progress(self) -> RunProgress:
        """How far the run is."""
        now, done = self._round, self._runner.sums.histories
        if now.found_pct is None or now.found_histories is None or now.expected_histories is None:
            return RunProgress(done_frac=0.0, histories=done, uncertainty_pct=None, remaining_s=None)
        passed_s, more = time.monotonic() - self._began_s, done - self._began_at
        return RunProgress(
            done_frac=min(1.0, done / now.expected_histories),
            histories=done,
            uncertainty_pct=now.found_pct * (now.found_histories / max(done, now.found_histories)) ** 0.5,
            remaining_s=passed_s / more * max(0, now.expected_histories - done) if more > 0 else None,
        )

    def _give_picture(self) -> None:
        run = self._runner.sums.run()
        if self._watch.picture is None or run.batches < LEAST_BATCHES:
            return
        dose, sigma, reached_pct = self._evaluate(run)
        self._watch.picture(
            PartialDose(
                grid=self._grid, preview_gy_per_mu=dose.astype(np.float32), preview_sigma=sigma.astype(np.float32),
                uncertainty_pct=reached_pct, histories=run.histories, batches=run.batches,
            )
        )  # fmt: skip

    def _save(self) -> None:
        if self._watch.save is not None:
            self._watch.save(checkpoint_bytes(self._runner.sums, self._round, self._key))
            self._saved_s = time.monotonic()
