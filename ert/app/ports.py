"""What the application layer needs from the outside: the site's store. ``ert.storage`` implements these protocols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from ert.app.approval_ports import ApprovalStore
from ert.app.backup_ports import BackupShelf, PendingBackup
from ert.app.cache_ports import CacheFolders, DoseCache, RunCheckpoints
from ert.app.identity_ports import AccountStore, EmergencyStore, IdentityStore, WorkstationStore
from ert.app.people_ports import ActivityLog, DraftStore, People
from ert.app.record_ports import ExclusiveLocks, LibraryStore, PasswordRules, PatientAdministration, SiteKeys
from ert.app.server_ports import RowMoves
from ert.domain.account import Account
from ert.domain.backup import BackupInfo, Progress, Pruned, Restored, Retention
from ert.domain.cache_report import CacheReport
from ert.domain.ct_curve import SiteCtCurve
from ert.domain.database_server import ServerLogin
from ert.domain.dose import DoseResult
from ert.domain.image import CtImage
from ert.domain.library import SiteMaterial
from ert.domain.overview import CourseOverview
from ert.domain.patient import Course, Patient
from ert.domain.plan import Plan
from ert.domain.provider import Identity, WayIn
from ert.domain.record import DicomFile, Finding, ImageHead, PlanHead, PlanStatus, StoredPlan
from ert.domain.release import MachineRelease
from ert.domain.second_check import KeptSecondCheck, SecondCheck, SiteTolerances
from ert.domain.structure import StructureSet
from ert.domain.sweep import Swept
from ert.settings import CacheSettings

T = TypeVar("T")


class PatientStore(Protocol):
    """Patients, courses, images and structure sets."""

    def patients(self) -> tuple[Patient, ...]:
        """All patients, by name."""

    def find(self, medical_record_number: str, issuer: str) -> Patient | None:
        """The patient of that number, if known."""

    def courses(self, patient_id: str) -> tuple[Course, ...]:
        """The courses of a patient, oldest first."""

    def patient(self, patient_id: str) -> Patient:
        """One patient."""

    def course(self, course_id: str) -> Course:
        """One course."""

    def image_head(self, image_id: str) -> ImageHead:
        """Description of an image."""

    def image(self, image_id: str) -> CtImage:
        """An image with its voxels."""

    def structure_set(self, structure_set_id: str) -> StructureSet:
        """A structure set with its contours (the newest revision)."""

    def add_import(
        self,
        *,
        patient: Patient,
        course: Course,
        image: CtImage,
        structures: StructureSet,
        ct_files: Iterable[DicomFile],
    ) -> None:
        """Store one import, all or nothing. The patient is added if its id is not there yet."""

    def save_structure_set(self, structure_set: StructureSet, *, course_id: str) -> None:
        """Store a changed structure set (roles, an added external) as its next revision."""

    def ct_files(self, image_id: str) -> Iterator[DicomFile]:
        """The original CT files of an image."""


class PlanStore(Protocol):
    """Plans and their revisions."""

    def heads(self, course_id: str) -> tuple[PlanHead, ...]:
        """The newest revisions of all plans of a course."""

    def overview(self, patient_ids: Sequence[str]) -> Mapping[str, tuple[CourseOverview, ...]]:
        """The courses of many patients as imported, with their plans, for lists."""

    def head(self, plan_id: str) -> PlanHead:
        """The newest revision of a plan, without its content."""

    def load(self, plan_id: str, revision: int | None = None) -> StoredPlan:
        """One revision of a plan, the newest by default."""

    def save(
        self,
        plan: Plan,
        *,
        base_revision: int,
        doses: Sequence[DoseResult] = (),
        reason: str = "",
        status: PlanStatus = PlanStatus.DRAFT,
    ) -> StoredPlan:
        """Save a new revision with the doses computed for it, in one transaction; ``reason`` is for the history.

        ``base_revision`` is the revision the edit began with, 0 for a new plan; raises `StaleRevision` if the store has
        another one.
        """

    def dose(self, plan_id: str, request_digest: str) -> DoseResult | None:
        """A kept dose of this plan, verified; None if it was never kept."""

    def add_doses(self, plan: Plan, revision: int, doses: Sequence[DoseResult]) -> None:
        """Keep doses computed for a plan without a new revision.

        Raises `StaleRevision` if that revision is not the newest any more, `DigestMismatch` if it has other content.
        """

    def add_second_check(self, plan: Plan, revision: int, check: SecondCheck) -> None:
        """Keep a second check with the revision it was made on; raises `DigestMismatch` if that has other content."""

    def second_checks(self, plan_id: str) -> tuple[KeptSecondCheck, ...]:
        """Every second check of a plan, oldest first."""


class DoseCaches(DoseCache, Protocol):
    """The caches of an opened site, one behind the other."""

    def reports(self) -> tuple[CacheReport, ...]:
        """How each cache stands, the workstation's first."""

    def apply(self, settings: CacheSettings) -> None:
        """Use other folders and limits from now on."""


