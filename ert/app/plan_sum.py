"""The sum of saved plans of one course: what the patient gets from all of them together. A view, never a record."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.analysis.dose_sum import common_grid, on_grid, summed, summed_uncertainty
from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import evaluate_metric
from ert.app.dose_service import DoseService, Models
from ert.app.dose_state import DoseState, DoseStatus, dose_state
from ert.app.jobs import JobContext, Lane
from ert.app.normalise import with_monitor_units
from ert.app.permissions import guarded
from ert.app.pinned_dose import PinnedDoseService
from ert.app.session import SiteSession
from ert.domain.algorithm import Algorithm
from ert.domain.beam import Beam
from ert.domain.dose import DoseResult
from ert.domain.dose_uncertainty import DoseUncertainty
from ert.domain.dvh import Dvh
from ert.domain.identity import read_only
from ert.domain.image import CtImage, DensityOverride
from ert.domain.patient import Course, Patient
from ert.domain.plan import Plan
from ert.domain.record import StoredPlan
from ert.domain.statements import algorithm_of_engine, algorithm_statement, algorithms_of_engine
from ert.domain.structure import PointOfInterest, StructureSet
from ert.errors import InvalidPlan
from ert.geometry.grid import VoxelGrid

_FEWEST = 2


@attrs.frozen(kw_only=True)
class SummedPlan:
    """One saved plan in a sum.

    Attributes
    ----------
    stored : the revision that was added.
    gy : float32 [z, y, x] on the sum's grid, for all its fractions.
    engine : what computed it.
    """

    stored: StoredPlan
    gy: NDArray[np.float32] = attrs.field(eq=False, repr=False)
    engine: str


@attrs.frozen(kw_only=True)
class Reference:
    """The dose that 100 % stands for: all the prescriptions added."""

    dose_gy: float


@attrs.frozen(kw_only=True)
class SumValues:
    """What views draw of the plans: their beams and points."""

    prescription: Reference
    beams: tuple[Beam, ...]
    points: tuple[PointOfInterest, ...]
    overrides: tuple[DensityOverride, ...] = ()


@attrs.frozen(kw_only=True, eq=False)
class PlanSum:
    """Plans added up; immutable, so a later edit of a plan does not reach it.

    Attributes
    ----------
    dose : the sum; always current, since it belongs to the revisions named in `parts`.
    notes : what the user must know of it.
    """

    patient: Patient
    course: Course
    image: CtImage
    structures: StructureSet
    models: Models
    parts: tuple[SummedPlan, ...]
    plan: SumValues
    dose: DoseState
    dvhs: tuple[Dvh, ...]
    notes: tuple[str, ...]

    @property
    def dose_name(self) -> str:
        """What the dose is stated to."""
        return self.parts[0].stored.plan.dose_to.phrase

    @property
    def shown_dvhs(self) -> tuple[Dvh, ...]:
        """Its histograms; a sum is of finished doses, never of a preview."""
        return self.dvhs

    def shown_metric(self, structure_number: int, metric: str) -> float | None:
        """The same as `metric`."""
        return self.metric(structure_number, metric)

    def metric(self, structure_number: int, metric: str) -> float | None:
        """A metric such as ``D95%``, per cents of all prescriptions added; None for a structure without contours."""
        for dvh in self.dvhs:
            if dvh.structure_number == structure_number:
                return evaluate_metric(metric, dvh, prescription_gy=self.plan.prescription.dose_gy)
        return None


@attrs.frozen(kw_only=True, eq=False)
class _Computed:
    """A plan with its monitor units and its doses."""

    plan: Plan
    results: tuple[DoseResult, ...]
    state: DoseState

    @property
    def units(self) -> tuple[float, ...]:
        """Monitor units of each beam, whole course."""
        return tuple((b.mu or 0.0) * self.plan.prescription.fractions for b in self.plan.beams)


class _Share(JobContext):
    """One plan's share of the whole job."""

    def __init__(self, whole: JobContext, begin: float, share: float) -> None:
        super().__init__(lambda fraction, text: whole.progress(begin + share * fraction, text))
        self._whole = whole

    def check(self) -> None:
        """Stop when the whole is asked to."""
        self._whole.check()


