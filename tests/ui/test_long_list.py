"""The page of a site with many patients: usable before everything is read, and left as it was when it is read anew."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import attrs
import pytest
from PySide6.QtCore import Qt

from ert.app.jobs import Jobs
from ert.app.patient_rows import CourseRow, PatientRow
from ert.domain.patient import Course, Patient
from ert.domain.record import ImageHead, PlanHead, PlanStatus
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.patient_model import RowRole
from ert.ui.patient_page import PatientPage

COUNT = 1300
IMAGE = ImageHead(image_id="i", description="CT", shape_zyx=(1, 2, 3), spacing_cm=(0.1, 0.1, 0.3))


def head(number: int) -> PatientRow:
    who = Patient(id=f"p{number}", medical_record_number=f"{number:05d}", family_name=f"Name {number:05d}")
    return PatientRow(patient=who, courses=(), is_complete=False)


def complete(row: PatientRow) -> PatientRow:
    course = Course(id=f"c{row.patient.id}", patient_id=row.patient.id, name="Course 1", image_id="i",
                    structure_set_id="s")  # fmt: skip
    plan = PlanHead(
        plan_id=f"plan of {row.patient.id}", course_id=course.id, name=f"Plan {row.patient.medical_record_number}",
        revision=1, status=PlanStatus.DRAFT, saved_by="x", saved_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )  # fmt: skip
    courses = (CourseRow(course=course, image=IMAGE, structure_label="set", plans=(plan,)),)
    return attrs.evolve(row, courses=courses, is_complete=True)


class ManyPatients:
    """Stands for the session of a large site: what the page asks it for."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.account = SimpleNamespace(rights=frozenset())

    def patient_heads(self) -> tuple[PatientRow, ...]:
        return tuple(head(n) for n in range(COUNT))

    def with_courses(self, heads, ctx) -> tuple[PatientRow, ...]:
        ctx.give_way()
        return tuple(complete(row) for row in heads)


@pytest.fixture
def page(qtbot):
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    made = PatientPage(ManyPatients(jobs))
    qtbot.addWidget(made)
    made.resize(1000, 600)
    made.show()
    qtbot.waitUntil(lambda: bool(made._rows) and made._rows[-1].is_complete, timeout=20_000)
    yield made
    jobs.shutdown()
    dispatcher.close()


def ids_in_view(page):
    return [page.model.index(n, 0).data(RowRole).patient.id for n in range(page.model.rowCount())]


def test_the_rest_comes_into_view_once_nobody_types(page, qtbot):
    qtbot.waitUntil(lambda: page.model.rowCount() == COUNT, timeout=5_000)
    qtbot.keyClicks(page.search, "Name")
    assert page.model.rowCount() == 500
    qtbot.waitUntil(lambda: page.model.rowCount() == COUNT, timeout=5_000)
    assert ids_in_view(page) == [f"p{n}" for n in range(COUNT)]


def test_who_was_found_stays_chosen_when_the_search_is_taken_back(page, qtbot):
    qtbot.keyClicks(page.search, "Plan 01234")
    assert page.chosen_patient.id == "p1234"
    page.tree.setCurrentIndex(page.model.find(plan_id="plan of p1234"))
    page.search.clear()
    qtbot.waitUntil(lambda: page.chosen_plan is not None, timeout=5_000)
    assert page.chosen_plan.plan_id == "plan of p1234"
    assert page.chosen_course.course.id == "cp1234"


def test_a_list_that_is_read_anew_is_scrolled_and_opened_as_it_was(page, qtbot):
    qtbot.waitUntil(lambda: page.model.rowCount() == COUNT, timeout=5_000)
    chosen = page.model.find(patient_id="p900")
    page.tree.setCurrentIndex(chosen)
    page.tree.expand(chosen)
    page.tree.scrollTo(page.model.find(patient_id="p920"))
    scrolled, former = page.tree.verticalScrollBar().value(), page._rows
    assert scrolled > 0
    page.refresh()
    qtbot.waitUntil(lambda: page._rows is not former, timeout=20_000)
    assert page.chosen_patient.id == "p900"
    assert page.tree.isExpanded(page.model.find(patient_id="p900"))
    assert page.tree.verticalScrollBar().value() == scrolled


def test_typing_holds_readings_back(page, qtbot, monkeypatch):
    worked = []
    monkeypatch.setattr(page._session.jobs.courtesy, "somebody_works", lambda: worked.append(1))
    qtbot.keyClick(page.search, Qt.Key.Key_N)
    assert worked == [1]
