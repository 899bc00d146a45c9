"""The lock: it hides everything, loses nothing, opens to the right password only, and lets somebody else in safely."""

from __future__ import annotations

import attrs
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLabel, QMessageBox, QVBoxLayout

from ert.app.session import SiteSession
from ert.domain.account import Grant
from ert.settings import SessionSettings, Settings, save_settings
from ert.ui.covers import LOCKED_TITLE, Cover
from ert.ui.session_watch import SessionWatch
from tests.ui import real_site

FIRST, OWN = "One-Time-Pw-1!", "Annas-Own-Pw-2@"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def plan(window, qtbot):
    """An open plan with an edit that is not saved."""
    (row,) = window.session.patients()
    window.open_plan(row.courses[0].plans[0].plan_id)
    qtbot.waitUntil(lambda: window.plan_page is not None, timeout=20_000)
    page = window.plan_page
    page.workspace.apply("Describe", lambda p: attrs.evolve(p, description="not saved yet"))
    assert page.workspace.is_dirty
    return page


def unlock(window, qtbot, password):
    screen = window.control.screen
    screen.password.setText(password)
    screen.submit()
    qtbot.waitUntil(
        lambda: window.control.screen is None or (screen.unlock.isEnabled() and bool(screen.message.text)),
        timeout=20_000,
    )


def beside(window, path, work):
    """Do something in another session on the same site."""
    name, password = real_site.USER, real_site.PASSWORD
    session = SiteSession.open(real_site.gateway(), window._jobs, path, user_name=name, password=password)
    try:
        work(session)
    finally:
        session.close()


def test_the_lock_hides_every_window_and_gives_all_of_it_back(window, plan, qtbot):
    note = QDialog(window)
    note.setWindowTitle("Jane Doe")
    QVBoxLayout(note).addWidget(QLabel("Jane Doe, 1950-02-03"))
    note.resize(300, 200)
    note.open()
    title = window.windowTitle()
    window.control.lock("Locked by hand.")
    assert window.control.is_locked
    for host in (window, note):
        (cover,) = [c for c in host.findChildren(Cover) if c.parent() is host]
        assert cover.geometry() == host.rect()
        assert host.windowTitle() == LOCKED_TITLE
        seen = host.grab().toImage()
        colours = {seen.pixelColor(x, 1).name() for x in range(0, host.width(), 7)}
        assert len(colours) == 1
    window.resize(1100, 720)
    qtbot.wait(1)
    assert [c.geometry() for c in window.findChildren(Cover) if c.parent() is window] == [window.rect()]
    window._show_plan_title()  # a dose that arrives writes the title again
    assert window.windowTitle() == LOCKED_TITLE
    unlock(window, qtbot, real_site.PASSWORD)
    assert not window.control.is_locked
    assert window.windowTitle() == title
    assert note.windowTitle() == "Jane Doe"
    assert note.isVisible()
    assert not any(cover.isVisible() for cover in window.findChildren(Cover))
    assert plan.workspace.plan.description == "not saved yet"
    assert plan.workspace.is_dirty
    note.close()


def test_a_wrong_password_and_escape_leave_it_locked(window, plan, qtbot):
    window.control.lock_action.trigger()
    screen = window.control.screen
    unlock(window, qtbot, "Wrong-Pw-0!")
    assert "wrong" in screen.message.text
    QTest.keyClick(screen, Qt.Key.Key_Escape)
    screen.close()
    assert screen.isVisible()
    assert window.control.is_locked
    for _ in range(2):
        unlock(window, qtbot, "Wrong-Pw-0!")
    unlock(window, qtbot, real_site.PASSWORD)  # right, but too soon after three failures
    assert "Wait" in screen.message.text
    assert window.control.is_locked
    window.control._unlock()


def test_a_window_that_opens_under_the_lock_waits(window, qtbot):
    window.control.lock("Locked by hand.")
    late = QMessageBox(window)
    late.setText("Jane Doe's backup failed")
    late.open()
    qtbot.waitUntil(lambda: not late.isVisible(), timeout=5000)
    unlock(window, qtbot, real_site.PASSWORD)
    assert late.isVisible()
    late.close()


def test_the_plan_is_still_computed_and_saved_under_the_lock(window, plan, qtbot):
    window.control.lock("Locked by hand.")
    saved = []
    plan.workspace.save(lambda: saved.append(True))
    qtbot.waitUntil(lambda: bool(saved), timeout=20_000)
    unlock(window, qtbot, real_site.PASSWORD)
    assert not plan.workspace.is_dirty


