"""Moving a site's rows between its folder and a server; its files stay where they are.

Everything is copied and compared value by value, checked like a site (codes of rows, history, revisions), and only then
does ``store.json`` say where the rows lie: that one exchange is the move. Killed before it, the site is where it was;
what was copied is in nobody's way. The rows that were left are kept under another name, so nothing opens them again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import attrs
import sqlalchemy as sa
from attrs import frozen

from ert.domain.backup import Progress
from ert.domain.database_server import ServerLogin
from ert.domain.identity import new_id
from ert.domain.record import Severity
from ert.errors import DatabaseBusy, Refused, StorageFailed
from ert.storage.anchors import Anchors, went_back
from ert.storage.assembly import SiteOptions, access_to, expect_same_site, file_access, make_records
from ert.storage.atomic import replace_file, sync_folder, translated
from ert.storage.audit import Head
from ert.storage.blobs import TMP
from ert.storage.check import Checked, check_site
from ert.storage.database import AnyAccess, Database
from ert.storage.database_copy import compare_rows, copy_rows
from ert.storage.migrate import migrate
from ert.storage.opening import DATABASE
from ert.storage.presence import exclude
from ert.storage.records import Records
from ert.storage.renewal import changing_keys
from ert.storage.server_access import ServerAccess
from ert.storage.server_schema import access_with, create_schema, drop_schema, new_place, retire_schema, try_server
from ert.storage.server_secret import authority_sha256, remove_secret, write_secret
from ert.storage.store_file import FILE_NAME, StoreFile
from ert.storage.unlock import Unlocked
from ert.storage.users import need_administrator

MOVED = f"{DATABASE}.moved-"
_ROWS_LEVEL = 2


@frozen(kw_only=True, repr=False)
class _Of:
    """The site it is about."""

    root: Path
    unlocked: Unlocked
    options: SiteOptions

    def records(self, database: Database) -> Records:
        """Return its rows; this workstation remembers nothing of what is not in use yet."""
        return make_records(self.root, self.unlocked, attrs.evolve(self.options, anchor_folder=None), database)


def move_to_server(
    root: Path, unlocked: Unlocked, server: ServerLogin, options: SiteOptions, progress: Progress
) -> int:
    """Move the rows of a folder to a server; return how many there are. Nobody may have the site open.

    Raises
    ------
    Refused
        They are on a server already.
    DatabaseBusy
        Somebody has the site open.
    BadTag, AuditBroken, StorageFailed, DiskFull, Cancelled
        The site opens as before.
    """
    if unlocked.store.database is not None:
        raise Refused("The rows of this site lie on a server already.", hint="Move them into the folder first.")
    site = _Of(root=root, unlocked=unlocked, options=options)
    with _alone(root, unlocked):
        place = new_place(server, unlocked.store.store_id)
        store = unlocked.store.on_server(place)
        source = file_access(root, unlocked, options)
        _expect_sound(site, source, progress, 0.0)
        with access_with(server, store, place, unlocked.vault) as access:
            try_server(access)
            try:
                count = _fill_server(source, access, progress)
                moved = attrs.evolve(access, is_new=False)
                _expect_sound(site, moved, progress, 0.8)
                head = _note(site, moved, "database moved to a server", place.address.text)
                write_secret(root, unlocked.vault, password=server.password, authority_pem=server.authority_pem)
            except BaseException:
                with contextlib.suppress(StorageFailed):  # a server that went away keeps tables nothing refers to
                    drop_schema(access)
                raise
        # If this fails, both databases stay: whichever the file names then is complete.
        _say_where(root, store, unlocked)
        Anchors(options.anchor_folder).remember(store.store_id, head)
        with translated("keeping the former database"):
            (root / DATABASE).rename(root / f"{MOVED}{options.clock():%Y%m%dT%H%M%SZ}")
            sync_folder(root)
    progress(1.0, "")
    return count


def move_to_folder(root: Path, unlocked: Unlocked, options: SiteOptions, progress: Progress) -> str:
    """Move the rows of a server into the folder; return the name under which the server keeps the former ones.

    Raises
    ------
    Refused
        They are in the folder already.
    DatabaseBusy
        Somebody has the site open.
    BadTag, AuditBroken, StorageFailed, DiskFull, Cancelled
        The site opens as before.
    """
    source = access_to(root, unlocked, options)
    if not isinstance(source, ServerAccess):
        raise Refused("The rows of this site lie in its folder already.")
    site = _Of(root=root, unlocked=unlocked, options=options)
    with _alone(root, unlocked):
        store = unlocked.store.in_folder()
        copy = attrs.evolve(file_access(root, unlocked, options), path=root / TMP / f"{new_id()}.db")
        try:
            _fill_file(attrs.evolve(source, is_alone=True), copy, progress)
            _expect_sound(site, copy, progress, 0.8)
            head = _note(site, copy, "database moved into the folder", source.place.address.text)
            with translated("putting the database in place"):
                copy.path.replace(root / DATABASE)
                sync_folder(root)
            _say_where(root, store, unlocked)
        finally:
            with translated("removing a copy of the database"):
                for path in (copy.path, copy.path.with_name(f"{copy.path.name}-journal")):
                    path.unlink(missing_ok=True)
        Anchors(options.anchor_folder).remember(store.store_id, head)
        retired = retire_schema(attrs.evolve(source, is_new=True))
        remove_secret(root)
    progress(1.0, "")
    return retired


def reconnect(root: Path, unlocked: Unlocked, server: ServerLogin, options: SiteOptions) -> None:
    """Give the folder another address or password of the server that keeps its rows, once they were found there.

    Raises
    ------
    Refused, NotPermitted
        The rows lie in the folder; or the account is no administrator's.
    NotASite, BadTag, AuditBroken, StorageFailed
        They are not there, or not as this workstation remembers them; nothing was changed.
    """
    former = unlocked.store.database
    if former is None:
        raise Refused("The rows of this site lie in its folder; there is no server to connect to.")
    address = server.address
    place = attrs.evolve(
        former, host=address.host, port=address.port, database=address.database, role=address.role,
        authority_sha256=authority_sha256(server.authority_pem),
    )  # fmt: skip
    store = unlocked.store.on_server(place)
    site = _Of(root=root, unlocked=unlocked, options=options)
    with changing_keys(root, unlocked.vault), access_with(server, store, place, unlocked.vault) as found:
        access = attrs.evolve(found, is_new=False)
        _expect_continuation(site, access)
        head = _note(site, access, "database server changed", address.text)
        write_secret(root, unlocked.vault, password=server.password, authority_pem=server.authority_pem)
        _say_where(root, store, unlocked)
        Anchors(options.anchor_folder).remember(store.store_id, head)


@contextlib.contextmanager
def _alone(root: Path, unlocked: Unlocked) -> Iterator[None]:
    busy = DatabaseBusy(
        "Somebody has this site open; its database was not moved.",
        hint="Have everybody sign out, then try again.",
        detail="site.lock is held",
    )
    lock = exclude(root, busy=busy)
    try:
        with changing_keys(root, unlocked.vault):
            if unlocked.vault.is_renewing:
                raise Refused(
                    "A renewal of the data keys was interrupted; the database was not moved.",
                    hint="Finish it first with 'ert keys rotate data'.",
                )
            yield
    finally:
        lock.release()


def _fill_server(source: AnyAccess, access: ServerAccess, progress: Progress) -> int:
    with _both(source, access) as (rows, target), target.write() as connection:
        create_schema(connection, access.place)
        migrate(connection)
        copy_rows(rows, connection, progress=lambda fraction, text: progress(0.2 + 0.4 * fraction, text))
        progress(0.6, "Comparing records")
        return compare_rows(rows, connection)


def _fill_file(source: ServerAccess, copy: AnyAccess, progress: Progress) -> None:
    database = Database(source)
    try:
        progress(0.1, "Copying records")
        database.copy_into(_path(copy))
        target = Database(copy)
        try:
            with database.read() as rows, target.read() as connection:
                progress(0.6, "Comparing records")
                compare_rows(rows, connection)
        finally:
            target.close()
    finally:
        database.close()


def _path(access: AnyAccess) -> Path:
    if isinstance(access, ServerAccess):
        raise TypeError("a server is no file")
    return access.path


@contextlib.contextmanager
def _both(source: AnyAccess, target: AnyAccess) -> Iterator[tuple[sa.Connection, Database]]:
    with contextlib.ExitStack() as opened:
        rows = Database(source)
        opened.callback(rows.close)
        filled = Database(target, may_migrate=True)
        opened.callback(filled.close)
        yield opened.enter_context(rows.read()), filled


def _expect_sound(site: _Of, access: AnyAccess, progress: Progress, at: float) -> None:
    """Refuse to go on with rows that do not verify."""
    database = Database(access)
    try:
        checked = Checked(
            root=site.root,
            access=access,
            vault=site.unlocked.vault,
            records=site.records(database),
            anchors=Anchors(site.options.anchor_folder),
            is_site=False,
        )
        found = check_site(checked, level=_ROWS_LEVEL, progress=lambda _fraction, text: progress(at, text))
    finally:
        database.close()
    flaws = [finding for finding in found if finding.severity is Severity.BLOCKER]
    if flaws:
        raise StorageFailed(
            f"The database does not verify ({flaws[0].sentence}); it was not moved.",
            hint="Run 'ert check'; restore the site from a backup if need be, then try again.",
            detail=flaws[0].subject,
        )


def _expect_continuation(site: _Of, access: AnyAccess) -> None:
    database = Database(access)
    try:
        with database.read() as connection:
            records = site.records(database)
            expect_same_site(records.trail.read_meta(connection), site.unlocked.store)
            need_administrator(records, connection, site.unlocked.user_id, "Connecting the site to another server")
            remembered = Anchors(site.options.anchor_folder).remembered(records.store_id)
            if remembered is not None and not records.trail.holds(connection, remembered):
                raise went_back(remembered, records.trail.head(connection))
    finally:
        database.close()


def _note(site: _Of, access: AnyAccess, event: str, place: str) -> Head:
    database = Database(access)
    try:
        with database.write() as connection:
            trail, store_id = site.records(database).trail, site.unlocked.store.store_id
            return trail.append(connection, event, record=store_id, change={"server": place})
    finally:
        database.close()


def _say_where(root: Path, store: StoreFile, unlocked: Unlocked) -> None:
    """From now on the rows lie there."""
    replace_file(root / FILE_NAME, store.to_json(unlocked.vault), tmp_folder=root / TMP)
