"""Undo and redo."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ert.app.edit_session import UNDO_LIMIT, EditSession
from ert.domain.image import CtCurve, CtCurvePoint
from ert.domain.plan import Plan, Prescription

CURVE = CtCurve(
    name="c",
    points=tuple(
        CtCurvePoint(hu=h, density_g_cm3=1.0, relative_stopping=1.0, relative_scattering=1.0) for h in (-1000.0, 0.0)
    ),
)
PLAN = Plan(
    course_id="c",
    name="0",
    image_id="i",
    structure_set_id="s",
    external_number=1,
    prescription=Prescription(target_number=2, dose_gy=50.0, fractions=25),
    ct_curve=CURVE,
)


def rename(name):
    return lambda plan: attrs.evolve(plan, name=name)


def test_undo_and_redo_walk_the_same_states():
    session = EditSession(PLAN)
    for name in "123":
        assert session.apply(f"rename {name}", rename(name))
    assert session.undo_label == "rename 3"
    assert session.undo()
    assert session.undo()
    assert (session.plan.name, session.redo_label) == ("1", "rename 2")
    assert session.redo()
    assert session.plan.name == "2"
    assert session.apply("branch", rename("x"))
    assert session.redo_label is None


def test_an_edit_that_changes_nothing_is_no_step():
    session = EditSession(PLAN)
    assert not session.apply("same", lambda plan: plan)
    assert session.undo_label is None


def test_one_stroke_is_one_step():
    session = EditSession(PLAN)
    for n in range(50):
        session.apply("drag", rename(f"d{n}"), stroke="drag-1")
    session.apply("drag", rename("other"), stroke="drag-2")
    session.undo()
    assert session.plan.name == "d49"
    session.undo()
    assert session.plan == PLAN


def test_a_refused_edit_leaves_everything_as_it_was():
    session = EditSession(PLAN)

    def bad(plan):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        session.apply("bad", bad)
    assert session.plan == PLAN
    assert session.undo_label is None


def test_dirty_means_different_from_what_was_saved():
    session = EditSession(PLAN)
    session.apply("rename", rename("1"))
    assert session.is_dirty
    session.undo()
    assert not session.is_dirty
    session.redo()
    session.mark_saved(session.plan)
    assert not session.is_dirty
    session.undo()
    assert session.is_dirty


def test_history_is_bounded():
    session = EditSession(PLAN)
    for n in range(UNDO_LIMIT + 20):
        session.apply("rename", rename(str(n)))
    count = 0
    while session.undo():
        count += 1
    assert count == UNDO_LIMIT


@given(st.lists(st.sampled_from(["a", "b", "c", "undo", "redo"]), max_size=40))
def test_undo_then_redo_is_identity(actions):
    session = EditSession(PLAN)
    for action in actions:
        if action == "undo":
            session.undo()
        elif action == "redo":
            session.redo()
        else:
            session.apply(action, rename(action))
    before = session.plan
    if session.undo():
        session.redo()
    assert session.plan == before
