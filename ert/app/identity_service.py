"""The sign-in provider of the opened site, who is who there, and the workstations whose key store opens the site."""

from __future__ import annotations

from collections.abc import Callable

from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.tissue_library import Run
from ert.domain.account import Account, Grant, PasswordHolders
from ert.domain.provider import IdentityLink, ProviderSettings, Workstation


@guarded
class IdentityService:
    """What an administrator does about signing in; changes need a confirmation as those of accounts do.

    Parameters
    ----------
    store : SiteStore
    run : callable
        Where calls to the store run: the database lane, or directly.
    confirm : callable
        Raises `NotPermitted` if who is signed in was not asked for a proof of it a moment ago.
    """

    def __init__(self, store: SiteStore, run: Run, confirm: Callable[[], None]) -> None:
        self._store, self._run, self._confirm = store, run, confirm

    def settings(self) -> ProviderSettings | None:
        """The provider whose sign-ins the site accepts; None if there never was one."""
        return self._run(self._store.identities.provider)

    def save_settings(self, settings: ProviderSettings) -> None:
        """Accept sign-ins of a provider from now on, or no longer."""
        self._confirm()
        self._run(lambda: self._store.identities.save_provider(settings))

    def links(self) -> tuple[IdentityLink, ...]:
        """Who is known at a provider."""
        return self._run(self._store.identities.links)

    def link(self, user_id: str, subject: str) -> IdentityLink:
        """Let a person at the provider be a user, "" for nobody; raises `InvalidSite`, `Refused`."""
        self._confirm()
        return self._run(lambda: self._store.identities.link(user_id, subject))

    def add_account(self, name: str, *, grant: Grant, subject: str) -> Account:
        """Add an account without a password, for a person at the provider; raises `InvalidSite`, `Refused`."""
        self._confirm()
        return self._run(lambda: self._store.identities.add_account(name, grant=grant, subject=subject))

    def have_password(self) -> PasswordHolders:
        """Whom a password opens the site for, and which key slots cannot be read."""
        return self._run(self._store.accounts.have_password)

    def workstations(self) -> tuple[Workstation, ...]:
        """The enrolled workstations, oldest first."""
        return self._run(self._store.workstations.workstations)

    def enrol_workstation(self, name: str) -> Workstation:
        """Keep a way into the site in the key store of this workstation; raises `KeyStoreFailed`, `InvalidSite`."""
        self._confirm()
        return self._run(lambda: self._store.workstations.enrol(name))

    def remove_workstation(self, workstation_id: str) -> None:
        """Take that way away; raises `NotFound`."""
        self._confirm()
        self._run(lambda: self._store.workstations.remove(workstation_id))
