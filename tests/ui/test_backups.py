"""Backups from the window: by hand and on time, told of when they fail, listed and verified; levels of the check."""

from __future__ import annotations

import datetime as dt
import os

import pytest

from ert.app.backup_service import BackupPlan
from ert.app.jobs import Jobs
from ert.app.session import SiteSession
from ert.domain.backup import Retention
from ert.ui.backup_settings import backup_plan, remember_backup_plan
from ert.ui.jobs_bridge import Dispatcher
from ert.ui.main_window import MainWindow
from tests.ui import real_site


@pytest.fixture
def window(qtbot, tmp_path):
    dispatcher = Dispatcher()
    jobs = Jobs(dispatcher)
    real_site.make_empty_site(tmp_path / "site")
    made = MainWindow(real_site.gateway(), jobs, with_3d=False)
    session = SiteSession.open(
        real_site.gateway(), jobs, tmp_path / "site", user_name=real_site.USER, password=real_site.PASSWORD
    )
    made.show()
    made.show_site(session)
    real_site.settle(jobs, qtbot)
    yield made
    real_site.settle(jobs, qtbot)
    session.close()
    made.close()
    made.deleteLater()
    qtbot.wait(1)  # deleted now: its timers must not ring in another test
    jobs.shutdown()
    dispatcher.close()


def settle(window, qtbot):
    """Until nothing runs, nor anything that what ended has started."""
    for _ in range(4):
        real_site.settle(window.session.jobs, qtbot)


def plan_in(window, folder, **options):
    plan = BackupPlan(folder=folder, **options)
    remember_backup_plan(window.session.store.site_id, plan)
    return plan


def test_settings_are_kept_for_each_site_apart(window, tmp_path):
    rule = Retention(keep_last=1, keep_daily=2, keep_weekly=3, keep_monthly=4)
    plan = plan_in(window, tmp_path / "backups", every_hours=5, rule=rule)
    assert backup_plan(window.session.store.site_id) == plan
    assert backup_plan("another site") == BackupPlan()


def test_without_a_folder_the_window_says_so_and_back_up_now_asks_for_one(window, qtbot, tmp_path):
    assert window.care.status.text() == "Last backup: never"
    assert "No folder for backups" in window.care.status.toolTip()
    assert window.message.text == ""
    window.care.backup_action.trigger()
    dialog = window.care.dialog
    dialog.now_button.click()
    assert "Choose a folder" in dialog.message.text
    dialog.folder.setText(str(tmp_path / "backups"))
    dialog.now_button.click()
    settle(window, qtbot)
    assert "complete and verified" in dialog.message.text
    assert dialog.table.rowCount() == 1
    assert dialog.table.item(0, 6).text() == "complete"
    assert window.care.status.text() == f"Last backup: {dt.datetime.now():%Y-%m-%d}{window.care.status.text()[-6:]}"
    dialog.verify()
    settle(window, qtbot)
    assert "is sound" in dialog.message.text
    database = next((tmp_path / "backups").rglob("site.db"))
    database.write_bytes(database.read_bytes()[:-1])
    dialog.verify()
    settle(window, qtbot)
    assert "is damaged" in dialog.message.text
    assert dialog.table.item(0, 6).text() == "DAMAGED"
    dialog.reject()


def test_a_backup_that_is_due_is_made_by_itself_once(window, qtbot, tmp_path):
    plan = plan_in(window, tmp_path / "backups", every_hours=4)
    (tmp_path / "backups").mkdir()
    window.care.look()
    settle(window, qtbot)
    window.care.look()
    settle(window, qtbot)
    assert [b.is_good for b in window.session.backups.backups(plan)] == [True]
    assert window.session.backups.standing(plan).finding is None


def test_a_backup_that_fails_is_told_and_not_tried_again_at_once(window, qtbot, tmp_path):
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "letter.txt").write_bytes(b"x")
    plan_in(window, tmp_path / "backups", every_hours=4)
    window.care.look()
    settle(window, qtbot)
    assert "There is no new backup" in window.message.text or "holds no backups" in window.message.text
    assert "holds no backups" in window.care.status.toolTip()
    assert window.care._pause > 0


def test_signing_out_stops_a_backup_and_closes_the_site(window, qtbot, tmp_path):
    plan_in(window, tmp_path / "backups")
    session = window.session
    window.care.back_up()
    window.sign_out()
    real_site.settle(session.jobs, qtbot)
    assert window.care.status.text() == ""
    leftovers = [p.name for p in (tmp_path / "backups").rglob("*.unfinished")]
    assert leftovers == []
    window.session = session  # the fixture closes it a second time, which does no harm


@pytest.mark.parametrize(("level", "said"), [(0, "level 0 of 4"), (4, "read, decrypted and verified (level 4 of 4)")])
def test_the_site_is_verified_to_the_level_that_was_chosen(window, qtbot, level, said):
    from PySide6.QtWidgets import QApplication, QLabel

    window.care.choose_check()
    dialog = QApplication.activeModalWidget()
    dialog.levels[level].setChecked(True)
    dialog.submit()
    settle(window, qtbot)
    result = QApplication.activeModalWidget()
    assert any(said in label.text() for label in result.findChildren(QLabel))
    result.reject()


def test_unused_files_are_cleared_away_by_the_window_once_a_day_and_never_beside_a_backup(window, qtbot, tmp_path):
    site = window.session.site_path
    orphan = site / "data" / "left" / "half.erte"
    orphan.parent.mkdir()

    def leave_one():
        orphan.write_bytes(b"of a save that did not finish")
        os.utime(orphan, (1, 1))

    leave_one()
    theirs = real_site.gateway().open(site, user_name=real_site.USER, password=real_site.PASSWORD)
    pending = theirs.start_backup(tmp_path / "backups")
    window.care._tick()
    settle(window, qtbot)
    assert orphan.exists()
    assert window.message.text == ""  # a colleague's backup is no news
    pending.discard()
    theirs.close()
    window.care.tidy()
    settle(window, qtbot)
    assert not orphan.exists()
    assert len(list((site / "trash").iterdir())) == 1
    leave_one()
    window.care.tidy()
    settle(window, qtbot)
    assert orphan.exists()  # today it was done
