"""How an open plan stands to its clinical goals: one judgement for the window and for the report."""

from __future__ import annotations

import attrs

from ert.app.permissions import guarded
from ert.app.workspace import PlanWorkspace
from ert.domain.plan import Goal
from ert.errors import ErtError


@attrs.frozen(kw_only=True)
class GoalStatus:
    """A goal and what the plan reaches; ``is_met`` is None while there is no current dose; ``value`` in its unit."""

    goal: Goal
    structure_name: str
    value: float | None
    is_met: bool | None
    problem: str = ""


@guarded
def judge(workspace: PlanWorkspace, goal: Goal) -> GoalStatus:
    """Judge one goal by the current dose."""
    name = workspace.structures.structure(goal.structure_number).name
    if not workspace.dvhs:
        return GoalStatus(goal=goal, structure_name=name, value=None, is_met=None, problem="no current dose")
    try:
        prescribed_gy = workspace.plan.prescription.dose_gy
        value = workspace.evaluation.metric(
            goal.structure_number, f"{goal.metric}[{goal.unit}]", prescription_gy=prescribed_gy
        )
    except ErtError as error:
        return GoalStatus(goal=goal, structure_name=name, value=None, is_met=None, problem=str(error))
    if value is None:
        return GoalStatus(goal=goal, structure_name=name, value=None, is_met=None, problem="not contoured")
    is_met = value <= goal.value if goal.comparison == "<=" else value >= goal.value
    return GoalStatus(goal=goal, structure_name=name, value=value, is_met=is_met)
