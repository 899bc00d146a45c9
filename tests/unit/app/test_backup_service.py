"""When a backup is due, what is said when none appears, and that closing the site stops one."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import pytest

from ert.app.backup_service import BackupPlan, BackupService
from ert.app.jobs import JobContext
from ert.app.tissue_library import directly
from ert.domain.backup import BackupInfo, BackupState, Retention, newest_good
from ert.errors import Cancelled, Refused, StorageFailed
from tests.people import CHIEF

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
PLAN = BackupPlan(folder=Path("backups"), every_hours=4)


def info(hours_ago, state=BackupState.COMPLETE):
    return BackupInfo(backup_id=f"{hours_ago}", state=state, created=NOON - dt.timedelta(hours=hours_ago))


class Store:
    is_restored_copy = False
    account = CHIEF

    def __init__(self, found=(), result=None):
        self.found, self.result = found, result
        self.events, self.pruned = [], []
        self.begun = threading.Event()

    def backups(self, _folder):
        if isinstance(self.found, Exception):
            raise self.found
        return self

    def start_backup(self, _folder):
        return self

    def finish(self, *, level, progress):
        if self.result is None:
            self.begun.set()
            while True:
                progress(0.5, "copying")
        return self.result

    def record_event(self, event, *, detail):
        self.events.append((event, detail))

    def prune(self, rule, _progress):
        self.pruned.append(rule)


class Shelf(Store):
    def newest_good(self):
        return newest_good(self.found)


def service(store):
    return BackupService(store, directly, lambda: NOON)


@pytest.mark.parametrize(
    ("found", "due", "said"),
    [
        ((), True, "no complete backup yet"),
        ((info(1),), False, None),
        ((info(5),), True, None),
        ((info(9),), True, "2026-03-01 03:00 UTC"),
        ((info(9), info(1, BackupState.INCOMPLETE)), True, "2026-03-01 03:00 UTC"),
    ],
)
def test_how_backups_stand(found, due, said):
    standing = service(Shelf(found)).standing(PLAN)
    assert standing.is_due is due
    assert (standing.finding is None) is (said is None)
    assert said is None or said in standing.finding.sentence


def test_without_schedule_folder_or_disk():
    assert service(Shelf((info(99),))).standing(BackupPlan(folder=Path("b"))).finding is None
    assert "No folder" in service(Shelf()).standing(BackupPlan()).finding.sentence
    gone = service(Store(StorageFailed("The disk is gone."))).standing(PLAN)
    assert (gone.finding.sentence, gone.is_due) == ("The disk is gone.", True)
    copy = Shelf()
    copy.is_restored_copy = True
    assert service(copy).standing(PLAN).is_due is False


@pytest.mark.parametrize(
    ("state", "pruned"), [(BackupState.COMPLETE, [Retention(keep_last=2)]), (BackupState.INCOMPLETE, [])]
)
def test_old_backups_go_only_after_a_good_new_one(state, pruned):
    store = Shelf(result=info(0, state))
    plan = BackupPlan(folder=Path("b"), rule=Retention(keep_last=2))
    assert service(store).make(plan, JobContext()).state is state
    assert store.events == [("backup made", "0")]
    assert store.pruned == pruned


def test_no_folder_is_refused_and_cancel_is_heard():
    with pytest.raises(Refused, match="No folder"):
        service(Shelf()).make(BackupPlan(), JobContext())
    ctx = JobContext()
    ctx.cancel()
    with pytest.raises(Cancelled):
        service(Shelf(result=info(0))).make(PLAN, ctx)


def test_closing_the_site_stops_a_backup_and_waits_for_it():
    store = Shelf()
    made = service(store)
    ended = []

    def work():
        with pytest.raises(Cancelled):
            made.make(PLAN, JobContext())
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    store.begun.wait(10)
    made.stop()
    thread.join(10)
    assert ended == [True]
    assert store.events == []
