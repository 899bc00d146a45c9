"""Two engines on one plan: gamma, points and structures compared; the plan's second check."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.analysis.dvh import compute_dvh
from ert.analysis.gamma import GammaCriteria, GammaResult, compare_dose_grids
from ert.analysis.metrics import evaluate_metric
from ert.app.check_rules import RuleInUse
from ert.app.dose_service import DoseService
from ert.app.dose_state import DoseState, dose_state
from ert.app.jobs import JobContext
from ert.domain.algorithm import Algorithm
from ert.domain.plan import Plan, with_algorithm, with_algorithms
from ert.domain.second_check import DEFAULT_SOURCE, CheckTolerances, ComparedValue, SecondCheck
from ert.domain.statements import ALGORITHM_NAMES
from ert.domain.structure import StructureSet
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from ert.geometry.resample import sample_at

STRUCTURE_METRICS = ("Mean", "D95%", "D2%")


@attrs.frozen(kw_only=True, eq=False)
class Comparison:
    """Doses of one plan by two engines, on one grid, and how they compare.

    Attributes
    ----------
    first, second : the doses, with grid and uncertainty.
    gamma : at the points of the reference that `check` names; NaN where nothing was compared.
    is_of_plan : the first dose is the plan's own; without that the comparison is no second check of it.
    """

    plan: Plan
    first: DoseState
    second: DoseState
    gamma: GammaResult
    check: SecondCheck
    is_of_plan: bool


Engine = Algorithm | None
"""An engine for all beams; None first for each beam's own as planned, None second for each beam's other engine."""


def other_algorithm(algorithm: Algorithm) -> Algorithm:
    """The engine that checks another unless the user chooses: Monte Carlo, and for that redefinition."""
    return Algorithm.PBRA if algorithm is Algorithm.MONTE_CARLO else Algorithm.MONTE_CARLO


def compared_plans(plan: Plan, engines: tuple[Engine, Engine]) -> tuple[Plan, Plan]:
    """The plan as the two engines compute it.

    Raises
    ------
    Refused
        A beam would be compared with itself.
    """
    first = plan if engines[0] is None else with_algorithm(plan, engines[0])
    second = with_algorithms(first, other_algorithm) if engines[1] is None else with_algorithm(plan, engines[1])
    for one, other in zip(first.beams, second.beams, strict=True):
        if first.algorithm_of(one) is second.algorithm_of(other):
            raise Refused(
                f"An engine cannot check itself: beam '{one.name}' would be computed twice by "
                f"{ALGORITHM_NAMES[first.algorithm_of(one)]}.",
                hint="Choose two engines, or each beam's other engine.",
            )
    return first, second


def compare_engines(
    service: DoseService,
    plan: Plan,
    structures: StructureSet,
    engines: tuple[Engine, Engine],
    ctx: JobContext,
    *,
    rule: RuleInUse | None = None,
) -> Comparison:
    """Compute a plan by two engines, for the plan's own monitor units, and compare; on the dose lane.

    Raises
    ------
    Refused
        A beam would be compared with itself or has no monitor units, or an engine refuses the plan.
    Cancelled
        When the job was asked to stop.
    """
    asked = compared_plans(plan, engines)
    states = [dose_state(one, service.compute(one, ctx)) for one in asked]
    ctx.check()
    is_own = all(
        plan.algorithm_of(b) is asked[0].algorithm_of(a) for a, b in zip(asked[0].beams, plan.beams, strict=True)
    )
    return compared(plan, structures, states[0], states[1], rule=rule, is_of_plan=is_own)


def compared(
    plan: Plan,
    structures: StructureSet,
    first: DoseState,
    second: DoseState,
    *,
    rule: RuleInUse | None = None,
    is_of_plan: bool = False,
) -> Comparison:
    """The comparison of two doses of a plan; `is_of_plan` if the first is its own.

    A dose with noise is the reference of gamma, its criterion widened by one standard error: searching a noisy dose
    would find a place that fits nearly everywhere. If both or none have noise the second is the reference.

    Raises
    ------
    Refused
        If one of them is no dose, or they lie on different grids.
    """
    if first.plan_gy is None or second.plan_gy is None or first.grid is None or first.grid != second.grid:
        raise Refused("Two doses on one grid are needed for a comparison.")
    rule = rule or RuleInUse(tolerances=CheckTolerances(), source=DEFAULT_SOURCE)
    limits = rule.tolerances
    is_first_reference = first.uncertainty is not None and second.uncertainty is None
    reference, evaluated = (first, second) if is_first_reference else (second, first)
    gamma = _gamma(reference, evaluated, first.grid, limits)
    check = SecondCheck(
        plan_digest=plan.digest,
        first_engine=first.engine,
        second_engine=second.engine,
        gamma_reference=reference.engine,
        gamma_pass_pct=gamma.pass_rate_pct,
        gamma_mean_ratio=gamma.mean_ratio,
        gamma_points=gamma.points,
        tolerances=limits,
        tolerances_source=rule.source,
        values=tuple(_values(plan, structures, (first.plan_gy, second.plan_gy), first.grid, limits)),
    )
    return Comparison(plan=plan, first=first, second=second, gamma=gamma, check=check, is_of_plan=is_of_plan)


def _gamma(reference: DoseState, evaluated: DoseState, grid: VoxelGrid, tolerances: CheckTolerances) -> GammaResult:
    if reference.plan_gy is None or evaluated.plan_gy is None:
        raise Refused("Two doses are needed for gamma.")
    criteria = GammaCriteria(
        dose_pct=tolerances.gamma_dose_pct,
        distance_cm=tolerances.gamma_distance_cm,
        threshold_pct=tolerances.gamma_threshold_pct,
    )
    sigma = None if reference.uncertainty is None else reference.uncertainty.sigma_gy
    return compare_dose_grids(reference.plan_gy, grid, evaluated.plan_gy, grid, criteria, reference_sigma=sigma)


def _values(
    plan: Plan,
    structures: StructureSet,
    doses: tuple[NDArray[np.float32], NDArray[np.float32]],
    grid: VoxelGrid,
    tolerances: CheckTolerances,
) -> Iterator[ComparedValue]:
    prescribed_gy = plan.prescription.dose_gy

    def value(subject: str, quantity: str, first_gy: float, second_gy: float) -> ComparedValue:
        difference_pct = 100.0 * (second_gy - first_gy) / prescribed_gy
        return ComparedValue(
            subject=subject, quantity=quantity, first_gy=first_gy, second_gy=second_gy, difference_pct=difference_pct,
            light=tolerances.of_difference(difference_pct),
        )  # fmt: skip

    for point in plan.points:
        place = np.asarray(point.position_cm)[None, :]
        at = [float(sample_at(gy, grid, place, outside=np.nan)[0]) for gy in doses]
        if not np.any(np.isnan(at)):  # a point beyond the dose grid has no dose to compare
            yield value(point.name, "Point", at[0], at[1])
    for structure in structures.structures:
        if not structure.contours or structure.number == plan.external_number:
            continue
        dvhs = [compute_dvh(structure, gy, grid) for gy in doses]
        for metric in STRUCTURE_METRICS:
            first_gy, second_gy = (evaluate_metric(metric, d, prescription_gy=prescribed_gy) for d in dvhs)
            yield value(structure.name, metric, first_gy, second_gy)
