"""The dose that follows the hand: a pencil beam's estimate of a plan that is not made yet, drawn and never kept.

While a person drags an aperture point, or turns a number, each new state of the plan is a sketch. The newest sketch is
computed on the dose lane; those in between are left out, none waits. What is drawn is a `DosePreview`, which nothing
that reports, exports, approves or keeps doses takes. It names the beams it is of: dose and field edges on a slice are
always of one state. When the edit is made the preview stays only if it is of exactly the plan that was made, until that
plan's own dose is there.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ert.app.changes import Changes
from ert.app.dose_service import DoseService
from ert.app.dose_state import DoseState, DoseStatus, preview_state
from ert.app.jobs import Job, JobContext, Jobs, Lane
from ert.app.normalise import with_monitor_units, without_monitor_units
from ert.domain.algorithm import Algorithm
from ert.domain.dose import DoseResult
from ert.domain.plan import Plan, with_algorithms
from ert.domain.structure import StructureSet
from ert.errors import ErtError, Refused

FRAME_S = 0.040
"""A preview that takes longer than this is computed on a grid of twice the spacing from then on."""
_COARSER = 2.0
_COARSEST_CM = 0.5
LIVE_NOTE = "pencil beam estimate, not for reporting"


@attrs.frozen(kw_only=True, eq=False)
class _Drawn:
    """What a computation came to."""

    plan: Plan
    state: DoseState
    results: tuple[DoseResult, ...]


class LivePreview:
    """Preview of sketches of one plan; lives on the owner's thread, computes on the dose lane.

    Parameters
    ----------
    service : DoseService
        Computes sketches beside memory, store and cache.
    jobs : Jobs
    structures : StructureSet
        For the prescription.
    publish : callable
        Told when the picture changed.
    """

    def __init__(
        self, *, service: DoseService, jobs: Jobs, structures: StructureSet, publish: Callable[[Changes], None]
    ) -> None:
        self._service, self._jobs, self._structures, self._publish = service, jobs, structures, publish
        self._job: Job[_Drawn] | None = None
        self._wanted: Plan | None = None
        self._drawn: _Drawn | None = None
        self._is_coarse = False
        self._known: tuple[DoseResult, ...] = ()
        self.state: DoseState | None = None
        self.is_dragging = False

    def follow(self, sketch: Plan) -> None:
        """Show the dose of a sketch as soon as it can be had; older sketches are forgotten."""
        is_first = not self.is_dragging
        self.is_dragging = True
        self._wanted = without_monitor_units(sketch)
        if self._job is None:
            self._submit()
        if is_first:
            self._publish(Changes(dose=True))  # tables and histograms show the plan's dose no longer

    def fail(self, sentence: str) -> None:
        """There is no dose of what is on screen now, and why."""
        self._stop()
        self.is_dragging = True
        self._show(None, DoseState(status=DoseStatus.FAILED, message=sentence))

    def made(self, plan: Plan) -> None:
        """The edit is made: the picture stays until the plan's own dose is there if it is of this very plan."""
        self._stop()
        self.is_dragging, self._is_coarse, self._known = False, False, ()
        if self._drawn is None or self._drawn.plan != without_monitor_units(plan):
            self._drawn, self.state = None, None

    def end(self) -> bool:
        """Show the plan's own dose again; True if something else was shown."""
        self._stop()
        was_shown = self.is_dragging or self.state is not None
        self.is_dragging, self._drawn, self.state = False, None, None
        self._is_coarse, self._known = False, ()
        return was_shown

    def _stop(self) -> None:
        if self._job is not None:
            self._job.cancel()
        self._job, self._wanted = None, None

    def _submit(self) -> None:
        plan = self._wanted
        if plan is None:
            return
        is_coarse, known = self._is_coarse, self._known
        box: list[Job[_Drawn]] = []

        def if_mine(then: Callable[[], None]) -> None:
            if box and box[0] is self._job:
                self._job = None
                then()

        box.append(
            self._jobs.submit(
                Lane.DOSE,
                lambda ctx: self._draw(plan, ctx, known, is_coarse=is_coarse),
                title=f"Preview of {plan.name}",
                on_done=lambda drawn: if_mine(lambda: self._arrived(drawn)),
                on_failed=lambda error: if_mine(lambda: self._failed(plan, error)),
            )
        )
        self._job = box[0]

    def _draw(self, plan: Plan, ctx: JobContext, known: tuple[DoseResult, ...], *, is_coarse: bool) -> _Drawn:
        spacing_cm = plan.dose_grid.spacing_cm
        if is_coarse:
            spacing_cm = max(spacing_cm, min(_COARSER * spacing_cm, _COARSEST_CM))
        estimate = with_algorithms(plan, lambda _chosen: Algorithm.PENCIL_BEAM)  # as `LIVE_NOTE` says
        asked = attrs.evolve(estimate, dose_grid=attrs.evolve(plan.dose_grid, spacing_cm=spacing_cm))
        try:
            results = self._service.sketch(asked, ctx, known)
        except Refused as refused:  # the hand passed a state no dose can be had of: nothing has failed
            return _Drawn(plan=plan, state=DoseState(status=DoseStatus.FAILED, message=str(refused)), results=known)
        state = preview_state(
            with_monitor_units(asked, results, structures=self._structures), results, message=LIVE_NOTE
        )
        if state.preview is not None:
            preview = attrs.evolve(state.preview, sketched_beams=plan.beams, is_coarse=is_coarse)
            state = attrs.evolve(state, preview=preview)
        return _Drawn(plan=plan, state=state, results=results)

    def _arrived(self, drawn: _Drawn) -> None:
        before = {result.request_digest for result in self._known}
        newly_s = sum(r.seconds for r in drawn.results if r.request_digest not in before)
        self._known = drawn.results
        self._is_coarse = self._is_coarse or newly_s > FRAME_S
        self._show(drawn, drawn.state)
        if self._wanted != drawn.plan:
            self._submit()

    def _failed(self, plan: Plan, error: BaseException) -> None:
        if self._wanted != plan:
            self._submit()
            return
        sentence = str(error) if isinstance(error, ErtError) else "The dose engine failed; see the log."
        self._show(None, DoseState(status=DoseStatus.FAILED, message=sentence))

    def _show(self, drawn: _Drawn | None, state: DoseState) -> None:
        self._drawn, self.state = drawn, state
        self._publish(Changes(picture=True))
