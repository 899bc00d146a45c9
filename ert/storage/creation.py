"""Making a site: prepared in memory, written only after the recovery code was typed back, complete or not at all."""

from __future__ import annotations

import contextlib
import hmac
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from ert.domain.account import FIRST_GRANT, Account, checked_name
from ert.domain.database_server import ServerLogin
from ert.domain.identity import new_id
from ert.errors import InvalidSite, WrongKey
from ert.storage import printed_code, schema, slots, store_file
from ert.storage.assembly import SITE_NAME_COLUMN, SiteOptions, file_access, make_records
from ert.storage.atomic import make_folders, replace_file, sync_folder, translated
from ert.storage.audit import GENESIS, write_meta
from ert.storage.blobs import DATA, TMP, TRASH
from ert.storage.database import AnyAccess, Database
from ert.storage.keys import Vault
from ert.storage.migrate import migrate
from ert.storage.opening import DATABASE
from ert.storage.passwords import KDF_FLOOR, KdfParameters, check_password
from ert.storage.records import Records
from ert.storage.server_access import ServerAccess
from ert.storage.server_schema import access_with, create_schema, drop_schema, new_place, try_server
from ert.storage.server_secret import write_secret
from ert.storage.share_locks import known_not_to_lock
from ert.storage.store_file import CLINICAL, FILE_NAME, StoreFile
from ert.storage.surroundings import expect_outside
from ert.storage.unlock import SLOTS, Unlocked, created_of, ring_path, slot_path
from ert.storage.users import add_user

_FOLDERS = (DATA, TMP, TRASH, SLOTS)


@frozen(kw_only=True, repr=False)
class _Draft:
    root: Path
    site_name: str
    login: str
    unlocked: Unlocked
    slots: tuple[slots.Slot, slots.Slot]
    options: SiteOptions
    server: ServerLogin | None


class PendingSite:
    """A site being made: nothing is on the disk until the recovery code was typed back (port ``PendingSite``)."""

    def __init__(self, draft: _Draft, secret: bytes) -> None:
        self._draft = draft
        self._secret = secret

    @property
    def recovery_code(self) -> str:
        """To be printed and kept away from the computer."""
        return printed_code.format_code(self._secret)

    def confirm(self, typed_code: str) -> None:
        """Write the site; it appears at its place as a whole.

        Raises
        ------
        InvalidSite
            The typed code differs, or the folder is no longer free. May be tried again.
        DiskFull, StorageFailed
            Nothing is left behind.
        """
        if not self._secret:
            raise InvalidSite("This site was finished or discarded before.", hint="Begin again.")
        try:
            typed = printed_code.parse_code(typed_code)
        except WrongKey as exc:
            raise InvalidSite(exc.sentence, hint=exc.hint) from exc
        if not hmac.compare_digest(typed, self._secret):
            raise InvalidSite(
                "The typed recovery code differs from the one shown; the site was not created.",
                hint="Copy the code from the sheet again.",
            )
        _write_site(self._draft)
        self.discard()

    def discard(self) -> None:
        """Forget what was prepared."""
        self._secret = b""
        self._draft.unlocked.vault.close()


def prepare_site(
    root: Path,
    *,
    site_name: str,
    admin_name: str,
    password: str,
    options: SiteOptions,
    kind: str = CLINICAL,
    kdf: KdfParameters = KDF_FLOOR,
    server: ServerLogin | None = None,
) -> PendingSite:
    """Begin a new site with one administrator and one recovery code.

    Parameters
    ----------
    root : Path
        Does not exist yet, or is an empty folder.
    site_name, admin_name, password : str
        As entered.
    options : SiteOptions
        Of this workstation.
    kind : str
        "clinical", or "sandbox" for trying things out.
    kdf : KdfParameters
        Cost of the password; below `KDF_FLOOR` for a sandbox only.
    server : ServerLogin or None
        Keeps the rows; None keeps them in the folder.

    Raises
    ------
    InvalidSite
        A name is missing, the password too weak, the folder in use.
    StorageFailed
        The server cannot be reached, or is not fit for a site.
    """
    if not site_name.strip() or not admin_name.strip():
        raise InvalidSite("A site needs a name, and its administrator too.", hint="Enter both.")
    check_password(password, names=(site_name, admin_name))
    if kind == CLINICAL and not kdf.is_at_least(KDF_FLOOR):
        raise InvalidSite("A clinical site cannot be created with a password cost below the allowed minimum.")
    _check_folder(root)
    mount = "" if server is not None else known_not_to_lock(root)
    if mount:
        raise InvalidSite(
            f"A site cannot be kept in {root}: it is mounted as {mount}, which does not lock, and two programs could "
            "write at once and damage it.",
            hint="Choose a folder on a local disk, or on a share that locks.",
        )
    created = options.clock()
    store = store_file.make_store_file(store_id=new_id(), kind=kind, created=created)
    if server is not None:
        store = store.on_server(new_place(server, store.store_id))
    vault, user_id, secret = Vault.create(store.store_id), new_id(), printed_code.new_secret()
    password_slot = slots.make_password_slot(
        vault, login=checked_name(admin_name), user_id=user_id, password=password, parameters=kdf, created=created
    )
    recovery_slot = slots.make_recovery_slot(vault, secret=secret, created=created)
    if server is not None and store.database is not None:
        with access_with(server, store, store.database, vault) as access:
            try_server(access)
    draft = _Draft(
        root=root,
        site_name=site_name.strip(),
        login=checked_name(admin_name),
        unlocked=Unlocked(store=store, vault=vault, user_id=user_id),
        slots=(password_slot, recovery_slot),
        options=options,
        server=server,
    )
    return PendingSite(draft, secret)


