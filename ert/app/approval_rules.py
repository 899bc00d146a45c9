"""What a plan must be before it may be approved: every requirement with its state and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from ert.app.dose_state import DoseState, DoseStatus
from ert.app.release_book import ReleaseStanding, ReleaseState
from ert.domain.account import Account, Level, Right
from ert.domain.algorithm import Algorithm
from ert.domain.approval_rule import LastEdit
from ert.domain.dose import DoseResult
from ert.domain.monitor_units import BeamMuCheck, Verdict
from ert.domain.plan import Plan
from ert.domain.record import Finding, PlanStatus, Severity
from ert.domain.second_check import CheckTolerances, KeptSecondCheck, Light

COVERED = frozenset({"demo", "not-released", "mu-action", "mu-unchecked", "second-check-stale", "ready-lost"})
"""Codes of warnings that nobody can accept, because a requirement here stands for them."""


@attrs.frozen(kw_only=True)
class Requirement:
    """One thing an approval needs.

    Attributes
    ----------
    title : what, in a few words.
    is_met : whether it is so.
    sentence : how it stands; if it is not met, what to do.
    """

    code: str
    title: str
    is_met: bool
    sentence: str


@attrs.frozen(kw_only=True)
class PlanFacts:
    """All that decides; taken from the open plan and the site at one moment.

    Attributes
    ----------
    status : of the newest revision.
    is_as_saved : the plan on screen is that revision in every value, and nothing is being saved.
    results : doses of the beams while the dose is current.
    check : the second check of exactly this plan and dose; None if there is none.
    tolerances : limits of the second check that the site has now.
    standings : of each beam's model, with the beam's name.
    last_edit : who edited the saved plan last, where the site wants another person to approve; None where it does not.
    """

    plan: Plan
    status: PlanStatus
    is_as_saved: bool
    is_earlier: bool
    dose: DoseState
    results: tuple[DoseResult, ...]
    findings: tuple[Finding, ...]
    mu_checks: tuple[BeamMuCheck, ...]
    check: KeptSecondCheck | None
    tolerances: CheckTolerances
    standings: tuple[tuple[str, ReleaseStanding], ...]
    account: Account
    last_edit: LastEdit | None = None


def requirements(facts: PlanFacts) -> tuple[Requirement, ...]:
    """Every requirement, met or not, in the order in which one works through them."""
    return (
        _right(facts.account),
        *_another_person(facts),
        _saved(facts),
        _ready(facts),
        _beams(facts.plan),
        _dose(facts.dose),
        *_uncertainty(facts.plan, facts.results),
        _models(facts.standings),
        *_stops(facts.findings),
        _monitor_units(facts),
        _second_check(facts),
    )


def to_accept(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The warnings that whoever approves has to accept one by one."""
    return tuple(f for f in findings if f.severity is Severity.WARNING and f.code not in COVERED)


def _right(account: Account) -> Requirement:
    title, code = "You may approve", "right"
    if Right.APPROVE in account.rights:
        return Requirement(code=code, title=title, is_met=True, sentence="Your account has the feature Plan Approval.")
    if account.is_emergency:
        why = "Emergency access approves nothing: sign in with an account of your own."
    elif account.grant.level is Level.RESEARCH:
        why = "An account of the level Research approves nothing: ask somebody of another level."
    elif account.is_unverified:
        why = "The sign-in provider cannot be reached, so nobody vouches for you: approve when it is back."
    else:
        why = "Your account lacks the feature Plan Approval: an administrator can give it (Site, Users)."
    return Requirement(code=code, title=title, is_met=False, sentence=why)


def _another_person(facts: PlanFacts) -> Iterator[Requirement]:
    edit = facts.last_edit
    if edit is None:
        return
    is_met = edit.user_id != facts.account.id
    who = edit.user_name or "somebody else"
    why = f"{who} edited it last (revision {edit.revision})." if is_met else edit.own_words()
    yield Requirement(code="another-person", title="Approved by another person", is_met=is_met, sentence=why)


def _saved(facts: PlanFacts) -> Requirement:
    why = "Every edit is saved." if facts.is_as_saved else "The plan was edited since it was saved: save it first."
    if facts.is_earlier:
        why = "This is an earlier revision: open the plan itself."
    return Requirement(
        code="saved", title="Plan saved", is_met=facts.is_as_saved and not facts.is_earlier, sentence=why
    )


def _ready(facts: PlanFacts) -> Requirement:
    title, code = "Marked ready for review", "ready"
    if facts.status.is_locked:
        why = f"This plan is {facts.status.phrase}; a copy of it can be approved (Plan, Clone as new plan)."
        return Requirement(code=code, title=title, is_met=False, sentence=why)
    is_met = facts.status is PlanStatus.READY and facts.is_as_saved
    why = "Its planner said so." if is_met else "Its planner marks it in menu Plan, Mark ready for review."
    return Requirement(code=code, title=title, is_met=is_met, sentence=why)


