"""The final dose of a plan whose algorithm is too slow to follow every edit: what is shown until it is there."""

from __future__ import annotations

import time

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.app.dose_state import DosePreview, FinalRun
from ert.app.jobs import JobContext
from ert.domain.algorithm import Algorithm
from ert.domain.dose import DoseResult
from ert.domain.identity import read_only
from ert.domain.monte_carlo_run import PartialDose, RunProgress, RunWatch
from ert.domain.plan import Plan, with_algorithms

SLOW = frozenset({Algorithm.MONTE_CARLO})
INTERIM_ALGORITHM = Algorithm.PENCIL_BEAM
PREVIEW_MESSAGE = "Press “Final dose” to compute the plan's own dose."
RESUME_MESSAGE = "Interrupted; the final dose can go on from where it was."
_PICTURE_INTERVAL_S = 1.5
_MOST_NOISE_PCT = 15.0


def is_slow(plan: Plan) -> bool:
    """True if the plan's dose is computed on request only."""
    return Algorithm.MONTE_CARLO in plan.algorithms


def interim_plan(plan: Plan) -> Plan:
    """The plan as it is computed while one edits: the slow beams by the interactive engine, the others by their own."""
    return with_algorithms(plan, lambda algorithm: INTERIM_ALGORITHM if algorithm in SLOW else algorithm)


def is_same_question(first: Plan, second: Plan) -> bool:
    """True if two plans differ in nothing that a running final dose, its picture and its monitor units depend on."""
    return first == attrs.evolve(
        second, name=first.name, description=first.description, goals=first.goals, points=first.points
    ) and (first.prescription.point_id is None or first.points == second.points)


class FinalWatch:
    """Follows the beams of a final dose on the dose lane; what it found last can be read from any thread.

    Parameters
    ----------
    plan : Plan
        What is computed.
    interim : DosePreview
        The picture of each beam until the final dose of that beam has one.
    ctx : JobContext
        Told of progress.
    """

    def __init__(self, plan: Plan, interim: DosePreview, ctx: JobContext) -> None:
        self._plan, self._interim, self._ctx = plan, interim, ctx
        self._beams_gy = list(interim.preview_beams_gy)
        self._drawn_s = 0.0
        self.run = FinalRun()
        self.picture: DosePreview | None = None

    def watch(self, number: int) -> RunWatch:
        """What the engine is given for the beam at that place."""
        name, share = self._plan.beams[number].name, 1.0 / len(self._plan.beams)

        def report(found: RunProgress) -> None:
            self.run = FinalRun(
                beam_name=name, histories=found.histories, uncertainty_pct=found.uncertainty_pct,
                remaining_s=found.remaining_s,
            )  # fmt: skip
            self._ctx.progress((number + min(found.done_frac, 0.99)) * share, f"Monte Carlo of beam {name}")

        return RunWatch(
            report=report,
            wants_picture=lambda: time.monotonic() - self._drawn_s >= _PICTURE_INTERVAL_S,
            picture=lambda partial: self._draw_partial(number, partial),
        )

    def _draw_partial(self, number: int, partial: PartialDose) -> None:
        """Show what a beam has found so far, unless it is mostly noise: then the last picture says more."""
        self._drawn_s = time.monotonic()
        if partial.uncertainty_pct <= _MOST_NOISE_PCT:
            self._draw(number, partial.preview_gy_per_mu, partial)

    def finished(self, number: int, result: DoseResult) -> None:
        """A beam's dose is there."""
        self._draw(number, result.gy_per_mu, None)

    def _draw(self, number: int, gy_per_mu: NDArray[np.float32], partial: PartialDose | None) -> None:
        factor = np.float32(self._interim.preview_mu[number] * self._plan.prescription.fractions)
        self._beams_gy[number] = read_only(gy_per_mu * factor)
        total = np.zeros_like(gy_per_mu)
        for beam_gy in self._beams_gy:
            total += beam_gy
        self.picture = attrs.evolve(
            self._interim,
            preview_gy=read_only(total),
            preview_beams_gy=tuple(self._beams_gy),
            engine=f"{Algorithm.MONTE_CARLO.value} not finished",
            uncertainty_pct=None if partial is None else partial.uncertainty_pct,
        )
