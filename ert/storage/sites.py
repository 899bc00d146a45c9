"""Making, opening and recovering sites: what the composition root hands to the application."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve

from ert.domain.backup import Progress
from ert.domain.database_server import ServerLogin
from ert.errors import SchemaTooOld
from ert.storage.assembly import SiteOptions
from ert.storage.attempts import Attempts
from ert.storage.caches import SiteCacheFolders
from ert.storage.creation import PendingSite, prepare_site
from ert.storage.moving import move_to_folder, move_to_server, reconnect
from ert.storage.passwords import KDF_FLOOR, KdfParameters, check_password
from ert.storage.renewal import renew_data_keys
from ert.storage.site import Site
from ert.storage.store_file import CLINICAL, FILE_NAME, read_store_file
from ert.storage.unlock import Unlocked, unlock_with_password, unlock_with_recovery_code
from ert.storage.upgrade import bring_up_to_date


class Sites:
    """Makes and opens sites (port ``SiteGateway``).

    Parameters
    ----------
    options : SiteOptions
        Of this workstation.
    kind : str
        Of sites it makes: "clinical", or "sandbox".
    kdf : KdfParameters
        Password cost of slots it makes.
    """

    def __init__(
        self, options: SiteOptions | None = None, *, kind: str = CLINICAL, kdf: KdfParameters = KDF_FLOOR
    ) -> None:
        self._options = options if options is not None else SiteOptions()
        self._kind = kind
        self._kdf = kdf

    def is_site(self, path: Path) -> bool:
        """Whether the folder looks like a site."""
        return (path / FILE_NAME).is_file()

    def caches(self, path: Path) -> SiteCacheFolders:
        """Where doses of a site are cached; raises `NotASite`, `SchemaTooNew`, `StorageFailed`."""
        store, _ = read_store_file(path)
        return SiteCacheFolders(store.store_id, self._options.cache_settings())

    def prepare(
        self, path: Path, *, site_name: str, admin_name: str, password: str, server: ServerLogin | None = None
    ) -> PendingSite:
        """Begin a new site in a folder that does not exist or is empty, with its rows or without (`prepare_site`)."""
        return prepare_site(
            path,
            site_name=site_name,
            admin_name=admin_name,
            password=password,
            options=self._options,
            kind=self._kind,
            kdf=self._kdf,
            server=server,
        )

    def open(self, path: Path, *, user_name: str, password: str, accept_restore_reason: str = "") -> Site:
        """Open a site with a password and note the sign-in; one of an older program is brought up to date first.

        Parameters
        ----------
        path : Path
            The site's folder.
        user_name, password : str
            As typed.
        accept_restore_reason : str
            An administrator's explanation why the site may be older than this workstation remembers.

        Raises
        ------
        WrongKey
            User or password are wrong.
        SignInLocked
            Too many attempts failed.
        Refused
            The account is disabled, or accepting a restore is not the user's to do.
        NotASite, BadTag, SchemaTooNew, AuditBroken, StorageFailed, DatabaseBusy
            The site was not opened, nothing was changed.
        """
        attempts = Attempts(path, self._options.anchor_folder, self._options.clock)
        unlocked = unlock_with_password(path, login=user_name, password=password, attempts=attempts)
        try:
            site = self._site(path, unlocked, accept_restore_reason)
        except BaseException:
            unlocked.vault.close()
            raise
        return _signed_in(site, unlocked)

    def recover(self, path: Path, *, recovery_code: str, user_name: str, new_password: str) -> Site:
        """Open a site with its recovery code and give a user a new password and signing key.

        Raises
        ------
        WrongKey
            Not this site's recovery code.
        InvalidSite
            The new password is too weak.
        NotFound
            No such user.
        """
        check_password(new_password)
        unlocked = evolve(unlock_with_recovery_code(path, typed_code=recovery_code), kdf=self._kdf)
        try:
            site = self._site(path, unlocked)
        except BaseException:
            unlocked.vault.close()
            raise
        try:
            site.accounts.recover(user_name, new_password)
        finally:
            site.close()
        return self.open(path, user_name=user_name, password=new_password)

    def renew_data_keys(self, path: Path, *, user_name: str, password: str, progress: Progress) -> None:
        """Put new data keys into use while nobody has the site open, or finish an interrupted renewal (renewal.py).

        Raises
        ------
        WrongKey, Refused
            User or password are wrong, or the account is no administrator's.
        DatabaseBusy, BadTag, AuditBroken, StorageFailed, DiskFull
            The site opens as before.
        """
        with self._for_administrator(path, user_name, password, "Renewing the data keys") as unlocked:
            renew_data_keys(path, unlocked, self._options, progress)

    def move_to_server(
        self, path: Path, *, user_name: str, password: str, server: ServerLogin, progress: Progress
    ) -> int:
        """Move the rows of a site to a server while nobody has it open; how many there are (`move_to_server`)."""
        with self._for_administrator(path, user_name, password, "Moving the database") as unlocked:
            return move_to_server(path, unlocked, server, self._options, progress)

    def move_to_folder(self, path: Path, *, user_name: str, password: str, progress: Progress) -> str:
        """Move the rows of a site from its server into its folder; what the server keeps (`move_to_folder`)."""
        with self._for_administrator(path, user_name, password, "Moving the database") as unlocked:
            return move_to_folder(path, unlocked, self._options, progress)

    def reconnect(self, path: Path, *, user_name: str, password: str, server: ServerLogin) -> None:
        """Give a site another address or password of its server, which need not answer at the old one (`reconnect`)."""
        attempts = Attempts(path, self._options.anchor_folder, self._options.clock)
        unlocked = unlock_with_password(path, login=user_name, password=password, attempts=attempts)
        try:
            reconnect(path, unlocked, server, self._options)
        finally:
            unlocked.vault.close()

    @contextlib.contextmanager
    def _for_administrator(self, path: Path, user_name: str, password: str, doing: str) -> Iterator[Unlocked]:
        """Sign in once to see that the account may, then give the keys of a site that is not open."""
        site = self.open(path, user_name=user_name, password=password)
        try:
            site.expect_administrator(doing)
        finally:
            site.close()
        unlocked = unlock_with_password(path, login=user_name, password=password)
        try:
            yield unlocked
        finally:
            unlocked.vault.close()

    def _site(self, path: Path, unlocked: Unlocked, accept_restore_reason: str = "") -> Site:
        try:
            return Site(path, unlocked, self._options, accept_restore_reason=accept_restore_reason)
        except SchemaTooOld:
            bring_up_to_date(path, unlocked, self._options, accept_restore_reason=accept_restore_reason)
        return Site(path, unlocked, self._options, accept_restore_reason=accept_restore_reason)


def _signed_in(site: Site, unlocked: Unlocked) -> Site:
    failures = unlocked.failures_before
    try:
        site.record_event("signed in", detail=f"after {failures} failed attempts" if failures else "")
    except BaseException:
        site.close()
        raise
    return site
