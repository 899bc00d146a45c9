"""How an open plan is kept: each edit on this workstation at once, revisions in the site, and what is said of both."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence

import attrs

from ert.app.edit_session import EditSession
from ert.app.jobs import JobContext, Jobs, Lane
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.domain.dose import DoseResult
from ert.domain.plan import Plan
from ert.domain.record import PlanStatus, StoredPlan

_LABELS = 200


@attrs.frozen
class _Wanted:
    """What the draft is to hold; None where nothing is unsaved."""

    plan: Plan | None
    base_revision: int
    labels: tuple[str, ...]


@guarded
class PlanKeeping:
    """Draft and revisions of one open plan. Lives on the owner's thread; drafts are written on their own lane.

    Parameters
    ----------
    store, jobs : SiteStore, Jobs
    session : EditSession
        The edits.
    stored : StoredPlan
        The revision they begin with.
    publish : callable
        Called when something of this changed.

    Attributes
    ----------
    stored : the revision the edits began with.
    is_saving : a save is under way.
    error : why the last save failed; None once one succeeded.
    kept_at : when the draft was last written; None if nothing unsaved is kept.
    keep_error : why the draft could not be written.
    """

    def __init__(
        self, *, store: SiteStore, jobs: Jobs, session: EditSession, stored: StoredPlan, publish: Callable[[], None]
    ) -> None:
        self.stored = stored
        self.is_saving = False
        self.error: BaseException | None = None
        self.kept_at: dt.datetime | None = None
        self.keep_error: BaseException | None = None
        self._store, self._jobs, self._session, self._publish = store, jobs, session, publish
        self._journal = store.drafts.begin()
        self._labels: list[str] = []
        self._wanted: _Wanted | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def text(self) -> str:
        """What the window says, for example ``Saved r12 14:03:22``."""
        if self.is_saving:
            return "Saving…"
        kept = "" if self.kept_at is None else f" · kept here {self.kept_at.astimezone():%H:%M:%S}"
        if self.error is not None:
            return f"NOT SAVED, edited since r{self.stored.revision}{kept}"
        if self._session.is_dirty:
            return f"Edited since r{self.stored.revision}{kept}"
        return f"Saved r{self.stored.revision} {self.stored.saved_at.astimezone():%H:%M:%S}"

    @property
    def has_edits(self) -> bool:
        """True if somebody edited the plan since it was saved; values that follow from the dose do not count."""
        return bool(self._labels)

    # ---- draft ---------------------------------------------------------------------------------------------------

    def edited(self, label: str) -> None:
        """Keep the plan as it is now against a crash; edits that come faster than the disk share one writing."""
        self._labels.append(label)
        del self._labels[:-_LABELS]
        self._want()

    def _want(self) -> None:
        session = self._session
        wanted = _Wanted(session.plan if session.is_dirty else None, self.stored.revision, tuple(self._labels))
        with self._lock:
            is_queued = self._wanted is not None
            self._wanted = wanted
        if not is_queued and not self._is_closed:
            self._jobs.submit(
                Lane.JOURNAL,
                self._keep,
                title="Keeping the edits",
                can_stop=False,
                on_done=self._kept,
                on_failed=self._not_kept,
            )

    def _keep(self, _ctx: JobContext) -> dt.datetime | None:
        """On the journal's lane: write what is wanted by now."""
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted is None:
            return None
        if wanted.plan is None:
            self._journal.clear()
            return None
        return self._journal.keep(wanted.plan, base_revision=wanted.base_revision, labels=wanted.labels)

    def _kept(self, when: dt.datetime | None) -> None:
        self.kept_at, self.keep_error = when, None
        self._publish()

    def _not_kept(self, error: BaseException) -> None:
        self.keep_error = error
        self._publish()

    def take_over(self, draft_id: str, on_failed: Callable[[BaseException], None]) -> None:
        """Remove a draft that was restored into this plan, once this plan's own draft holds it."""
        plan, base, labels = self._session.plan, self.stored.revision, tuple(self._labels)

        def work(_ctx: JobContext) -> None:
            self._journal.keep(plan, base_revision=base, labels=labels)
            self._store.drafts.discard(draft_id)

        self._jobs.submit(Lane.JOURNAL, work, title="Taking over the edits", can_stop=False, on_failed=on_failed)

    # ---- revisions -----------------------------------------------------------------------------------------------

    def save(
        self,
        doses: Sequence[DoseResult],
        *,
        reason: str = "",
        status: PlanStatus = PlanStatus.DRAFT,
        on_saved: Callable[[], object] | None = None,
        on_failed: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Save the plan as its next revision; edits may go on meanwhile and stay unsaved."""
        plan, base, known = self._session.plan, self.stored.revision, len(self._labels)
        self.is_saving = True

        def saved(stored: StoredPlan) -> None:
            self.is_saving, self.error = False, None
            self.stored = stored
            self._session.mark_saved(plan)
            del self._labels[:known]
            self._want()
            self._publish()
            if on_saved is not None:
                on_saved()

        def failed(error: BaseException) -> None:
            self.is_saving, self.error = False, error
            self._publish()
            if on_failed is not None:
                on_failed(error)

        self._jobs.submit(
            Lane.DB,
            lambda _ctx: self._store.plans.save(plan, base_revision=base, doses=doses, reason=reason, status=status),
            title=f"Saving {plan.name}",
            can_stop=False,
            on_done=saved,
            on_failed=failed,
        )
        self._publish()

    def rebase(self, stored: StoredPlan) -> None:
        """Go on from another revision: what differs from it is what is unsaved now."""
        self.stored, self.error = stored, None
        self._session.mark_saved(stored.plan)
        self._want()
        self._publish()

    def close(self) -> None:
        """The plan is closed: its draft goes; what was unsaved was given up."""
        self._is_closed = True
        self._jobs.call(Lane.JOURNAL, self._journal.close)
