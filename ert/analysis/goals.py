"""Clinical goals: reading them as planners write them, and comparing them with a plan.

``structure metric comparison value unit``, for example ``PTV D95% >= 50 Gy``, ``Lung_L V20Gy <= 30 %``,
``Heart Mean <= 4 Gy``, ``PTV D98% >= 95 %Rx``.
"""

from __future__ import annotations

import enum
import re

import attrs

from ert.analysis.metrics import MetricKind, evaluate_metric, parse_metric
from ert.domain.dvh import Dvh
from ert.domain.plan import Goal
from ert.domain.structure import StructureSet
from ert.errors import Refused

TOLERANCE_PCT = 2.0
_GOAL = re.compile(
    r"\s*(?P<structure>.+?)\s+(?P<metric>\S+)\s*(?P<comparison><=|>=|<|>|≤|≥)\s*(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>%Rx|%|Gy|cc|)\s*"
)
_COMPARISONS = {"≤": "<=", "≥": ">="}
_DOSES = (MetricKind.DOSE_AT_VOLUME, MetricKind.MEAN, MetricKind.MAX, MetricKind.MIN)
_VOLUMES = (MetricKind.VOLUME_AT_DOSE, MetricKind.VOLUME_BELOW_DOSE)


class GoalState(enum.StrEnum):
    """How a plan stands to a goal."""

    MET = "met"
    WITHIN_TOLERANCE = "within tolerance"
    VIOLATED = "violated"


@attrs.frozen(kw_only=True)
class GoalResult:
    """A goal, what the plan reaches in the goal's unit, and by how much it is better (> 0) or worse (< 0)."""

    goal: Goal
    value: float
    distance: float
    state: GoalState


def parse_goal(text: str, structures: StructureSet) -> Goal:
    """Read a goal.

    Raises
    ------
    Refused
        If it is not understood, names no structure of the set, or its unit does not fit its metric.
    """
    found = _GOAL.fullmatch(text)
    if found is None:
        raise Refused(f"'{text}' is no goal.", hint="Write for example: Heart Mean <= 4 Gy")
    goal = Goal(
        structure_number=structures.named(found["structure"]).number,
        metric=found["metric"],
        comparison=_COMPARISONS.get(found["comparison"], found["comparison"]),
        value=float(found["value"]),
        unit=found["unit"],
    )
    _metric_in_unit(goal)
    return goal


def evaluate_goal(
    goal: Goal,
    dvh: Dvh,
    *,
    prescription_gy: float | None = None,
    external: Dvh | None = None,
    tolerance_pct: float = TOLERANCE_PCT,
) -> GoalResult:
    """Compare a goal with a plan's histogram.

    Within tolerance: missed by no more than `tolerance_pct` percent of the goal's value.

    Raises
    ------
    Refused
        If the metric cannot be evaluated (`evaluate_metric`).
    """
    value = evaluate_metric(_metric_in_unit(goal), dvh, prescription_gy=prescription_gy, external=external)
    distance = (value - goal.value) if goal.comparison.startswith(">") else (goal.value - value)
    is_met = distance > 0 or (distance == 0 and goal.comparison.endswith("="))
    if is_met:
        state = GoalState.MET
    elif -distance <= abs(goal.value) * tolerance_pct / 100.0:
        state = GoalState.WITHIN_TOLERANCE
    else:
        state = GoalState.VIOLATED
    return GoalResult(goal=goal, value=value, distance=distance, state=state)


def _metric_in_unit(goal: Goal) -> str:
    """The goal's metric with the unit of the goal asked for."""
    name = goal.metric.split("[", maxsplit=1)[0]
    kind = parse_metric(goal.metric).kind
    allowed = {"Gy": "Gy", "%Rx": "%"} if kind in _DOSES else {"%": "%", "cc": "cc"} if kind in _VOLUMES else {"": ""}
    if goal.unit not in allowed:
        names = ", ".join(u or "no unit" for u in allowed)
        raise Refused(f"A goal for {goal.metric} is given in {names}, not in '{goal.unit}'.")
    return f"{name}[{allowed[goal.unit]}]" if allowed[goal.unit] else name
