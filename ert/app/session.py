"""One opened site and the user signed in to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import attrs

from ert.app.account_service import AccountService
from ert.app.approval_service import ApprovalDesk
from ert.app.backup_service import BackupService
from ert.app.dose_service import Models
from ert.app.housekeeping import Housekeeping
from ert.app.jobs import JobContext, Jobs, Lane
from ert.app.key_service import KeyService
from ert.app.patient_rows import PatientRow
from ert.app.permissions import guarded
from ert.app.plan_history import PlanHistory
from ert.app.ports import DoseCaches, SiteGateway, SiteStore
from ert.app.records_service import RecordsService
from ert.app.release_book import ReleaseBook
from ert.app.release_desk import ReleaseDesk
from ert.app.site_machines import SiteMachines
from ert.app.tissue_library import TissueLibrary
from ert.app.workspace import PlanWorkspace
from ert.commissioning.package import read_package, write_package
from ert.domain.account import Account, Right
from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import MachinePackage
from ert.domain.identity import new_id
from ert.domain.image import CtCurve, CtImage
from ert.domain.machine_configuration import MachineConfiguration
from ert.domain.patient import Course, Patient
from ert.domain.plan import Plan, Prescription
from ert.domain.record import DicomFile, Finding, StoredPlan
from ert.domain.structure import StructureRole, StructureSet, chosen_external
from ert.errors import InvalidPlan, StaleRevision

T = TypeVar("T")
FULL_LEVEL = 4
_PATIENTS_AT_ONCE = 50  # between two such reads of a list, some 15 ms each, others have their turn


@guarded
class SiteSession:
    """An opened site. Every call to the store runs on the database lane.

    Parameters
    ----------
    store : SiteStore
        Opened on the database lane.
    jobs : Jobs

    Attributes
    ----------
    library : its CT curves and materials.
    releases : which of the machine packages a physicist has released.
    release_desk : where one is looked at and signed.
    backups : copies of the site, and how they stand.
    housekeeping : clears away files of no record.
    keys : passwords, recovery code and keys of the site.
    administration : corrections, merges and states of patients' records.
    history : revisions of its plans, and who did what.
    accounts : who may do what, and the own account.
    approvals : where plans are approved.
    """

    def __init__(self, store: SiteStore, jobs: Jobs) -> None:
        self.store = store
        self.jobs = jobs
        self._machines = SiteMachines(store, self._db)
        self.library = TissueLibrary(store, self._db)
        self.releases = ReleaseBook(store, self._db)
        self.release_desk = ReleaseDesk(store, self._db, self.releases)
        self.backups = BackupService(store, self._db)
        self.housekeeping = Housekeeping(store, self._db)
        self.keys = KeyService(store, self._db)
        self.administration = RecordsService(store, self._db)
        self.history = PlanHistory(store, self._db)
        self._is_list_noted = False
        self.accounts = AccountService(store, self._db)
        self.approvals = ApprovalDesk(store, self._db, self.releases, self.accounts.revalidate)

    @classmethod
    def open(cls, gateway: SiteGateway, jobs: Jobs, path: Path, *, user_name: str, password: str) -> SiteSession:
        """Open a site; raises `WrongKey`, `NotASite`, `SchemaTooNew`, `StorageFailed`."""
        return cls(jobs.call(Lane.DB, lambda: gateway.open(path, user_name=user_name, password=password)), jobs)

    @classmethod
    def open_sealed(
        cls, gateway: SiteGateway, jobs: Jobs, path: Path, *, code: str, person: str, reason: str
    ) -> SiteSession:
        """Open a site for reading with the code of its sealed envelope; raises as `SiteGateway.open_sealed`."""
        return cls(jobs.call(Lane.DB, lambda: gateway.open_sealed(path, code=code, person=person, reason=reason)), jobs)

    def _db(self, fn: Callable[[], T]) -> T:
        return self.jobs.call(Lane.DB, fn)

    @property
    def site_name(self) -> str:
        """Name of the site."""
        return self.store.site_name

    @property
    def site_path(self) -> Path:
        """Folder of the site."""
        return self.store.path

    @property
    def user_name(self) -> str:
        """Who is signed in."""
        return self.store.user_name

    @property
    def emergency_banner(self) -> str:
        """What every window says while the site is open with an emergency code; "" otherwise."""
        return "" if (use := self.store.emergency.use) is None else use.banner

    @property
    def account(self) -> Account:
        """The account of who is signed in, as last read."""
        return self.store.account

    @property
    def caches(self) -> DoseCaches:
        """Caches of its doses; unlike the store they may be used from any thread."""
        return self.store.caches

    @property
    def has_demo_machine(self) -> bool:
        """True if any machine of the site is a demonstration."""
        return any(p.is_demo for p in self.models.packages)

    @property
    def models(self) -> Models:
        """Machines of the site."""
        return self._machines.models

    # ---- lists ---------------------------------------------------------------------------------------------------

    def patients(self) -> tuple[PatientRow, ...]:
        """All patients with their courses and plans, by name."""
        return self.with_courses(self.patient_heads())

    def patient_heads(self) -> tuple[PatientRow, ...]:
        """All patients, by name, without their courses."""
        if not self._is_list_noted:  # once for each sign-in: the list is read again after every change
            self._db(lambda: self.store.record_event("patients listed"))
            self._is_list_noted = True
        records = self._db(self.store.administration.records)
        merged: dict[str, list[Patient]] = {}
        for record in records:
            merged.setdefault(record.merged_into, []).append(record.patient)
        return tuple(
            PatientRow(
                patient=record.patient,
                courses=(),
                is_active=record.is_active,
                merged=tuple(merged.get(record.patient.id, ())),
                is_complete=False,
            )
            for record in records
            if not record.merged_into
        )

    def with_courses(self, heads: Sequence[PatientRow], ctx: JobContext | None = None) -> tuple[PatientRow, ...]:
        """The same patients with their courses and plans."""
        rows: list[PatientRow] = []
        for start in range(0, len(heads), _PATIENTS_AT_ONCE):
            if ctx is not None:
                ctx.give_way()
                ctx.progress(start / len(heads), "Reading courses")
            some = heads[start : start + _PATIENTS_AT_ONCE]
            ids = [patient.id for row in some for patient in (row.patient, *row.merged)]
            found = self._db(lambda ids=ids: self.store.plans.overview(ids))  # type: ignore[misc]
            rows += [
                attrs.evolve(
                    row,
                    courses=tuple(c for p in (row.patient, *row.merged) for c in found[p.id]),
                    is_complete=True,
                )
                for row in some
            ]
        return tuple(rows)

    def structures(self, course_id: str) -> StructureSet:
        """The structure set of a course."""
        store = self.store
        return self._db(lambda: store.patients.structure_set(store.patients.course(course_id).structure_set_id))

    def find_patient(self, medical_record_number: str, issuer: str) -> Patient | None:
        """The patient of that record number, if known."""
        return self._db(lambda: self.store.patients.find(medical_record_number, issuer))

    def courses(self, patient_id: str) -> tuple[Course, ...]:
        """The courses of a patient."""
        return self._db(lambda: self.store.patients.courses(patient_id))

    def add_import(
        self,
        *,
        patient: Patient,
        course: Course,
        image: CtImage,
        structures: StructureSet,
        ct_files: Iterable[DicomFile],
    ) -> None:
        """Store one import, all or nothing."""
        self._db(
            lambda: self.store.patients.add_import(
                patient=patient, course=course, image=image, structures=structures, ct_files=ct_files
            )
        )

    def ct_files(self, image_id: str) -> tuple[DicomFile, ...]:
        """The original CT files of an image."""
        return self._db(lambda: tuple(self.store.patients.ct_files(image_id)))

    def record_event(self, event: str, *, record: str, detail: str = "") -> None:
        """Note in the site's history what was done with a record."""
        self._db(lambda: self.store.record_event(event, record=record, detail=detail))

    def set_roles(self, course_id: str, roles: Mapping[int, StructureRole]) -> StructureSet:
        """Change what structures are to the planner, by number; stored as the structure set's next revision."""
        structures = self.structures(course_id)
        changed = tuple(attrs.evolve(s, role=roles.get(s.number, s.role)) for s in structures.structures)
        result = attrs.evolve(structures, structures=changed)
        self._db(lambda: self.store.patients.save_structure_set(result, course_id=course_id))
        return result

    # ---- machines ------------------------------------------------------------------------------------------------

    def machines(self) -> tuple[MachinePackage, ...]:
        """The machine packages of the site."""
        return self.models.packages

    def add_machine(self, path: Path) -> MachinePackage:
        """Take a commissioned machine package into the site; it is immutable from then on.

        Raises
        ------
        Refused, LockHeld, LockLost
            If the site has one of its beam models on a machine of another geometry; if a colleague works on machines.
        """
        return self._machines.add(read_package(path))

    def configure_machine(self, package: MachinePackage, configuration: MachineConfiguration) -> MachinePackage:
        """Keep another configuration as the next version of a machine; beams keep the version they were planned with.

        Raises
        ------
        Conflict
            If the machine has got a newer version since; `LockHeld` if a colleague works on the site's machines.
        Refused
            If the configuration does not fit the machine, or is the one it has.
        """
        return self._machines.configure(package, configuration)

    def export_machine(self, package: MachinePackage, path: Path) -> None:
        """Write a machine package as a new folder; raises `InvalidBeamData` if the folder is taken."""
        write_package(path, package)
        self.record_event("machine exported", record=package.digest)

    # ---- plans ---------------------------------------------------------------------------------------------------

    def create_plan(
        self,
        course_id: str,
        name: str,
        prescription: Prescription,
        *,
        external_number: int | None = None,
        ct_curve: CtCurve | None = None,
        algorithm: Algorithm | None = None,
    ) -> StoredPlan:
        """A new plan without beams, saved as revision 1; its algorithm is the one its machines allow, if none is given.

        Raises
        ------
        InvalidPlan
            If the name is taken, the target is not there or empty, or no external contour can be told.
        """
        structures = self.structures(course_id)
        course = self._db(lambda: self.store.patients.course(course_id))
        self._refuse_taken(course_id, name)
        target = structures.structure(prescription.target_number)
        if target.is_empty:
            raise InvalidPlan(f"The target '{target.name}' has no contours.", hint="Choose another target.")
        external = chosen_external(structures, external_number)
        plan = Plan(
            course_id=course_id,
            name=name,
            image_id=course.image_id,
            structure_set_id=course.structure_set_id,
            external_number=external.number,
            prescription=prescription,
            ct_curve=ct_curve or self.library.starting_curve(),
            algorithm=algorithm or self.models.planning_algorithm,
        )
        return self._db(lambda: self.store.plans.save(plan, base_revision=0))

    def save_as_new(self, plan: Plan, name: str) -> StoredPlan:
        """Save a plan as it is as a plan of its own, revision 1; the plan it came from stays as stored.

        Raises
        ------
        InvalidPlan
            If the name is empty or taken.
        """
        self._refuse_taken(plan.course_id, name)
        return self._save_copy(plan, name)

    def keep_edits(self, plan: Plan, *, at: dt.datetime) -> StoredPlan:
        """Save the edits of somebody who cannot be asked, as a plan that says so; the plan they began with stays.

        The one thing besides leaving that an account may do after it was disabled: its last work is not lost.
        """
        return self._save_copy(plan, f"{plan.name} – unsaved edits of {self.user_name}, {at:%Y-%m-%d %H:%M:%S}")

    def _save_copy(self, plan: Plan, name: str) -> StoredPlan:
        beams = tuple(attrs.evolve(beam, id=new_id()) for beam in plan.beams)
        copy = attrs.evolve(plan, id=new_id(), name=name, beams=beams)
        return self._db(lambda: self.store.plans.save(copy, base_revision=0))

    def _refuse_taken(self, course_id: str, name: str) -> None:
        if any(h.name == name for h in self._db(lambda: self.store.plans.heads(course_id))):
            raise InvalidPlan(f"This course has a plan named '{name}' already.", hint="Choose another name.")

    def open_plan(
        self, plan_id: str, ctx: JobContext | None = None, *, revision: int | None = None, is_read_only: bool = False
    ) -> PlanWorkspace:
        """Read a plan with image and structures; its kept doses are shown if they still belong to it.

        Parameters
        ----------
        revision : which one; the newest by default. Edits of an earlier one cannot be saved without a conflict.
        is_read_only : show an earlier revision as it was saved, without any change. Who may not plan looks only, too.
        """
        progress = (ctx or JobContext()).progress
        progress(0.0, "Reading plan")
        stored = self._db(lambda: self.store.plans.load(plan_id, revision))
        store = self.store
        course = self._db(lambda: store.patients.course(stored.plan.course_id))
        patient = self._db(lambda: store.patients.patient(course.patient_id))
        progress(0.2, "Reading structures")
        structures = self._db(lambda: store.patients.structure_set(stored.plan.structure_set_id))
        progress(0.4, "Reading CT")
        image = self._db(lambda: store.patients.image(stored.plan.image_id))
        pinned = self.approvals.pinned(stored)
        is_looking = is_read_only or pinned is not None or Right.PLAN not in self.account.rights
        self.record_event("viewed" if is_looking else "opened", record=plan_id, detail=f"revision {stored.revision}")
        progress(1.0)
        if ctx is not None:
            ctx.check()
            ctx.seal()  # the workspace begins to compute at once, and somebody must own it
        return PlanWorkspace(
            store=store, jobs=self.jobs, library=self.library, releases=self.releases, patient=patient, course=course,
            image=image, structures=structures, models=self.models, stored=stored, is_read_only=is_looking,
            is_earlier=is_read_only, pinned=pinned,
        )  # fmt: skip

    def refuse_other_identity(self, course: Course, patient: Patient) -> bool:
        """Refuse to go on with an identity that was corrected, or merged, since a plan of the course was opened.

        Returns whether it was before: then the CT may have arrived under another one.
        """
        store = self.store
        now = self._db(lambda: store.patients.patient(store.patients.course(course.id).patient_id))
        if now != patient:
            raise StaleRevision(
                "The identity of this patient was changed after the plan was opened.",
                hint="Save, go back to the patients, and open the plan again.",
                detail=f"course {course.id}",
            )
        return self._db(lambda: store.administration.was_changed(store.patients.course(course.id).patient_id))

    def check(self, *, level: int = FULL_LEVEL, ctx: JobContext | None = None) -> tuple[Finding, ...]:
        """Verify the site, to a level from 0 (opening) to 4 (every file decrypted)."""

        def progress(fraction: float, text: str) -> None:
            if ctx is not None:
                ctx.check()
                ctx.progress(fraction, text)

        return self._db(lambda: self.store.check(level=level, progress=progress))

    def close(self) -> None:
        """Close the store, forget its keys and the sign-in; a backup or a sweep under way is stopped before."""
        self.housekeeping.cancel()
        self.backups.stop()
        self.housekeeping.stop()
        try:
            self._db(self.store.close)
        finally:
            self.accounts.end()
