"""The dose of an open plan follows its edits: known, computed beside the screen, or asked for; never another plan's.

A plan whose own algorithm is too slow for that is followed by the interactive engine's dose as a preview
(`ert.app.final_dose`); its own dose is computed on request.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from ert.app.changes import Changes
from ert.app.dose_service import DoseService
from ert.app.dose_state import BeamDose, DoseState, DoseStatus, FinalRun, dose_state, preview_state
from ert.app.edit_session import EditSession
from ert.app.evaluation import Evaluation
from ert.app.final_dose import PREVIEW_MESSAGE, RESUME_MESSAGE, FinalWatch, interim_plan, is_same_question, is_slow
from ert.app.jobs import Job, JobContext, Jobs, Lane
from ert.app.normalise import with_monitor_units, without_monitor_units
from ert.domain.dose import DoseResult
from ert.domain.plan import Plan
from ert.domain.structure import StructureSet
from ert.errors import ErtError, Refused

SETTLE_S = 0.15  # further edits within this time join the same computation


@attrs.frozen(kw_only=True, eq=False)
class _Shown:
    """What a computation came to: the plan with its monitor units, and what is shown of it."""

    question: Plan
    plan: Plan
    results: tuple[DoseResult, ...]
    state: DoseState


class DoseFollower:
    """Dose of the plan of an edit session; lives on the owner's thread, computes on the dose lane."""

    def __init__(
        self,
        *,
        service: DoseService,
        jobs: Jobs,
        session: EditSession,
        structures: StructureSet,
        evaluation: Evaluation,
        publish: Callable[[Changes], None],
        is_read_only: bool = False,
    ) -> None:
        self._service, self._jobs, self._session = service, jobs, session
        self._structures, self._evaluation, self._publish = structures, evaluation, publish
        self._is_read_only = is_read_only  # an earlier revision: its monitor units stay as saved
        self._job: Job[_Shown] | None = None
        self._final_of: Plan | None = None
        self.results: tuple[DoseResult, ...] = ()
        self.state = DoseState()

    # ---- what is known -------------------------------------------------------------------------------------------

    def plan_changed(self) -> None:
        """Show the dose if every beam's is in memory; otherwise mark what is shown as out of date, and compute."""
        plan = without_monitor_units(self._session.plan)
        if self._final_of is not None and is_same_question(plan, self._final_of):
            return  # the final dose that is being computed answers this plan, too
        try:
            self._take_known(self._session.plan)
        except Refused as error:
            self.stop()
            self._mark(DoseStatus.FAILED, str(error))

    def _take_known(self, plan: Plan) -> None:
        self.stop()
        if not plan.beams:
            self.results, self.state = (), DoseState()
            return
        found = self._service.remembered(plan)
        is_interim = found is None and is_slow(plan)
        if is_interim:
            found = self._service.remembered(interim_plan(plan))
        if found is None:
            self._mark(DoseStatus.STALE, "The plan was edited after this dose was computed.")
            return
        self._adopt(self._shown(plan, found, is_interim=is_interim))

    def _mark(self, status: DoseStatus, message: str) -> None:
        if not self._is_read_only:
            self._session.replace(without_monitor_units(self._session.plan))
        self._evaluation.clear()
        self.state = attrs.evolve(self.state, status=status, message=message, fraction=0.0, final_run=None)

    def _shown(self, plan: Plan, results: tuple[DoseResult, ...], *, is_interim: bool) -> _Shown:
        """Normalise doses that answer exactly the plan's requests, or those of its interim plan."""
        planned = plan if self._is_read_only else with_monitor_units(plan, results, structures=self._structures)
        if not is_interim:
            return _Shown(question=plan, plan=planned, results=results, state=dose_state(planned, results))
        is_resumable = not self._is_read_only and self._service.is_resumable(plan)
        state = preview_state(planned, results, message=RESUME_MESSAGE if is_resumable else PREVIEW_MESSAGE)
        state = attrs.evolve(state, is_resumable=is_resumable)
        shown = plan if self._is_read_only else without_monitor_units(plan)
        return _Shown(question=plan, plan=shown, results=(), state=state)

    def _adopt(self, shown: _Shown) -> None:
        self._session.replace(shown.plan)
        self.results, self.state = shown.results, shown.state
        self._evaluation.start(shown.plan, self.state)

    # ---- computing -----------------------------------------------------------------------------------------------

    def compute(self) -> None:
        """Compute what is missing on the dose lane; a computation under way for an older state is cancelled."""
        plan = self._session.plan
        if not plan.beams:
            return

        def work(ctx: JobContext) -> _Shown:
            _settle(ctx)
            if not is_slow(plan):
                return self._shown(plan, self._service.compute(plan, ctx), is_interim=False)
            found = self._service.found(plan)
            if found is not None:
                return self._shown(plan, found, is_interim=False)
            return self._shown(plan, self._service.compute(interim_plan(plan), ctx), is_interim=True)

        self._submit(work, plan, title=f"Dose of {plan.name}")
        self.state = attrs.evolve(self.state, status=DoseStatus.COMPUTING, fraction=0.0, message="Computing dose")
        self._publish(Changes(dose=True))

    def compute_final(self) -> None:
        """Compute the plan's own dose; the preview stays, and improves, until it is there.

        Raises
        ------
        Refused
            If there is no preview to begin with.
        """
        plan, preview = self._session.plan, self.state.preview
        if not is_slow(plan) or self.state.status is not DoseStatus.PREVIEW or preview is None:
            raise Refused("The final dose begins from a preview of the plan, and there is none.", hint="Wait for it.")
        if self._final_of is not None:
            return
        watches: list[FinalWatch] = []

        def work(ctx: JobContext) -> _Shown:
            watches.append(FinalWatch(plan, preview, ctx))
            return self._shown(plan, self._service.compute(plan, ctx, watches[0]), is_interim=False)

        self._submit(work, plan, title=f"Final dose of {plan.name}", watches=watches)
        self._final_of = without_monitor_units(plan)
        self.state = attrs.evolve(self.state, fraction=0.0, message="Monte Carlo begins", final_run=FinalRun())
        self._publish(Changes(progress=True))  # the preview stays what it was: nothing but the bar changes

    def _submit(
        self, work: Callable[[JobContext], _Shown], plan: Plan, *, title: str, watches: list[FinalWatch] | None = None
    ) -> None:
        self.stop()
        # The callbacks know their job by this box: an answer to a question nobody asks any more is dropped.
        box: list[Job[_Shown]] = []

        def only_mine(then: Callable[..., None]) -> Callable[..., None]:
            return lambda *given: then(*given) if box and box[0] is self._job else None

        box.append(
            self._jobs.submit(
                Lane.DOSE,
                work,
                title=title,
                on_done=only_mine(self._arrived),
                on_failed=only_mine(self._failed),
                on_cancelled=only_mine(lambda: self._cancelled(watches)),
                on_progress=only_mine(lambda fraction, text: self._progress(watches, fraction, text)),
            )
        )
        self._job = box[0]

    def stop(self) -> None:
        """Stop what is computed; nothing of it will be shown."""
        if self._job is not None:
            self._job.cancel()
        self._job, self._final_of = None, None

    def cancel(self) -> None:
        """Stop on request: a final dose leaves its last picture as preview; otherwise the dose stays out of date."""
        if self._final_of is not None and self._job is not None:
            self._job.cancel()
            self.state = attrs.evolve(self.state, message="Stopping")
            self._publish(Changes(progress=True))
            return
        if self.state.status is DoseStatus.COMPUTING:
            self.stop()
            self._mark(DoseStatus.STALE, "The computation was cancelled.")
        self._publish(Changes(dose=True))

    def _arrived(self, shown: _Shown) -> None:
        self._job, self._final_of = None, None
        plan = self._session.plan
        if shown.results and plan not in (shown.question, shown.plan):  # its name or goals were edited meanwhile
            shown = self._shown(plan, shown.results, is_interim=False)
        self._adopt(shown)
        self._publish(Changes(plan=True, dose=True))

    def _failed(self, error: BaseException) -> None:
        self._job, self._final_of = None, None
        sentence = str(error) if isinstance(error, ErtError) else "The dose engine failed; see the log."
        self._mark(DoseStatus.FAILED, sentence)
        self._publish(Changes(dose=True))

    def _cancelled(self, watches: list[FinalWatch] | None) -> None:
        if watches is None:
            self.cancel()
            return
        self._job, self._final_of = None, None
        picture = (watches[0].picture if watches else None) or self.state.preview
        is_resumable = self._service.is_resumable(self._session.plan)
        self.state = attrs.evolve(
            self.state, preview=picture, final_run=None, fraction=0.0, is_resumable=is_resumable,
            message="Stopped; it can go on." if is_resumable else f"Stopped. {PREVIEW_MESSAGE}",
        )  # fmt: skip
        self._evaluation.start(self._session.plan, self.state)  # of the last picture, whichever came before
        self._publish(Changes(progress=True, picture=True, dvh=True))

    def _progress(self, watches: list[FinalWatch] | None, fraction: float, text: str) -> None:
        self.state = attrs.evolve(self.state, fraction=fraction, message=text)
        is_new_picture = has_no_histograms = False
        if watches:
            picture = watches[0].picture
            is_new_picture = picture is not None and picture is not self.state.preview
            self.state = attrs.evolve(self.state, final_run=watches[0].run, preview=picture or self.state.preview)
            has_no_histograms = is_new_picture and self._evaluation.follow(self._session.plan, self.state)
        self._publish(Changes(progress=True, picture=is_new_picture, dvh=has_no_histograms))

    # ---- asked for -----------------------------------------------------------------------------------------------

    def beam_dose(self, number: int) -> BeamDose | None:
        """The current dose of one beam; None unless the plan's dose is current."""
        if not self.state.is_current:
            return None
        return next((b for b in self.state.beams if b.beam_number == number), None)

    def wait(self, pump: Callable[[], None], timeout_s: float) -> None:
        """Run the owner's queue until the plan's own dose is current or failed; asks for it where it does not follow.

        Raises
        ------
        Refused
            With the reason, if the dose could not be computed; or if time ran out.
        """
        end_s = time.monotonic() + timeout_s
        while not self.state.is_current and self.state.status is not DoseStatus.FAILED and time.monotonic() < end_s:
            if self.state.status is DoseStatus.PREVIEW and self._final_of is None:
                self.compute_final()
            if self.state.status is DoseStatus.NONE:
                break
            pump()
        if not self.state.is_current:
            raise Refused(self.state.message or "There is no dose.")


def _settle(ctx: JobContext) -> None:
    """Wait a moment, so that a burst of edits costs one computation."""
    end_s = time.monotonic() + SETTLE_S
    while time.monotonic() < end_s:
        ctx.check()
        time.sleep(0.01)
