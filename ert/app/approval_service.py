"""Approving a plan: everything it needs, its dose computed once more without caches, then the signature.

Two steps, so that the password is given at the moment of signing however long the computation takes. Between them the
plan is not locked: signing takes its exclusive lock, reads under it what was decided on, and refuses if anything of it
changed. Nothing of the first step is kept anywhere but in the object that is handed back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from importlib import metadata

import attrs

from ert.app.approval_checklist import checklist
from ert.app.approval_rules import PlanFacts, Requirement, requirements, to_accept
from ert.app.check_rules import CheckRules
from ert.app.dose_service import DoseService, Models
from ert.app.dose_state import dose_state
from ert.app.exclusive import holding
from ert.app.jobs import JobContext
from ert.app.no_cache import NoCache
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.recompute_difference import difference
from ert.app.release_book import ReleaseBook, ReleaseStanding
from ert.app.tissue_library import Run
from ert.app.workspace import PlanWorkspace
from ert.domain.approval import (
    Approval,
    ApprovalEnd,
    ApprovalState,
    Confirmed,
    PinnedPlan,
    approved_beams,
    checked_reason,
    errors_digest,
    inputs_digest,
    structures_digest,
)
from ert.domain.approval_rule import LastEdit
from ert.domain.beam import Beam
from ert.domain.dose import DoseResult
from ert.domain.identity import array_digest
from ert.domain.image import CtImage
from ert.domain.plan import Plan
from ert.domain.record import PlanStatus, StoredPlan
from ert.domain.structure import StructureSet
from ert.errors import DigestMismatch, Refused, StaleRevision


@attrs.frozen(kw_only=True)
class ApprovalView:
    """What whoever approves looks at.

    Attributes
    ----------
    requirements : each with its state.
    checklist : to be confirmed line by line.
    warnings : of the plan checks, to be accepted one by one.
    """

    requirements: tuple[Requirement, ...]
    checklist: tuple[Confirmed, ...]
    warnings: tuple[Confirmed, ...]

    @property
    def unmet(self) -> tuple[Requirement, ...]:
        """What keeps the plan from being approved."""
        return tuple(r for r in self.requirements if not r.is_met)

    @property
    def codes(self) -> frozenset[str]:
        """Everything that has to be confirmed."""
        return frozenset(c.code for c in (*self.checklist, *self.warnings))


@attrs.frozen(kw_only=True, eq=False)
class Question:
    """A plan as it is on screen when its approval begins; taken on the screen's thread, used on any."""

    plan: Plan
    revision: int
    patient_id: str
    facts: PlanFacts
    view: ApprovalView
    image: CtImage
    structures: StructureSet
    models: Models


@attrs.frozen(kw_only=True, eq=False)
class Recomputed:
    """Doses computed without any cache, equal to those on screen byte by byte."""

    question: Question
    doses: tuple[DoseResult, ...]
    engine: str


