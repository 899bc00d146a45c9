"""Dose at the plan's points, and what each beam gives there."""

from __future__ import annotations

import attrs
import numpy as np

from ert.app.dose_state import DoseState
from ert.domain.plan import Plan
from ert.domain.structure import PointOfInterest
from ert.geometry.resample import sample_at


@attrs.frozen(kw_only=True)
class PointDose:
    """Dose of the whole course at a point, trilinear between voxel centres.

    Attributes
    ----------
    total_gy : None where there is none that belongs to the plan, or the point lies outside the dose grid.
    beams_gy : of each beam, in the plan's order; empty where ``total_gy`` is None.
    problem : why there is no dose; empty if there is one.
    """

    point: PointOfInterest
    total_gy: float | None = None
    beams_gy: tuple[float, ...] = ()
    problem: str = ""


def point_doses(plan: Plan, dose: DoseState) -> tuple[PointDose, ...]:
    """Doses at all points of a plan, in its order."""
    return tuple(_at(point, dose) for point in plan.points)


def _at(point: PointOfInterest, dose: DoseState) -> PointDose:
    grid = dose.grid
    if not dose.is_current or dose.plan_gy is None or grid is None:
        return PointDose(point=point, problem="no dose that belongs to the plan")
    place = np.asarray(point.position_cm)[None, :]
    total_gy = float(sample_at(dose.plan_gy, grid, place, outside=np.nan)[0])
    if not np.isfinite(total_gy):
        return PointDose(point=point, problem="outside the dose grid")
    beams_gy = tuple(float(sample_at(beam.gy, grid, place)[0]) for beam in dose.beams)
    return PointDose(point=point, total_gy=total_gy, beams_gy=beams_gy)
