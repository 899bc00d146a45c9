"""Making, opening and recovering sites: what the composition root hands to the application."""

from __future__ import annotations

from pathlib import Path

from ert.domain.backup import Progress
from ert.errors import SchemaTooOld
from ert.storage import slots
from ert.storage.assembly import SiteOptions
from ert.storage.caches import SiteCacheFolders
from ert.storage.creation import PendingSite, prepare_site
from ert.storage.passwords import KDF_FLOOR, KdfParameters, check_password
from ert.storage.renewal import changing_keys, renew_data_keys, write_slot
from ert.storage.site import Site
from ert.storage.store_file import CLINICAL, FILE_NAME, read_store_file
from ert.storage.unlock import Unlocked, read_slots, unlock_with_password, unlock_with_recovery_code
from ert.storage.upgrade import bring_up_to_date
from ert.storage.users import find_user, replace_key


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

    def prepare(self, path: Path, *, site_name: str, admin_name: str, password: str) -> PendingSite:
        """Begin a new site in a folder that does not exist or is empty (`prepare_site`)."""
        return prepare_site(
            path,
            site_name=site_name,
            admin_name=admin_name,
            password=password,
            options=self._options,
            kind=self._kind,
            kdf=self._kdf,
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
        NotASite, BadTag, SchemaTooNew, AuditBroken, StorageFailed, DatabaseBusy
            The site was not opened, nothing was changed.
        """
        unlocked = unlock_with_password(path, login=user_name, password=password)
        try:
            site = self._site(path, unlocked, accept_restore_reason)
        except BaseException:
            unlocked.vault.close()
            raise
        return _signed_in(site)

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
        unlocked = unlock_with_recovery_code(path, typed_code=recovery_code)
        try:
            site = self._site(path, unlocked)
        except BaseException:
            unlocked.vault.close()
            raise
        try:
            self._replace_password(path, site, unlocked, login=user_name, password=new_password)
        finally:
            site.close()
        return self.open(path, user_name=user_name, password=new_password)

    def renew_data_keys(self, path: Path, *, user_name: str, password: str, progress: Progress) -> None:
        """Put new data keys into use while nobody has the site open, or finish an interrupted renewal (renewal.py)."""
        unlocked = unlock_with_password(path, login=user_name, password=password)
        try:
            renew_data_keys(path, unlocked, self._options, progress)
        finally:
            unlocked.vault.close()

    def _site(self, path: Path, unlocked: Unlocked, accept_restore_reason: str = "") -> Site:
        try:
            return Site(path, unlocked, self._options, accept_restore_reason=accept_restore_reason)
        except SchemaTooOld:
            bring_up_to_date(path, unlocked, self._options, accept_restore_reason=accept_restore_reason)
        return Site(path, unlocked, self._options, accept_restore_reason=accept_restore_reason)

    def _replace_password(self, path: Path, site: Site, unlocked: Unlocked, *, login: str, password: str) -> None:
        user_id = find_user(site.records, login)
        is_allowed = site.kind != CLINICAL or self._kdf.is_at_least(KDF_FLOOR)
        old = [s for s in read_slots(path, site.site_id) if s.kind == slots.PASSWORD and s.user_id == user_id]
        slot = slots.make_password_slot(
            unlocked.vault,
            login=login,
            user_id=user_id,
            password=password,
            parameters=self._kdf if is_allowed else KDF_FLOOR,
            created=self._options.clock(),
            # The same file: the old password stops working in the moment the new one begins to.
            slot_id=old[0].slot_id if old else None,
        )
        with changing_keys(path, unlocked.vault):
            with site.records.transaction() as connection:
                replace_key(site.records, connection, user_id=user_id, public_ed25519=slot.public_ed25519)
            write_slot(path, slot)


def _signed_in(site: Site) -> Site:
    try:
        site.record_event("signed in")
    except BaseException:
        site.close()
        raise
    return site
