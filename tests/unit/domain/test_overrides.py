"""Edits of a plan's overrides: order, replacement, removal."""

from __future__ import annotations

import pytest

from ert.domain.materials import default_ct_curve, material_named
from ert.domain.overrides import with_override, with_override_moved, without_override
from ert.domain.plan import Plan, Prescription
from ert.errors import InvalidPlan

WAX, LEAD = material_named("wax"), material_named("lead")


@pytest.fixture
def plan():
    empty = Plan(
        course_id="c", name="p", image_id="i", structure_set_id="s", external_number=1, ct_curve=default_ct_curve(),
        prescription=Prescription(target_number=2, dose_gy=50, fractions=25),
    )  # fmt: skip
    for number in (3, 4, 5):
        empty = with_override(empty, number, WAX)
    return empty


def order(plan):
    return [o.structure_number for o in plan.overrides]


def test_a_new_override_is_the_last_and_an_old_one_keeps_its_place(plan):
    assert order(plan) == [3, 4, 5]
    again = with_override(plan, 4, LEAD)
    assert order(again) == [3, 4, 5]
    assert [o.material.name for o in again.overrides] == ["wax", "lead", "wax"]
    assert plan.overrides[1].material is WAX


@pytest.mark.parametrize(
    ("number", "steps", "expected"),
    [(3, 1, [4, 3, 5]), (3, 9, [4, 5, 3]), (5, -1, [3, 5, 4]), (5, -9, [5, 3, 4]), (4, 0, [3, 4, 5])],
)
def test_moving_stops_at_the_ends(plan, number, steps, expected):
    assert order(with_override_moved(plan, number, steps)) == expected


def test_removing_and_what_is_not_there(plan):
    assert order(without_override(plan, 4)) == [3, 5]
    for edit in (lambda: without_override(plan, 9), lambda: with_override_moved(plan, 9, 1)):
        with pytest.raises(InvalidPlan, match="no override of structure number 9"):
            edit()


def test_order_and_material_are_part_of_the_digest(plan):
    assert with_override_moved(plan, 3, 1).digest != plan.digest
    assert with_override(plan, 3, LEAD).digest != plan.digest
