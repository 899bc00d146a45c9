"""Edits of a plan's material overrides. They apply in order; where structures overlap, the last one wins."""

from __future__ import annotations

import attrs

from ert.domain.image import DensityOverride, Material
from ert.domain.plan import Plan
from ert.errors import InvalidPlan


def with_override(plan: Plan, structure_number: int, material: Material) -> Plan:
    """The plan with a structure taken to be a material: in its old place in the order, or as the last."""
    wanted = DensityOverride(structure_number=structure_number, material=material)
    if any(o.structure_number == structure_number for o in plan.overrides):
        kept = tuple(wanted if o.structure_number == structure_number else o for o in plan.overrides)
        return attrs.evolve(plan, overrides=kept)
    return attrs.evolve(plan, overrides=(*plan.overrides, wanted))


def without_override(plan: Plan, structure_number: int) -> Plan:
    """The plan with that structure read through the CT curve again.

    Raises
    ------
    InvalidPlan
        If it has no override.
    """
    _place(plan, structure_number)
    return attrs.evolve(plan, overrides=tuple(o for o in plan.overrides if o.structure_number != structure_number))


def with_override_moved(plan: Plan, structure_number: int, steps: int) -> Plan:
    """The plan with one override moved in the order: later (positive, wins over more) or earlier; stops at the ends.

    Raises
    ------
    InvalidPlan
        If it has no override.
    """
    at = _place(plan, structure_number)
    to = min(max(at + steps, 0), len(plan.overrides) - 1)
    others = [o for o in plan.overrides if o.structure_number != structure_number]
    others.insert(to, plan.overrides[at])
    return attrs.evolve(plan, overrides=tuple(others))


def _place(plan: Plan, structure_number: int) -> int:
    for place, override in enumerate(plan.overrides):
        if override.structure_number == structure_number:
            return place
    raise InvalidPlan(f"Plan '{plan.name}' has no override of structure number {structure_number}.")
