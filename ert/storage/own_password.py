"""The password of who is signed in, given once more: failures count as at signing in. It reads key files only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ert.domain.account import Account
from ert.storage.accounts import AccountRepository
from ert.storage.attempts import Attempts
from ert.storage.slots import PASSWORD, emergency_tag, login_tag, signing_key
from ert.storage.unlock import wrong_own_password

T = TypeVar("T")


@frozen(kw_only=True)
class OwnPassword:
    """What the own password opens; from any thread.

    Attributes
    ----------
    store_id : of the site.
    account : of who is signed in.
    accounts, attempts : of the site.
    """

    store_id: str
    account: Account
    accounts: AccountRepository
    attempts: Attempts

    def confirm(self, password: str) -> None:
        """Check it; raises as `AccountRepository.confirm`, and `SignInLocked`."""
        self._attempting(lambda: self.accounts.confirm(password))

    def signing_key(self, password: str) -> Ed25519PrivateKey:
        """Return the key to sign with, which only the own password opens.

        Raises
        ------
        WrongKey, SignInLocked
            The password is wrong, or too many were; or the account was disabled.
        Refused
            Who signed in through a provider has no password here, and so no key to sign with.
        """
        return self._attempting(lambda: self._opened(password))

    def _opened(self, password: str) -> Ed25519PrivateKey:
        slot = self.accounts.slot_of_today()
        key = signing_key(slot, password) if slot.kind == PASSWORD else None
        if key is None:
            raise wrong_own_password()
        return key

    def _attempting(self, opened: Callable[[], T]) -> T:
        store_id, name = self.store_id, self.account.name
        tag = emergency_tag(store_id) if self.account.is_emergency else login_tag(store_id, name)
        with self.attempts.turn(tag):
            self.attempts.begin(store_id, tag, self.accounts.slot_mark())
            found = opened()
            self.attempts.succeeded(store_id, tag)
        return found
