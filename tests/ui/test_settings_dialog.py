"""Settings on screen: what is set is written and used at once, refusals are shown, caches are emptied."""

import pytest
from PySide6.QtWidgets import QFileDialog

from ert.settings import CacheSettings, Settings, load_settings, save_settings, settings_path
from ert.ui.settings_dialog import SettingsDialog
from tests.integration.storage import samples


@pytest.fixture(autouse=True)
def own_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def shown(window, qtbot):
    def show() -> SettingsDialog:
        window.settings_action.trigger()
        dialog = window.findChildren(SettingsDialog)[-1]
        qtbot.waitUntil(lambda: not dialog.is_busy, timeout=20_000)
        return dialog

    return show


def test_settings_are_saved_used_at_once_and_the_cache_is_emptied(window, shown, qtbot, tmp_path):
    dialog = shown()
    assert dialog.local.state.text() == "Off."  # the test's gateway caches nothing
    dialog.local.folder.setText(str(tmp_path / "doses"))
    dialog.local.limit.setText("3")
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.submit()
    assert load_settings().cache == CacheSettings(folder=str(tmp_path / "doses"), limit_gigabytes=3)
    window.session.caches.put(samples.dose("aa" * 32))
    dialog = shown()
    assert dialog.local.state.text().startswith("1 dose of this site, 0.0 MB. Working.")
    assert dialog.network.state.text() == "No folder is set."
    dialog.clear_now()
    qtbot.waitUntil(lambda: not dialog.is_busy, timeout=20_000)
    assert dialog.local.state.text().startswith("0 doses")
    assert "removed" in dialog.message.text
    assert window.session.caches.get("aa" * 32) is None
    dialog.reject()


def test_a_share_that_is_away_is_said_and_stops_nothing(window, shown, qtbot, tmp_path):
    save_settings(Settings(cache=CacheSettings(network_folder=str(tmp_path / "nowhere"))))
    window.session.caches.apply(load_settings().cache)
    dialog = shown()
    assert dialog.network.state.text().startswith("Not reachable now")
    dialog.reject()


@pytest.mark.parametrize(
    ("field", "text"), [("folder", "relative/path"), ("limit", "0"), ("limit", "2.5"), ("limit", "x")]
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(shown, field, text):
    dialog = shown()
    getattr(dialog.network, field).setText(text)
    dialog.submit()
    assert dialog.message.text
    assert dialog.isVisible()
    assert not settings_path().exists()
    dialog.reject()


def test_settings_that_cannot_be_read_are_said_and_not_overwritten(shown):
    save_settings(Settings())
    settings_path().write_text("version = 99", encoding="utf-8")
    dialog = shown()
    assert "cannot be used" in dialog.message.text
    assert not dialog.save.isEnabled()
    dialog.submit()
    assert settings_path().read_text(encoding="utf-8") == "version = 99"
    dialog.reject()


def test_a_folder_is_chosen_with_the_mouse(shown, monkeypatch, tmp_path):
    dialog = shown()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_a: str(tmp_path))
    dialog.is_on.setChecked(True)
    dialog.network.browse.click()
    assert dialog.network.folder.text() == str(tmp_path)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_a: "")
    dialog.network.browse.click()
    assert dialog.network.folder.text() == str(tmp_path)
    dialog.reject()


def test_a_dialog_closed_while_it_looks_does_no_harm(window, qtbot):
    window.settings_action.trigger()
    dialog = window.findChildren(SettingsDialog)[-1]
    dialog.reject()
    qtbot.waitUntil(lambda: not window._jobs.active(), timeout=20_000)


def test_time_outs_are_saved_and_cannot_be_switched_off(shown, qtbot):
    dialog = shown()
    assert (dialog.lock_after.text(), dialog.revalidate.text()) == ("15 min", "5 min")
    for wrong in ("0", "61", "2.5"):
        dialog.lock_after.setText(wrong)
        dialog.submit()
        assert dialog.message.text
        assert not settings_path().exists()
    dialog.lock_after.setText("3")
    dialog.revalidate.setText("1")
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.submit()
    session = load_settings().session
    assert (session.lock_after_minutes, session.revalidate_minutes) == (3, 1)
