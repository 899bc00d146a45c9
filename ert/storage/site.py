"""One opened site: the object that owns connection, files, keys and repositories."""

from __future__ import annotations

import logging
from pathlib import Path

from attrs import evolve

from ert.domain.account import NOBODY, Account
from ert.domain.backup import Progress
from ert.domain.ct_curve import SiteCtCurve
from ert.domain.library import SiteMaterial
from ert.domain.password import PasswordRule
from ert.domain.record import Finding
from ert.domain.release import MachineRelease
from ert.domain.second_check import SiteTolerances
from ert.domain.sweep import Swept
from ert.logs import Public
from ert.storage import check as checking
from ert.storage.accounts import AccountRepository
from ert.storage.activity import ActivityLog
from ert.storage.anchors import Anchors, went_back
from ert.storage.approvals import ApprovalRepository
from ert.storage.assembly import SiteOptions, access_to, make_records, records_of_this_thread
from ert.storage.attempts import Attempts
from ert.storage.backup import PendingBackup, begin_backup
from ert.storage.backup_folder import BackupFolder
from ert.storage.cache_entry import EntrySealer
from ert.storage.caches import SiteCaches
from ert.storage.continuation import look_whether_continued
from ert.storage.database import Database
from ert.storage.drafts import Drafts
from ert.storage.emergency import EmergencyEnvelopes
from ert.storage.exclusive import ExclusiveLocks
from ert.storage.identities import IdentityRepository
from ert.storage.library import LibraryRepository, check_tolerances_of, ct_curves_of, materials_of, releases_of
from ert.storage.machines import MachineRepository
from ert.storage.own_password import OwnPassword
from ert.storage.password_rule import password_rules
from ert.storage.patient_admin import PatientAdministration
from ert.storage.patients import PatientRepository
from ert.storage.people import People
from ert.storage.plans import PlanRepository
from ert.storage.presence import hold
from ert.storage.records import Records
from ert.storage.restored import read_only_reason
from ert.storage.run_shelf import RunShelf
from ert.storage.site_keys import SiteKeys
from ert.storage.site_setting import SiteSetting
from ert.storage.sweep import is_sweep_due, sweep
from ert.storage.unlock import Unlocked
from ert.storage.users import need_administrator
from ert.storage.workstations import WorkstationRepository

_LOG = logging.getLogger(__name__)


