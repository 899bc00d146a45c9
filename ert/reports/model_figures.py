"""Figures of measured and computed curves for the commissioning report."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.commissioning import CheckComparison, CurveComparison

Float = NDArray[np.float64]
_THRESHOLD = 0.1
SHIFT_CM = 0.2
"""How far the computed line of a phantom check may be shifted: the position of the phantom."""
_SHIFT_STEP_CM = 0.01


@attrs.frozen(kw_only=True)
class WorstPoint:
    """One measured point; difference = computed minus measured in per cent of the curve's measured maximum."""

    curve: str
    position_cm: float
    measured_cgy_per_mu: float
    computed_cgy_per_mu: float
    difference_pct: float


def worst_points(curves: Sequence[CurveComparison], count: int = 10) -> list[WorstPoint]:
    """The measured points above 10 % of their curve's maximum with the largest dose differences, worst first."""
    points = []
    for curve in curves:
        top = float(curve.measured_cgy_per_mu.max())
        for x, measured, computed in zip(
            curve.position_cm.tolist(),
            curve.measured_cgy_per_mu.tolist(),
            curve.computed_cgy_per_mu.tolist(),
            strict=True,
        ):
            if measured >= _THRESHOLD * top:
                points.append(
                    WorstPoint(
                        curve=curve.name,
                        position_cm=x,
                        measured_cgy_per_mu=measured,
                        computed_cgy_per_mu=computed,
                        difference_pct=100 * (computed - measured) / top,
                    )
                )
    return sorted(points, key=lambda p: -abs(p.difference_pct))[:count]


def check_top_cgy(check: CheckComparison) -> float:
    """The largest measured dose of a check, cGy/MU."""
    return max((float(c.measured_cgy_per_mu.max()) for c in check.curves), default=math.nan)


def worst_after_shift_pct(curve: CurveComparison, top_cgy: float) -> float:
    """Largest difference along a line, percent of `top_cgy`, when each point may look up to 2 mm to either side.

    Computed minus measured, of the points measured above 10 % of `top_cgy`; nan where there is none.
    """
    shifts = np.arange(-SHIFT_CM, SHIFT_CM + _SHIFT_STEP_CM / 2, _SHIFT_STEP_CM)
    at = curve.position_cm[:, None] + shifts[None, :]
    near = np.interp(at, curve.position_cm, curve.computed_cgy_per_mu) - curve.measured_cgy_per_mu[:, None]
    low, high = near.min(axis=1), near.max(axis=1)
    left = np.where(low > 0, low, np.minimum(high, 0.0))[curve.measured_cgy_per_mu >= _THRESHOLD * top_cgy]
    return 100.0 * float(left[np.argmax(np.abs(left))]) / top_cgy if len(left) else math.nan
