"""Emergency access in the window: sealed, opened with name and reason, under a red banner, nothing but looking."""

from __future__ import annotations

import pypdfium2
import pytest
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QColor, QPageSize, QPdfWriter

from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.domain.account import Right
from ert.errors import NotPermitted
from ert.ui import emergency_dialog
from ert.ui.covers import Cover
from ert.ui.emergency_dialog import EmergencyDialog
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.main_window import MainWindow
from ert.ui.printed_sheet import draw_sheet
from ert.ui.theme import style_sheet
from tests.ui import real_site

WHO, WHY = "Dr. Hedy Fromm", "Patient on the couch, provider away"


@pytest.fixture
def window(qtbot, tmp_path):
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    real_site.filled_site(tmp_path / "site")
    made = MainWindow(real_site.gateway(), jobs, with_3d=False)
    made.resize(1366, 768)
    made.show()
    yield made
    if made.plan_page is not None:
        made._close_plan_page(made.plan_page)
    if made.session is not None:
        made.sign_out()
    real_site.settle(jobs, qtbot)
    made.close()
    made.deleteLater()
    jobs.shutdown()
    dispatcher.close()


def settle(window, qtbot):
    for _ in range(4):
        real_site.settle(window._jobs, qtbot)


def administrator(window, qtbot, path):
    session = SiteSession.open(
        real_site.gateway(), window._jobs, path, user_name=real_site.USER, password=real_site.PASSWORD
    )
    window.show_site(session)
    settle(window, qtbot)
    return session


def dialog_of(window, qtbot):
    window.control.emergency_action.trigger()
    dialog = window.findChild(EmergencyDialog)
    settle(window, qtbot)
    return dialog


def seal(window, qtbot):
    dialog = dialog_of(window, qtbot)
    dialog.make.click()
    code = dialog.code.text()
    dialog.typed.setText(code)
    dialog.use.click()
    settle(window, qtbot)
    assert "counts from now on" in dialog.message.text
    assert dialog.code.text() == dialog.typed.text() == ""
    dialog.reject()
    settle(window, qtbot)
    return code


def leave(window, qtbot):
    window.sign_out()
    settle(window, qtbot)


def open_with(window, qtbot, path, code, *, person=WHO, reason=WHY):
    sign_in = window.sign_in
    sign_in.site.setText(str(path))
    sign_in.sealed.click()
    form = sign_in.emergency_form
    assert form.folder.text() == str(path)
    form.code.setText(code)
    form.person.setText(person)
    form.reason.setText(reason)
    form.submit()
    settle(window, qtbot)
    return form


@pytest.fixture
def sealed(window, qtbot, tmp_path):
    administrator(window, qtbot, tmp_path / "site")
    code = seal(window, qtbot)
    leave(window, qtbot)
    return code


def test_nothing_is_opened_without_a_name_a_reason_and_the_code(window, qtbot, tmp_path, sealed):
    for person, reason, said in (("", WHY, "your name"), (WHO, "", "a reason"), (WHO, "short", "a reason")):
        form = open_with(window, qtbot, tmp_path / "site", sealed, person=person, reason=reason)
        assert said in form.message.text
        assert not form.finish.isEnabled()
        form.cancel()
    form = open_with(window, qtbot, tmp_path / "site", sealed[:-1] + ("A" if sealed[-1] != "A" else "B"))
    assert "checksum" in form.message.text
    assert window.session is None
    form.cancel()
    assert form.code.text() == form.reason.text() == ""


def test_a_red_banner_stands_in_every_window_as_long_as_it_lasts(window, qtbot, tmp_path, sealed):
    open_with(window, qtbot, tmp_path / "site", sealed)
    window.setStyleSheet(style_sheet())
    banner = window.header.emergency
    assert banner.isVisible()
    assert banner.toolTip() == f"EMERGENCY ACCESS – {WHO}: {WHY}"
    assert banner.width() == window.centralWidget().width()
    colour = QColor(banner.grab().toImage().pixelColor(2, 2))
    assert colour.red() > 2 * max(colour.green(), colour.blue())
    (row,) = window.session.patients()
    plan_id = row.courses[0].plans[0].plan_id
    window.open_plan(plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=20_000)
    assert window.header.emergency.isVisible()
    window.records.look_at(plan_id, 1)
    qtbot.waitUntil(lambda: bool(window.records.looks), timeout=20_000)
    look = window.records.looks[0]
    assert any(w.toolTip() == banner.toolTip() and w.isVisible() for w in look.findChildren(type(banner)))
    window.records.close_looks()
    window._close_plan_page(window.plan_page)
    window.setStyleSheet("")
    leave(window, qtbot)
    assert not window.header.emergency.isVisible()
    administrator(window, qtbot, tmp_path / "site")
    assert not window.header.emergency.isVisible()


