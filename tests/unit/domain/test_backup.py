"""Which backups a rule keeps, and when the next is due; days and weeks counted by hand on a calendar of 2026."""

import datetime as dt

import pytest

from ert.domain.backup import (
    BackupInfo,
    BackupState,
    Retention,
    backups_to_keep,
    is_due,
    is_overdue,
    newest_good,
)


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def backup(text, state=BackupState.COMPLETE):
    return BackupInfo(backup_id=text, state=state, created=at(text))


# 2026-03-01 is a Sunday, the last day of ISO week 9; 2025-12-29 is the Monday of ISO week 1 of 2026.
TIMES = (
    "2025-11-30T10:00",
    "2025-12-28T10:00",
    "2025-12-29T10:00",
    "2026-01-31T10:00",
    "2026-02-22T10:00",
    "2026-02-23T08:00",
    "2026-03-01T08:00",
    "2026-03-01T20:00",
    "2026-03-02T08:00",
)


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (Retention(keep_daily=1), {"2026-03-02T08:00"}),
        (Retention(keep_daily=2), {"2026-03-02T08:00", "2026-03-01T20:00"}),
        (Retention(keep_daily=3), {"2026-03-02T08:00", "2026-03-01T20:00", "2026-02-23T08:00"}),
        (Retention(keep_weekly=3), {"2026-03-02T08:00", "2026-03-01T20:00", "2026-02-22T10:00"}),
        (Retention(keep_monthly=2), {"2026-03-02T08:00", "2026-02-23T08:00"}),
        (Retention(keep_monthly=4), {"2026-03-02T08:00", "2026-02-23T08:00", "2026-01-31T10:00", "2025-12-29T10:00"}),
        (
            Retention(keep_daily=1, keep_weekly=2, keep_monthly=3),
            {"2026-03-02T08:00", "2026-03-01T20:00", "2026-02-23T08:00", "2026-01-31T10:00"},
        ),
        (Retention(keep_weekly=99), {*TIMES} - {"2026-02-23T08:00", "2026-03-01T08:00"}),
        (Retention(keep_last=3), {"2026-03-02T08:00", "2026-03-01T20:00", "2026-03-01T08:00"}),
        (Retention(keep_last=2, keep_monthly=2), {"2026-03-02T08:00", "2026-03-01T20:00", "2026-02-23T08:00"}),
        (Retention(), {"2026-03-02T08:00"}),
    ],
)
def test_the_newest_of_each_period_is_kept(rule, kept):
    assert backups_to_keep([backup(t) for t in TIMES], rule) == kept


def test_what_is_not_complete_takes_no_place():
    broken = [backup("2026-03-03T08:00", BackupState.INCOMPLETE), backup("2026-03-04T08:00", BackupState.UNREADABLE)]
    found = [*map(backup, TIMES), *broken, BackupInfo(backup_id="x", state=BackupState.UNFINISHED)]
    assert backups_to_keep(found, Retention(keep_daily=1)) == {"2026-03-02T08:00"}
    assert newest_good(found).backup_id == "2026-03-02T08:00"
    assert newest_good(broken) is None
    assert backups_to_keep(broken, Retention(keep_daily=9)) == frozenset()


def held(text, head_seq, epoch=1):
    return BackupInfo(backup_id=text, state=BackupState.COMPLETE, created=at(text), head_seq=head_seq, epoch=epoch)


def test_a_backup_made_while_the_clock_was_wrong_is_as_old_as_its_content():
    ahead, before, now = held("2036-03-01T08:00", 10), held("2026-02-28T08:00", 5), held("2026-03-02T08:00", 20)
    assert newest_good([ahead, before, now]) == now
    assert backups_to_keep([ahead, before, now], Retention(keep_last=1)) == {now.backup_id, ahead.backup_id}
    assert backups_to_keep([ahead, before, now], Retention(keep_last=2)) == {now.backup_id, ahead.backup_id}
    behind = held("2016-03-02T09:00", 30)
    assert newest_good([ahead, before, now, behind]) == behind
    assert behind.backup_id in backups_to_keep([ahead, before, now, behind], Retention(keep_last=1))


def test_after_a_restore_the_new_branch_is_the_newest_however_short_it_is():
    left, going_on = held("2026-03-01T08:00", 500, epoch=2), held("2026-03-02T08:00", 300, epoch=3)
    assert newest_good([left, going_on]) == going_on
    assert backups_to_keep([left, going_on], Retention(keep_last=1)) == {going_on.backup_id}


@pytest.mark.parametrize(
    ("last", "due", "overdue"),
    [
        (None, True, True),
        ("2026-03-01T12:00", False, False),
        ("2026-03-01T08:00", True, False),
        ("2026-03-01T04:00", True, False),
        ("2026-03-01T03:59", True, True),
        ("2026-03-01T12:01", True, False),
        ("2026-03-01T20:01", True, True),  # of a clock that was ahead: nobody knows how old it is
    ],
)
def test_a_schedule_of_four_hours_at_noon(last, due, overdue):
    then = None if last is None else at(last)
    now = at("2026-03-01T12:00")
    assert (is_due(then, now, 4), is_overdue(then, now, 4)) == (due, overdue)
