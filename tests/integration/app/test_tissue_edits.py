"""Materials, CT curves and the medium in an open plan: the dose follows, undo takes back, the plan keeps its values."""

from __future__ import annotations

import datetime as dt

import attrs
import numpy as np
import pytest

from ert.app.dose_state import DoseStatus
from ert.domain.ct_curve import SiteCtCurve
from ert.domain.image import CtCurve
from ert.domain.materials import default_ct_curve, material_named
from ert.domain.overrides import with_override, with_override_moved
from ert.domain.plan import DoseTo, Prescription, with_beam


def codes(workspace):
    return {f.code for f in workspace.findings}


@pytest.fixture
def computed(workspace, beam, owner):
    workspace.apply("Add beam", lambda plan: with_beam(plan, beam))
    workspace.wait_for_dose(owner.pump)
    owner.until(lambda: workspace.tissue_reviews.review is not None)
    return workspace


def site_curve(name="Room 2", factor=1.0) -> SiteCtCurve:
    points = tuple(attrs.evolve(p, relative_stopping=p.relative_stopping * factor) for p in default_ct_curve().points)
    return SiteCtCurve(
        curve=CtCurve(name=name, points=points), scanner="CT", kvp=120, measured_on=dt.date(2026, 1, 5), author="A"
    )


def test_an_override_makes_the_dose_old_and_another_one_and_undo_brings_it_back(computed, owner):
    before = np.array(computed.dose.plan_gy)
    lung = computed.structures.named("Lung_L").number
    computed.apply("Material of Lung_L", lambda plan: with_override(plan, lung, material_named("muscle")))
    assert computed.dose.status is not DoseStatus.CURRENT
    computed.wait_for_dose(owner.pump)
    owner.until(lambda: computed.tissue_reviews.review is not None)
    after = np.array(computed.dose.plan_gy)
    assert after.shape == before.shape
    assert np.abs(after - before).max() > 1.0
    (volume,) = computed.tissue_reviews.review.volumes
    assert volume.volume_cc == pytest.approx(1948.1, abs=0.1)  # the demo's lung as its histogram counts it: 1949.1
    assert "override" in codes(computed)
    computed.undo()
    assert computed.dose.status is DoseStatus.CURRENT  # it was computed before
    assert np.array_equal(computed.dose.plan_gy, before)
    assert "override" not in codes(computed)


def test_order_of_overlapping_materials_changes_the_dose_and_the_finding(computed, owner):
    body, lung = computed.plan.external_number, computed.structures.named("Lung_L").number
    computed.apply("a", lambda plan: with_override(plan, lung, material_named("lung")))
    computed.apply("b", lambda plan: with_override(plan, body, material_named("water")))
    computed.wait_for_dose(owner.pump)
    owner.until(lambda: computed.tissue_reviews.review is not None)
    all_water = np.array(computed.dose.plan_gy)
    assert {"override-overlap", "override-hidden"} <= codes(computed)
    computed.apply("c", lambda plan: with_override_moved(plan, lung, 1))
    assert computed.dose.status is not DoseStatus.CURRENT
    computed.wait_for_dose(owner.pump)
    owner.until(lambda: computed.tissue_reviews.review is not None)
    assert "override-overlap" in codes(computed)
    assert "override-hidden" not in codes(computed)
    assert np.abs(np.array(computed.dose.plan_gy) - all_water).max() > 1.0


def test_the_medium_is_part_of_the_dose_and_bone_tells_them_apart(computed, owner):
    to_medium = np.array(computed.dose.plan_gy)
    computed.apply("Dose to", lambda plan: attrs.evolve(plan, dose_to=DoseTo.WATER))
    assert computed.dose.status is not DoseStatus.CURRENT
    computed.wait_for_dose(owner.pump)
    to_water = np.array(computed.dose.plan_gy)
    assert not np.array_equal(to_water, to_medium)


def test_a_new_plan_takes_the_sites_only_curve_and_keeps_it(session, workspace, owner):
    first = site_curve(factor=1.01)
    session.library.save_curve(first, base_revision=0)
    course_id, target = workspace.course.id, workspace.plan.prescription.target_number
    stored = session.create_plan(course_id, "Plan 2", Prescription(target_number=target, dose_gy=50, fractions=25))
    assert stored.plan.ct_curve == first.curve
    assert "ct-curve" in codes(workspace)  # the older plan keeps the default one
    second = attrs.evolve(site_curve(factor=1.02), id=first.id)
    session.library.save_curve(second, base_revision=1)
    opened = session.open_plan(stored.plan.id)
    try:
        assert opened.plan.ct_curve == first.curve
        assert "ct-curve-newer" in codes(opened)
        opened.apply("CT curve", lambda plan: attrs.evolve(plan, ct_curve=second.curve))
        assert "ct-curve-newer" not in codes(opened)
        opened.undo()
        assert opened.plan.ct_curve == first.curve
    finally:
        opened.close()


def test_the_curve_is_part_of_what_a_dose_is_asked_for(computed, owner):
    before = np.array(computed.dose.plan_gy)
    computed.apply("CT curve", lambda plan: attrs.evolve(plan, ct_curve=site_curve(factor=1.05).curve))
    assert computed.dose.status is not DoseStatus.CURRENT
    computed.wait_for_dose(owner.pump)
    assert not np.array_equal(computed.dose.plan_gy, before)
    renamed = CtCurve(name="other name", points=computed.plan.ct_curve.points)
    computed.apply("CT curve", lambda plan: attrs.evolve(plan, ct_curve=renamed))
    assert computed.dose.status is DoseStatus.CURRENT  # a name computes nothing
