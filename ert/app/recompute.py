"""Doses of many plans computed anew, elsewhere; what they were, what they are, how far they moved.

The store stays with this process, on this thread; workers are given tasks that name nobody (`ert.app.dose_task`) and
give doses back. A finished plan is on the list of the run at once, so that a run that is stopped goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

import attrs

from ert.app.dose_service import BeamRequest, DoseService, Models
from ert.app.dose_state import DoseState, dose_state
from ert.app.dose_task import dose_task, read_answer
from ert.app.jobs import JobContext
from ert.app.no_cache import NoCache
from ert.app.normalise import with_monitor_units
from ert.app.permissions import guarded
from ert.app.ports import SiteStore
from ert.app.recompute_difference import Difference, difference, plan_dose_digest
from ert.app.task_pool import answer
from ert.domain.dose import NUMERICS_VERSION, DoseRequest, DoseResult
from ert.domain.image import CtImage
from ert.domain.plan import Plan
from ert.domain.record import StoredPlan
from ert.domain.structure import StructureSet
from ert.errors import Cancelled, ErtError

_LOG = logging.getLogger(__name__)
_POLL_S = 0.2
_IN_FLIGHT = 2  # tasks for each worker: one is computed, one waits; more would only fill memory


@attrs.frozen(kw_only=True)
class Row:
    """What became of one plan; ids and figures only, no name.

    Attributes
    ----------
    state : "same", "changed", "new" (it had no dose before) or "failed".
    before, after : digests of the plan's dose in Gy (`ert.domain.identity.array_digest`); empty without one.
    before_engine, after_engine : what computed them.
    difference : None unless there are two doses.
    is_kept : the dose is kept with the plan's revision, now or since before.
    problem : why it failed, or is not kept.
    """

    plan_id: str
    revision: int
    plan_digest: str
    numerics_version: int
    state: str
    before: str = ""
    after: str = ""
    before_engine: str = ""
    after_engine: str = ""
    difference: Difference | None = None
    is_kept: bool = False
    problem: str = ""


@attrs.frozen(kw_only=True, eq=False)
class _Asked:
    """A plan that a worker is computing."""

    stored: StoredPlan
    structures: StructureSet
    items: tuple[BeamRequest, ...]
    before: tuple[DoseResult, ...] | None


@guarded
class Recomputation:
    """Chooses plans of a site and has their doses computed anew.

    Parameters
    ----------
    store : used on the thread that calls.
    models : machines of the site.
    """

    def __init__(self, store: SiteStore, models: Models) -> None:
        self._store, self._models = store, models

    def chosen(
        self, *, patients: Sequence[str] = (), machines: Sequence[str] = (), listed: Sequence[str] | None = None
    ) -> tuple[StoredPlan, ...]:
        """Plans with beams: of some patients or all, on some machines or all, or those listed; as saved last.

        Parameters
        ----------
        patients : ids or record numbers; all if empty.
        machines : names; a plan counts if any of its beams is on one of them; all if empty.
        listed : ids of plans; None for all.

        Raises
        ------
        NotFound
            A listed plan is not there.
        """
        store, wanted = self._store, set(patients)
        known = [p for p in store.patients.patients() if not wanted or {p.id, p.medical_record_number} & wanted]
        overview = store.plans.overview([p.id for p in known])
        ids = [head.plan_id for p in known for course in overview[p.id] for head in course.plans]
        stored = [store.plans.load(plan_id) for plan_id in (ids if listed is None else listed)]
        return tuple(
            s for s in stored
            if s.plan.beams and (not machines or any(b.machine_name in machines for b in s.plan.beams))
        )  # fmt: skip

    def run(
        self,
        plan_ids: Sequence[str],
        executor: Executor,
        *,
        workers: int,
        is_keeping: bool,
        ctx: JobContext,
        finished: Callable[[Row], None],
    ) -> None:
        """Compute plans anew by other processes, as they are saved.

        Parameters
        ----------
        plan_ids : in order of being begun.
        workers : how many tasks the executor computes at once.
        is_keeping : keep the doses with the plans' newest revisions, where these are still what was computed.
        finished : told of every plan when it is finished; what it was told stays true when the run is stopped.

        Raises
        ------
        Cancelled
            When asked to stop: what is being computed is given up.
        """
        run = _Run(self._store, self._models, executor, is_keeping=is_keeping, finished=finished)
        waiting, done = list(plan_ids), 0
        try:
            while waiting or run.under_way:
                ctx.check()
                while waiting and len(run.under_way) < _IN_FLIGHT * workers:
                    done += run.begin(waiting.pop(0))
                done += run.collect()
                ctx.progress(done / len(plan_ids), f"{done} of {len(plan_ids)} plans")
        except (Cancelled, KeyboardInterrupt):
            run.give_up()
            raise


class _Run:
    def __init__(
        self, store: SiteStore, models: Models, executor: Executor, *, is_keeping: bool, finished: Callable[[Row], None]
    ) -> None:
        self._store, self._models, self._executor = store, models, executor
        self._is_keeping, self._finished = is_keeping, finished
        self.under_way: dict[Future[tuple[bytes, ...]], _Asked] = {}

    def begin(self, plan_id: str) -> int:
        """Hand a plan to a worker; 1 if it is finished already, because it cannot be computed."""
        stored: StoredPlan | None = None
        try:
            stored = self._store.plans.load(plan_id)
            asked, image = self._asked(stored)
            task = dose_task(stored.plan, image, asked.structures, asked.items)
        except ErtError as error:
            self._finished(_failed(plan_id, stored, error))
            return 1
        self.under_way[self._executor.submit(answer, task)] = asked
        return 0

    def _asked(self, stored: StoredPlan) -> tuple[_Asked, CtImage]:
        plan, store = stored.plan, self._store
        image = store.patients.image(plan.image_id)
        structures = store.patients.structure_set(plan.structure_set_id)
        service = DoseService(
            image=image, structures=structures, models=self._models, kept=lambda _digest: None, cache=NoCache()
        )
        items = service.requests(plan)
        before = _all([self._kept_before(plan, item.request) for item in items])
        return _Asked(stored=stored, structures=structures, items=items, before=before), image

    def _kept_before(self, plan: Plan, request: DoseRequest) -> DoseResult | None:
        """The dose kept for a request, by these numerics or the newest before."""
        for version in range(NUMERICS_VERSION, 0, -1):
            kept = self._store.plans.dose(plan.id, attrs.evolve(request, numerics_version=version).digest)
            if kept is not None:
                return kept
        return None

    def collect(self) -> int:
        """Take what is finished; how many plans that are."""
        if not self.under_way:
            return 0
        found, _ = wait(self.under_way, timeout=_POLL_S, return_when=FIRST_COMPLETED)
        for future in found:
            asked = self.under_way.pop(future)
            self._finished(self._row(asked, future))
        return len(found)

    def _row(self, asked: _Asked, future: Future[tuple[bytes, ...]]) -> Row:
        plan_id = asked.stored.plan.id
        try:
            answers = future.result()
            pairs = zip(answers, asked.items, strict=True)
            results = tuple(read_answer(data, item.request) for data, item in pairs)
            return self._kept(_compared(asked, results), asked, results)
        except ErtError as error:
            return _failed(plan_id, asked.stored, error)
        except Exception as error:  # noqa: BLE001 - one worker's fault must not end the run of all plans
            _LOG.exception("recomputing a plan failed")
            return _failed(plan_id, asked.stored, error)

    def _kept(self, row: Row, asked: _Asked, results: tuple[DoseResult, ...]) -> Row:
        """Keep the doses if that is wanted and the plan still is what was computed."""
        stored = asked.stored
        if not self._is_keeping:
            return row
        is_same_question = asked.before is not None and all(
            old.request_digest == new.request_digest for old, new in zip(asked.before, results, strict=True)
        )
        if is_same_question and row.state == "changed":
            sentence = (
                "The kept dose of the very same request has other values; it stays. Run 'ert check' and 'ert selftest'."
            )
            return attrs.evolve(row, problem=sentence)
        try:
            self._store.plans.add_doses(stored.plan, stored.revision, results)
        except ErtError as error:
            return attrs.evolve(row, problem=str(error))
        return attrs.evolve(row, is_kept=True)

    def give_up(self) -> None:
        """Cancel what has not begun; what has is not waited for."""
        for future in self.under_way:
            future.cancel()


def _compared(asked: _Asked, results: tuple[DoseResult, ...]) -> Row:
    plan = asked.stored.plan
    if any(beam.mu is None for beam in plan.beams):
        plan = with_monitor_units(plan, results, structures=asked.structures)
    after = dose_state(plan, results)
    row = _plain(asked.stored, state="new", after=plan_dose_digest(after), after_engine=after.engine)
    if asked.before is None:
        return row
    before: DoseState = dose_state(plan, asked.before)
    moved = difference(before, after)
    is_same = plan_dose_digest(before) == row.after
    return attrs.evolve(
        row, state="same" if is_same else "changed", before=plan_dose_digest(before), before_engine=before.engine,
        difference=moved,
    )  # fmt: skip


def _plain(stored: StoredPlan, *, state: str, after: str = "", after_engine: str = "", problem: str = "") -> Row:
    return Row(
        plan_id=stored.plan.id, revision=stored.revision, plan_digest=stored.plan.digest,
        numerics_version=NUMERICS_VERSION, state=state, after=after, after_engine=after_engine, problem=problem,
    )  # fmt: skip


def _failed(plan_id: str, stored: StoredPlan | None, error: BaseException) -> Row:
    sentence = str(error) if isinstance(error, ErtError) else f"The computation failed ({type(error).__name__})."
    if stored is not None:
        return _plain(stored, state="failed", problem=sentence)
    return Row(
        plan_id=plan_id, revision=0, plan_digest="", numerics_version=NUMERICS_VERSION, state="failed", problem=sentence
    )


def _all(found: Sequence[DoseResult | None]) -> tuple[DoseResult, ...] | None:
    there = tuple(result for result in found if result is not None)
    return there if there and len(there) == len(found) else None
