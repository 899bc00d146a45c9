"""Approving a plan: everything it needs, its dose computed once more, the signature, and what stays true afterwards."""

from __future__ import annotations

import shutil

import attrs
import numpy as np
import pytest

from ert.app import dose_service
from ert.app.approval_service import expect_same
from ert.app.check_rules import CheckRules
from ert.app.dose_state import DoseStatus
from ert.app.export_service import export_source
from ert.app.jobs import JobContext, Lane
from ert.app.plan_sum import sum_plans
from ert.app.readiness import Stage
from ert.app.session import SiteSession
from ert.domain.account import Feature, Grant, Level
from ert.domain.algorithm import Algorithm
from ert.domain.approval_rule import ApprovalRule
from ert.domain.identity import array_digest
from ert.domain.monte_carlo_model import MOST_UNCERTAINTY_PCT
from ert.domain.plan import with_beam
from ert.domain.record import PlanStatus
from ert.domain.second_check import CheckTolerances
from ert.errors import Cancelled, DigestMismatch, NotPermitted, PlanLocked, Refused, StaleRevision, WrongKey
from tests.integration.app import approving
from tests.integration.app.conftest import PASSWORD, USER, Owner


@pytest.fixture(scope="module")
def ready_template(gateway, site_template, tmp_path_factory):
    """A closed site with a plan that can be approved; made once."""
    folder = tmp_path_factory.mktemp("approval")
    path = shutil.copytree(site_template, folder / "site")
    owner = Owner()
    session = SiteSession.open(gateway, owner.jobs, path, user_name=USER, password=PASSWORD)
    workspace = approving.plan_to_approve(session, owner, folder / "clinical")
    plan_id = workspace.plan.id
    workspace.close()
    session.close()
    owner.jobs.shutdown()
    return path, plan_id


@pytest.fixture
def site_path(ready_template, tmp_path):
    return shutil.copytree(ready_template[0], tmp_path / "site")


@pytest.fixture
def planned(session, owner, ready_template):
    it = session.open_plan(ready_template[1])
    owner.until(lambda: it.dose.is_current)
    yield it
    it.close()


def unmet(session, workspace) -> dict[str, str]:
    return {r.code: r.sentence for r in session.approvals.view(workspace).unmet}


def turned(plan, by_deg=5.0):
    beam = plan.beams[0]
    return with_beam(plan, attrs.evolve(beam, gantry_deg=beam.gantry_deg + by_deg))


def test_a_plan_is_approved_and_whoever_opens_it_sees_the_pinned_dose_and_changes_nothing(session, planned, owner):
    assert unmet(session, planned) == {}
    shown = planned.dose.plan_gy.tobytes()
    signed = approving.approve(session, planned, PASSWORD)
    assert signed.plan_dose_digest == array_digest(planned.dose.plan_gy)
    assert (signed.patient_id, signed.revision) == (planned.patient.id, planned.revision + 1)
    assert [b.machine_name for b in signed.beams] == [approving.MACHINE]
    assert "released (version 1; planner" in signed.beams[0].release
    assert "GREEN" in signed.second_check
    opened = session.open_plan(planned.plan.id)
    owner.until(lambda: opened.dose.is_current)
    assert opened.dose.plan_gy.tobytes() == shown
    assert opened.plan == planned.plan
    assert (opened.readiness.review.stage, opened.readiness.review.text) == (
        Stage.APPROVED,
        f"Approved by planner at {signed.at.astimezone():%Y-%m-%d %H:%M}",
    )
    assert (opened.is_read_only, opened.is_dirty, opened.stored.status) == (True, False, PlanStatus.APPROVED)
    assert "is approved; it is never changed again" in opened.why_read_only
    for change in (
        lambda: opened.apply("Turn", turned),
        opened.save,
        opened.mark_ready,
        lambda: session.history.restore(opened.plan.id, 1),
    ):
        with pytest.raises((PlanLocked, Refused)):
            change()
    copy = session.save_as_new(opened.plan, "Copy")
    assert copy.status is PlanStatus.DRAFT
    assert copy.plan.id != opened.plan.id
    assert session.approvals.state(copy.plan.id) is None
    assert unmet(session, opened)["ready"].startswith("This plan is approved; a copy")
    opened.close()
    assert session.check() == ()


