"""Sums of plans of a real site: refused where they mean nothing; a plan and its twin give twice the dose."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from ert.app.jobs import JobContext
from ert.app.plan_sum import sum_notes, sum_plans
from ert.domain.dose_uncertainty import DoseUncertainty
from ert.domain.plan import DoseTo
from ert.errors import InvalidPlan
from ert.ui.plan_sum_dialog import PlanSumDialog
from tests.ui import real_site


@pytest.fixture
def plans(window, qtbot):
    """Ids of a plan with one beam, of its twin, and of the plan without beams."""
    session = window.session
    head = session.patients()[0].courses[0].plans[0]
    workspace = session.open_plan(head.plan_id)
    beam = workspace.tools.propose(workspace.plan, workspace.plan.prescription.target_number)
    with_beam = attrs.evolve(workspace.plan, beams=(beam,))
    workspace.close()
    first = session.save_as_new(with_beam, "First")
    return session, first.plan.id, session.save_as_new(with_beam, "Twin").plan.id, head.plan_id


def in_water(session, plan_id):
    stored = session.store.plans.load
    plan = session._db(lambda: stored(plan_id)).plan
    return session.save_as_new(attrs.evolve(plan, dose_to=DoseTo.WATER), "In water").plan.id


def add(session, *plan_ids):
    return sum_plans(session, plan_ids, JobContext())


def test_sums_without_meaning_are_refused(plans):
    session, first, _twin, empty = plans
    for chosen, words in (((first,), "at least two"), ((first, first), "at least two"), ((first, empty), "no beams")):
        with pytest.raises(InvalidPlan, match=words):
            add(session, *chosen)
    with pytest.raises(InvalidPlan, match="do not add"):
        add(session, first, in_water(session, first))


def test_a_plan_and_its_twin_give_twice_the_dose_everywhere_shown(window, qtbot, plans):
    session, first, twin, _empty = plans
    dialog = PlanSumDialog(session, session.patients()[0].courses[0].plans, window)
    qtbot.addWidget(dialog)
    dialog.plans.item(0).setCheckState(dialog.plans.item(0).checkState().Unchecked)
    assert dialog.chosen_ids == [first, twin]
    found = []
    dialog.summed.connect(found.append)
    dialog.submit()
    assert not dialog.stop.isHidden()
    real_site.settle(session.jobs, qtbot, timeout_s=600.0)
    (plan_sum,) = found
    one, two = plan_sum.parts
    np.testing.assert_array_equal(one.gy, two.gy)
    np.testing.assert_allclose(plan_sum.dose.plan_gy, 2 * one.gy, rtol=1e-6)
    assert plan_sum.plan.prescription.dose_gy == 100.0
    assert not any("Monte Carlo" in note for note in plan_sum.notes)
    noisy = attrs.evolve(two, engine="monte-carlo 9, 1.99 %, 1000 histories")
    notes = sum_notes((one, noisy), None)
    assert any("the sum's is not stated" in note for note in notes)
    assert any("least certain part. Pencil beam: an estimate" in note for note in notes)
    certain = DoseUncertainty(sigma_gy=np.zeros((1, 1, 1), np.float32), mean_pct=1.24, histories=7)
    assert any("Statistical uncertainty 1.2 %" in note for note in sum_notes((noisy, noisy), certain))

    window.patient_page._show_sum(plan_sum)
    shown = window.patient_page.sum_window
    assert shown.header.name.text() == plan_sum.patient.display_name
    assert shown.header.id_value.text() == plan_sum.patient.medical_record_number
    point = plan_sum.dose.max_point_cm
    half = format(float(one.gy.max()), ".2f")
    assert f"First {half}  +  Twin {half}" in shown.probe_text(point)
    assert shown.metrics.rowCount() == len(plan_sum.dvhs) > 0
    assert shown.dvh.curve_count() == len(plan_sum.dvhs)
    shown.close()


def test_fewer_than_two_checked_plans_cannot_be_added(window, qtbot, plans):
    session, *_ = plans
    dialog = PlanSumDialog(session, session.patients()[0].courses[0].plans, window)
    qtbot.addWidget(dialog)
    assert dialog.add_button.isEnabled()
    for n in (0, 1):
        dialog.plans.item(n).setCheckState(dialog.plans.item(n).checkState().Unchecked)
    assert not dialog.add_button.isEnabled()
    assert "at least two" in dialog.add_button.toolTip()