@guarded
class ApprovalDesk:
    """Approves plans of an opened site, and ends approvals.

    Parameters
    ----------
    store : SiteStore
    run : where calls to the store run: the database lane, or directly.
    releases : of the site.
    revalidate : asks whoever vouches for who is signed in, and reads the account anew.
    """

    def __init__(
        self, store: SiteStore, run: Run, releases: ReleaseBook, revalidate: Callable[[], object] = lambda: None
    ) -> None:
        self._store, self._run, self._releases, self._revalidate = store, run, releases, revalidate
        self._rules = CheckRules(store, run)

    def view(self, workspace: PlanWorkspace) -> ApprovalView:
        """Every requirement, and what has to be confirmed; on the thread of the plan."""
        return self._view(self._facts(workspace), workspace)

    def begin(self, workspace: PlanWorkspace) -> Question:
        """Take what is on screen to be approved; on the thread of the plan.

        Raises
        ------
        Refused
            Naming every requirement that is not met.
        """
        facts = self._facts(workspace)
        view = self._view(facts, workspace)
        _refuse_unmet(view.requirements)
        return Question(
            plan=workspace.plan,
            revision=workspace.revision,
            patient_id=workspace.course.patient_id,
            facts=facts,
            view=view,
            image=workspace.image,
            structures=workspace.structures,
            models=workspace.models,
        )

    def recompute(self, question: Question, ctx: JobContext) -> Recomputed:
        """Compute every beam without memory, records or caches, and compare with what is on screen; on the dose lane.

        A Monte Carlo runs from its first history: its random numbers follow from the request, so its bytes do too.

        Raises
        ------
        DigestMismatch
            A dose differs, with figures. Nothing can be signed then.
        Cancelled
            When the job was asked to stop.
        """
        service = DoseService(
            image=question.image, structures=question.structures, models=question.models, kept=lambda _digest: None,
            cache=NoCache(),
        )  # fmt: skip
        doses = service.compute(question.plan, ctx)
        expect_same(question.plan, question.facts.results, doses)
        return Recomputed(question=question, doses=doses, engine=dose_state(question.plan, doses).engine)

    def sign(self, made: Recomputed, *, confirmed: Collection[str], password: str) -> Approval:
        """Sign: under the plan's lock, with everything that was decided on read once more; on any thread.

        Parameters
        ----------
        made : from `recompute`.
        confirmed : codes of the checklist and of the warnings that were confirmed.
        password : of who is signed in.

        Raises
        ------
        Refused
            A line is not confirmed, or a requirement is no longer met; every one is named.
        WrongKey, SignInLocked, NotPermitted
            Who is signed in cannot sign.
        StaleRevision, PlanLocked, LockHeld
            A colleague was first.
        """
        question = made.question
        missing = [c for c in (*question.view.checklist, *question.view.warnings) if c.code not in confirmed]
        if missing:
            left = " ".join(f"{n}. {line.sentence}" for n, line in enumerate(missing, start=1))
            raise Refused(f"Not confirmed yet: {left}", hint="Confirm each line, or correct the plan.")
        self._revalidate()
        locks, plan = self._store.locks, question.plan
        with holding(locks, self._run, lambda: locks.take_plan(plan.id, doing=f"approving plan '{plan.name}'")):
            self._expect_unchanged(question)
            approval = self._approval(made)
            return self._run(
                lambda: self._store.approvals.approve(
                    plan, approval, made.doses, base_revision=question.revision, password=password
                )
            )

    def state(self, plan_id: str) -> ApprovalState | None:
        """The approval of a plan, verified but for its doses; None if it has none."""
        return self._run(lambda: self._store.approvals.state(plan_id))

    def pinned(self, stored: StoredPlan) -> PinnedPlan | None:
        """The approval and the pinned doses of a revision that is frozen, all of it verified; None for any other.

        Raises
        ------
        DigestMismatch
            Anything is not what was signed, or an approval is denied by the plan it is of: it must not be treated.
        """
        if stored.status.is_locked:
            return self._run(lambda: self._store.approvals.pinned(stored.plan))
        self.state(stored.plan.id)
        return None

    def end(self, plan_id: str, status: PlanStatus, *, reason: str, password: str) -> ApprovalEnd:
        """End an approval: withdrawn or superseded, with a reason, signed.

        Raises
        ------
        Refused
            There is none that is valid, or the reason says nothing.
        WrongKey, SignInLocked, NotPermitted, StaleRevision, LockHeld
            As `sign`.
        """
        words = checked_reason(reason)
        self._revalidate()
        locks, store = self._store.locks, self._store
        with holding(locks, self._run, lambda: locks.take_plan(plan_id, doing="ending an approval")):
            state = self.state(plan_id)
            if state is None or not state.is_valid:
                raise Refused("This plan has no valid approval that could end.")
            stored = self._run(lambda: store.plans.load(plan_id))
            end = ApprovalEnd(
                approval_id=state.approval.id, plan_id=plan_id, revision=stored.revision + 1, status=status,
                reason=words,
            )  # fmt: skip
            return self._run(
                lambda: store.approvals.end(stored.plan, end, base_revision=stored.revision, password=password)
            )

    # ---- what decides --------------------------------------------------------------------------------------------

    def _facts(self, workspace: PlanWorkspace) -> PlanFacts:
        plan, stored = workspace.plan, workspace.stored
        return PlanFacts(
            plan=plan,
            status=stored.status,
            is_as_saved=plan == stored.plan and not workspace.keeping.is_saving,
            is_earlier=workspace.is_earlier,
            dose=workspace.dose,
            results=workspace.results,
            findings=workspace.findings,
            mu_checks=workspace.mu_checks,
            check=workspace.readiness.check,
            tolerances=self._rules.in_use().tolerances,
            standings=self._standings(plan, workspace.models),
            account=self._store.account,
            last_edit=self._last_edit(plan.id),
        )

    def _last_edit(self, plan_id: str) -> LastEdit | None:
        """Who edited the plan last, if the site's rule asks for it."""
        if not self._run(self._store.approvals.rules.read).needs_another_person:
            return None
        return self._run(lambda: self._store.approvals.last_edit(plan_id))

    def _view(self, facts: PlanFacts, workspace: PlanWorkspace) -> ApprovalView:
        return ApprovalView(
            requirements=requirements(facts),
            checklist=checklist(
                facts.plan, patient=workspace.patient, image=workspace.image, structures=workspace.structures
            ),
            warnings=tuple(
                Confirmed(code=f"warning {n} {f.code}", sentence=f.sentence)
                for n, f in enumerate(to_accept(facts.findings), start=1)
            ),
        )

    def _standings(self, plan: Plan, models: Models) -> tuple[tuple[str, ReleaseStanding], ...]:
        found = [(b, models.with_model_of(b)) for b in plan.beams]
        return tuple((b.name, self._releases.best_standing(p)) for b, p in found if p)

    def _expect_unchanged(self, question: Question) -> None:
        """Read under the lock what the decision rests on: the plan, releases, limits, the account."""
        stored = self._run(lambda: self._store.plans.load(question.plan.id))
        if (stored.revision, stored.plan.digest) != (question.revision, question.plan.digest):
            raise StaleRevision(
                f"{stored.saved_by} saved revision {stored.revision} of this plan meanwhile; nothing was signed.",
                hint="Open the plan again and look at it before you approve it.",
            )
        self._releases.refresh()
        facts = attrs.evolve(
            question.facts,
            status=stored.status,
            tolerances=self._rules.in_use().tolerances,
            standings=self._standings(question.plan, question.models),
            account=self._run(self._store.refresh_account),
            last_edit=self._last_edit(question.plan.id),
        )
        _refuse_unmet(requirements(facts))

    def _approval(self, made: Recomputed) -> Approval:
        question, plan = made.question, made.question.plan
        beams, total = approved_beams(plan, made.doses, tuple(self._release_text(question, b) for b in plan.beams))
        kept = question.facts.check
        return Approval(
            plan_id=plan.id,
            course_id=plan.course_id,
            patient_id=question.patient_id,
            revision=question.revision + 1,
            plan_digest=plan.digest,
            inputs_digest=inputs_digest(
                plan, tuple(d.request_digest for d in made.doses), image=question.image, structures=question.structures
            ),
            image_digest=question.image.digest,
            structures_digest=structures_digest(question.structures),
            ct_curve_digest=plan.ct_curve.digest,
            beams=beams,
            plan_dose_digest=total,
            engine=made.engine,
            software=f"ERT {metadata.version('ert')}",
            second_check=""
            if kept is None
            else f"{kept.check.second_engine}: {kept.check.light.value}, "
            f"{kept.check.gamma_text} ({kept.made_by}, {kept.made_at:%Y-%m-%d %H:%M} UTC)",
            checklist=question.view.checklist,
            warnings=question.view.warnings,
        )

    def _release_text(self, question: Question, beam: Beam) -> str:
        return self._releases.best_standing(question.models.with_model_of(beam)).text