def test_an_approved_dose_is_never_asked_of_a_cache_a_memory_or_the_engine(session, planned, owner, monkeypatch):
    approving.approve(session, planned, PASSWORD)
    shown = planned.dose.plan_gy.tobytes()
    (result,) = planned.results
    poisoned = attrs.evolve(result, gy_per_mu=result.gy_per_mu * np.float32(2))
    session.caches.put(poisoned)

    def asked(*_given, **_named):
        raise AssertionError("asked")

    for place, name in ((type(session.caches), "get"), (dose_service, "compute_beam_dose")):
        monkeypatch.setattr(place, name, asked)
    monkeypatch.setattr("ert.storage.plans.read_dose", asked)
    monkeypatch.setattr(dose_service.DoseMemory, "get", asked)
    opened = session.open_plan(planned.plan.id)
    owner.until(lambda: opened.dose.is_current)
    assert opened.dose.plan_gy.tobytes() == shown
    opened.close()


def test_a_sum_takes_the_pinned_dose_of_an_approved_plan(session, planned, monkeypatch):
    approving.approve(session, planned, PASSWORD)
    copy = session.save_as_new(planned.plan, "Copy")
    (result,) = planned.results
    doubled = attrs.evolve(result, gy_per_mu=result.gy_per_mu * np.float32(2))
    monkeypatch.setattr("ert.storage.plans.read_dose", lambda *_given: doubled)  # as if what is kept were another dose
    total = sum_plans(session, [planned.plan.id, copy.plan.id], JobContext())
    approved, copied = total.parts
    assert approved.gy.tobytes() == planned.dose.plan_gy.tobytes()
    assert copied.gy.tobytes() == (2 * planned.dose.plan_gy).tobytes()


def test_the_pinned_dose_is_shown_under_later_numerics_too(session, planned, owner, monkeypatch):
    """What the request would be called today does not matter: nothing is computed anew."""
    approving.approve(session, planned, PASSWORD)
    shown = planned.dose.plan_gy.tobytes()
    monkeypatch.setattr("ert.domain.dose.DoseRequest.digest", "00" * 32)
    opened = session.open_plan(planned.plan.id)
    owner.until(lambda: opened.dose.is_current)
    assert opened.dose.plan_gy.tobytes() == shown
    opened.close()


def test_every_requirement_that_is_not_met_is_named_at_once(session, workspace):
    found = unmet(session, workspace)
    assert set(found) >= {"ready", "prescription", "dose", "model", "mu", "second-check", "check no-beam"}
    with pytest.raises(Refused) as refused:
        session.approvals.begin(workspace)
    for sentence in found.values():
        assert sentence in refused.value.sentence
        assert sentence.endswith(".") or ")" in sentence


def test_a_demo_machine_is_not_approved(session, workspace, owner, beam):
    package = next(p for p in session.machines() if p.is_demo)
    (model,) = [m for m in package.models if m.energy_mev == beam.energy_mev]
    other = attrs.evolve(
        beam, machine_name=package.machine.name, machine_digest=package.machine.digest, model_digest=model.digest
    )
    workspace.apply("Plan", lambda plan: with_beam(plan, other))
    workspace.wait_for_dose(owner.pump)
    assert "is demo" in unmet(session, workspace)["model"]


def test_edits_a_preview_and_an_outdated_dose_are_not_approved(session, planned, owner):
    planned.sketch(turned)
    assert "dose" in unmet(session, planned)
    planned.end_sketch()
    assert unmet(session, planned) == {}
    planned.apply("Turn", turned)
    found = unmet(session, planned)
    assert {"saved", "ready", "dose"} <= set(found)
    planned.wait_for_dose(owner.pump)
    found = unmet(session, planned)
    assert set(found) == {"saved", "ready", "second-check"}
    with pytest.raises(Refused, match="cannot be approved yet"):
        session.approvals.begin(planned)


def test_a_second_check_by_limits_the_site_no_longer_has_does_not_count(session, planned):
    rules = CheckRules(session.store, lambda run: session.jobs.call(Lane.DB, run))
    rules.save(CheckTolerances(), "our own at last")
    assert "limits the site no longer has" in unmet(session, planned)["second-check"]


def test_who_may_not_approve_sees_why_and_is_refused(session, planned):
    account = session.store.account
    grants = {
        "lacks the feature": Grant(level=Level.ELEVATED),
        "Research": Grant(level=Level.RESEARCH, features=frozenset({Feature.PLAN_APPROVAL})),
    }
    try:
        for words, grant in grants.items():
            session.store._account = attrs.evolve(account, grant=grant)
            assert words in unmet(session, planned)["right"]
            with pytest.raises(NotPermitted):
                session.approvals.begin(planned)
        session.store._account = attrs.evolve(account, is_emergency=True)
        assert "Emergency access" in unmet(session, planned)["right"]
        session.store._account = attrs.evolve(account, is_unverified=True)
        assert "nobody vouches" in unmet(session, planned)["right"]
    finally:
        session.store._account = account


