"""Making, opening and recovering sites: what the composition root hands to the application."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve

from ert.domain.backup import Progress
from ert.domain.database_server import ServerLogin
from ert.domain.emergency import checked_use
from ert.domain.provider import Identity, WayIn
from ert.errors import IdentityRefused, Refused, SchemaTooOld
from ert.storage.assembly import SiteOptions
from ert.storage.attempts import Attempts
from ert.storage.caches import SiteCacheFolders
from ert.storage.creation import PendingSite, prepare_site
from ert.storage.moving import move_to_folder, move_to_server, reconnect
from ert.storage.passwords import KDF_FLOOR, KdfParameters
from ert.storage.renewal import renew_data_keys
from ert.storage.site import Site
from ert.storage.store_file import CLINICAL, FILE_NAME, read_store_file
from ert.storage.unlock import (
    Unlocked,
    unlock_with_emergency_code,
    unlock_with_password,
    unlock_with_recovery_code,
)
from ert.storage.upgrade import bring_up_to_date
from ert.storage.workstation_keys import unlock_with_workstation, workstation_slot


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
        return _signed_in(self._opened(path, unlocked, accept_restore_reason), unlocked)

    def open_sealed(self, path: Path, *, code: str, person: str, reason: str) -> Site:
        """Open a site with the code of its sealed envelope, for reading; noted before anything can be read.

        Parameters
        ----------
        path : Path
            The site's folder.
        code, person, reason : str
            As typed: the code, who it is, and why.

        Raises
        ------
        WrongKey
            A slip, or not this site's code.
        SignInLocked
            Too many attempts failed.
        Refused
            Name or reason are missing, the envelope was renewed or withdrawn, or nothing can be noted here.
        NotASite, BadTag, SchemaTooNew, AuditBroken, StorageFailed, DatabaseBusy
            The site was not opened, nothing was changed.
        """
        use = checked_use(person, reason)
        attempts = Attempts(path, self._options.anchor_folder, self._options.clock)
        unlocked = unlock_with_emergency_code(path, typed_code=code, use=use, attempts=attempts)
        return self._opened(path, unlocked)

    def is_enrolled(self, path: Path) -> bool:
        """Whether this workstation's key store opens a site; from any thread, for it may wait for the store's password.

        Raises
        ------
        KeyStoreFailed
            A workstation is enrolled at the site, but the key store of this one cannot be asked.
        NotASite, SchemaTooNew, StorageFailed
            The site's key files cannot be read.
        """
        return self.is_site(path) and workstation_slot(path, self._options.key_store) is not None

    def way_in(self, path: Path) -> WayIn | None:
        """Return the provider people may sign in through on this workstation; None if there is none.

        Raises
        ------
        KeyStoreFailed
            A workstation is enrolled at the site, but the key store of this one cannot be asked.
        Refused
            The site has to be brought up to date first: nobody's looking does that.
        NotASite, BadTag, SchemaTooNew, AuditBroken, StorageFailed, DatabaseBusy
            The site cannot be looked at.
        """
        if not self.is_enrolled(path):
            return None
        site = self._by_workstation(path)
        try:
            settings = site.identities.provider()
        finally:
            site.close()
        is_open = settings is not None and settings.is_on
        return WayIn(site_id=site.site_id, settings=settings) if settings is not None and is_open else None

    def open_as(self, path: Path, identity: Identity) -> Site:
        """Open a site for a person the provider has just vouched for, and note the sign-in.

        Raises
        ------
        Refused
            The workstation is not enrolled, the person is nobody's account here, or the account is disabled.
        IdentityRefused
            The site accepts another provider, or none.
        KeyStoreFailed, NotASite, BadTag, SchemaTooNew, AuditBroken, StorageFailed, DatabaseBusy
            The site was not opened.
        """
        site = self._by_workstation(path)
        try:
            settings = site.identities.provider()
            if settings is None or not settings.is_on or settings.issuer != identity.issuer:
                raise IdentityRefused(
                    "This site does not accept the provider that was signed in at.",
                    hint="Sign in again; an administrator may have changed the provider meanwhile.",
                )
            user_id = site.identities.user_of(identity)
        finally:
            site.close()
        unlocked = self._by_workstation_keys(path, user_id)
        return _signed_in(self._opened(path, unlocked), unlocked, way=f"through {settings.name}")

    def _by_workstation(self, path: Path) -> Site:
        unlocked = self._by_workstation_keys(path, "")
        try:
            return Site(path, unlocked, self._options)
        except SchemaTooOld as error:
            unlocked.vault.close()
            raise Refused(
                "This site is brought up to date by the first sign-in with a password; until then nobody signs in "
                "through the provider.",
                hint="Have an administrator sign in with a password.",
            ) from error
        except BaseException:
            unlocked.vault.close()
            raise

    def _by_workstation_keys(self, path: Path, user_id: str) -> Unlocked:
        return evolve(unlock_with_workstation(path, self._options.key_store), user_id=user_id, kdf=self._kdf)

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
        unlocked = evolve(unlock_with_recovery_code(path, typed_code=recovery_code), kdf=self._kdf)
        site = self._opened(path, unlocked)
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

    def _opened(self, path: Path, unlocked: Unlocked, accept_restore_reason: str = "") -> Site:
        """Open the site, or forget its keys."""
        try:
            return self._site(path, unlocked, accept_restore_reason)
        except BaseException:
            unlocked.vault.close()
            raise

    def _site(self, path: Path, unlocked: Unlocked, accept_restore_reason: str = "") -> Site:
        try:
            return Site(path, unlocked, self._options, accept_restore_reason=accept_restore_reason)
        except SchemaTooOld:
            bring_up_to_date(path, unlocked, self._options, accept_restore_reason=accept_restore_reason)
        return Site(path, unlocked, self._options, accept_restore_reason=accept_restore_reason)


def _signed_in(site: Site, unlocked: Unlocked, *, way: str = "") -> Site:
    failures = unlocked.failures_before
    try:
        site.record_event("signed in", detail=f"after {failures} failed attempts" if failures else way)
        site.emergency.note_failed_attempts()
    except BaseException:
        site.close()
        raise
    return site
