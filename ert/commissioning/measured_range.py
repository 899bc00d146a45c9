"""Depths and incidence at which a model was compared with measurements, as the model keeps them."""

from __future__ import annotations

import itertools
import math

from ert.commissioning.acceptance import OBLIQUE_PCT
from ert.commissioning.measured import BeamData, EnergyData
from ert.commissioning.phantom_check import CheckResults
from ert.domain.beam_model import MeasuredRange
from ert.domain.commissioning import CheckComparison
from ert.reports.model_figures import check_top_cgy, worst_after_shift_pct


def measured_range(data: BeamData, energy: EnergyData, checks: CheckResults) -> MeasuredRange:
    """Of the reference depth dose and of the oblique checks.

    Parameters
    ----------
    checks : what each engine made of `energy.checks`, in their order.
    """
    depths = next(c.position_cm for c in energy.curves if c.kind == "depth_dose" and c.field == data.reference)
    return MeasuredRange(
        depth_min_cm=float(depths[0]),
        depth_max_cm=float(depths[-1]),
        incidence_max_deg=verified_incidence_deg(energy, checks),
    )


def verified_incidence_deg(energy: EnergyData, checks: CheckResults) -> float:
    """The largest incidence of an oblique check that every engine passed, below the first that one of them failed.

    A check that failed verifies nothing, and what fails at 30 degrees is not trusted at 45.
    """
    tilted = sorted(  # of two at one angle a failed one comes first
        (abs(check.incidence_deg), all(_is_passed(of[number]) for of in checks.values()))
        for number, check in enumerate(energy.checks)
        if check.kind == "oblique" and check.incidence_deg
    )
    passed = itertools.takewhile(lambda tried: tried[1], tilted)
    return max((incidence_deg for incidence_deg, _ in passed), default=0.0)


def _is_passed(check: CheckComparison) -> bool:
    """Whether its lines keep the tolerance of row 8.3 of the acceptance table; what was refused passes nothing."""
    found = [worst_after_shift_pct(line, check_top_cgy(check)) for line in check.curves]
    judged = [abs(worst) for worst in found if not math.isnan(worst)]
    return bool(judged) and max(judged) <= OBLIQUE_PCT