def _check_folder(root: Path) -> None:
    with translated("looking at the folder for the site"):
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise InvalidSite(
                f"The folder {root} is not empty; a site was not created there.", hint="Choose a new folder."
            )
    expect_outside(root, "created")


def _write_site(draft: _Draft) -> None:
    _check_folder(draft.root)
    with translated("creating the site"):
        draft.root.parent.mkdir(parents=True, exist_ok=True)
        building = draft.root.parent / f".{draft.root.name}.{new_id()}.creating"
        building.mkdir(mode=0o700)
        try:
            _fill(building, draft)
            with _made_on_server(building, draft):
                if os.name == "nt" and draft.root.exists():
                    draft.root.rmdir()
                building.rename(draft.root)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        sync_folder(draft.root.parent)


def _fill(root: Path, draft: _Draft) -> None:
    for name in _FOLDERS:
        make_folders(root / name, below=root)
    vault, store = draft.unlocked.vault, draft.unlocked.store
    tmp = root / TMP
    replace_file(ring_path(root, vault.ring), vault.wrapped_ring(), tmp_folder=tmp)
    for slot in draft.slots:
        replace_file(slot_path(root, slot), slot.to_json(), tmp_folder=tmp)
    if store.database is None:
        (root / DATABASE).touch(mode=0o600, exist_ok=False)
        _fill_database(root, draft, file_access(root, draft.unlocked, draft.options))
    replace_file(root / FILE_NAME, store.to_json(vault), tmp_folder=tmp)
    for folder in (root / SLOTS).parent, root:
        sync_folder(folder)


@contextlib.contextmanager
def _made_on_server(root: Path, draft: _Draft) -> Iterator[None]:
    """Make the tables on the server; they go again if the folder does not come to its place."""
    store, server, vault = draft.unlocked.store, draft.server, draft.unlocked.vault
    if server is None or store.database is None:
        yield
        return
    write_secret(root, vault, password=server.password, authority_pem=server.authority_pem)
    with access_with(server, store, store.database, vault) as access:
        _fill_database(root, draft, access)
        try:
            yield
        except BaseException:
            drop_schema(access)
            raise


def _fill_database(root: Path, draft: _Draft, access: AnyAccess) -> None:
    database = Database(access, may_migrate=True)
    try:
        with database.write() as connection:
            if isinstance(access, ServerAccess):
                create_schema(connection, access.place)
            migrate(connection)
            # Not yet at its place: this workstation remembers the site once it is opened there.
            options = SiteOptions(clock=draft.options.clock)
            records = make_records(root, draft.unlocked, options, database)
            meta = _first_meta(records, draft.unlocked.store, draft.site_name)
            connection.execute(schema.store_meta.insert().values(**meta, row_mac=b""))
            write_meta(connection, records.guard, meta)
            records.trail.append(connection, "site created", record=draft.unlocked.store.store_id)
            add_user(
                records,
                connection,
                account=Account(id=draft.unlocked.user_id, name=draft.login, grant=FIRST_GRANT),
                public_ed25519=draft.slots[0].public_ed25519,
                slots_since=created_of(draft.slots[0]),
            )
    finally:
        database.close()


def _first_meta(records: Records, store: StoreFile, site_name: str) -> dict[str, int | str | bytes]:
    return {
        "one": 1,
        "store_id": store.store_id,
        "kind": store.kind,
        "format": store.format,
        "epoch": store.epoch,
        SITE_NAME_COLUMN: records.guard.encrypt(
            site_name.encode("utf-8"), table="store_meta", row_id="1", column=SITE_NAME_COLUMN
        ),
        "head_seq": 0,
        "head_h": GENESIS,
        "fencing_token": 0,
    }