def test_where_the_site_asks_for_another_person_the_list_says_so_and_who_it_was(session, planned):
    assert "another-person" not in {r.code for r in session.approvals.view(planned).requirements}
    session.accounts.set_approval_rule(ApprovalRule(needs_another_person=True))
    assert unmet(session, planned) == {
        "another-person": f"You edited this plan last (revision {planned.revision - 1}), and this site wants another "
        "person to approve it: ask a colleague with the feature Plan Approval."
    }
    with pytest.raises(Refused, match="Approved by another person: You edited this plan last"):
        session.approvals.begin(planned)
    account = session.store.account
    try:
        session.store._account = attrs.evolve(account, id="another", name="another")
        (line,) = [r for r in session.approvals.view(planned).requirements if r.code == "another-person"]
        assert (line.is_met, line.sentence) == (True, f"planner edited it last (revision {planned.revision - 1}).")
    finally:
        session.store._account = account


def test_a_rule_that_is_made_between_the_steps_counts(session, planned):
    desk = session.approvals
    question = desk.begin(planned)
    made = session.jobs.call(Lane.DOSE, lambda: desk.recompute(question, JobContext()))
    session.accounts.set_approval_rule(ApprovalRule(needs_another_person=True))
    with pytest.raises(Refused, match="another person"):
        desk.sign(made, confirmed=question.view.codes, password=PASSWORD)
    assert desk.state(planned.plan.id) is None


def test_a_wrong_password_and_a_line_that_is_not_confirmed_sign_nothing(session, planned):
    desk = session.approvals
    question = desk.begin(planned)
    made = session.jobs.call(Lane.DOSE, lambda: desk.recompute(question, JobContext()))
    left = sorted(question.view.codes)[0]
    with pytest.raises(Refused, match="Not confirmed yet"):
        desk.sign(made, confirmed=question.view.codes - {left}, password=PASSWORD)
    with pytest.raises(WrongKey):
        desk.sign(made, confirmed=question.view.codes, password="Not-this-1!")
    assert desk.state(planned.plan.id) is None
    signed = desk.sign(made, confirmed=question.view.codes, password=PASSWORD)
    assert {c.code for c in (*signed.checklist, *signed.warnings)} == question.view.codes


def test_a_dose_that_comes_out_otherwise_is_refused_with_figures(session, planned):
    desk = session.approvals
    question = desk.begin(planned)
    (result,) = question.facts.results
    other = attrs.evolve(result, gy_per_mu=result.gy_per_mu * np.float32(1.01))  # as a poisoned cache would show it
    question = attrs.evolve(question, facts=attrs.evolve(question.facts, results=(other,)))
    with pytest.raises(DigestMismatch) as refused:
        session.jobs.call(Lane.DOSE, lambda: desk.recompute(question, JobContext()))
    assert "(0.99 % of the maximum)" in refused.value.sentence  # 1 of 101 parts
    assert desk.state(planned.plan.id) is None


def test_one_bit_of_one_voxel_is_enough_to_refuse(session, planned):
    desk = session.approvals
    question = desk.begin(planned)
    (result,) = question.facts.results
    values = np.array(result.gy_per_mu)
    place = np.unravel_index(int(values.argmax()), values.shape)
    values[place] = np.nextafter(values[place], np.float32(0))
    facts = attrs.evolve(question.facts, results=(attrs.evolve(result, gy_per_mu=values),))
    with pytest.raises(DigestMismatch):
        session.jobs.call(Lane.DOSE, lambda: desk.recompute(attrs.evolve(question, facts=facts), JobContext()))


def test_a_monte_carlo_plan_is_computed_once_more_from_its_first_history_and_signed(session, planned, owner):
    """Its random numbers follow from the request: another run gives the same bytes, noise and its errors alike."""
    planned.apply(
        "Engine", lambda plan: attrs.evolve(plan, algorithm=Algorithm.MONTE_CARLO, uncertainty_pct=MOST_UNCERTAINTY_PCT)
    )
    owner.until(lambda: planned.dose.status is DoseStatus.PREVIEW)
    assert "preview" in unmet(session, planned)["dose"]
    planned.compute_final_dose()
    owner.until(lambda: planned.dose.is_current)
    approving.save(planned, owner)
    approving.check(planned, owner, Algorithm.PENCIL_BEAM)
    approving.mark_ready(planned, owner)
    assert unmet(session, planned) == {}
    desk = session.approvals
    question = desk.begin(planned)
    made = session.jobs.call(Lane.DOSE, lambda: desk.recompute(question, JobContext()))
    (shown,), (again,) = question.facts.results, made.doses
    assert again is not shown
    assert again.gy_per_mu.tobytes() == shown.gy_per_mu.tobytes()
    assert again.statistics.relative_sigma.tobytes() == shown.statistics.relative_sigma.tobytes()
    assert again.statistics.histories == shown.statistics.histories > 0
    sigma = np.array(shown.statistics.relative_sigma)
    place = np.unravel_index(int(shown.gy_per_mu.argmax()), sigma.shape)
    sigma[place] = np.nextafter(sigma[place], np.float32(1))
    other = attrs.evolve(shown, statistics=attrs.evolve(shown.statistics, relative_sigma=sigma))
    with pytest.raises(DigestMismatch):
        expect_same(planned.plan, (other,), made.doses)
    signed = desk.sign(made, confirmed=question.view.codes, password=PASSWORD)
    assert signed.beams[0].errors_digest == array_digest(shown.statistics.relative_sigma)
    opened = session.open_plan(planned.plan.id)
    owner.until(lambda: opened.dose.is_current)
    (pinned,) = opened.results
    assert pinned.gy_per_mu.tobytes() == shown.gy_per_mu.tobytes()
    assert pinned.statistics.relative_sigma.tobytes() == shown.statistics.relative_sigma.tobytes()
    opened.close()
    assert session.check() == ()


