"""What is around accounts: the password that was given lately, passwords that are made up, who was last seen."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from ert.app.account_service import AccountService, one_time_password
from ert.app.idle import IdleClock, awake_or_asleep_s
from ert.app.tissue_library import directly
from ert.domain.account import Grant
from ert.domain.password import is_good_password, password_parts
from ert.errors import NotPermitted
from tests.people import CHIEF, PLANNER


class Store:
    """A site that remembers what was asked of it."""

    account = CHIEF

    def __init__(self):
        self.done = []
        self.accounts = SimpleNamespace(
            accounts=lambda: (CHIEF, PLANNER),
            add=lambda name, **_: self._did(f"add {name}"),
            set_grant=lambda user_id, _grant: self._did(f"grant {user_id}"),
            reset_password=lambda user_id, _password: self._did(f"reset {user_id}"),
            disable=lambda user_id: self._did(f"disable {user_id}"),
            enable=lambda user_id: self._did(f"enable {user_id}"),
        )

    def _did(self, what):
        self.done.append(what)
        return CHIEF if what.endswith(CHIEF.id) else PLANNER

    def confirm_password(self, _password):
        self.confirmed = True

    def refresh_account(self):
        self.done.append("refreshed")
        return self.account


CHANGES = (
    lambda s: s.add("anna", password="p", grant=Grant()),
    lambda s: s.set_grant("u", Grant()),
    lambda s: s.reset_password("u", "p"),
    lambda s: s.disable("u"),
    lambda s: s.enable("u"),
)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_needs_a_password_of_the_last_five_minutes(change):
    now = [1000.0]
    store = Store()
    service = AccountService(store, directly, clock=lambda: now[0])
    now[0] += 300.0
    change(service)
    assert len(store.done) == 1
    now[0] += 0.1
    with pytest.raises(NotPermitted, match="within 5 minutes"):
        change(service)
    assert len(store.done) == 1
    assert len(service.accounts()) == 2  # looking needs none
    service.confirm_password("p")
    change(service)
    assert len(store.done) == 2


def test_a_change_of_the_own_account_is_read_at_once():
    store = Store()
    AccountService(store, directly).set_grant(CHIEF.id, Grant())
    assert store.done == [f"grant {CHIEF.id}", "refreshed"]


def test_made_up_passwords_meet_the_rule_and_are_never_the_same():
    made = {one_time_password() for _ in range(500)}
    assert len(made) == 500
    assert all(is_good_password(password) for password in made)
    assert not set("".join(made)) & set("lIO01")


@pytest.mark.parametrize(
    ("password", "missing"),
    [("aB3$kwmpzt", None), ("aB3$kwmpz", 0), ("AB3$KWMPZT", 1), ("ab3$kwmpzt", 2), ("aBc$kwmpzt", 3),
     ("aB3-kwmpzt", 4), ("aB3$" + "x" * 124, None), ("aB3$" + "x" * 125, 0), ("ａB3$kwmpzt", None)],
)  # fmt: skip
def test_the_rule_part_by_part(password, missing):
    assert [n for n, (_, is_met) in enumerate(password_parts(password)) if not is_met] == (
        [] if missing is None else [missing]
    )


def test_idle_time_begins_anew_when_somebody_is_seen():
    now = [5.0]
    idle = IdleClock(lambda: now[0])
    now[0] = 65.0
    assert idle.idle_s == 60.0
    idle.seen()
    now[0] = 66.5
    assert idle.idle_s == 1.5


def test_the_clock_counts_sleep():
    """CLOCK_BOOTTIME of Linux goes on while the computer sleeps; CLOCK_MONOTONIC does not."""
    assert awake_or_asleep_s() >= time.monotonic() - 1.0
