"""Accounts of the opened site, and the own one: what an administrator does, and what everybody does with a password."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable
from typing import Protocol

from ert.app.emergency_service import EmergencyService
from ert.app.identity_service import IdentityService
from ert.app.jobs import JobContext
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.tissue_library import Run
from ert.domain.account import Account, Grant
from ert.domain.approval_rule import ApprovalRule
from ert.domain.password import SPECIAL_CHARACTERS, PasswordRule, is_common
from ert.errors import NotPermitted, Refused

CONFIRMED_FOR_S = 300.0
_ONE_TIME_CHARACTERS = 16
# Without those that look alike in print: somebody reads it out or copies it from a note.
_LOWER = "".join(c for c in string.ascii_lowercase if c not in "l")
_UPPER = "".join(c for c in string.ascii_uppercase if c not in "IO")
_DIGITS = "23456789"


class Vouching(Protocol):
    """The sign-in provider's part in a session (`provider_session.py`)."""

    @property
    def provider_name(self) -> str:
        """For buttons."""

    @property
    def is_silent(self) -> bool:
        """Whether the provider could not be asked the last time."""

    @property
    def is_over(self) -> bool:
        """Whether only signing in again goes on."""

    def validate(self) -> None:
        """Ask it; raises `SignInExpired`."""

    def sign_in_again(self, ctx: JobContext, on_link: Callable[[str], None]) -> None:
        """Have the same person sign in anew."""

    def end(self) -> None:
        """The session is over."""


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

    Attributes
    ----------
    has_password : whether a password opens the site for who is signed in.
    provider : what vouches for who is signed in; None after a sign-in with a password.
    identity : the site's sign-in provider, who is who there, and enrolled workstations.
    emergency : the sealed envelope for emergencies.
    """

    def __init__(self, store: SiteStore, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._run, self._clock = store, run, clock
        self._confirmed_s = clock()  # signing in took a proof of who it is
        self.has_password = True
        self.provider: Vouching | None = None
        self.identity = IdentityService(store, run, self._need_confirmed)
        self.emergency = EmergencyService(store, run, self._need_confirmed)

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

    def set_approval_rule(self, rule: ApprovalRule) -> None:
        """Have a rule count for every approval from now on."""
        self._need_confirmed()
        self._run(lambda: self._store.approvals.rules.save(rule))

    # ---- of everybody --------------------------------------------------------------------------------------------

    def change_own_password(self, current: str, new: str) -> Account:
        """Change one's own password; raises `WrongKey`, `InvalidSite`."""
        account = self._changed(lambda: self._store.accounts.change_own_password(current, new))
        self._confirmed_s = self._clock()
        return account

    def password_rule(self) -> PasswordRule:
        """What the site asks of passwords."""
        return self._run(self._store.password_rules.read)

    def approval_rule(self) -> ApprovalRule:
        """What the site asks of who approves."""
        return self._run(self._store.approvals.rules.read)

    def confirm_password(self, password: str) -> None:
        """Check one's own password, whatever the database is busy with; raises `WrongKey`, `SignInLocked`.

        A session the provider no longer vouches for is one of the password from then on, as if it had begun with it.
        """
        self._store.confirm_password(password)
        self._confirmed_s = self._clock()
        if self.provider is not None and self.provider.is_over:
            ended, self.provider = self.provider, None
            self._store.set_vouched_for(is_vouched_for=True)
            ended.end()

    def confirm_with_provider(self, ctx: JobContext, on_link: Callable[[str], None]) -> None:
        """Have who is signed in sign in anew at the provider; raises as `IdentityClient.sign_in`."""
        if self.provider is None:
            raise Refused("This session was not opened through a provider.", hint="Give your password.")
        self.provider.sign_in_again(ctx, on_link)
        self._store.set_vouched_for(is_vouched_for=True)
        self._confirmed_s = self._clock()

    def revalidate(self) -> Account:
        """Ask the provider, if there is one, and read one's own account again: it may have been changed or disabled.

        Raises
        ------
        SignInExpired
            The provider does not vouch for this session any more.
        """
        if self.provider is not None:
            try:
                self.provider.validate()
            except BaseException:
                self._store.set_vouched_for(is_vouched_for=False)
                raise
            self._store.set_vouched_for(is_vouched_for=not self.provider.is_silent)
        return self._run(self._looked_at)

    def _looked_at(self) -> Account:
        account = self._store.refresh_account()
        if self.provider is not None:
            self.has_password = bool(self._store.accounts.slot_mark())
        return account

    def vouched_for_by(self, provider: Vouching) -> None:
        """Note that a provider vouches for who is signed in, who may have no password here."""
        self.provider = provider
        self._run(self._looked_at)

    def end(self) -> None:
        """Forget what a sign-in through the provider left on this workstation."""
        if self.provider is not None:
            self.provider.end()

    def record(self, event: str) -> None:
        """Note in the history what happened to the session: locked, unlocked, signed out."""
        self._run(lambda: self._store.record_event(event))

    def _need_confirmed(self) -> None:
        if self.needs_confirmation:
            raise NotPermitted(
                f"Accounts are changed within {CONFIRMED_FOR_S / 60:.0f} minutes of proving who you are only.",
                hint="Give your password again, or sign in with the provider again.",
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
