"""Batches of histories on threads, added in order, and what their spread says about the sum."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.monte_carlo_model import MonteCarloSettings
from ert.dose.kernels.mc_batches import run_beam
from ert.dose.monte_carlo_scene import Scene
from ert.dose.monte_carlo_source import SourceNumbers
from ert.errors import Refused

Float = NDArray[np.float64]
BATCHES = 32
"""Batches of one round; the standard error rests on at least so many, whatever the number of threads."""
TALLIES = 4
SHARING = 3
"""So many histories share the way from the source through the insert, which is a third of the time of each alone."""
_SLICE = 333 * SHARING
_QUEUED = 1
"""Batches that wait for a thread: without one, a thread stands still while another's batch is added, and while a batch
that began before its own is not done."""
_POLL_S = 0.05


@attrs.frozen(kw_only=True, eq=False)
class Run:
    """Sums over batches, on the grid of the scene.

    Attributes
    ----------
    total, squares, sized : Σ S, Σ S² and Σ n S over batches of n histories that left S in a voxel, MeV × weight.
    batches, histories, histories_squared : how many, Σ n and Σ n².
    escaped, overflow, lost, incident : MeV × weight; overflow must be zero.
    """

    total: Float
    squares: Float
    sized: Float
    batches: int
    histories: int
    histories_squared: int
    escaped: float
    overflow: float
    lost: float
    incident: float


class Sums:
    """Adds batches in the order of their numbers."""

    def __init__(self, size: int) -> None:
        self.total, self.squares, self.sized = np.zeros(size), np.zeros(size), np.zeros(size)
        self.tally = np.zeros(TALLIES)
        self.batches = self.histories = self.histories_squared = 0

    def add(self, score: Float, tally: Float, histories: int) -> None:
        """Add a batch; its array is used up."""
        self.total += score
        score *= histories
        self.sized += score
        np.square(score, out=score)
        score *= histories**-2
        self.squares += score
        self.tally += tally
        self.batches += 1
        self.histories += histories
        self.histories_squared += histories**2

    def run(self) -> Run:
        """The sums as they stand; the arrays are not copied."""
        escaped, overflow, lost, incident = (float(v) for v in self.tally)
        return Run(
            total=self.total, squares=self.squares, sized=self.sized, batches=self.batches, histories=self.histories,
            histories_squared=self.histories_squared, escaped=escaped, overflow=overflow, lost=lost, incident=incident,
        )  # fmt: skip


class BatchRunner:
    """Runs batches of one beam on threads and adds them in order: the same bytes for any number of threads."""

    def __init__(
        self, scene: Scene, source: SourceNumbers, settings: MonteCarloSettings, *, sharing: int = SHARING
    ) -> None:
        """`sharing`: how many histories share the way through the insert, `SHARING` or 1."""
        self.scene, self.source, self.settings, self.sharing = scene, source, settings, sharing
        self.threads = settings.threads or os.cpu_count() or 1
        self.sums = Sums(scene.grid.size_zyx)
        self._spare: list[Float] = []

    def _batch(self, score: Float, first: int, histories: int, stop: threading.Event) -> tuple[Float, Float]:
        """One batch in short slices, so that a stop need not wait for it; what was stopped is never added."""
        score.fill(0.0)
        tally = np.zeros(TALLIES)
        for begin in range(first, first + histories, _SLICE):
            if stop.is_set():
                break
            run_beam(
                begin, min(_SLICE, first + histories - begin), np.uint64(self.settings.seed), self.source.source,
                self.source.numbers, self.source.metals, self.source.affine, self.scene.kernel, self.scene.tables,
                score, tally, first, self.sharing,
            )  # fmt: skip
        return score, tally

    def run(self, batches: int, histories: int, check: Callable[[], None] | None) -> Generator[int, None, None]:
        """Run further batches of so many histories; yields after each how many are done.

        `check` is called on this thread after every batch and while waiting for one; if it raises, the threads end
        within a slice.
        """
        begin, stop = self.sums.histories, threading.Event()
        waiting: deque[Future[tuple[Float, Float]]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            started = done = 0
            try:
                while done < batches:
                    while started < batches and len(waiting) < self.threads + _QUEUED:
                        score = self._spare.pop() if self._spare else np.empty(self.scene.grid.size_zyx)
                        first = begin + started * histories
                        waiting.append(pool.submit(self._batch, score, first, histories, stop))
                        started += 1
                    _wait(waiting[0], check)
                    score, tally = waiting.popleft().result()
                    self.sums.add(score, tally, histories)
                    self._spare.append(score)
                    done += 1
                    yield done
            finally:
                stop.set()
                for future in waiting:
                    future.cancel()


def _wait(future: Future[tuple[Float, Float]], check: Callable[[], None] | None) -> None:
    while True:
        is_done = bool(wait([future], timeout=_POLL_S).done)
        if check is not None:
            check()
        if is_done:
            return


def relative_sigma(run: Run) -> Float:
    """Standard error over mean of each voxel, from the spread of the batches; 0 where nothing was scored.

    Batches of n_i histories differ in size, and the larger spread more evenly over the field: Σ (S_i − n_i T/N)², each
    batch by its own variance, is on average (1 − Σ n_i²/N²) times the variance of T.
    """
    size, even = float(run.histories), run.histories_squared / run.histories**2
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = run.total / size
        spread = run.squares - 2.0 * mean * run.sized + mean * mean * float(run.histories_squared)
        variance = np.maximum(spread, 0.0) / (1.0 - even)
        return np.where(run.total > 0.0, np.sqrt(variance) / run.total, 0.0)


def mean_uncertainty_pct(dose: Float, sigma: Float) -> float:
    """Mean relative standard error over voxels above half of the maximum, percent (AAPM TG-105).

    The largest of many noisy doses is no maximum: early in a run one rare particle can be ten times as much, and would
    be all that lies above its half. The maximum is therefore that of what every voxel has with two standard errors to
    spare, and a voxel whose own error is more than half of its dose is not known to lie above anything.
    """
    least = dose * (1.0 - 2.0 * sigma)
    is_high = (dose > 0.5 * least.max(initial=0.0)) & (least > 0.0)
    return 100.0 * float(sigma[is_high].mean()) if np.any(is_high) else math.inf


def check_run(run: Run) -> None:
    """Energy in = energy out, and nothing lost from the stack; `Refused` otherwise."""
    if run.overflow > 0.0:
        raise Refused("The Monte Carlo lost particles; the dose was thrown away.", hint="Report this as a defect.")
    found = float(run.total.sum()) + run.escaped + run.lost
    if abs(found - run.incident) > 1e-9 * run.incident:
        raise Refused("The Monte Carlo's energy balance failed; the dose was thrown away.", hint="Report this.")
