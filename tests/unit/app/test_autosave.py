"""When a plan saves itself: quiet after an edit, never later than promised, never against a person's decision."""

import pytest

from ert.app.autosave import LATEST_S, QUIET_S, RETRY_S, Autosave
from ert.errors import BadTag, DatabaseBusy, DiskFull, LockHeld, Refused, StaleRevision, StorageFailed


def due(rule, now_s, *, is_computing=False):
    return rule.is_due(now_s, is_computing=is_computing)


def test_nothing_is_saved_without_an_edit():
    assert not due(Autosave(), 1e6)


def test_a_moment_after_the_last_edit():
    rule = Autosave()
    rule.edited(10.0)
    rule.edited(11.0)
    assert not due(rule, 11.0 + QUIET_S - 0.01)
    assert due(rule, 11.0 + QUIET_S)
    rule.saved()
    assert not due(rule, 1e6)


def test_the_dose_is_waited_for_but_never_beyond_a_minute():
    rule = Autosave()
    rule.edited(0.0)
    assert not due(rule, 30.0, is_computing=True)
    assert due(rule, LATEST_S, is_computing=True)
    assert LATEST_S < 60.0


def test_edits_that_never_pause_are_saved_all_the_same():
    rule, saved_s = Autosave(), None
    for tick in range(1200):
        rule.edited(tick / 10)
        if due(rule, tick / 10):
            saved_s = tick / 10
            break
    assert saved_s == LATEST_S


@pytest.mark.parametrize("error", [DatabaseBusy("x"), DiskFull("x"), StorageFailed("x"), LockHeld("x")])
def test_what_the_world_failed_is_tried_again_later(error):
    rule = Autosave()
    rule.edited(0.0)
    rule.failed(error, 3.0)
    assert not due(rule, 3.0 + RETRY_S - 0.1)
    assert due(rule, 3.0 + RETRY_S)
    assert not rule.is_waiting_for_a_person


@pytest.mark.parametrize("error", [StaleRevision("x"), Refused("x"), BadTag("x"), ValueError("x")])
def test_anything_else_waits_for_a_person(error):
    rule = Autosave()
    rule.edited(0.0)
    rule.failed(error, 3.0)
    rule.edited(4.0)
    assert not due(rule, 1e6)
    assert rule.is_waiting_for_a_person
    rule.saved()
    rule.edited(5.0)
    assert due(rule, 5.0 + QUIET_S)


def test_it_can_be_switched_off():
    rule = Autosave(is_on=False)
    rule.edited(0.0)
    assert not due(rule, 1e6)
