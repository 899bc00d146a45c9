"""A plan that is marked ready is checked by itself; an edit takes that back; limits are the site's."""

import attrs
import pytest

from ert.app.check_rules import CheckRules
from ert.app.jobs import Lane
from ert.app.readiness import Stage
from ert.domain.account import Feature, Grant, Level
from ert.domain.algorithm import Algorithm
from ert.domain.plan import DoseGridSpec, with_beam
from ert.domain.record import PlanStatus
from ert.domain.second_check import DEFAULT_SOURCE, CheckTolerances, Light
from ert.errors import NotPermitted, Refused

WIDE = CheckTolerances(
    gamma_dose_pct=10.0, gamma_distance_cm=1.0, green_pass_pct=40.0, amber_pass_pct=30.0, green_difference_pct=90.0,
    amber_difference_pct=95.0,
)  # fmt: skip


@pytest.fixture
def rules(session):
    return CheckRules(session.store, lambda run: session.jobs.call(Lane.DB, run))


@pytest.fixture
def planned(workspace, owner, beam, rules):
    """A Monte Carlo plan of a coarse grid, because redefinition checks it fast; limits it surely keeps."""
    rules.save(WIDE, "for a coarse grid")
    spec = DoseGridSpec(spacing_cm=1.0, margin_cm=2.0)
    workspace.apply(
        "Plan",
        lambda plan: attrs.evolve(
            with_beam(plan, beam), dose_grid=spec, algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=3.0
        ),
    )
    return workspace


def test_limits_are_kept_in_revisions_with_a_reason_by_who_may(rules, session):
    assert rules.in_use().source == DEFAULT_SOURCE
    assert rules.in_use().tolerances == CheckTolerances()
    entry = rules.save(attrs.evolve(CheckTolerances(), green_pass_pct=98.0), "our audit of last year")
    assert (entry.revision, entry.value.reason) == (1, "our audit of last year")
    assert rules.in_use().source == "the site's limits, revision 1"
    with pytest.raises(Refused, match="in use already"):
        rules.save(entry.value.tolerances, "again")
    with pytest.raises(Refused, match="need a reason"):
        rules.save(WIDE, "  ")
    assert rules.save(WIDE, "another").revision == 2
    assert [e.value.tolerances.green_pass_pct for e in rules.history()] == [40.0, 98.0]
    for wrong in ({"gamma_dose_pct": 0.0}, {"gamma_distance_cm": 1.5}, {"gamma_threshold_pct": 95.0}):
        with pytest.raises(Refused):
            attrs.evolve(CheckTolerances(), **wrong)
    account = session.store.account
    planner = attrs.evolve(account, grant=Grant(level=Level.ELEVATED, features=frozenset({Feature.IM_DEVICE})))
    session.store._account = planner
    try:
        with pytest.raises(NotPermitted, match="change the limits"):
            rules.save(CheckTolerances(), "not mine to say")
        assert rules.in_use().tolerances == WIDE
    finally:
        session.store._account = account


def test_a_ready_plan_is_checked_by_itself_also_after_a_break_and_an_edit_takes_its_readiness_back(
    session, planned, owner
):
    with pytest.raises(Refused, match="without a dose of its own"):
        planned.mark_ready()
    planned.wait_for_dose(owner.pump)
    assert planned.readiness.review.stage is Stage.DRAFT
    marked = []
    planned.mark_ready(lambda: marked.append(True))
    owner.until(lambda: marked)
    assert planned.stored.status is PlanStatus.READY
    assert planned.readiness.is_ready
    assert planned.readiness.review.stage is Stage.CHECKING
    planned.close()  # it is begun again by whoever opens the plan
    planned = session.open_plan(planned.plan.id)
    owner.until(lambda: planned.readiness.check is not None)
    kept = planned.readiness.check
    assert kept.check.second_engine.startswith("pbra")
    assert kept.check.tolerances == WIDE
    assert kept.check.tolerances_source == "the site's limits, revision 1"
    assert kept.check.light is Light.GREEN
    assert planned.readiness.review.stage is Stage.CHECKED
    assert planned.readiness.review.light is Light.GREEN
    (said,) = [f for f in planned.findings if f.code == "second-check"]
    assert "the site's limits, revision 1" in said.sentence
    with pytest.raises(Refused, match="already"):
        planned.mark_ready()
    # an edit takes it back, undo brings it back, and the check still is its check
    planned.apply("Turn", lambda p: with_beam(p, attrs.evolve(p.beams[0], gantry_deg=p.beams[0].gantry_deg + 5.0)))
    assert planned.readiness.review.stage is Stage.LOST
    assert any(f.code == "ready-lost" for f in planned.findings)
    planned.undo()
    assert planned.readiness.review.stage is Stage.CHECKED
    head = session.store.plans
    assert session.jobs.call(Lane.DB, lambda: head.head(planned.plan.id)).status is PlanStatus.READY
    events = session.jobs.call(Lane.DB, lambda: list(session.history.revisions(planned.plan.id)))
    assert "ready" in events[0].reason
    # what is saved after an edit is a draft
    planned.apply("Turn", lambda p: with_beam(p, attrs.evolve(p.beams[0], gantry_deg=p.beams[0].gantry_deg + 5.0)))
    saved = []
    planned.save(on_saved=lambda: saved.append(True))
    owner.until(lambda: saved)
    assert planned.stored.status is PlanStatus.DRAFT
    assert planned.readiness.review.stage is Stage.DRAFT
    planned.close()
