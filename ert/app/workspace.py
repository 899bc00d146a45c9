"""One open plan: edits, undo, dose that follows by itself, evaluation, saving. Qt-free; lives on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from ert.app.beam_tools import BeamTools
from ert.app.changes import Changes
from ert.app.dose_service import DoseService, Models
from ert.app.dose_state import BeamDose, DoseState, DoseStatus, dose_state
from ert.app.edit_session import EditSession
from ert.app.evaluation import Evaluation
from ert.app.jobs import Job, JobContext, Jobs, Lane
from ert.app.mu_check import MuChecker
from ert.app.normalise import with_monitor_units, without_monitor_units
from ert.app.permissions import guarded
from ert.app.plan_checks import plan_findings
from ert.app.plan_keeping import PlanKeeping
from ert.app.ports import SiteStore
from ert.app.release_book import ReleaseBook
from ert.app.tissue_library import TissueLibrary
from ert.app.tissue_reviews import TissueReviews
from ert.domain.dose import DoseResult
from ert.domain.dvh import Dvh
from ert.domain.image import CtImage
from ert.domain.monitor_units import BeamMuCheck
from ert.domain.patient import Course, Patient
from ert.domain.plan import Plan
from ert.domain.record import Finding, StoredPlan
from ert.domain.structure import StructureSet
from ert.errors import ErtError, Refused

SETTLE_S = 0.15  # further edits within this time join the same computation


@guarded
class PlanWorkspace:
    """An open plan.

    Attributes
    ----------
    patient, course, image, structures : what the plan is made on.
    models : machines of the site.
    library : CT curves and materials of the site.
    releases : which of its machine packages are released.
    tissue_reviews : what the plan's overrides come to.
    is_read_only : an earlier revision, shown as it was saved.
    """

    def __init__(
        self,
        *,
        store: SiteStore,
        jobs: Jobs,
        library: TissueLibrary,
        releases: ReleaseBook,
        patient: Patient,
        course: Course,
        image: CtImage,
        structures: StructureSet,
        models: Models,
        stored: StoredPlan,
        is_read_only: bool = False,
    ) -> None:
        self.patient, self.course, self.image, self.structures = patient, course, image, structures
        self.models, self.library, self.releases = models, library, releases
        self._store, self._jobs, self.is_read_only = store, jobs, is_read_only
        self._session = EditSession(stored.plan)
        self._listeners: list[Callable[[Changes], None]] = []
        self._keeping = PlanKeeping(
            store=store, jobs=jobs, session=self._session, stored=stored,
            publish=lambda: self._publish(Changes(saved=True)),
        )  # fmt: skip
        self._dose_service = DoseService(
            image=image, structures=structures, models=models, kept=self._kept_dose, cache=store.caches
        )
        self._results: tuple[DoseResult, ...] = ()
        self._dose = DoseState()
        self._dose_job: Job[tuple[DoseResult, ...]] | None = None
        self.tools = BeamTools(image=image, structures=structures, models=models, tissue=self._dose_service.tissue)
        self.evaluation = Evaluation(image=image, structures=structures, jobs=jobs, publish=self._publish)
        self.tissue_reviews = TissueReviews(image=image, structures=structures, jobs=jobs, publish=self._publish)
        self._mu_checker = MuChecker(models, patient_position=image.patient_position)
        self.tissue_reviews.follow(self.plan)
        self.compute_dose()  # finds the kept doses, if they answer exactly this plan's requests

    @property
    def plan(self) -> Plan:
        """The plan as it is now."""
        return self._session.plan

    @property
    def revision(self) -> int:
        """Revision the edits began with."""
        return self.stored.revision

    @property
    def stored(self) -> StoredPlan:
        """The revision the edits began with."""
        return self._keeping.stored

    @property
    def is_dirty(self) -> bool:
        """True if there is something to save."""
        return self._session.is_dirty and not self.is_read_only

    @property
    def saved_text(self) -> str:
        """What the window says about saving, for example ``Saved r12 14:03:22``."""
        return f"r{self.revision}, read-only" if self.is_read_only else self._keeping.text

    @property
    def keeping(self) -> PlanKeeping:
        """How the plan is kept."""
        return self._keeping

    @property
    def save_error(self) -> BaseException | None:
        """Why the last attempt to save failed; None once a save succeeded."""
        return self._keeping.error

    @property
    def undo_label(self) -> str | None:
        """What undo would take back."""
        return self._session.undo_label

    @property
    def redo_label(self) -> str | None:
        """What redo would bring back."""
        return self._session.redo_label

    @property
    def dose(self) -> DoseState:
        """The dose and whether it belongs to what is on screen."""
        return self._dose

    @property
    def dvhs(self) -> tuple[Dvh, ...]:
        """Dose–volume histograms of the current dose; empty unless the dose is current."""
        return self.evaluation.dvhs if self._dose.status is DoseStatus.CURRENT else ()

    def metric(self, structure_number: int, metric: str) -> float | None:
        """A metric such as ``D95%`` of the current dose; None unless its histogram is there.

        Raises
        ------
        Refused
            If the metric is not understood.
        """
        if self._dose.status is not DoseStatus.CURRENT:
            return None
        return self.evaluation.metric(structure_number, metric, prescription_gy=self.plan.prescription.dose_gy)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the plan checks have to say now."""
        return plan_findings(
            self.plan,
            structures=self.structures,
            image=self.image,
            models=self.models,
            dose=self._dose,
            library=self.library,
            releases=self.releases,
            review=self.tissue_reviews.review,
            review_failure=self.tissue_reviews.failure,
            mu_checks=self.mu_checks,
            clearance=self.tools.clearance,
        )

    @property
    def mu_checks(self) -> tuple[BeamMuCheck, ...]:
        """Monitor units of each beam checked by hand; empty unless the dose is current."""
        return self._mu_checker.checks(self.plan, self._dose)

    def subscribe(self, listener: Callable[[Changes], None]) -> Callable[[], None]:
        """Be told of changes; returns the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # ---- edits ---------------------------------------------------------------------------------------------------

    def apply(self, label: str, edit: Callable[[Plan], Plan], *, stroke: str | None = None) -> None:
        """Edit the plan. Derived values follow; the dose becomes stale or, if known, current again at once.

        Raises
        ------
        Refused
            If the edited plan breaks a rule; nothing has changed then.
        """
        self._refuse_read_only()
        if self._session.apply(label, lambda plan: self.tools.with_ssd(edit(plan)), stroke=stroke):
            self._plan_changed(label)

    def undo(self) -> None:
        """Take the last edit back."""
        label = self.undo_label
        if self._session.undo():
            self._plan_changed(f"Undo: {label}")

    def redo(self) -> None:
        """Bring the last undone edit back."""
        label = self.redo_label
        if self._session.redo():
            self._plan_changed(f"Redo: {label}")

    def library_changed(self) -> None:
        """The site's curves or materials changed; the plan keeps its own values, what is said of them may differ."""
        self._publish(Changes(plan=True))

    def _plan_changed(self, label: str) -> None:
        self._keeping.edited(label)
        self.tissue_reviews.follow(self.plan)
        self._take_known_dose()
        self._publish(Changes(plan=True, dose=True))
        if self._dose.status is DoseStatus.STALE:
            self.compute_dose()

    # ---- dose ----------------------------------------------------------------------------------------------------

    def _take_known_dose(self) -> None:
        """Show the dose if every beam's is in memory; otherwise mark what is shown as out of date."""
        try:
            requests = self._dose_service.requests(self.plan) if self.plan.beams else ()
        except Refused as error:
            self._cancel_job()
            self._mark(DoseStatus.FAILED, str(error))
            return
        known = [self._dose_service.memory.get(r.request.digest) for r in requests]
        found = tuple(r for r in known if r is not None)
        if requests and len(found) == len(requests):
            self._cancel_job()
            self._adopt(found)
        elif not requests:
            self._cancel_job()
            self._results, self._dose = (), DoseState()
        else:
            self._mark(DoseStatus.STALE, "The plan was edited after this dose was computed.")

    def _mark(self, status: DoseStatus, message: str) -> None:
        if not self.is_read_only:
            self._session.replace(without_monitor_units(self.plan))
        self.evaluation.clear()
        self._dose = attrs.evolve(self._dose, status=status, message=message, fraction=0.0)

    def compute_dose(self) -> None:
        """Compute what is missing on the dose lane; a computation under way for an older state is cancelled."""
        plan = self.plan
        if not plan.beams:
            return
        self._cancel_job()

        def work(ctx: JobContext) -> tuple[DoseResult, ...]:
            _settle(ctx)
            return self._dose_service.compute(plan, ctx)

        self._dose_job = self._jobs.submit(
            Lane.DOSE,
            work,
            title=f"Dose of {plan.name}",
            on_done=lambda results: self._dose_arrived(plan, results),
            on_failed=lambda error: self._dose_failed(plan, error),
            on_cancelled=lambda: self._dose_cancelled(plan),
            on_progress=lambda fraction, text: self._dose_progress(plan, fraction, text),
        )
        self._dose = attrs.evolve(self._dose, status=DoseStatus.COMPUTING, fraction=0.0, message="Computing dose")
        self._publish(Changes(dose=True))

    def cancel_dose(self) -> None:
        """Stop the computation under way; the dose stays out of date until it is asked for again."""
        self._cancel_job()
        if self._dose.status is DoseStatus.COMPUTING:
            self._mark(DoseStatus.STALE, "The computation was cancelled.")
            self._publish(Changes(dose=True))

    def _cancel_job(self) -> None:
        if self._dose_job is not None:
            self._dose_job.cancel()
            self._dose_job = None

    def _is_current_job(self, plan: Plan) -> bool:
        return self._dose_job is not None and without_monitor_units(plan) == without_monitor_units(self.plan)

    def _dose_arrived(self, plan: Plan, results: tuple[DoseResult, ...]) -> None:
        if not self._is_current_job(plan):
            return  # an answer to a question nobody asks any more
        self._dose_job = None
        self._adopt(results)
        self._publish(Changes(plan=True, dose=True))

    def _dose_failed(self, plan: Plan, error: BaseException) -> None:
        if not self._is_current_job(plan):
            return
        self._dose_job = None
        sentence = str(error) if isinstance(error, ErtError) else "The dose engine failed; see the log."
        self._mark(DoseStatus.FAILED, sentence)
        self._publish(Changes(dose=True))

    def _dose_cancelled(self, plan: Plan) -> None:
        if self._is_current_job(plan):
            self.cancel_dose()

    def _dose_progress(self, plan: Plan, fraction: float, text: str) -> None:
        if self._is_current_job(plan):
            self._dose = attrs.evolve(self._dose, fraction=fraction, message=text)
            self._publish(Changes(progress=True))

    def _adopt(self, results: tuple[DoseResult, ...]) -> None:
        """Normalise and show doses that answer exactly the plan's requests."""
        self._results = results
        try:
            is_open = not self.is_read_only
            plan = with_monitor_units(self.plan, results, structures=self.structures) if is_open else self.plan
            self._dose = dose_state(plan, results)
        except Refused as error:
            self._mark(DoseStatus.FAILED, str(error))
            return
        self._session.replace(plan)
        self.evaluation.start(plan, self._dose)

    def beam_dose(self, number: int) -> BeamDose | None:
        """The current dose of one beam; None unless the plan's dose is current."""
        if self._dose.status is not DoseStatus.CURRENT:
            return None
        return next((b for b in self._dose.beams if b.beam_number == number), None)

    def wait_for_dose(self, pump: Callable[[], None], timeout_s: float = 600.0) -> None:
        """Run the owner's queue until the dose is current or failed (command line, tests).

        Raises
        ------
        Refused
            With the reason, if the dose could not be computed; or if time ran out.
        """
        end_s = time.monotonic() + timeout_s
        while self._dose.status in (DoseStatus.COMPUTING, DoseStatus.STALE) and time.monotonic() < end_s:
            pump()
        if self._dose.status is not DoseStatus.CURRENT:
            raise Refused(self._dose.message or "There is no dose.")

    # ---- keeping -------------------------------------------------------------------------------------------------

    def _kept_dose(self, digest: str) -> DoseResult | None:
        plan_id = self.plan.id
        return self._jobs.call(Lane.DB, lambda: self._store.plans.dose(plan_id, digest))

    def save(
        self,
        on_saved: Callable[[], object] | None = None,
        on_failed: Callable[[BaseException], object] | None = None,
        *,
        reason: str = "",
    ) -> None:
        """Save the plan as its next revision, with the dose if that is current. Edits may go on meanwhile.

        If it fails the edits stay as they are, `save_error` says why, and listeners are told of `Changes(saved)`.

        Parameters
        ----------
        reason : why, for the history; empty for a save by hand.
        on_saved : called after the plan was stored.
        on_failed : called with the error: `StaleRevision`, `DiskFull`, `StorageFailed`, `DatabaseBusy`, one of
            `Untrusted` for a damaged site, or a fault of ours.
        """
        self._refuse_read_only()
        doses = self._results if self._dose.status is DoseStatus.CURRENT else ()
        self._keeping.save(doses, reason=reason, on_saved=on_saved, on_failed=on_failed)

    def _refuse_read_only(self) -> None:
        if self.is_read_only:
            raise Refused(
                f"This is revision {self.revision}, shown as it was saved; it cannot be changed.",
                hint="Restore it from the plan's history to work on it.",
            )

    def close(self) -> None:
        """Stop what is under way. Unsaved edits are the caller's to ask about."""
        self._cancel_job()
        self.evaluation.clear()
        self.tissue_reviews.clear()
        self._listeners.clear()
        self._keeping.close()

    def _publish(self, changes: Changes) -> None:
        for listener in list(self._listeners):
            listener(changes)


def _settle(ctx: JobContext) -> None:
    """Wait a moment, so that a burst of edits costs one computation."""
    end_s = time.monotonic() + SETTLE_S
    while time.monotonic() < end_s:
        ctx.check()
        time.sleep(0.01)
