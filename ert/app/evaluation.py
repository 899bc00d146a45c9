"""Dose–volume histograms of an open plan, computed beside the screen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import evaluate_metric
from ert.app.changes import Changes
from ert.app.dose_state import DoseState
from ert.app.jobs import Job, JobContext, Jobs, Lane
from ert.domain.dvh import Dvh
from ert.domain.image import CtImage
from ert.domain.plan import Plan
from ert.domain.structure import StructureSet
from ert.geometry.grid import VoxelGrid

_Found = tuple[tuple[Dvh, ...], dict[int, tuple[Dvh, Dvh]]]


class Evaluation:
    """Keeps the histograms of the dose or its preview; they vanish with it.

    Attributes
    ----------
    dvhs : of every contoured structure.
    bands : of a Monte Carlo dose, by structure: the histograms of the dose one standard error lower and one higher in
        all voxels at once. Errors of different voxels hardly go together, so this is an outer bound.
    """

    def __init__(
        self, *, image: CtImage, structures: StructureSet, jobs: Jobs, publish: Callable[[Changes], None]
    ) -> None:
        self._image, self._structures, self._jobs, self._publish = image, structures, jobs, publish
        self._job: Job[_Found] | None = None
        self._question = 0
        self._engine = ""
        self.dvhs: tuple[Dvh, ...] = ()
        self.bands: dict[int, tuple[Dvh, Dvh]] = {}

    def clear(self) -> None:
        """Forget the histograms and stop computing."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
        self._question += 1
        self._engine = ""
        self.dvhs, self.bands = (), {}

    def start(self, plan: Plan, dose: DoseState) -> None:
        """Compute the histograms of all contoured structures for a current dose or its preview."""
        self.clear()
        if dose.picture is not None:
            self._submit(plan, dose, *dose.picture)

    def _submit(self, plan: Plan, dose: DoseState, gy: NDArray[np.float32], grid: VoxelGrid) -> None:
        sigma_gy = dose.uncertainty.sigma_gy if dose.is_current and dose.uncertainty is not None else None
        wanted = [s for s in self._structures.structures if s.contours]
        question, self._engine = self._question, dose.picture_engine

        def work(ctx: JobContext) -> _Found:
            found, bands = [], {}
            edges = None if sigma_gy is None else (np.maximum(gy - sigma_gy, 0.0), gy + sigma_gy)
            for number, structure in enumerate(wanted):
                ctx.check()
                ctx.progress(number / len(wanted), structure.name)
                found.append(compute_dvh(structure, gy, grid))
                if edges is not None:
                    low, high = edges
                    bands[structure.number] = (compute_dvh(structure, low, grid), compute_dvh(structure, high, grid))
            return tuple(found), bands

        self._job = self._jobs.submit(
            Lane.IO,
            work,
            title=f"Histograms of {plan.name}",
            supersedes="dvh",
            can_stop=False,  # a plot that waits for ever helps nobody
            on_done=lambda found: self._arrived(question, found),
        )

    def follow(self, plan: Plan, dose: DoseState) -> bool:
        """Have histograms of a run's better picture; returns whether those of before are gone.

        Those of another engine's picture vanish at once. Those of an earlier picture of the same run stay until the
        next are there; while these are computed, pictures in between are passed over.
        """
        if dose.picture_engine != self._engine or dose.picture is None:
            self.start(plan, dose)
            return True
        if self._job is None or self._job.state.is_final:
            self._submit(plan, dose, *dose.picture)
        return False

    def _arrived(self, question: int, found: _Found) -> None:
        if question != self._question:
            return  # finished before it could be cancelled: histograms of a dose that is no longer shown
        self._job = None
        self.dvhs, self.bands = found
        self._publish(Changes(dvh=True))

    def metric(self, structure_number: int, metric: str, *, prescription_gy: float) -> float | None:
        """A metric such as ``D95%`` or ``V20Gy`` of a structure; None until its histogram is there.

        Raises
        ------
        Refused
            If the metric is not understood.
        """
        for dvh in self.dvhs:
            if dvh.structure_number == structure_number:
                return evaluate_metric(metric, dvh, prescription_gy=prescription_gy)
        return None
