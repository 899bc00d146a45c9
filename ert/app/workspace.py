"""One open plan: edits, undo, dose that follows by itself, evaluation, saving. Qt-free; lives on one thread."""

from __future__ import annotations

from collections.abc import Callable

from ert.app.beam_tools import BeamTools
from ert.app.changes import Changes
from ert.app.check_book import CheckBook, second_check_findings
from ert.app.dose_follower import DoseFollower
from ert.app.dose_service import DoseService, Models
from ert.app.dose_state import BeamDose, DoseState, DoseStatus
from ert.app.edit_session import EditSession
from ert.app.evaluation import Evaluation
from ert.app.incidence import incidence_findings
from ert.app.jobs import Jobs, Lane
from ert.app.live_preview import LivePreview
from ert.app.mu_check import MuChecker
from ert.app.permissions import guarded
from ert.app.pinned_dose import PinnedDoseService
from ert.app.plan_checks import by_severity, plan_findings
from ert.app.plan_keeping import PlanKeeping
from ert.app.ports import SiteStore
from ert.app.readiness import Readiness, readiness_findings
from ert.app.release_book import ReleaseBook
from ert.app.tissue_library import TissueLibrary
from ert.app.tissue_reviews import TissueReviews
from ert.domain.approval import PinnedPlan
from ert.domain.dose import DoseResult
from ert.domain.dvh import Dvh
from ert.domain.image import CtImage
from ert.domain.monitor_units import BeamMuCheck
from ert.domain.patient import Course, Patient
from ert.domain.plan import Plan
from ert.domain.record import Finding, StoredPlan
from ert.domain.structure import StructureSet
from ert.domain.workflow import locked
from ert.errors import ErtError, Refused


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
    checks : its second checks.
    readiness : whether it is ready for review.
    is_read_only : shown as it was saved: an earlier revision, or open to somebody who may not plan.
    is_earlier : an earlier revision.
    approval : of the plan as it is shown, verified when it was opened; None if it has none.
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
        is_earlier: bool = False,
        pinned: PinnedPlan | None = None,
    ) -> None:
        self.patient, self.course, self.image, self.structures = patient, course, image, structures
        self.models, self.library, self.releases = models, library, releases
        self._store, self._jobs, self.is_earlier = store, jobs, is_earlier
        self.approval = None if pinned is None else pinned.state
        self.is_read_only = is_read_only = is_read_only or pinned is not None
        self._session = EditSession(stored.plan)
        self._listeners: list[Callable[[Changes], None]] = []
        self._keeping = PlanKeeping(
            store=store, jobs=jobs, session=self._session, stored=stored,
            publish=lambda: self._publish(Changes(saved=True)),
        )  # fmt: skip
        self._dose_service = self._doses(pinned)
        self.tools = BeamTools(image=image, structures=structures, models=models, tissue=self._dose_service.tissue)
        self.evaluation = Evaluation(image=image, structures=structures, jobs=jobs, publish=self._publish)
        self.tissue_reviews = TissueReviews(image=image, structures=structures, jobs=jobs, publish=self._publish)
        self._mu_checker = MuChecker(models, patient_position=image.patient_position)
        self._follower = DoseFollower(
            service=self._dose_service, jobs=jobs, session=self._session, structures=structures,
            evaluation=self.evaluation, publish=self._publish, is_read_only=is_read_only,
        )  # fmt: skip
        self._live = LivePreview(service=self._dose_service, jobs=jobs, structures=structures, publish=self._publish)
        self.checks = CheckBook(
            store=store, jobs=jobs, service=self._dose_service, structures=structures, plan_id=stored.plan.id,
            publish=self._publish,
        )  # fmt: skip
        self.readiness = Readiness(
            store=store, session=self._session, keeping=self._keeping, checks=self.checks, dose=lambda: self.dose,
            publish=self._publish, is_read_only=is_read_only, approval=self.approval,
        )  # fmt: skip
        self._listeners.append(lambda _changes: self.readiness.follow())
        self.tissue_reviews.follow(self.plan)
        self.compute_dose()  # finds the kept doses, if they answer exactly this plan's requests

    def _doses(self, pinned: PinnedPlan | None) -> DoseService:
        image, structures, models = self.image, self.structures, self.models
        if pinned is not None:
            return PinnedDoseService(image=image, structures=structures, models=models, pinned=pinned)
        return DoseService(
            image=image, structures=structures, models=models, kept=self._kept_dose, cache=self._store.caches,
            runs=self._store.runs,
        )  # fmt: skip

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
        """The dose and whether it belongs to what is on screen; while the hand moves, its preview."""
        live = self._live.state
        if self._live.is_dragging:
            return live or DoseState(status=DoseStatus.COMPUTING, message="Preview follows")
        return (
            live if live is not None and self._follower.state.status is DoseStatus.COMPUTING else self._follower.state
        )

    @property
    def results(self) -> tuple[DoseResult, ...]:
        """Doses of the beams, in the plan's order; empty unless the dose is current."""
        return self._follower.results if self.dose.is_current else ()

    @property
    def dvhs(self) -> tuple[Dvh, ...]:
        """Dose–volume histograms of the current dose; empty unless the dose is current."""
        return self.evaluation.dvhs if self.dose.is_current else ()

    @property
    def shown_dvhs(self) -> tuple[Dvh, ...]:
        """Histograms for the screen: of the current dose, or of the interactive engine's preview of it."""
        dose = self.dose
        is_live = dose.preview is not None and dose.preview.is_live
        return self.evaluation.dvhs if dose.status in (DoseStatus.CURRENT, DoseStatus.PREVIEW) and not is_live else ()

    def metric(self, structure_number: int, metric: str) -> float | None:
        """A metric such as ``D95%`` of the current dose; None unless its histogram is there.

        Raises
        ------
        Refused
            If the metric is not understood.
        """
        return self.shown_metric(structure_number, metric) if self.dose.is_current else None

    def shown_metric(self, structure_number: int, metric: str) -> float | None:
        """A metric of the histograms on the screen, which may be a preview's; raises as `metric` does."""
        if not self.shown_dvhs:
            return None
        return self.evaluation.metric(structure_number, metric, prescription_gy=self.plan.prescription.dose_gy)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the plan checks have to say now."""
        found = plan_findings(
            self.plan,
            structures=self.structures,
            image=self.image,
            models=self.models,
            dose=self.dose,
            library=self.library,
            releases=self.releases,
            review=self.tissue_reviews.review,
            review_failure=self.tissue_reviews.failure,
            mu_checks=self.mu_checks,
            clearance=self.tools.clearance,
        )
        oblique = incidence_findings(self.plan.beams, lambda beam: self.tools.incidence(self.plan, beam))
        checked = second_check_findings(self.checks, self.plan, self.dose)
        return by_severity((*found, *oblique, *readiness_findings(self.readiness), *checked))

    @property
    def mu_checks(self) -> tuple[BeamMuCheck, ...]:
        """Monitor units of each beam checked by hand; empty unless the dose is current."""
        return self._mu_checker.checks(self.plan, self.dose)

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

    def sketch(self, edit: Callable[[Plan], Plan]) -> None:
        """Show what an edit would come to, without making it: a live preview by the pencil beam (`live_preview`).

        Nothing of the plan changes. `apply` makes the edit, `end_sketch` forgets it. While a final dose is being
        computed nothing is previewed: the dose lane is that computation's.
        """
        if self.is_read_only or self._follower.state.final_run is not None:
            return
        try:
            sketched = self.tools.with_ssd(edit(self.plan))
        except ErtError as error:
            self._live.fail(str(error))
            return
        self._live.follow(sketched)

    def end_sketch(self) -> None:
        """Forget what was sketched and not made: the plan's own dose is shown again."""
        if self._live.is_dragging and self._live.end():
            self._publish(Changes(plan=True, dose=True))

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
        self.checks.stop()
        self._follower.plan_changed()
        self._live.made(self.plan)
        self._publish(Changes(plan=True, dose=True))
        if self.dose.status is DoseStatus.STALE:
            self.compute_dose()

    # ---- dose ----------------------------------------------------------------------------------------------------

    def compute_dose(self) -> None:
        """Compute what is missing on the dose lane; a computation under way for an older state is cancelled."""
        self._follower.compute()

    def compute_final_dose(self) -> None:
        """Compute the plan's own dose where it is too slow to follow the edits; raises `Refused` without a preview."""
        self._follower.compute_final()

    def cancel_dose(self) -> None:
        """Stop the computation under way; what there is stays, marked as what it is, until a dose is asked for."""
        self._follower.cancel()

    def beam_dose(self, number: int) -> BeamDose | None:
        """The current dose of one beam; None unless the plan's dose is current."""
        return self._follower.beam_dose(number)

    def wait_for_dose(self, pump: Callable[[], None], timeout_s: float = 600.0) -> None:
        """Run the owner's queue until the plan's own dose is current or failed (command line, tests).

        Raises
        ------
        Refused
            With the reason, if the dose could not be computed; or if time ran out.
        """
        self._follower.wait(pump, timeout_s)

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
        doses = self._follower.results if self._follower.state.is_current else ()
        self._keeping.save(doses, reason=reason, on_saved=on_saved, on_failed=on_failed)

    def mark_ready(
        self, on_marked: Callable[[], object] | None = None, on_failed: Callable[[BaseException], object] | None = None
    ) -> None:
        """Save the plan as ready for review and begin its second check; raises `Refused` as `Readiness.mark` does."""
        self._refuse_read_only()
        self.readiness.mark(self.results, self.findings, on_marked=on_marked, on_failed=on_failed)

    @property
    def why_read_only(self) -> str:
        """Why it cannot be changed, as a sentence; empty if it can."""
        if not self.is_read_only:
            return ""
        if self.is_earlier:
            return f"This is revision {self.revision}, shown as it was saved; it cannot be changed."
        if self.stored.status.is_locked:
            return locked(self.stored.status).sentence.removesuffix(" Nothing was changed.")
        return "This plan is open to be looked at; it cannot be changed."

    def _refuse_read_only(self) -> None:
        if not self.is_read_only:
            return
        if self.is_earlier:
            raise Refused(self.why_read_only, hint="Restore it from the plan's history to work on it.")
        if self.stored.status.is_locked:
            raise locked(self.stored.status)
        raise Refused(self.why_read_only, hint="Sign in as yourself.")

    def close(self) -> None:
        """Stop what is under way. Unsaved edits are the caller's to ask about."""
        self._live.end()
        self._follower.stop()
        self.checks.stop()
        self.evaluation.clear()
        self.tissue_reviews.clear()
        self._listeners.clear()
        self._keeping.close()

    def _publish(self, changes: Changes) -> None:
        for listener in list(self._listeners):
            listener(changes)