@guarded
def sum_plans(session: SiteSession, plan_ids: Sequence[str], ctx: JobContext) -> PlanSum:
    """Add the doses of saved plans, computing what is not kept; for the dose lane.

    Parameters
    ----------
    plan_ids : at least two plans of one course, in the order in which they are added and listed.

    Raises
    ------
    InvalidPlan
        If they cannot be added: fewer than two, different courses or media, one without beams or monitor units.
    """
    stored = _load(session, plan_ids)
    first = stored[0].plan
    store = session.store
    ctx.progress(0.0, "Reading CT and structures")
    course = session.jobs.call(Lane.DB, lambda: store.patients.course(first.course_id))
    patient = session.jobs.call(Lane.DB, lambda: store.patients.patient(course.patient_id))
    image = session.jobs.call(Lane.DB, lambda: store.patients.image(first.image_id))
    structures = session.jobs.call(Lane.DB, lambda: store.patients.structure_set(first.structure_set_id))
    doses = []
    for number, item in enumerate(stored):
        share = _Share(ctx, 0.1 + 0.6 * number / len(stored), 0.6 / len(stored))
        doses.append(_dose(session, item, image, structures, share))
        session.record_event("added to a plan sum", record=item.plan.id)
    grid = common_grid([d.state.grid for d in doses if d.state.grid is not None])
    parts = tuple(_part(item, dose.state, grid) for item, dose in zip(stored, doses, strict=True))
    total = read_only(summed([p.gy for p in parts]))
    uncertainty = summed_uncertainty([(d.results, d.units) for d in doses], grid, total)
    return PlanSum(
        patient=patient,
        course=course,
        image=image,
        structures=structures,
        models=session.models,
        parts=parts,
        plan=_values(stored),
        dose=_state(total, grid, parts, uncertainty),
        dvhs=_histograms(structures, total, grid, ctx),
        notes=sum_notes(parts, uncertainty),
    )


def _load(session: SiteSession, plan_ids: Sequence[str]) -> list[StoredPlan]:
    if len(set(plan_ids)) < _FEWEST or len(set(plan_ids)) != len(plan_ids):
        raise InvalidPlan("A sum needs at least two different plans.", hint="Choose more plans of the course.")
    plans = session.store.plans
    stored = session.jobs.call(Lane.DB, lambda: [plans.load(plan_id) for plan_id in plan_ids])
    first = stored[0].plan
    for item in stored:
        plan = item.plan
        if (plan.course_id, plan.image_id, plan.structure_set_id) != (
            first.course_id,
            first.image_id,
            first.structure_set_id,
        ):
            raise InvalidPlan(
                f"'{plan.name}' and '{first.name}' were made on different images; their doses cannot be added."
            )
        if plan.dose_to is not first.dose_to:
            raise InvalidPlan(
                f"'{first.name}' states {first.dose_to.phrase}, '{plan.name}' {plan.dose_to.phrase}; they do not add.",
                hint="Choose the same medium in their prescriptions and save them.",
            )
        if not plan.beams:
            raise InvalidPlan(f"'{plan.name}' has no beams, hence no dose.", hint="Leave it out, or add beams to it.")
    return stored


def _dose(
    session: SiteSession, item: StoredPlan, image: CtImage, structures: StructureSet, ctx: JobContext
) -> _Computed:
    plan = item.plan
    results = _service(session, item, image, structures).compute(plan, ctx)
    has_mu = all(beam.mu is not None for beam in plan.beams)  # as saved: that is what the patient gets
    planned = plan if has_mu else with_monitor_units(plan, results, structures=structures)
    return _Computed(plan=planned, results=results, state=dose_state(planned, results))


