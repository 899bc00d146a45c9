"""The tree of patients: what a search keeps in view, and how rows are found again."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from ert.app.patient_rows import CourseRow, PatientRow
from ert.domain.patient import Course, Patient
from ert.domain.record import ImageHead, PlanHead, PlanStatus
from ert.ui.patient_model import PatientTreeModel, RowRole

IMAGE = ImageHead(image_id="i", description="CT", shape_zyx=(1, 2, 3), spacing_cm=(0.1, 0.1, 0.3))


def plan(name, course):
    return PlanHead(
        plan_id=f"id of {name}", course_id=course, name=name, revision=1, status=PlanStatus.DRAFT, saved_by="x",
        saved_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )  # fmt: skip


def course(name, patient, *plans):
    value = Course(id=f"id of {name}", patient_id=patient.id, name=name, image_id="i", structure_set_id="s")
    heads = tuple(plan(p, value.id) for p in plans)
    return CourseRow(course=value, image=IMAGE, structure_label="set", plans=heads)


CURIE = Patient(id="c", medical_record_number="1867", family_name="Curie", birth_date=dt.date(1867, 11, 7))
HAHN = Patient(id="h", medical_record_number="1879", family_name="Hahn")
FORMER = Patient(id="f", medical_record_number="4711", family_name="Sklodowska")
ROWS = (
    PatientRow(
        patient=CURIE,
        courses=(course("Breast", CURIE, "Boost", "Tangents"), course("Scar", CURIE, "Strip")),
        merged=(FORMER,),
    ),
    PatientRow(patient=HAHN, courses=(course("Ear", HAHN, "Helix boost"),)),
)


@pytest.fixture
def tree(qtbot):
    model = PatientTreeModel()
    model.show_rows(ROWS)
    return model


def shown(model, parent=None):
    """What is in view, as nested lists of names."""
    found = {}
    for n in range(model.rowCount(*([] if parent is None else [parent]))):
        index = model.index(n, 0) if parent is None else model.index(n, 0, parent)
        found[index.data()] = shown(model, index)
    return found


EVERYTHING = {
    "Curie": {"Breast": {"Boost": {}, "Tangents": {}}, "Scar": {"Strip": {}}},
    "Hahn": {"Ear": {"Helix boost": {}}},
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", EVERYTHING),
        ("curie", {"Curie": EVERYTHING["Curie"]}),
        ("1867-11", {"Curie": EVERYTHING["Curie"]}),
        ("4711", {"Curie": EVERYTHING["Curie"]}),
        ("sklod", {"Curie": EVERYTHING["Curie"]}),
        ("BOOST", {"Curie": {"Breast": {"Boost": {}}}, "Hahn": {"Ear": {"Helix boost": {}}}}),
        ("breast", {"Curie": {"Breast": {"Boost": {}, "Tangents": {}}}}),
        ("nobody", {}),
    ],
)
def test_a_search_keeps_matches_with_what_belongs_to_them(tree, text, wanted):
    tree.search(text)
    assert shown(tree) == wanted
    tree.search("")
    assert shown(tree) == EVERYTHING


def test_rows_are_found_again_and_not_where_a_search_hides_them(tree):
    model = tree
    assert model.find(plan_id="id of Strip").data(RowRole).name == "Strip"
    assert model.find(course_id="id of Ear").data(RowRole).course.name == "Ear"
    assert model.find(patient_id="h").data(RowRole).patient == HAHN
    assert not model.find(patient_id="x").isValid()
    model.search("curie")
    assert not model.find(plan_id="id of Helix boost").isValid()


def test_a_patient_whose_courses_are_not_read_says_so_and_an_inactive_one_too(tree):
    model = tree
    model.show_rows([attrs.evolve(ROWS[1], courses=(), is_complete=False, is_active=False)])
    assert model.index(0, 0).data() == "Hahn  (inactive)"
    assert model.index(0, 3).data() == "reading courses…"
    assert not model.hasChildren(model.index(0, 0))


def many(count):
    """A long list: each patient with one course and one plan."""
    patients = [Patient(id=f"p{n}", medical_record_number=f"{n:05d}", family_name="Meitner") for n in range(count)]
    return [PatientRow(patient=who, courses=(course(f"course {who.id}", who, f"plan {who.id}"),)) for who in patients]


def test_of_a_long_list_the_first_are_in_view_at_once_and_the_others_when_asked_for(tree):
    tree.show_rows(many(1203))
    assert (tree.rowCount(), tree.found_count, tree.has_more) == (500, 1203, True)
    tree.take_rest()
    assert (tree.rowCount(), tree.has_more) == (1203, False)
    assert [tree.index(n, 1).data() for n in range(1203)] == [f"{n:05d}" for n in range(1203)]
    tree.take_rest()
    assert tree.rowCount() == 1203
    tree.search("p12")  # p12, p120 to p129, p1200 to p1202
    assert (tree.rowCount(), tree.has_more) == (14, False)


def test_what_stands_far_down_a_long_list_is_found_and_taken_into_view(tree):
    tree.show_rows(many(1203))
    assert tree.position(plan_id="id of plan p1100") == 1100
    assert tree.position(patient_id="nobody") == tree.position() == -1
    index = tree.find(plan_id="id of plan p1100")
    assert index.data(RowRole).plan_id == "id of plan p1100"
    assert tree.rowCount() == 1203
