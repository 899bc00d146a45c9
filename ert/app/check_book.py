"""The second checks of an open plan: made on the dose lane, kept with the saved revision, told in the plan's checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ert.app.changes import Changes
from ert.app.check_rules import CheckRules
from ert.app.dose_service import DoseService
from ert.app.dose_state import DoseState
from ert.app.jobs import Job, JobContext, Jobs, Lane
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.second_check import Comparison, Engine, compare_engines
from ert.domain.plan import Plan
from ert.domain.record import Finding, Severity, StoredPlan
from ert.domain.second_check import KeptSecondCheck, Light
from ert.domain.structure import StructureSet
from ert.errors import ErtError, Refused

_WORDS = {
    Light.GREEN: (Severity.NOTE, "within tolerance"),
    Light.AMBER: (Severity.WARNING, "outside tolerance, within the action limit: say why, or correct it"),
    Light.RED: (Severity.WARNING, "outside the action limit: find out why before the plan is used"),
}


@guarded
class CheckBook:
    """Second checks of one plan.

    Parameters
    ----------
    store : SiteStore
        Used on the database lane.
    publish : callable
        Told when a check was kept.

    Attributes
    ----------
    kept : of all revisions, oldest first.
    problem : why they could not be read; empty if they could.
    not_kept : why the last comparison was not kept; empty if it was.
    """

    def __init__(
        self,
        *,
        store: SiteStore,
        jobs: Jobs,
        service: DoseService,
        structures: StructureSet,
        plan_id: str,
        publish: Callable[[Changes], None],
    ) -> None:
        self._store, self._jobs, self._service, self._structures = store, jobs, service, structures
        self._rules = CheckRules(store, lambda read: jobs.call(Lane.DB, read))
        self._plan_id, self._publish = plan_id, publish
        self._job: Job[Comparison] | None = None
        self.kept: tuple[KeptSecondCheck, ...] = ()
        self.problem = self.not_kept = ""
        self._read()

    def _read(self) -> None:
        try:
            self.kept = self._jobs.call(Lane.DB, lambda: self._store.plans.second_checks(self._plan_id))
        except ErtError as error:  # the plan itself is sound, and can be looked at; the finding stops it
            self.problem = str(error)

    def compare(
        self,
        plan: Plan,
        engines: tuple[Engine, Engine],
        *,
        on_done: Callable[[Comparison], None],
        on_failed: Callable[[BaseException], None],
        on_cancelled: Callable[[], None],
        on_progress: Callable[[float, str], None],
    ) -> None:
        """Compute a plan that has monitor units by two engines; an edit of the plan stops it."""
        self.stop()

        def work(ctx: JobContext) -> Comparison:
            return compare_engines(self._service, plan, self._structures, engines, ctx, rule=self._rules.in_use())

        def ended(then: Callable[..., None]) -> Callable[..., None]:
            def run(*given: Any) -> None:  # noqa: ANN401
                if box and box[0] is self._job:
                    self._job = None
                then(*given)

            return run

        box: list[Job[Comparison]] = []
        box.append(
            self._jobs.submit(
                Lane.DOSE,
                work,
                title=f"Second check of {plan.name}",
                on_done=ended(on_done),
                on_failed=ended(on_failed),
                on_cancelled=ended(on_cancelled),
                on_progress=on_progress,
            )
        )
        self._job = box[0]

    @property
    def is_busy(self) -> bool:
        """True while a comparison is under way."""
        return self._job is not None

    def stop(self) -> None:
        """Stop the comparison under way."""
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def keep(self, comparison: Comparison, stored: StoredPlan) -> None:
        """Keep a comparison as the second check of a saved revision.

        Raises
        ------
        Refused
            It was not of the plan's own engine, or not of that revision.
        """
        check = comparison.check
        if not comparison.is_of_plan:
            raise Refused("A comparison of two other engines is no second check of the plan; it is not kept.")
        if check.plan_digest != stored.plan.digest:
            raise Refused(
                "The plan was edited since it was saved; the check is not kept.", hint="Save it, check again."
            )
        self._jobs.call(Lane.DB, lambda: self._store.plans.add_second_check(stored.plan, stored.revision, check))
        self._read()
        self._publish(Changes(plan=True))


def second_check_findings(book: CheckBook, plan: Plan, dose: DoseState) -> Iterator[Finding]:
    """What the checks say of the plan as it is; nothing while it has no dose of its own."""
    if book.problem:
        yield Finding(severity=Severity.BLOCKER, code="second-check-unreadable", sentence=book.problem)
    if not dose.is_current:
        return
    valid = [k for k in book.kept if is_check_of(k, plan, dose)]
    if valid:
        check, by = valid[-1].check, f"{valid[-1].made_by}, {valid[-1].made_at:%Y-%m-%d %H:%M}"
        severity, words = _WORDS[check.light]
        limits = f" by {check.tolerances_source}" if check.tolerances_source else ""
        sentence = f"Second check by {check.second_engine.split(',')[0]}: {check.gamma_text}; {words}{limits} ({by})."
        yield Finding(severity=severity, code="second-check", sentence=sentence)
    elif book.kept:
        sentence = f"The second check was made on another state of the plan (revision {book.kept[-1].revision})."
        yield Finding(severity=Severity.WARNING, code="second-check-stale", sentence=sentence)
    else:
        sentence = "No other engine has checked this plan yet (menu Plan, Mark ready for review)."
        yield Finding(severity=Severity.NOTE, code="second-check-none", sentence=sentence)


def is_check_of(kept: KeptSecondCheck, plan: Plan, dose: DoseState) -> bool:
    """A check holds only for the plan and the very dose it compared: engine, its version, its statistics."""
    return kept.check.first_engine == dose.engine and kept.check.plan_digest == plan.digest