class Site:
    """An opened site (port ``SiteStore``); used by the thread that opened it.

    Parameters
    ----------
    root, unlocked, options : Path, Unlocked, SiteOptions
        Its folder; its keys, and who signed in; what is of this workstation.
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
        self._access = access_to(root, unlocked, options)
        self._anchors = Anchors(options.anchor_folder)
        self._unlocked = unlocked
        self._clock = options.clock
        self._options = options
        self._attempts = Attempts(root, options.anchor_folder, options.clock)
        self._presence = hold(root, unlocked.vault)
        try:
            self._records = make_records(root, unlocked, options, Database(self._access))
        except BaseException:
            self._presence.release()
            raise
        try:
            self._accounts = AccountRepository(root, unlocked, self._records, options.clock)
            self._identities = IdentityRepository(self._records, options.clock)
            self._workstations = WorkstationRepository(root, unlocked, self._records, options.key_store, options.clock)
            self._emergency = EmergencyEnvelopes(root, unlocked, self._records, self._attempts, options.clock)
            self.has_accepted_restore = False
            self._name = self._continued(accept_restore_reason)
            self._records.read_only_reason = read_only_reason(root, is_on_server=self._store.database is not None)
            if unlocked.workstation_id:
                self._workstations.expect_enrolled()
            self._account = self._admitted()
        except BaseException:
            self._records.database.close()
            self._presence.release()
            raise
        self._patients = PatientRepository(self._records)
        self._plans = PlanRepository(self._records)
        self._own_password = OwnPassword(
            store_id=self.site_id, account=self._account, accounts=self._accounts, attempts=self._attempts
        )
        self._approvals = ApprovalRepository(self._records, self._plans, self._own_password.signing_key)
        self._activity = ActivityLog(self._records, self._patients)
        self._machines = MachineRepository(self._records)
        self._ct_curves = ct_curves_of(self._records)
        self._materials = materials_of(self._records)
        self._releases = releases_of(self._records)
        self._check_tolerances = check_tolerances_of(self._records)
        self._caches = SiteCaches(self.site_id, EntrySealer(unlocked.vault), options.cache_settings())
        folder = None if options.draft_folder is None else options.draft_folder / self.site_id
        self._drafts = Drafts(folder, unlocked.vault, actor=unlocked.user_id, clock=options.clock)
        self._is_vouched_for = True
        self._runs = RunShelf(None if folder is None else folder / "runs", unlocked.vault)
        self._people = People(
            root, unlocked.vault, user_name=self._account.name, clock=options.clock, on_broken_locks=self._stop_saving
        )

    def _admitted(self) -> Account:
        if self._unlocked.emergency is not None:
            return self._emergency.admit()
        return self._accounts.admit() if self._unlocked.user_id else NOBODY

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
    def database_place(self) -> str:
        """Where its rows lie, for people to read."""
        place = self._store.database
        return "in the site's folder" if place is None else f"on the server {place.address.words}"

    @property
    def user_name(self) -> str:
        """Who is signed in."""
        return self._account.name

    @property
    def account(self) -> Account:
        """The account of who is signed in, as last read; nobody's if the recovery code opened the site."""
        return self._account if self._is_vouched_for else evolve(self._account, is_unverified=True)

    def set_vouched_for(self, *, is_vouched_for: bool) -> None:
        """Note whether the sign-in provider could be asked a moment ago; from any thread."""
        self._is_vouched_for = is_vouched_for

    @property
    def accounts(self) -> AccountRepository:
        """All accounts."""
        return self._accounts

    @property
    def identities(self) -> IdentityRepository:
        """The sign-in provider, and who is who there."""
        return self._identities

    @property
    def workstations(self) -> WorkstationRepository:
        """Workstations whose key store opens the site."""
        return self._workstations

    @property
    def emergency(self) -> EmergencyEnvelopes:
        """The sealed envelope for emergencies."""
        return self._emergency

    def refresh_account(self) -> Account:
        """Read the account of who is signed in again."""
        if self._unlocked.emergency is not None:
            self._account = self._emergency.account()
        elif self._account.id:
            self._account = self._accounts.account(self._account.id)
        return self.account

    def confirm_password(self, password: str) -> None:
        """Check the password of who is signed in, failures counted as at signing in.

        From any thread; what became of the account meanwhile is `refresh_account`'s to say.

        Raises
        ------
        WrongKey
            It is wrong, or the account has no slot any more.
        SignInLocked
            Too many attempts failed.
        """
        self._own_password.confirm(password)

    @property
    def is_restored_copy(self) -> bool:
        """Whether it is a backup that was restored but not activated: nothing can be saved in it."""
        return self._records.is_restored_copy

    @property
    def read_only_reason(self) -> str:
        """Why nothing can be saved in its folder; empty if it can."""
        return self._records.read_only_reason

    def _stop_saving(self, reason: str) -> None:
        if self._store.database is None:
            self._records.read_only_reason = reason

    @property
    def patients(self) -> PatientRepository:
        """Patients and what belongs to them."""
        return self._patients

    @property
    def administration(self) -> PatientAdministration:
        """Corrections, merges and states of patients' records."""
        return PatientAdministration(self._records)

    @property
    def plans(self) -> PlanRepository:
        """Plans."""
        return self._plans

    @property
    def approvals(self) -> ApprovalRepository:
        """What was signed of plans."""
        return self._approvals

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
    def runs(self) -> RunShelf:
        """Interrupted runs on this workstation."""
        return self._runs

    @property
    def check_tolerances(self) -> LibraryRepository[SiteTolerances]:
        """Limits of the second check."""
        return self._check_tolerances

    @property
    def keys(self) -> SiteKeys:
        """Its keys, to be renewed."""
        return SiteKeys(self._root, self._unlocked, self._records, self._clock)

    @property
    def caches(self) -> SiteCaches:
        """Caches of its doses."""
        return self._caches

    @property
    def activity(self) -> ActivityLog:
        """Its history, for reading."""
        return self._activity

    @property
    def drafts(self) -> Drafts:
        """Unsaved edits on this workstation."""
        return self._drafts

    @property
    def people(self) -> People:
        """Who has which plan open."""
        return self._people

    @property
    def records(self) -> Records:
        """Rows and files, for what is built on top within storage."""
        return self._records

    def expect_administrator(self, doing: str) -> None:
        """Refuse what only an administrator of the site may do (`NotPermitted`)."""
        with self._records.database.read() as connection:
            need_administrator(self._records, connection, self._unlocked.user_id, doing)

    def record_event(self, event: str, *, record: str = "", detail: str = "") -> None:
        """Append to the history: reading, exporting, signing in.

        A restored copy keeps the history it came with, and a folder that is read-only keeps what it has; the log of
        this workstation then says that something was not noted.
        """
        if self._records.is_restored_copy:
            return
        if self._records.read_only_reason:
            _LOG.warning("not noted in the history, the site is read-only: %s", Public(event))
            return
        with self._records.transaction() as connection:
            change = {"detail": detail} if detail else {}
            self._records.trail.append(connection, event, record=record, change=change)

    def check(
        self, *, level: int = checking.FULL_LEVEL, progress: Progress = lambda _fraction, _text: None
    ) -> tuple[Finding, ...]:
        """Verify the site: database, history, rows, keys, every file (check.py says what each level reads)."""
        checked = checking.Checked(
            root=self._root, access=self._access, vault=self._vault, records=self._records, anchors=self._anchors
        )
        return checking.check_site(checked, level=level, progress=progress)

    def start_backup(self, folder: Path) -> PendingBackup:
        """Copy database and keys as they are now into a backup folder; the files follow (`PendingBackup.finish`).

        Raises
        ------
        InvalidSite
            The folder holds something else, or lies in the site.
        DatabaseBusy
            Another backup is being written there.
        DiskFull, StorageFailed
            There is no new backup.
        """
        return begin_backup(
            folder, site_root=self._root, unlocked=self._unlocked, records=self._records, now=self._clock()
        )

    def backups(self, folder: Path) -> BackupFolder:
        """The backups of this site in a folder."""
        return BackupFolder(folder, self._unlocked)

    @property
    def password_rules(self) -> SiteSetting[PasswordRule]:
        """What the site asks of passwords."""
        return password_rules(self._records)

    @property
    def locks(self) -> ExclusiveLocks:
        """What only one may do at a time."""
        return ExclusiveLocks(self._records)

    def is_sweep_due(self) -> bool:
        """Whether nobody cleared away unused files for a day; never where nothing can be saved."""
        return not (self.is_restored_copy or self.read_only_reason) and is_sweep_due(self._records)

    def sweep(self, *, progress: Progress = lambda _fraction, _text: None) -> Swept:
        """Clear away files of no record (`ert.storage.sweep.sweep`); may be called from any thread."""
        with records_of_this_thread(self._root, self._unlocked, self._options, self._records) as records:
            return sweep(records, self._root, progress)

    def close(self) -> None:
        """Close and forget the keys."""
        self._people.close()
        self._caches.close()
        self._records.database.close()
        self._vault.close()
        self._presence.release()

    def _continued(self, accept_restore_reason: str) -> str:
        """Expect the site this workstation knows, or take an administrator's word for it; return the site's name."""
        continued = look_whether_continued(self._records, self._store, self._anchors)
        remembered = continued.remembered
        if remembered is not None and not continued.is_continuation and not self._records.is_restored_copy:
            if not accept_restore_reason.strip():
                raise went_back(remembered, continued.head)
            self.expect_administrator("Accepting an older state")
            self.record_event("restore accepted", detail=accept_restore_reason)
            self._anchors.note_restore(self.site_id, remembered, continued.head, accept_restore_reason, self._clock())
            self.has_accepted_restore = True
        return continued.site_name
