"""Whether a plan is ready for review: set by its planner, followed by a second check, taken back by an edit."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence

import attrs

from ert.app.changes import Changes
from ert.app.check_book import CheckBook, is_check_of
from ert.app.dose_state import DoseState
from ert.app.edit_session import EditSession
from ert.app.permissions import guarded
from ert.app.plan_keeping import PlanKeeping
from ert.app.ports import SiteStore
from ert.app.second_check import Comparison
from ert.domain.account import Right
from ert.domain.approval import ApprovalState
from ert.domain.dose import DoseResult
from ert.domain.record import Finding, PlanStatus, Severity, StoredPlan
from ert.domain.second_check import KeptSecondCheck, Light
from ert.errors import ErtError, Refused

READY_REASON = "marked ready for review"
_LIGHT_WORDS = {
    Light.GREEN: "second check within tolerance",
    Light.AMBER: "second check outside tolerance",
    Light.RED: "second check outside the action limit",
}


class Stage(enum.StrEnum):
    """Where the plan on screen stands."""

    DRAFT = "draft"
    LOST = "lost"
    WAITING = "waiting"
    CHECKING = "checking"
    FAILED = "failed"
    CHECKED = "checked"
    APPROVED = "approved"
    ENDED = "approval ended"


@attrs.frozen(kw_only=True)
class Review:
    """Stage, a line for the head of the page, the light of the second check."""

    stage: Stage
    text: str
    light: Light | None = None


@guarded
class Readiness:
    """Readiness of one open plan.

    Parameters
    ----------
    store : SiteStore
    session, keeping, checks : of the plan.
    dose : callable
        The dose on screen.
    publish : callable
        Told of progress and of a kept check.
    is_read_only : an earlier revision: it is shown as it was, nothing is begun.
    approval : of the plan as it is stored, verified; None if it has none.
    """

    def __init__(
        self,
        *,
        store: SiteStore,
        session: EditSession,
        keeping: PlanKeeping,
        checks: CheckBook,
        dose: Callable[[], DoseState],
        publish: Callable[[Changes], None],
        is_read_only: bool,
        approval: ApprovalState | None = None,
    ) -> None:
        self.approval = approval
        self._store, self._session, self._keeping, self._checks = store, session, keeping, checks
        self._dose, self._publish, self._is_read_only = dose, publish, is_read_only
        self._fraction: float | None = None
        self._tried = ""
        self.problem = ""

    # ---- what is known -------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """True if the plan on screen is, in every value, the one that was marked."""
        stored = self._keeping.stored
        return stored.status is PlanStatus.READY and self._session.plan == stored.plan

    @property
    def check(self) -> KeptSecondCheck | None:
        """The newest second check of the plan and the dose on screen; None if there is none."""
        dose = self._dose()
        if not dose.is_current:
            return None
        found = [k for k in self._checks.kept if is_check_of(k, self._session.plan, dose)]
        return found[-1] if found else None

    @property
    def review(self) -> Review:
        """What the head of the page says."""
        if self.approval is not None:
            if self.approval.is_valid:
                return Review(stage=Stage.APPROVED, text=self.approval.short_text)
            return Review(stage=Stage.ENDED, text=f"DO NOT TREAT · {self.approval.short_text}")
        return self._review_of_draft()

    def _review_of_draft(self) -> Review:
        stored = self._keeping.stored
        if stored.status is not PlanStatus.READY:
            return Review(stage=Stage.DRAFT, text="Draft")
        if not self.is_ready:
            return Review(stage=Stage.LOST, text=f"NOT READY: changed since r{stored.revision} was marked")
        if self._fraction is not None:
            return Review(stage=Stage.CHECKING, text=f"Ready for review · second check {100 * self._fraction:.0f} %")
        check = self.check
        if check is not None:
            light = check.check.light
            return Review(stage=Stage.CHECKED, text=f"Ready for review · {_LIGHT_WORDS[light]}", light=light)
        if self.problem:
            return Review(stage=Stage.FAILED, text="Ready for review · second check FAILED")
        return Review(stage=Stage.WAITING, text="Ready for review · not checked yet")

    # ---- marking -------------------------------------------------------------------------------------------------

    def mark(
        self,
        doses: Sequence[DoseResult],
        findings: Sequence[Finding],
        *,
        on_marked: Callable[[], object] | None = None,
        on_failed: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Save the plan as a revision that is ready for review; the second check then begins by itself.

        Parameters
        ----------
        doses : of its beams, kept with it.
        findings : what the plan's checks say; a stop keeps it a draft.

        Raises
        ------
        Refused
            It has no dose of its own, a check stops it, or it is marked already.
        """
        if not self._dose().is_current:
            raise Refused("A plan without a dose of its own is not ready for review.", hint="Compute its dose first.")
        stops = [f for f in findings if f.severity is Severity.BLOCKER]
        if stops:
            raise Refused(f"The checks stop this plan. {stops[0].sentence}", hint="Put it right, then mark the plan.")
        if self._keeping.is_saving:
            raise Refused("The plan is just being saved.", hint="Mark it in a moment.")
        if self.is_ready:
            raise Refused(f"Revision {self._keeping.stored.revision} is marked ready for review already.")

        def marked() -> None:
            self.follow()
            if on_marked is not None:
                on_marked()

        self._keeping.save(doses, reason=READY_REASON, status=PlanStatus.READY, on_saved=marked, on_failed=on_failed)

    def follow(self) -> None:
        """Begin the second check of a plan that is ready and has none; after every change, and cheap if there is none.

        An account that may not keep a check does not begin one.
        """
        stored = self._keeping.stored
        if self._is_read_only or stored.status is not PlanStatus.READY or self._checks.is_busy or not self.is_ready:
            return
        dose = self._dose()
        question = f"{stored.revision} {dose.engine}"
        if not dose.is_current or self.check is not None or self._tried == question or self._checks.problem:
            return
        if Right.PLAN not in self._store.account.rights:
            return
        self._tried, self._fraction, self.problem = question, 0.0, ""
        self._checks.compare(
            stored.plan,
            (None, None),
            on_done=lambda found: self._arrived(found, stored),
            on_failed=self._failed,
            on_cancelled=self._cancelled,
            on_progress=self._progressed,
        )
        self._publish(Changes(plan=True))

    def _progressed(self, fraction: float, _text: str) -> None:
        self._fraction = fraction
        self._publish(Changes(progress=True))

    def _arrived(self, comparison: Comparison, stored: StoredPlan) -> None:
        self._fraction = None
        try:
            self._checks.keep(comparison, stored)
        except ErtError as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self._fraction = None
        self.problem = str(error) if isinstance(error, ErtError) else "The check failed; see the log."
        self._publish(Changes(plan=True))

    def _cancelled(self) -> None:
        """An edit or another comparison took its place; the plan as it was marked is checked when it is back."""
        self._fraction, self._tried = None, ""
        self._publish(Changes(plan=True))


def readiness_findings(readiness: Readiness) -> Iterator[Finding]:
    """What there is to say of a plan that was marked ready."""
    review, approval = readiness.review, readiness.approval
    if approval is not None and not approval.is_valid:
        yield Finding(severity=Severity.BLOCKER, code="approval-ended", sentence=f"DO NOT TREAT. {approval.text}")
    if review.stage is Stage.LOST:
        sentence = "The plan was changed since it was marked ready for review: it is a draft again."
        yield Finding(severity=Severity.WARNING, code="ready-lost", sentence=sentence)
    if review.stage is Stage.CHECKING:
        yield Finding(severity=Severity.NOTE, code="second-check-running", sentence="The second check is being made.")
    if review.stage is Stage.FAILED:
        sentence = f"The second check could not be made: {readiness.problem}"
        yield Finding(severity=Severity.WARNING, code="second-check-failed", sentence=sentence)
