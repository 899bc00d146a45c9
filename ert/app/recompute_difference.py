"""How far a plan's dose moved between two computations."""

from __future__ import annotations

import attrs
import numpy as np

from ert.analysis.gamma import GammaCriteria, compare_dose_grids
from ert.app.dose_state import DoseState
from ert.domain.identity import array_digest
from ert.errors import Refused

GAMMA_DOSE_PCT, GAMMA_DISTANCE_CM, GAMMA_THRESHOLD_PCT = 1.0, 0.1, 10.0


@attrs.frozen(kw_only=True)
class Difference:
    """Largest difference, and the share of points within 1 % and 1 mm, above a tenth of the largest dose, global.

    Attributes
    ----------
    largest_gy, largest_pct : of a voxel; percent of the largest dose before.
    gamma_pass_pct : the former dose is the reference; a former dose with noise has its criterion widened by one
        standard error.
    """

    largest_gy: float
    largest_pct: float
    gamma_pass_pct: float


def plan_dose_digest(state: DoseState) -> str:
    """Digest of a plan's dose in Gy."""
    if state.plan_gy is None:
        raise Refused("A plan without a dose has no digest of it.")
    return array_digest(state.plan_gy)


def difference(before: DoseState, after: DoseState) -> Difference:
    """The difference of two doses of one plan on one grid.

    Raises
    ------
    Refused
        If one of them is none, or they lie on different grids.
    """
    if before.plan_gy is None or after.plan_gy is None or before.grid is None or before.grid != after.grid:
        raise Refused("The former dose lies on another grid; the two are not compared.")
    largest_gy = float(np.abs(after.plan_gy.astype(np.float64) - before.plan_gy).max())
    criteria = GammaCriteria(dose_pct=GAMMA_DOSE_PCT, distance_cm=GAMMA_DISTANCE_CM, threshold_pct=GAMMA_THRESHOLD_PCT)
    sigma = None if before.uncertainty is None else before.uncertainty.sigma_gy
    gamma = compare_dose_grids(before.plan_gy, before.grid, after.plan_gy, before.grid, criteria, reference_sigma=sigma)
    return Difference(
        largest_gy=largest_gy, largest_pct=100.0 * largest_gy / before.max_gy, gamma_pass_pct=gamma.pass_rate_pct
    )