class MachineStore(Protocol):
    """Machine packages: immutable once added."""

    def packages(self) -> tuple[bytes, ...]:
        """All packages, serialised, in order of adding."""

    def add(self, *, name: str, digest: str, content: bytes, replaces: str = "") -> None:
        """Keep a package; adding the same digest again changes nothing.

        ``replaces`` is the digest of the version it follows, for the history.
        """


class SiteStore(Protocol):
    """One opened site."""

    @property
    def site_id(self) -> str:
        """Random id of the site."""

    @property
    def site_name(self) -> str:
        """Its name."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def database_place(self) -> str:
        """Where its rows lie, for people to read."""

    @property
    def user_name(self) -> str:
        """Who is signed in."""

    @property
    def account(self) -> Account:
        """The account of who is signed in, as last read."""

    @property
    def accounts(self) -> AccountStore:
        """All accounts."""

    @property
    def identities(self) -> IdentityStore:
        """The sign-in provider, and who is who there."""

    @property
    def workstations(self) -> WorkstationStore:
        """Workstations whose key store opens the site."""

    @property
    def emergency(self) -> EmergencyStore:
        """The sealed envelope for emergencies."""

    def set_vouched_for(self, *, is_vouched_for: bool) -> None:
        """Note whether the sign-in provider could be asked a moment ago; from any thread."""

    def refresh_account(self) -> Account:
        """Read the account of who is signed in again."""

    def confirm_password(self, password: str) -> None:
        """Check the password of who is signed in; from any thread.

        Raises `WrongKey` if it is wrong, `SignInLocked` after too many tries.
        """

    @property
    def is_restored_copy(self) -> bool:
        """Whether it is a backup that was restored but not activated: nothing can be saved in it."""

    @property
    def read_only_reason(self) -> str:
        """Why nothing can be saved in its folder, as a sentence; empty if it can."""

    @property
    def patients(self) -> PatientStore:
        """Patients and what belongs to them."""

    @property
    def administration(self) -> PatientAdministration:
        """Corrections, merges and states of patients' records."""

    @property
    def plans(self) -> PlanStore:
        """Plans."""

    @property
    def approvals(self) -> ApprovalStore:
        """What was signed of plans."""

    @property
    def machines(self) -> MachineStore:
        """Machine packages."""

    @property
    def ct_curves(self) -> LibraryStore[SiteCtCurve]:
        """CT curves."""

    @property
    def materials(self) -> LibraryStore[SiteMaterial]:
        """Materials of the site's own."""

    @property
    def releases(self) -> LibraryStore[MachineRelease]:
        """Releases of machine packages."""

    @property
    def password_rules(self) -> PasswordRules:
        """What the site asks of passwords."""

    @property
    def locks(self) -> ExclusiveLocks:
        """What only one may do at a time."""

    @property
    def check_tolerances(self) -> LibraryStore[SiteTolerances]:
        """Limits of the second check."""

    @property
    def keys(self) -> SiteKeys:
        """Its keys, to be renewed."""

    @property
    def caches(self) -> DoseCaches:
        """Caches of its doses."""

    @property
    def runs(self) -> RunCheckpoints:
        """Interrupted Monte Carlo runs on this workstation; from any thread."""

    @property
    def activity(self) -> ActivityLog:
        """Its history, for reading."""

    @property
    def drafts(self) -> DraftStore:
        """Unsaved edits on this workstation."""

    @property
    def people(self) -> People:
        """Who has which plan open."""

    def record_event(self, event: str, *, record: str = "", detail: str = "") -> None:
        """Append to the history: reading, exporting, signing in."""

    def check(self, *, level: int, progress: Progress) -> tuple[Finding, ...]:
        """Verify the site: 0 opening, 1 database, 2 records and history, 3 every file, 4 every file's content."""

    def start_backup(self, folder: Path) -> PendingBackup:
        """Copy the database as it is now into a folder of backups; the rest is `PendingBackup.finish`."""

    def backups(self, folder: Path) -> BackupShelf:
        """The backups of this site in a folder; to be used by any one thread."""

    def is_sweep_due(self) -> bool:
        """Whether nobody cleared away unused files for a day."""

    def sweep(self, *, progress: Progress) -> Swept:
        """Clear away files of no record, older than a day; from any thread. `LockHeld` while a backup is made."""

    def close(self) -> None:
        """Close and forget the keys."""