def test_plans_can_be_looked_at_and_nothing_can_be_changed(window, qtbot, tmp_path, sealed):
    open_with(window, qtbot, tmp_path / "site", sealed)
    session, page = window.session, window.patient_page
    assert session.account.rights == {Right.OWN_SESSION, Right.VIEW, Right.EXPORT}
    page.tree.setCurrentIndex(page.model.index(0, 0))
    assert not page.import_button.isEnabled()
    assert not page.new_plan_button.isEnabled()
    assert not any(action.isEnabled() for action in page.record_actions.all)
    offered = {a.text() for a in window.actions() if a.isEnabled()}
    assert not offered & {
        "Users…", "Sign-in provider…", "Emergency access…", "Change password…", "Recovery code and keys…",
        "Add machine…", "Commissioning studio…", "Activity log…",
    }  # fmt: skip
    assert {"Sign out", "Lock", "Machines…"} <= offered
    (row,) = session.patients()
    head = row.courses[0].plans[0]
    window.open_plan(head.plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=20_000)
    workspace, actions = window.plan_page.workspace, window.plan_page.actions_
    assert (workspace.is_read_only, workspace.is_earlier) == (True, False)
    with pytest.raises(NotPermitted, match="emergency access"):
        workspace.apply("Rename", lambda plan: plan)
    with pytest.raises(NotPermitted, match="emergency access"):
        session.keep_edits(workspace.plan, at=None)
    assert not any(action.isEnabled() for action in (actions.save, actions.save_as, actions.ready))
    assert "earlier revision" not in actions.report.toolTip()  # a stored dose that belongs to it may be printed


def test_every_administrator_is_told_until_a_new_one_is_sealed(window, qtbot, tmp_path, sealed):
    administrator(window, qtbot, tmp_path / "site")
    assert window.control.notice.text == ""
    leave(window, qtbot)
    open_with(window, qtbot, tmp_path / "site", sealed)
    assert window.control.notice.text == ""
    leave(window, qtbot)
    for _ in range(2):
        administrator(window, qtbot, tmp_path / "site")
        window.message.show_note("Something else")
        assert f"{WHO}: {WHY}" in window.control.notice.text
        dialog = dialog_of(window, qtbot)
        assert WHY in dialog.state.text()
        dialog.reject()
        leave(window, qtbot)
    administrator(window, qtbot, tmp_path / "site")
    seal(window, qtbot)
    assert window.control.notice.text == ""
    dialog = dialog_of(window, qtbot)
    dialog.withdraw.click()
    settle(window, qtbot)
    assert "withdrawn" in dialog.message.text
    assert "no emergency envelope" in dialog.state.text()
    dialog.reject()


def test_a_lock_opens_to_the_code_and_a_withdrawn_envelope_ends_the_session(window, qtbot, tmp_path, sealed):
    open_with(window, qtbot, tmp_path / "site", sealed)
    window.control.lock("Locked by hand.")
    screen = window.control.screen
    assert screen.password.placeholderText() == "Emergency code"
    screen.password.setText(sealed)
    screen.submit()
    qtbot.waitUntil(lambda: window.control.screen is None, timeout=20_000)
    assert not any(cover.isVisible() for cover in window.findChildren(Cover))  # hidden at once, deleted later
    real_site.in_session(tmp_path / "site", lambda session: session.accounts.emergency.withdraw())
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: window.session is None, timeout=20_000)


def test_the_sheet_holds_the_code_and_is_printed_on_one_page(window, qtbot, tmp_path, monkeypatch):
    administrator(window, qtbot, tmp_path / "site")
    dialog = dialog_of(window, qtbot)
    dialog.make.click()
    code, printed = dialog.code.text(), []
    monkeypatch.setattr(emergency_dialog, "print_sheet", lambda text, _parent: printed.append(text))
    dialog.print_button.click()
    (sheet,) = printed
    path = tmp_path / "sheet.pdf"
    writer = QPdfWriter(str(path))
    writer.setPageSize(QPageSize(QSizeF(210, 297), QPageSize.Unit.Millimeter))
    draw_sheet(sheet, writer)
    del writer
    (page,) = pypdfium2.PdfDocument(path)
    text = page.get_textpage().get_text_range()
    for group in code.split("-"):
        assert group in text
    assert real_site.SITE_NAME in text
    dialog.reject()  # not typed back: it opens nothing
    leave(window, qtbot)
    form = open_with(window, qtbot, tmp_path / "site", code)
    assert "not the emergency code" in form.message.text
