"""The dose of an open plan as screens see it: values, and whether they belong to what is on screen."""

from __future__ import annotations

import enum

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.dose import DoseResult, plan_dose_gy
from ert.domain.dose_uncertainty import DoseUncertainty, plan_uncertainty
from ert.domain.identity import read_only
from ert.domain.plan import Plan
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid


class DoseStatus(enum.StrEnum):
    """Whether there is a dose and whether it is the plan's."""

    NONE = "none"
    COMPUTING = "computing"
    CURRENT = "current"
    STALE = "stale"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class BeamDose:
    """One beam's dose over the whole course."""

    beam_number: int
    gy: NDArray[np.float32] = attrs.field(eq=False, repr=False)
    mu: float
    ssd_cm: float
    given_dose_gy: float | None
    warnings: tuple[str, ...]


@attrs.frozen(kw_only=True)
class DoseState:
    """What a screen may show of the dose.

    ``plan_gy`` is the dose of the plan only while ``status`` is CURRENT. Otherwise it is the last one computed, kept
    so that a screen can draw it greyed and hatched; tables, reports and export must not use it.
    """

    status: DoseStatus = DoseStatus.NONE
    fraction: float = 0.0
    message: str = ""
    grid: VoxelGrid | None = None
    plan_gy: NDArray[np.float32] | None = attrs.field(default=None, eq=False, repr=False)
    beams: tuple[BeamDose, ...] = ()
    engine: str = ""
    uncertainty: DoseUncertainty | None = None
    max_gy: float = 0.0
    max_point_cm: tuple[float, float, float] | None = None

    @property
    def is_current(self) -> bool:
        """True if the dose belongs to the plan on screen."""
        return self.status is DoseStatus.CURRENT


def dose_state(plan: Plan, results: tuple[DoseResult, ...]) -> DoseState:
    """The current dose of a plan whose beams all have monitor units.

    Raises
    ------
    Refused
        If a beam has no monitor units.
    """
    mu = [b.mu for b in plan.beams]
    if any(m is None for m in mu):
        raise Refused("A beam has no monitor units; the plan dose cannot be stated.")
    mu_known = [float(m) for m in mu if m is not None]
    fractions = plan.prescription.fractions
    total = read_only(plan_dose_gy(list(results), mu_known, fractions))
    grid = results[0].grid
    k, j, i = np.unravel_index(int(np.argmax(total)), total.shape)
    point = grid.point_cm((int(i), int(j), int(k)))
    beams = tuple(
        BeamDose(
            beam_number=beam.number,
            gy=read_only((result.gy_per_mu.astype(np.float64) * (m * fractions)).astype(np.float32)),
            mu=m,
            ssd_cm=result.ssd_cm,
            given_dose_gy=None if result.given_dose_gy_per_mu is None else result.given_dose_gy_per_mu * m * fractions,
            warnings=result.warnings,
        )
        for beam, result, m in zip(plan.beams, results, mu_known, strict=True)
    )
    return DoseState(
        status=DoseStatus.CURRENT,
        fraction=1.0,
        grid=grid,
        plan_gy=total,
        beams=beams,
        engine=results[0].engine,
        uncertainty=plan_uncertainty(results, mu_known, fractions, total),
        max_gy=float(total[k, j, i]),
        max_point_cm=(float(point[0]), float(point[1]), float(point[2])),
    )