def test_somebody_else_signs_in_after_the_edits_were_kept(window, plan, qtbot):
    name, before = plan.workspace.plan.name, window.session
    window.control.lock("Locked by hand.")
    window.control.screen.other.click()
    qtbot.waitUntil(lambda: window.session is None, timeout=20_000)
    assert not window.control.is_locked
    assert window.windowTitle() == "ERT"
    assert window._pages.currentWidget() is window.sign_in
    assert f"kept as plan '{name} – unsaved edits of {real_site.USER}" in window.sign_in.message.text
    real_site.settle(window._jobs, qtbot)

    def check(session):
        (row,) = session.patients()
        names = [head.name for head in row.courses[0].plans]
        assert len(names) == 2
        kept = next(h for h in row.courses[0].plans if h.name != name)
        assert session.open_plan(kept.plan_id).plan.description == "not saved yet"
        first = next(h for h in row.courses[0].plans if h.name == name)
        assert first.revision == 1
        assert session.open_plan(first.plan_id).plan.description != "not saved yet"

    beside(window, before.site_path, check)


def test_edits_that_cannot_be_kept_keep_the_lock(window, plan, qtbot):
    window.session.store.records.is_restored_copy = True  # nothing can be saved
    window.control.lock("Locked by hand.")
    window.control.screen.other.click()
    qtbot.waitUntil(lambda: bool(window.control.screen.message.text), timeout=20_000)
    assert "stays locked" in window.control.screen.message.text
    assert window.session is not None
    assert plan.workspace.is_dirty
    window.session.store.records.is_restored_copy = False


def test_the_screen_locks_when_nobody_was_seen(window, qtbot):
    save_settings(Settings(session=SessionSettings(lock_after_minutes=2)))
    now = [0.0]
    watch = SessionWatch(window, clock=lambda: now[0])
    watch.lock_wanted.connect(window.control.lock)
    watch.set_session(window.session)
    watch._timer.stop()
    now[0] = 119.0
    watch.tick()
    assert not window.control.is_locked
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Shift)
    now[0] = 238.0
    watch.tick()
    assert not window.control.is_locked
    QTest.mouseMove(window.windowHandle(), QPoint(200, 200))
    QTest.mouseMove(window.windowHandle(), QPoint(210, 210))
    now[0] = 357.0
    watch.tick()
    assert not window.control.is_locked
    now[0] = 358.1
    watch.tick()
    assert window.control.is_locked
    assert "2 minutes" in " ".join(label.text() for label in window.control.screen.findChildren(QLabel))
    watch.set_session(None)


def test_a_disabled_account_is_out_at_the_next_look_and_its_edits_are_kept(window, plan, qtbot):
    me = window.session.account.id
    path = window.session.site_path

    def disable(session):
        session.accounts.add("anna", password=FIRST, grant=Grant(is_administrator=True))
        session.accounts.disable(me)

    beside(window, path, disable)
    assert window.session is not None
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: window.session is None, timeout=20_000)
    assert "disabled this account" in window.sign_in.message.text
    assert "kept as plan" in window.sign_in.message.text
    assert not window.control.is_locked


def test_rights_that_were_taken_away_grey_the_menus_at_the_next_look(window, qtbot):
    me = window.session.account.id
    assert window.control.users_action.isEnabled()
    assert window.add_machine_action.isEnabled()

    def demote(session):
        session.accounts.add("anna", password=FIRST, grant=Grant(is_administrator=True))
        session.accounts.set_grant(me, Grant())

    beside(window, window.session.site_path, demote)
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: not window.control.users_action.isEnabled(), timeout=20_000)
    assert not window.add_machine_action.isEnabled()
    assert window.control.lock_action.isEnabled()


def test_a_password_that_was_reset_locks_and_has_to_be_changed(window, qtbot):
    me = window.session.account.id

    def reset(session):
        session.accounts.reset_password(me, FIRST)

    beside(window, window.session.site_path, reset)
    window.control.watch.revalidate()
    qtbot.waitUntil(lambda: window.control.is_locked, timeout=20_000)
    unlock(window, qtbot, FIRST)
    from ert.ui.change_password_form import ChangePasswordDialog

    qtbot.waitUntil(lambda: bool(window.findChildren(ChangePasswordDialog)), timeout=20_000)
    (dialog,) = window.findChildren(ChangePasswordDialog)
    form = dialog.form
    form.current.setText(FIRST)
    form.new.password.setText(OWN)
    form.new.again.setText(OWN)
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        form.submit()
    assert not window.session.account.must_change_password


def test_input_events_are_those_of_people():
    from ert.ui.session_watch import _INPUT

    assert QEvent.Type.KeyPress in _INPUT
    assert QEvent.Type.Timer not in _INPUT
    assert QEvent.Type.Paint not in _INPUT
