"""What accounts and signing in need from the outside: parts of ``SiteStore`` (ports.py), and the provider's client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ert.app.record_ports import PendingCode
from ert.domain.account import Account, Grant, PasswordHolders
from ert.domain.emergency import EmergencyUse, Envelope
from ert.domain.provider import IdentityLink, ProviderSettings, SignedIn, WayIn, Workstation


class AccountStore(Protocol):
    """The accounts of a site."""

    def accounts(self) -> tuple[Account, ...]:
        """All accounts, by name."""

    def add(self, name: str, *, password: str, grant: Grant) -> Account:
        """Add an account with a one-time password."""

    def set_grant(self, user_id: str, grant: Grant) -> Account:
        """Change what it may do; never leaves a site without an enabled administrator."""

    def reset_password(self, user_id: str, password: str) -> Account:
        """Give it a one-time password."""

    def disable(self, user_id: str) -> Account:
        """Close it; never leaves a site without an enabled administrator."""

    def enable(self, user_id: str) -> Account:
        """Open it again."""

    def slot_mark(self) -> str:
        """Tells the present password of who is signed in from a later one; "" if there is none."""

    def have_password(self) -> PasswordHolders:
        """Whom a password opens the site for, and which key slots cannot be read."""

    def change_own_password(self, current: str, new: str) -> Account:
        """Change the password of who is signed in."""


class IdentityStore(Protocol):
    """The sign-in provider of a site, and which person there is which user."""

    def provider(self) -> ProviderSettings | None:
        """The provider whose sign-ins the site accepts; None if there never was one."""

    def save_provider(self, settings: ProviderSettings) -> None:
        """Accept sign-ins of a provider from now on, or no longer."""

    def links(self) -> tuple[IdentityLink, ...]:
        """Who is known at a provider."""

    def link(self, user_id: str, subject: str) -> IdentityLink:
        """Let a person at the provider be a user; "" for nobody."""

    def add_account(self, name: str, *, grant: Grant, subject: str) -> Account:
        """Add an account without a password, for a person at the provider."""


class WorkstationStore(Protocol):
    """Workstations whose key store opens a site."""

    def workstations(self) -> tuple[Workstation, ...]:
        """Those that are enrolled, oldest first."""

    def enrol(self, name: str) -> Workstation:
        """Keep a way into the site in the key store of this workstation; `KeyStoreFailed` where there is none."""

    def remove(self, workstation_id: str) -> None:
        """Take that way away."""


class EmergencyStore(Protocol):
    """The sealed envelope for emergencies."""

    @property
    def use(self) -> EmergencyUse | None:
        """Who opened the site with its code, and why; None if it was opened otherwise."""

    def envelope(self) -> Envelope | None:
        """The envelope whose code opens the site; None if there is none."""

    def prepare(self) -> PendingCode:
        """Begin an envelope; its code counts once it was typed back, and the former one ends then."""

    def withdraw(self) -> None:
        """Let the code open nothing any more; `NotFound` if there is none."""


class IdentityClient(Protocol):
    """Talks to a sign-in provider; every method may take seconds and belongs on a background thread."""

    def sign_in(
        self, way: WayIn, *, on_link: Callable[[str], None], check: Callable[[], None], subject: str = ""
    ) -> SignedIn:
        """Have somebody sign in in the system's browser.

        Parameters
        ----------
        way : where.
        on_link : told the address that was opened, in case no browser came up.
        check : called many times a second; raises `Cancelled` to stop.
        subject : who it must be; "" for whoever it is.

        Raises
        ------
        Refused
            The provider or the person said no, or nobody answered for too long.
        IdentityRefused
            An answer breaks a rule.
        NetworkDown
            The provider cannot be reached.
        """

    def renew(self, way: WayIn, subject: str) -> SignedIn:
        """Ask whether a sign-in still stands.

        Raises
        ------
        SignInExpired, IdentityRefused, KeyStoreFailed
            It does not.
        NetworkDown
            The provider cannot be asked.
        """

    def forget(self, way: WayIn, subject: str) -> None:
        """Forget what renewing takes."""

    def probe(self, settings: ProviderSettings) -> None:
        """See whether the provider answers as the settings say; raises as `sign_in`."""