class PendingSite(Protocol):
    """A site being made: nothing is usable until the recovery code was typed back."""

    @property
    def recovery_code(self) -> str:
        """To be printed and kept away from the computer."""

    def confirm(self, typed_code: str) -> None:
        """Finish the site; `Refused` if the typed code differs."""

    def discard(self) -> None:
        """Remove what was prepared."""


class SiteGateway(RowMoves, Protocol):
    """Makes and opens sites. All methods of an opened site are called from the thread that opened it."""

    def is_site(self, path: Path) -> bool:
        """True if the folder looks like a site."""

    def caches(self, path: Path) -> CacheFolders:
        """Where doses of a site are cached, without opening it."""

    def open_sealed(self, path: Path, *, code: str, person: str, reason: str) -> SiteStore:
        """Open for reading with the code of the sealed envelope; `WrongKey`, `SignInLocked`, `Refused`."""

    def is_enrolled(self, path: Path) -> bool:
        """Whether this workstation's key store opens the site; from any thread, may wait for the store's password."""

    def way_in(self, path: Path) -> WayIn | None:
        """The provider people may sign in through on this workstation; None if there is none."""

    def open_as(self, path: Path, identity: Identity) -> SiteStore:
        """Open a site for a person the provider has just vouched for; `Refused` for a person it does not know."""

    def prepare(
        self, path: Path, *, site_name: str, admin_name: str, password: str, server: ServerLogin | None = None
    ) -> PendingSite:
        """Begin a new site in a folder that does not exist or is empty; its rows may lie on a database server."""

    def open(self, path: Path, *, user_name: str, password: str) -> SiteStore:
        """Open with a password; `WrongKey` if user or password are wrong."""

    def renew_data_keys(self, path: Path, *, user_name: str, password: str, progress: Progress) -> None:
        """Put new data keys into use while nobody has the site open, or finish an interrupted renewal."""

    def recover(self, path: Path, *, recovery_code: str, user_name: str, new_password: str) -> SiteStore:
        """Open with the recovery code and give the administrator a new password."""


class SiteCare(Protocol):
    """Checks and restores sites that nobody need have open; each call asks for user and password."""

    def check(
        self,
        site: Path,
        *,
        user_name: str,
        password: str,
        level: int,
        progress: Progress,
        is_quarantining: bool = False,
    ) -> tuple[Finding, ...]:
        """Verify a site; what keeps it from being opened is a finding, too."""

    def backups(self, folder: Path) -> tuple[BackupInfo, ...]:
        """List backups without keys: vouched for by nothing."""

    def verify_backup(
        self, folder: Path, backup_id: str, *, user_name: str, password: str, level: int, progress: Progress
    ) -> tuple[str, tuple[Finding, ...]]:
        """Verify a backup, "" for the newest complete one; its id and what is wrong."""

    def prune(self, folder: Path, rule: Retention, *, user_name: str, password: str, progress: Progress) -> Pruned:
        """Remove the backups that a rule does not keep."""

    def restore(
        self,
        folder: Path,
        backup_id: str,
        *,
        to: Path,
        user_name: str,
        password: str,
        progress: Progress,
        accept_damage: bool = False,
    ) -> Restored:
        """Restore a backup, "" for the newest complete one, into a new folder, and check all of it there."""

    def activate(self, copy: Path, site: Path, *, user_name: str, password: str, reason: str) -> Path | None:
        """Put a restored copy in the place of its site; where the former folder lies now."""

    def accept_restore(self, site: Path, *, user_name: str, password: str, reason: str) -> None:
        """Let this workstation know why a site went back in time; `Refused` if it did not."""