def test_the_computation_asks_no_cache_and_can_be_stopped(session, planned, monkeypatch):
    desk = session.approvals
    question = desk.begin(planned)

    def asked(*_given, **_named):
        raise AssertionError("asked")

    for name in ("get", "put"):
        monkeypatch.setattr(type(session.caches), name, asked)
    monkeypatch.setattr("ert.storage.plans.read_dose", asked)
    session.jobs.call(Lane.DOSE, lambda: desk.recompute(question, JobContext()))
    ctx = JobContext()
    ctx.cancel()
    with pytest.raises(Cancelled):
        session.jobs.call(Lane.DOSE, lambda: desk.recompute(question, ctx))
    assert desk.state(planned.plan.id) is None


def test_an_edit_or_a_withdrawn_release_between_the_steps_refuses_the_signature(session, planned, owner):
    desk = session.approvals
    question = desk.begin(planned)
    made = session.jobs.call(Lane.DOSE, lambda: desk.recompute(question, JobContext()))
    package = next(p for p in session.machines() if p.machine.name == approving.MACHINE)
    session.releases.withdraw(package.digest, "output drifted")
    with pytest.raises(Refused, match="withdrawn"):
        desk.sign(made, confirmed=question.view.codes, password=PASSWORD)
    session.releases.release(package, approving.STATEMENT)
    planned.apply("Turn", turned)
    approving.save(planned, owner)
    with pytest.raises(StaleRevision, match="saved revision"):
        desk.sign(made, confirmed=question.view.codes, password=PASSWORD)
    assert desk.state(planned.plan.id) is None


def test_a_withdrawn_approval_says_so_everywhere_and_nothing_leaves_the_program(session, planned, owner):
    approving.approve(session, planned, PASSWORD)
    opened = session.open_plan(planned.plan.id)
    owner.until(lambda: opened.dose.is_current)
    assert export_source(session, opened).approval is not None
    opened.close()
    with pytest.raises(Refused, match="10 to 1000 characters"):
        session.approvals.end(planned.plan.id, PlanStatus.WITHDRAWN, reason="no", password=PASSWORD)
    reason = "The patient lost weight."
    session.approvals.end(planned.plan.id, PlanStatus.WITHDRAWN, reason=reason, password=PASSWORD)
    with pytest.raises(Refused, match="no valid approval"):
        session.approvals.end(planned.plan.id, PlanStatus.SUPERSEDED, reason=reason, password=PASSWORD)
    again = session.open_plan(planned.plan.id)
    owner.until(lambda: again.dose.is_current)
    assert again.dose.plan_gy.tobytes() == planned.dose.plan_gy.tobytes()
    assert again.readiness.review.stage is Stage.ENDED
    assert again.readiness.review.text.startswith("DO NOT TREAT · Approval WITHDRAWN by planner at ")
    assert any(reason in f.sentence for f in again.findings)
    with pytest.raises(Refused, match="DO NOT TREAT"):
        export_source(session, again)
    with pytest.raises(PlanLocked):
        again.apply("Turn", turned)
    again.close()


def test_a_damaged_approval_is_not_opened(session, planned, site_path):
    approving.approve(session, planned, PASSWORD)
    newest = max((site_path / "data").rglob("*.erte"), key=lambda p: p.stat().st_mtime_ns)
    data = newest.read_bytes()
    newest.chmod(0o600)
    newest.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DigestMismatch, match="DO NOT TREAT – integrity failure"):
        session.open_plan(planned.plan.id)
    newest.write_bytes(data)
    session.open_plan(planned.plan.id).close()