def _refuse_unmet(found: Sequence[Requirement]) -> None:
    unmet = [r for r in found if not r.is_met]
    if unmet:
        listed = " ".join(f"{n}. {r.title}: {r.sentence}" for n, r in enumerate(unmet, start=1))
        raise Refused(f"This plan cannot be approved yet. {listed}")


def expect_same(plan: Plan, shown: Sequence[DoseResult], doses: Sequence[DoseResult]) -> None:
    """Refuse doses that are not, byte by byte, those on screen."""
    pairs = list(zip(plan.beams, shown, doses, strict=True))
    other = [beam.name for beam, before, after in pairs if _bytes_of(before) != _bytes_of(after)]
    if not other:
        return
    moved = difference(dose_state(plan, tuple(shown)), dose_state(plan, tuple(doses)))
    raise DigestMismatch(
        f"Computed once more without caches, the dose of beam {', '.join(other)} is not the one on screen: it differs "
        f"by up to {moved.largest_gy:.3g} Gy ({moved.largest_pct:.3g} % of the maximum), {moved.gamma_pass_pct:.1f} % "
        "of the points agree within 1 % and 1 mm. The plan was not approved.",
        hint="Have physics run 'ert selftest' and 'ert cache clear', then compute the dose anew and look at it again.",
        detail=f"{len(other)} of {len(pairs)} beams differ",
    )


def _bytes_of(dose: DoseResult) -> tuple[str, str, str]:
    return dose.request_digest, array_digest(dose.gy_per_mu), errors_digest(dose)
