"""Records administered from the patient page: what is offered, what is asked, what the list shows afterwards."""

from __future__ import annotations

import attrs
import pytest

from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.main_window import MainWindow
from tests.integration.storage import samples
from tests.ui import real_site


@pytest.fixture
def window(qtbot, tmp_path):
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    path = real_site.filled_site(tmp_path / "site")
    site = real_site.gateway().open(path, user_name=real_site.USER, password=real_site.PASSWORD)
    samples.import_one(site, number="4711")
    site.close()
    made = MainWindow(real_site.gateway(), jobs, with_3d=False)
    session = SiteSession.open(real_site.gateway(), jobs, path, user_name=real_site.USER, password=real_site.PASSWORD)
    made.show()
    made.show_site(session)
    settle(made, qtbot)
    yield made
    settle(made, qtbot)
    made.sign_out()
    settle(made, qtbot)
    made.close()
    made.deleteLater()
    jobs.shutdown()
    dispatcher.close()


def settle(window, qtbot):
    for _ in range(4):
        real_site.settle(window._jobs, qtbot)


def choose(window, number):
    page = window.patient_page
    for n in range(page.model.rowCount()):
        index = page.model.index(n, 0)
        if page.model.index(n, 1).data() == number:
            page.tree.setCurrentIndex(index)
            return page.record_actions
    raise AssertionError(number)


def asked(window, qtbot, action):
    action.trigger()
    settle(window, qtbot)
    return window.patient_page.record_actions.dialog


def listed(window):
    page = window.patient_page
    return {page.model.index(n, 1).data(): page.model.index(n, 0).data() for n in range(page.model.rowCount())}


def test_a_correction_needs_a_reason_and_shows_in_list_and_header(window, qtbot):
    actions = choose(window, "4711")
    dialog = asked(window, qtbot, actions.correct)
    dialog.lines["family_name"].setText("Rightname")
    assert not dialog.ok.isEnabled()
    dialog.reason.setText("slip")
    dialog.birth.setText("29.2.1948")
    dialog.ok.click()
    assert "YYYY-MM-DD" in dialog.message.text
    dialog.birth.setText("1950-01-02")
    dialog.ok.click()
    settle(window, qtbot)
    assert "Rightname jr" in listed(window)["4711"]
    assert "Rightname" in window.patient_page.message.text
    choose(window, "4711")
    assert window.header.birth_value.text() == "1950-01-02"


def test_a_number_of_somebody_else_is_told_in_the_dialog(window, qtbot):
    dialog = asked(window, qtbot, choose(window, "4711").correct)
    dialog.lines["medical_record_number"].setText("ERT-DEMO-1")
    dialog.lines["issuer"].setText("")
    dialog.reason.setText("x")
    dialog.ok.click()
    settle(window, qtbot)
    assert dialog.isVisible()
    assert "merge them" in dialog.message.text
    dialog.reject()


def test_records_are_merged_in_spite_of_differences_only_when_that_is_certain_and_taken_apart(window, qtbot):
    actions = choose(window, "4711")
    assert not actions.unmerge.isEnabled()
    dialog = asked(window, qtbot, actions.merge)
    dialog.search.setText("demo")
    dialog.table.selectRow(0)
    dialog.reason.setText("registered twice")
    assert "family name differs" in dialog.against.text()
    assert not dialog.ok.isEnabled()
    dialog.accept_differences.setChecked(True)
    dialog.ok.click()
    settle(window, qtbot)
    assert set(listed(window)) == {"ERT-DEMO-1"}
    actions = choose(window, "ERT-DEMO-1")
    (row,) = window.patient_page._rows
    assert len(row.courses) == 2
    window.patient_page.search.setText("4711")
    assert set(listed(window)) == {"ERT-DEMO-1"}
    window.patient_page.search.setText("")
    dialog = asked(window, qtbot, actions.unmerge)
    dialog.reason.setText("two persons")
    dialog.ok.click()
    settle(window, qtbot)
    assert set(listed(window)) == {"ERT-DEMO-1", "4711"}


def test_an_inactive_patient_is_listed_on_request(window, qtbot):
    page = window.patient_page
    assert not page.show_inactive.isVisible()
    dialog = asked(window, qtbot, choose(window, "4711").state)
    dialog.reason.setText("treated")
    dialog.ok.click()
    settle(window, qtbot)
    assert set(listed(window)) == {"ERT-DEMO-1"}
    page.show_inactive.setChecked(True)
    assert listed(window)["4711"].endswith("(inactive)")
    actions = choose(window, "4711")
    assert actions.state.text() == "Make active…"
    dialog = asked(window, qtbot, actions.state)
    dialog.reason.setText("comes back")
    dialog.ok.click()
    settle(window, qtbot)
    assert not listed(window)["4711"].endswith("(inactive)")


def test_an_anonymised_copy_is_listed_under_its_own_number(window, qtbot):
    dialog = asked(window, qtbot, choose(window, "ERT-DEMO-1").anonymise)
    dialog.number.setText("STUDY-1")
    dialog.reason.setText("teaching")
    dialog.ok.click()
    settle(window, qtbot)
    settle(window, qtbot)
    assert listed(window)["STUDY-1"] == "Anonymous"
    (row,) = [r for r in window.patient_page._rows if r.patient.medical_record_number == "STUDY-1"]
    assert row.patient == attrs.evolve(row.patient, birth_date=None, given_name="")
    assert [p.name for p in row.courses[0].plans] == ["Plan 1"]