def _service(session: SiteSession, item: StoredPlan, image: CtImage, structures: StructureSet) -> DoseService:
    """What gives a plan's doses: of an approved one those that were pinned, and nothing else."""
    pinned = session.approvals.pinned(item)
    if pinned is not None:
        return PinnedDoseService(image=image, structures=structures, models=session.models, pinned=pinned)
    store, plan_id = session.store, item.plan.id
    return DoseService(
        image=image,
        structures=structures,
        models=session.models,
        kept=lambda digest: session.jobs.call(Lane.DB, lambda: store.plans.dose(plan_id, digest)),
        cache=store.caches,
    )


def _part(item: StoredPlan, dose: DoseState, grid: VoxelGrid) -> SummedPlan:
    if dose.plan_gy is None or dose.grid is None:
        raise InvalidPlan(f"'{item.plan.name}' has no dose.", hint="Open the plan and look at its checks.")
    return SummedPlan(stored=item, gy=read_only(on_grid(dose.plan_gy, dose.grid, grid)), engine=dose.engine)


def _values(stored: Sequence[StoredPlan]) -> SumValues:
    plans = [item.plan for item in stored]
    return SumValues(
        prescription=Reference(dose_gy=sum(p.prescription.dose_gy for p in plans)),
        beams=tuple(b for p in plans for b in p.beams),
        points=tuple(point for p in plans for point in p.points),
    )


def _engines(parts: Sequence[SummedPlan]) -> str:
    """What computed the parts, the one to trust least first."""
    rank = {algorithm: place for place, algorithm in enumerate(Algorithm)}
    return " + ".join(sorted({p.engine for p in parts}, key=lambda e: (rank[algorithm_of_engine(e)], e)))


def _state(
    total: NDArray[np.float32], grid: VoxelGrid, parts: Sequence[SummedPlan], uncertainty: DoseUncertainty | None
) -> DoseState:
    k, j, i = np.unravel_index(int(np.argmax(total)), total.shape)
    x, y, z = grid.point_cm((int(i), int(j), int(k)))
    return DoseState(
        status=DoseStatus.CURRENT,
        fraction=1.0,
        grid=grid,
        plan_gy=total,
        engine=_engines(parts),
        uncertainty=uncertainty,
        max_gy=float(total[k, j, i]),
        max_point_cm=(float(x), float(y), float(z)),
    )


def _histograms(
    structures: StructureSet, total: NDArray[np.float32], grid: VoxelGrid, ctx: JobContext
) -> tuple[Dvh, ...]:
    wanted = [s for s in structures.structures if s.contours]
    found = []
    for number, structure in enumerate(wanted):
        ctx.check()
        ctx.progress(0.75 + 0.25 * number / len(wanted), f"Histogram of {structure.name}")
        found.append(compute_dvh(structure, total, grid))
    return tuple(found)


def sum_notes(parts: Sequence[SummedPlan], uncertainty: DoseUncertainty | None) -> tuple[str, ...]:
    """What must be known of a sum of these."""
    notes = [
        "Physical dose, added voxel by voxel: fractionation and time between plans are not accounted for.",
        "Beyond its own dose grid a plan adds nothing.",
    ]
    targets = {p.stored.plan.prescription.target_number for p in parts}
    if len(targets) > 1:
        notes.append("The plans prescribe to different targets; 100 % is the sum of all their prescriptions.")
    if len({p.engine for p in parts}) > 1:
        notes.append("The plans were computed by different engines.")
    engine = _engines(parts)
    notes.append(f"As certain as its least certain part. {algorithm_statement(algorithm_of_engine(engine))}")
    if uncertainty is not None:
        notes.append(uncertainty.sentence)
    elif Algorithm.MONTE_CARLO in algorithms_of_engine(engine):
        notes.append(
            "Monte Carlo doses scatter by the uncertainty named beside their engine; the sum's is not stated, because "
            "not every plan has one."
        )
    return tuple(notes)
