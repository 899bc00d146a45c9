"""Whose data is on screen: name, id and birth date stand over every page, and follow the page."""

from __future__ import annotations

import datetime as dt

from PySide6.QtCore import QPoint
from shiboken6 import isValid

from ert.domain.patient import Patient
from ert.ui.jobs_bridge import while_there
from ert.ui.page_header import PageHeader
from tests.ui.real_site import settle

CURIE = Patient(
    medical_record_number="R-1867", family_name="CURIE", given_name="Maria", birth_date=dt.date(1867, 11, 7)
)
UNDATED = Patient(medical_record_number="R-2", family_name="NOBODY")


def shown(header: PageHeader) -> tuple[str, str, str]:
    return header.name.text(), header.id_value.text(), header.birth_value.text()


def test_the_header_names_the_patient_and_forgets_the_one_before(qtbot):
    header = PageHeader(site_text="Site", user_name="User", is_demo=False)
    qtbot.addWidget(header)
    assert shown(header) == ("No patient chosen", "–", "–")
    header.show_patient(CURIE)
    assert shown(header) == ("CURIE, Maria", "R-1867", "1867-11-07")
    header.show_patient(UNDATED)
    assert shown(header) == ("NOBODY", "R-2", "unknown")
    header.show_patient(None)
    assert shown(header) == ("No patient chosen", "–", "–")


def test_the_patient_stands_over_the_list_and_over_the_plan(window, qtbot):
    page = window.patient_page
    qtbot.waitUntil(lambda: page.chosen_patient is not None)
    patient = page.chosen_patient
    wanted = (patient.display_name, patient.medical_record_number, patient.birth_date.isoformat())
    assert shown(window.header) == wanted
    assert window.header.isVisible()
    (row,) = window.session.patients()
    window.open_plan(row.courses[0].plans[0].plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=20_000)
    assert window.plan_page.isVisible()
    assert window.header.isVisible()
    assert shown(window.header) == wanted
    assert patient.display_name in window.windowTitle()
    below_header = window.header.mapTo(window, QPoint(0, window.header.height())).y()
    assert below_header <= window.plan_page.mapTo(window, QPoint(0, 0)).y()


def test_a_list_that_was_just_read_is_not_shown_to_who_has_signed_out(window, qtbot):
    """A queued answer met a page that was gone: an error in the event loop."""
    page = window.patient_page
    settle(window._jobs, qtbot)
    answers = [while_there(page, told) for told in (page._read_courses, page._show, page._failed)]
    window.sign_out()
    qtbot.waitUntil(lambda: not isValid(page))
    settle(window._jobs, qtbot)  # the site is closed by a job, which takes the time it takes
    for answer in answers:
        answer(((), []))
    assert window._jobs.active() == []
