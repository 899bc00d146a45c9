"""Users on screen: added with a one-time password, changed, disabled; and their first sign-in."""

from __future__ import annotations

import pytest

from ert.domain.account import Feature, Level
from ert.domain.password import PasswordPolicy, PasswordRule
from ert.ui.change_password_form import ChangePasswordDialog
from ert.ui.confirm_password import ConfirmPasswordDialog
from ert.ui.curve_dialog import CurvesDialog
from ert.ui.password_rule_dialog import PasswordRuleDialog
from ert.ui.users_dialog import UsersDialog
from tests.ui import real_site

OWN = "Annas-Own-Pw-2@"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def dialog(window, qtbot):
    window.control.users_action.trigger()
    (made,) = window.findChildren(UsersDialog)
    qtbot.waitUntil(lambda: made.table.rowCount() == 1, timeout=20_000)
    return made


def idle(dialog, qtbot):
    qtbot.waitUntil(lambda: not dialog._is_busy, timeout=20_000)


def add_anna(dialog, qtbot) -> str:
    dialog.new.click()
    dialog.form.name.setText("anna")
    dialog.form.changed.emit()
    dialog.save.click()
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 2 and not dialog._is_busy, timeout=20_000)
    assert "was added" in dialog.message.text
    return dialog.secret.text()


def test_a_user_is_added_changed_disabled_and_enabled(window, dialog, qtbot):
    assert dialog.table.item(0, 0).text() == f"{real_site.USER} (you)"
    add_anna(dialog, qtbot)
    assert dialog.table.item(0, 0).text() == "anna"
    assert dialog.table.item(0, 4).text() == "One-time password"
    dialog.form.level.setCurrentIndex(2)
    dialog.form.features[Feature.PLAN_APPROVAL].setChecked(True)
    dialog.save.click()
    idle(dialog, qtbot)
    qtbot.waitUntil(lambda: dialog.table.item(0, 1).text() == "Elevated", timeout=20_000)
    assert dialog.table.item(0, 2).text() == "Plan Approval"
    idle(dialog, qtbot)
    dialog.switch.click()
    qtbot.waitUntil(lambda: dialog.table.item(0, 4).text() == "Disabled" and not dialog._is_busy, timeout=20_000)
    assert not dialog.reset.isEnabled()
    dialog.switch.click()
    qtbot.waitUntil(lambda: dialog.table.item(0, 4).text() == "One-time password", timeout=20_000)
    idle(dialog, qtbot)
    (anna,) = [a for a in window.session.accounts.accounts() if a.name == "anna"]
    assert anna.grant.level is Level.ELEVATED
    dialog.reject()


def test_the_last_administrator_stays(window, dialog, qtbot):
    dialog.form.is_administrator.setChecked(False)
    dialog.save.click()
    qtbot.waitUntil(lambda: "last administrator" in dialog.message.text, timeout=20_000)
    dialog.reject()


def test_a_key_slot_that_cannot_be_read_is_named_and_hides_nobody(window, dialog, qtbot, tmp_path):
    assert dialog.slots.isHidden()
    (slots,) = tmp_path.glob("**/keys/slots")
    bad = slots / "00000000-0000-4000-8000-000000000000.json"
    bad.mkdir()  # reading it fails as a bad sector would
    dialog.refresh()
    qtbot.waitUntil(lambda: bad.name in dialog.slots.text, timeout=20_000)
    assert dialog.table.item(0, 4).text() == "Enabled"
    bad.rmdir()
    dialog.refresh()
    qtbot.waitUntil(dialog.slots.isHidden, timeout=20_000)
    idle(dialog, qtbot)
    dialog.reject()


def test_after_five_minutes_the_password_is_asked_for_again(window, dialog, qtbot):
    window.session.accounts._confirmed_s -= 301.0
    dialog.new.click()
    dialog.form.name.setText("anna")
    dialog.form.changed.emit()
    dialog.save.click()
    (asking,) = dialog.findChildren(ConfirmPasswordDialog)
    asking.password.setText("Wrong-Pw-0!")
    asking.submit()
    qtbot.waitUntil(lambda: "wrong" in asking.message.text, timeout=20_000)
    asking.password.setText(real_site.PASSWORD)
    asking.submit()
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 2, timeout=20_000)
    idle(dialog, qtbot)
    dialog.reject()


def test_a_new_user_changes_the_one_time_password_before_anything_is_shown(window, dialog, qtbot):
    first = add_anna(dialog, qtbot)
    dialog.reject()
    window.sign_out()
    real_site.settle(window._jobs, qtbot)
    page = window.sign_in
    page.user.setText("anna")
    page.password.setText(first)
    page.submit()
    form = page.change_form
    qtbot.waitUntil(lambda: page._stack.currentWidget() is not page._stack.widget(0), timeout=20_000)
    assert window.session is None
    assert form.current.text() == first
    form.cancel()
    real_site.settle(window._jobs, qtbot)
    assert page._stack.currentIndex() == 0
    page.user.setText("anna")
    page.password.setText(first)
    page.submit()
    qtbot.waitUntil(lambda: page._stack.currentIndex() == 3, timeout=20_000)
    form.new.password.setText("short")
    assert not form.finish.isEnabled()
    form.new.password.setText(OWN)
    form.new.again.setText(OWN)
    form.submit()
    qtbot.waitUntil(lambda: window.session is not None, timeout=20_000)
    assert window.session.user_name == "anna"
    assert not window.control.users_action.isEnabled()
    assert not window.studio_action.isEnabled()
    window.curves_action.trigger()
    (curves,) = window.findChildren(CurvesDialog)
    assert "Facility Configuration" in curves.message.text
    curves.close()
    real_site.settle(window._jobs, qtbot)
    window.sign_out()
    real_site.settle(window._jobs, qtbot)


def test_the_password_rule_is_chosen_and_shown_to_who_changes_a_password(window, dialog, qtbot):
    dialog.rule.click()
    (rule,) = dialog.findChildren(PasswordRuleDialog)
    qtbot.waitUntil(rule.choices[PasswordPolicy.COMPOSITION].isChecked, timeout=20_000)
    assert (rule.hours.value(), rule.save.isEnabled()) == (72, False)
    rule.choices[PasswordPolicy.NIST].setChecked(True)
    rule.hours.setValue(24)
    rule.another.setChecked(True)
    rule.save.click()
    qtbot.waitUntil(lambda: not rule.isVisible(), timeout=20_000)
    assert window.session.accounts.password_rule() == PasswordRule(policy=PasswordPolicy.NIST, one_time_hours=24)
    assert window.session.accounts.approval_rule().needs_another_person
    dialog.reject()
    change = ChangePasswordDialog(window.session, window)
    qtbot.waitUntil(lambda: "15 to 128" in change.form.new.rules[0].text(), timeout=20_000)
    shown = [label.text() for label in change.form.new.rules if not label.isHidden()]
    assert len(shown) == 2
    for typed, is_good in (("kettles and lemons", True), (f"{real_site.USER} {real_site.SITE_NAME}", False)):
        change.form.new.password.setText(typed)
        change.form.new.again.setText(typed)
        assert change.form.new.is_good is is_good
    change.reject()
