"""Accounts of the opened site, and the own one: what an administrator does, and what everybody does with a password."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable

from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.tissue_library import Run
from ert.domain.account import Account, Grant
from ert.domain.password import SPECIAL_CHARACTERS, PasswordRule, is_common
from ert.errors import NotPermitted

CONFIRMED_FOR_S = 300.0
_ONE_TIME_CHARACTERS = 16
# Without those that look alike in print: somebody reads it out or copies it from a note.
_LOWER = "".join(c for c in string.ascii_lowercase if c not in "l")
_UPPER = "".join(c for c in string.ascii_uppercase if c not in "IO")
_DIGITS = "23456789"


@guarded
class AccountService:
    """Accounts of a site.

    Parameters
    ----------
    store : SiteStore
    run : callable
        Where calls to the store run: the database lane, or directly.
    clock : callable
        Seconds that only ever rise.
    """

    def __init__(self, store: SiteStore, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._run, self._clock = store, run, clock
        self._confirmed_s = clock()  # signing in took the password

    @property
    def own(self) -> Account:
        """The account of who is signed in, as last read."""
        return self._store.account

    @property
    def needs_confirmation(self) -> bool:
        """Whether the password was given too long ago to change accounts."""
        return self._clock() - self._confirmed_s > CONFIRMED_FOR_S

    # ---- of an administrator -------------------------------------------------------------------------------------

    def accounts(self) -> tuple[Account, ...]:
        """All accounts, by name."""
        return self._run(self._store.accounts.accounts)

    def add(self, name: str, *, password: str, grant: Grant) -> Account:
        """Add an account with a one-time password; raises `InvalidSite` for a taken name or a weak password."""
        self._need_confirmed()
        return self._run(lambda: self._store.accounts.add(name, password=password, grant=grant))

    def set_grant(self, user_id: str, grant: Grant) -> Account:
        """Change what an account may do; raises `Refused` if no administrator would be left."""
        self._need_confirmed()
        return self._changed(lambda: self._store.accounts.set_grant(user_id, grant))

    def reset_password(self, user_id: str, password: str) -> Account:
        """Give an account a one-time password, to be changed at its next sign-in."""
        self._need_confirmed()
        return self._changed(lambda: self._store.accounts.reset_password(user_id, password))

    def disable(self, user_id: str) -> Account:
        """Close an account; raises `Refused` if no administrator would be left."""
        self._need_confirmed()
        return self._changed(lambda: self._store.accounts.disable(user_id))

    def enable(self, user_id: str) -> Account:
        """Open a disabled account again, with the password it had."""
        self._need_confirmed()
        return self._changed(lambda: self._store.accounts.enable(user_id))

    def set_password_rule(self, rule: PasswordRule) -> None:
        """Have a rule count for every password set from now on; those in use stay until they are changed."""
        self._need_confirmed()
        self._run(lambda: self._store.password_rules.save(rule))

    # ---- of everybody --------------------------------------------------------------------------------------------

    def change_own_password(self, current: str, new: str) -> Account:
        """Change one's own password; raises `WrongKey`, `InvalidSite`."""
        account = self._changed(lambda: self._store.accounts.change_own_password(current, new))
        self._confirmed_s = self._clock()
        return account

    def password_rule(self) -> PasswordRule:
        """What the site asks of passwords."""
        return self._run(self._store.password_rules.read)

    def confirm_password(self, password: str) -> None:
        """Check one's own password, whatever the database is busy with; raises `WrongKey`, `SignInLocked`."""
        self._store.confirm_password(password)
        self._confirmed_s = self._clock()

    def revalidate(self) -> Account:
        """Read one's own account again: an administrator may have changed or disabled it."""
        return self._run(self._store.refresh_account)

    def record(self, event: str) -> None:
        """Note in the history what happened to the session: locked, unlocked, signed out."""
        self._run(lambda: self._store.record_event(event))

    def _need_confirmed(self) -> None:
        if self.needs_confirmation:
            raise NotPermitted(
                f"Accounts are changed within {CONFIRMED_FOR_S / 60:.0f} minutes of giving your password only.",
                hint="Give it again.",
            )

    def _changed(self, change: Callable[[], Account]) -> Account:
        def work() -> Account:
            account = change()
            if account.id == self._store.account.id:
                self._store.refresh_account()
            return account

        return self._run(work)


def one_time_password() -> str:
    """Return a random password that meets either rule; about 86 bits, to be told to one person and used once."""
    kinds = (_LOWER, _UPPER, _DIGITS, SPECIAL_CHARACTERS)
    while True:
        text = "".join(secrets.choice("".join(kinds)) for _ in range(_ONE_TIME_CHARACTERS))
        if all(any(c in kind for c in text) for kind in kinds) and not is_common(text):
            return text
