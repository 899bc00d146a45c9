"""One opened site: the object that owns connection, files, keys and repositories."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from attrs import field, frozen

from ert.domain.ct_curve import SiteCtCurve
from ert.domain.library import SiteMaterial
from ert.domain.record import Finding
from ert.domain.release import MachineRelease
from ert.errors import NotASite
from ert.settings import CacheSettings
from ert.storage import check as checking
from ert.storage.anchors import Anchors, went_back
from ert.storage.audit import AuditTrail
from ert.storage.blobs import BlobStore
from ert.storage.cache_entry import EntrySealer
from ert.storage.caches import SiteCaches
from ert.storage.database import Database
from ert.storage.fields import FieldGuard
from ert.storage.library import LibraryRepository, ct_curves_of, materials_of, releases_of
from ert.storage.machines import MachineRepository
from ert.storage.opening import Access
from ert.storage.patients import PatientRepository
from ert.storage.plans import PlanRepository
from ert.storage.records import Records
from ert.storage.unlock import Unlocked
from ert.storage.users import user_names

DATABASE = "site.db"
SITE_NAME_COLUMN = "name_ct"
Clock = Callable[[], dt.datetime]


def no_caches() -> CacheSettings:
    """Return the settings of a workstation that keeps no doses."""
    return CacheSettings(is_on=False)


def utc_now() -> dt.datetime:
    """Return the time in UTC."""
    return dt.datetime.now(dt.UTC)


@frozen(kw_only=True)
class SiteOptions:
    """What does not depend on the site.

    Attributes
    ----------
    anchor_folder : where this workstation remembers the sites it saw; None remembers nothing.
    busy_timeout_ms : how long SQLite waits for a lock; a write tries for twice as long.
    clock : returns the time in UTC.
    cache_settings : returns where doses are cached; asked whenever a site is opened.
    """

    anchor_folder: Path | None = None
    busy_timeout_ms: int = 30_000
    clock: Clock = field(default=utc_now)
    cache_settings: Callable[[], CacheSettings] = no_caches


class Site:
    """An opened site (port ``SiteStore``); used by the thread that opened it.

    Parameters
    ----------
    root : Path
        Its folder.
    unlocked : Unlocked
        Its keys, and who signed in.
    options : SiteOptions
        Of this workstation.
    accept_restore_reason : str
        An administrator's explanation why the site may be older than this workstation remembers.

    Raises
    ------
    NotASite, WrongKey, SchemaTooNew, SchemaTooOld, BadTag
        The database is not this site's, or was changed.
    AuditBroken
        The storage went back in time.
    """

    def __init__(
        self, root: Path, unlocked: Unlocked, options: SiteOptions, *, accept_restore_reason: str = ""
    ) -> None:
        self._root = root
        self._store = unlocked.store
        self._vault = unlocked.vault
        self._access = Access(
            path=root / DATABASE,
            key_literal=unlocked.vault.database_key_literal,
            store_id=unlocked.store.store_id,
            busy_timeout_ms=options.busy_timeout_ms,
        )
        self._records = make_records(root, unlocked, options, Database(self._access))
        try:
            self._name = self._check_meta(Anchors(options.anchor_folder), accept_restore_reason)
            self._user_name = user_names(self._records).get(unlocked.user_id, "")
        except BaseException:
            self._records.database.close()
            raise
        self._patients = PatientRepository(self._records)
        self._plans = PlanRepository(self._records)
        self._machines = MachineRepository(self._records)
        self._ct_curves = ct_curves_of(self._records)
        self._materials = materials_of(self._records)
        self._releases = releases_of(self._records)
        self._caches = SiteCaches(self.site_id, EntrySealer(unlocked.vault), options.cache_settings())

    @property
    def site_id(self) -> str:
        """Random id of the site."""
        return self._store.store_id

    @property
    def site_name(self) -> str:
        """Its name."""
        return self._name

    @property
    def kind(self) -> str:
        """Either "clinical" or "sandbox"."""
        return self._store.kind

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._root

    @property
    def user_name(self) -> str:
        """Who is signed in."""
        return self._user_name

    @property
    def patients(self) -> PatientRepository:
        """Patients and what belongs to them."""
        return self._patients

    @property
    def plans(self) -> PlanRepository:
        """Plans."""
        return self._plans

    @property
    def machines(self) -> MachineRepository:
        """Machine packages."""
        return self._machines

    @property
    def ct_curves(self) -> LibraryRepository[SiteCtCurve]:
        """CT curves."""
        return self._ct_curves

    @property
    def materials(self) -> LibraryRepository[SiteMaterial]:
        """Materials of the site's own."""
        return self._materials

    @property
    def releases(self) -> LibraryRepository[MachineRelease]:
        """Releases of machine packages."""
        return self._releases

    @property
    def caches(self) -> SiteCaches:
        """Caches of its doses."""
        return self._caches

    @property
    def records(self) -> Records:
        """Rows and files, for what is built on top within storage."""
        return self._records

    def record_event(self, event: str, *, record: str = "", detail: str = "") -> None:
        """Append to the history: reading, exporting, signing in."""
        with self._records.transaction() as connection:
            change = {"detail": detail} if detail else {}
            self._records.trail.append(connection, event, record=record, change=change)

    def check(
        self,
        *,
        progress: Callable[[float, str], None] | None = None,
        stop: Callable[[], None] | None = None,
    ) -> tuple[Finding, ...]:
        """Verify the whole site: database, history, rows, keys, every file (check.py)."""

        def step(fraction: float, text: str) -> None:
            if stop is not None:
                stop()
            if progress is not None:
                progress(fraction, text)

        return checking.check_site(self._root, self._access, self._vault, self._records, step)

    def sweep(self) -> tuple[Path, ...]:
        """Move files that no row names and that are older than a day to the trash."""
        return self._records.blobs.sweep(checking.referenced_paths(self._records))

    def close(self) -> None:
        """Close and forget the keys."""
        self._caches.close()
        self._records.database.close()
        self._vault.close()

    def _check_meta(self, anchors: Anchors, accept_restore_reason: str) -> str:
        """Compare site row, ``store.json`` and what this workstation remembers; return the site's name."""
        remembered = anchors.remembered(self.site_id)
        with self._records.database.read() as connection:
            meta = self._records.trail.read_meta(connection)
            head = self._records.trail.head(connection)
            is_continuation = remembered is None or self._records.trail.holds(connection, remembered)
        expected = (self._store.store_id, self._store.kind, self._store.format, self._store.epoch)
        if (meta["store_id"], meta["kind"], meta["format"], meta["epoch"]) != expected:
            raise NotASite(
                "The database and the file store.json of this site do not belong together.",
                hint="Restore both from the same backup.",
                detail="store_meta differs from store.json",
            )
        if remembered is not None and not is_continuation:
            if not accept_restore_reason.strip():
                raise went_back(remembered, head)
            self.record_event("restore accepted", detail=accept_restore_reason)
        name = self._records.guard.decrypt(
            meta[SITE_NAME_COLUMN], table="store_meta", row_id="1", column=SITE_NAME_COLUMN
        )
        return name.decode("utf-8")


def make_records(root: Path, unlocked: Unlocked, options: SiteOptions, database: Database) -> Records:
    """Return rows and files of a site over an open database."""
    guard = FieldGuard(unlocked.vault)
    return Records(
        store_id=unlocked.store.store_id,
        database=database,
        blobs=BlobStore(root, unlocked.vault),
        guard=guard,
        trail=AuditTrail(unlocked.vault, guard, actor=unlocked.user_id, clock=options.clock),
        anchors=Anchors(options.anchor_folder),
        actor=unlocked.user_id,
        clock=options.clock,
    )