def _beams(plan: Plan) -> Requirement:
    ordered = plan.prescription
    is_met = bool(plan.beams) and all(beam.mu is not None for beam in plan.beams)
    count = len(plan.beams)
    why = (
        f"{ordered.dose_gy:g} Gy in {ordered.fractions} fractions; {count} beam{'s' * (count != 1)} with monitor units."
    )
    if not is_met:
        why = "A plan needs a prescription, a beam, and monitor units for each: add beams, compute the dose."
    return Requirement(code="prescription", title="Prescription and beams", is_met=is_met, sentence=why)


_NO_DOSE = {
    DoseStatus.NONE: "There is no dose: compute it.",
    DoseStatus.COMPUTING: "The dose is being computed: wait for it.",
    DoseStatus.PREVIEW: "The dose on screen is a preview: compute the final dose (Shift+F5).",
    DoseStatus.STALE: "The dose on screen is out of date: compute it anew (F5).",
}


def _dose(dose: DoseState) -> Requirement:
    is_met = dose.status is DoseStatus.CURRENT
    why = f"Computed by {dose.engine}." if is_met else _NO_DOSE.get(dose.status, f"There is no dose: {dose.message}")
    return Requirement(code="dose", title="The plan's own dose, up to date", is_met=is_met, sentence=why)


def _uncertainty(plan: Plan, results: Sequence[DoseResult]) -> Iterator[Requirement]:
    if Algorithm.MONTE_CARLO not in plan.algorithms:
        return
    asked_pct = plan.uncertainty_pct
    found = [r.statistics.uncertainty_pct for r in results if r.statistics is not None]
    is_met = bool(found) and max(found) <= asked_pct
    why = f"At most {max(found, default=0.0):.1f} % of {asked_pct:g} % that were asked for."
    if not found:
        why = "The final dose is not computed: compute it (Shift+F5)."
    elif not is_met:
        why = (
            f"A dose is certain to {max(found):.1f} % only, {asked_pct:g} % were asked for: it reached its limit "
            "of histories. Ask for what can be reached, or use another engine."
        )
    yield Requirement(code="uncertainty", title="Monte Carlo certain enough", is_met=is_met, sentence=why)


def _models(standings: Sequence[tuple[str, ReleaseStanding]]) -> Requirement:
    lacking = [f"beam '{name}' is {standing.state.value}" for name, standing in standings
               if standing.state is not ReleaseState.RELEASED]  # fmt: skip
    why = "A physicist released the model of every beam." if standings else "There is no beam with a model: add one."
    if lacking:
        why = f"The model of {', '.join(lacking)}: a physicist releases it (Site, Machines), or choose one that is."
    return Requirement(code="model", title="Beam models released", is_met=bool(standings) and not lacking, sentence=why)


def _stops(findings: Sequence[Finding]) -> Iterator[Requirement]:
    stops = [f for f in findings if f.severity is Severity.BLOCKER and not f.code.startswith("dose-")]
    if not stops:
        yield Requirement(
            code="checks",
            title="Plan checks",
            is_met=True,
            sentence="No check stops the plan; models are within range.",
        )
    for stop in stops:
        yield Requirement(code=f"check {stop.code}", title="Plan check", is_met=False, sentence=stop.sentence)


def _monitor_units(facts: PlanFacts) -> Requirement:
    title, code = "Monitor units checked by hand", "mu"
    bad = [c for c in facts.mu_checks if c.verdict in (Verdict.ACTION, Verdict.NOT_CHECKED)]
    if not facts.mu_checks:
        why = "They are checked once the dose is up to date."
    elif bad:
        names = ", ".join(f"'{c.beam_name}'" for c in bad)
        why = f"Beam {names}: above the action level, or not checkable; panel Monitor units says why. Ask physics."
    else:
        why = "Every beam agrees with TG-71 within the site's action level."
    return Requirement(code=code, title=title, is_met=bool(facts.mu_checks) and not bad, sentence=why)


def _second_check(facts: PlanFacts) -> Requirement:
    title, code, kept = "Second check", "second-check", facts.check
    if kept is None:
        why = "No other engine has checked this plan and this dose: mark the plan ready, and wait for the check."
        return Requirement(code=code, title=title, is_met=False, sentence=why)
    light = kept.check.light
    if kept.check.tolerances != facts.tolerances:
        why = "It was judged by limits the site no longer has: check again (Plan, Second check) and keep it."
        return Requirement(code=code, title=title, is_met=False, sentence=why)
    if light is Light.RED:
        why = f"Outside the action limit ({kept.check.gamma_text}): find out why, correct the plan, check again."
        return Requirement(code=code, title=title, is_met=False, sentence=why)
    word = "within tolerance" if light is Light.GREEN else "within the action limit; to be accepted below"
    return Requirement(code=code, title=title, is_met=True, sentence=f"{word.capitalize()}: {kept.check.gamma_text}.")
