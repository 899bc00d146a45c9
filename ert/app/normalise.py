"""From a plan's prescription to the monitor units of its beams."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.analysis.dvh import compute_dvh
from ert.analysis.metrics import dose_at_volume_gy
from ert.domain.dose import DoseResult, scaled_sum
from ert.domain.plan import Normalisation, Plan
from ert.domain.structure import StructureSet
from ert.dose.monitor import round_mu
from ert.errors import InvalidPlan
from ert.geometry.resample import sample_at


def without_monitor_units(plan: Plan) -> Plan:
    """The plan with monitor units forgotten, unless they were entered by hand."""
    if plan.prescription.normalisation is Normalisation.FIXED_MU:
        return plan
    return attrs.evolve(plan, beams=tuple(attrs.evolve(b, mu=None) for b in plan.beams))


def with_monitor_units(plan: Plan, results: Sequence[DoseResult], *, structures: StructureSet) -> Plan:
    """The plan with each beam's monitor units for one fraction, whole numbers.

    Beams share the given dose in proportion to their weights: MU_b · given_b ∝ weight_b, where given_b is the dose per
    MU at the depth of maximum of that field in water at its SSD (AAPM TG-71). One factor then brings the sum to the
    prescription.

    Parameters
    ----------
    results : one for each beam of the plan, in its order.

    Raises
    ------
    InvalidPlan
        If a beam lacks hand-entered MU, or what the prescription normalises to receives no dose.
    """
    if plan.prescription.normalisation is Normalisation.FIXED_MU:
        missing = [b.name for b in plan.beams if b.mu is None]
        if missing:
            raise InvalidPlan(f"Enter monitor units for {', '.join(missing)}.", hint="Or choose a normalisation.")
        return plan
    shares = [b.weight / _given(r) for b, r in zip(plan.beams, results, strict=True)]
    reached_gy = _reached_gy(plan, results, shares, structures)
    if not reached_gy > 0:
        raise InvalidPlan(
            "What the prescription is normalised to receives no dose.", hint="Check target, point and beams."
        )
    wanted_gy = plan.prescription.dose_gy / plan.prescription.fractions
    beams = tuple(
        attrs.evolve(beam, mu=round_mu(share * wanted_gy / reached_gy))
        for beam, share in zip(plan.beams, shares, strict=True)
    )
    return attrs.evolve(plan, beams=beams)


def _given(result: DoseResult) -> float:
    given = result.given_dose_gy_per_mu or float(result.gy_per_mu.max())
    if given <= 0:
        raise InvalidPlan("A beam delivers no dose to the patient.", hint="Check its isocentre, angles and aperture.")
    return given


def _reached_gy(plan: Plan, results: Sequence[DoseResult], shares: Sequence[float], structures: StructureSet) -> float:
    """Dose of one fraction, for MU equal to the shares, at what the prescription speaks of."""
    prescription = plan.prescription
    if prescription.normalisation is Normalisation.ISODOSE:
        if any(not r.given_dose_gy_per_mu for r in results):
            raise InvalidPlan("The engine states no given dose for a beam.", hint="Choose another normalisation.")
        return prescription.percent / 100 * sum(b.weight for b in plan.beams)
    total = sum_gy(results, shares)
    grid = results[0].grid
    if prescription.normalisation is Normalisation.MAXIMUM:
        return prescription.percent / 100 * float(total.max())
    if prescription.normalisation is Normalisation.POINT:
        point = plan.point_cm(prescription.point_id or "")
        return float(sample_at(total, grid, np.asarray(point)[None, :])[0])
    if prescription.normalisation is not Normalisation.D95:
        raise InvalidPlan(f"The plan cannot be normalised to '{prescription.normalisation}'.")
    target = structures.structure(prescription.target_number)
    return dose_at_volume_gy(compute_dvh(target, total, grid), 95.0)


def sum_gy(results: Sequence[DoseResult], mu: Sequence[float]) -> NDArray[np.float32]:
    """Σ MU · Gy/MU in beam order, float32."""
    return scaled_sum([r.gy_per_mu for r in results], mu)
