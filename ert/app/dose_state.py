"""The dose of an open plan as screens see it: values, and whether they belong to what is on screen."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.beam import Beam
from ert.domain.dose import DoseResult, plan_dose_gy, scaled_sum
from ert.domain.dose_engines import engine_of, engines_text
from ert.domain.dose_uncertainty import DoseUncertainty, plan_uncertainty
from ert.domain.identity import read_only
from ert.domain.plan import Plan
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid


class DoseStatus(enum.StrEnum):
    """Whether there is a dose and whether it is the plan's."""

    NONE = "none"
    COMPUTING = "computing"
    PREVIEW = "preview"
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
    engine: str


@attrs.frozen(kw_only=True)
class DosePreview:
    """A picture to plan by that is not the plan's dose: another engine's, or of a Monte Carlo that is not finished.

    It has none of the fields of a dose, so that nothing that reports, exports, keeps or approves doses takes it.

    Attributes
    ----------
    preview_gy : float32 [z, y, x] on the grid.
    preview_beams_gy : of each beam, in the plan's order.
    preview_mu : monitor units the picture is drawn for; the plan states none until its dose is there.
    engine : that most of the picture comes from.
    uncertainty_pct : of an unfinished Monte Carlo.
    sketched_beams : while the hand moves, the beams the picture is of, which the plan does not have (yet).
    is_coarse : drawn on a coarser grid than the plan's, because that one does not follow the hand.
    """

    grid: VoxelGrid
    preview_gy: NDArray[np.float32] = attrs.field(eq=False, repr=False)
    preview_beams_gy: tuple[NDArray[np.float32], ...] = attrs.field(eq=False, repr=False)
    preview_mu: tuple[float, ...]
    engine: str
    uncertainty_pct: float | None = None
    sketched_beams: tuple[Beam, ...] = ()
    is_coarse: bool = False

    @property
    def is_live(self) -> bool:
        """True for the picture of a sketch, drawn while the hand moves."""
        return bool(self.sketched_beams)


@attrs.frozen(kw_only=True)
class FinalRun:
    """How far the computation of the final dose is."""

    beam_name: str = ""
    histories: int = 0
    uncertainty_pct: float | None = None
    remaining_s: float | None = None


@attrs.frozen(kw_only=True)
class DoseState:
    """What a screen may show of the dose.

    ``plan_gy`` is the dose of the plan only while ``status`` is CURRENT. Otherwise it is the last one computed, kept
    so that a screen can draw it greyed and hatched; tables, reports and export must not use it. While ``status`` is
    PREVIEW there is no such dose but a ``preview``, and ``final_run`` says how far the plan's own dose is, if it is
    being computed. ``is_resumable`` says that a final dose of this very plan was interrupted and can go on.
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
    preview: DosePreview | None = None
    final_run: FinalRun | None = None
    is_resumable: bool = False

    @property
    def is_current(self) -> bool:
        """True if the dose belongs to the plan on screen."""
        return self.status is DoseStatus.CURRENT

    @property
    def is_outdated(self) -> bool:
        """True if what can be drawn belongs to an earlier state of the plan."""
        return self.picture is not None and self.status not in (DoseStatus.CURRENT, DoseStatus.PREVIEW)

    @property
    def picture(self) -> tuple[NDArray[np.float32], VoxelGrid] | None:
        """What views draw, marked as what it is: the dose, or its preview."""
        if self.plan_gy is not None and self.grid is not None:
            return self.plan_gy, self.grid
        return None if self.preview is None else (self.preview.preview_gy, self.preview.grid)

    @property
    def picture_engine(self) -> str:
        """The engine the picture is of; empty without one."""
        return self.engine if self.plan_gy is not None or self.preview is None else self.preview.engine


def _monitor_units(plan: Plan) -> list[float]:
    mu = [b.mu for b in plan.beams]
    if any(m is None for m in mu):
        raise Refused("A beam has no monitor units; the plan dose cannot be stated.")
    return [float(m) for m in mu if m is not None]


def _beam_gy(result: DoseResult, factor: float) -> NDArray[np.float32]:
    return read_only(scaled_sum([result.gy_per_mu], [factor]))


def dose_state(plan: Plan, results: tuple[DoseResult, ...]) -> DoseState:
    """The current dose of a plan whose beams all have monitor units.

    Raises
    ------
    Refused
        If a beam has no monitor units.
    """
    mu_known = _monitor_units(plan)
    fractions = plan.prescription.fractions
    total = read_only(plan_dose_gy(list(results), mu_known, fractions))
    grid = results[0].grid
    k, j, i = np.unravel_index(int(np.argmax(total)), total.shape)
    point = grid.point_cm((int(i), int(j), int(k)))
    beams = tuple(
        BeamDose(
            beam_number=beam.number,
            gy=_beam_gy(result, m * fractions),
            mu=m,
            ssd_cm=result.ssd_cm,
            given_dose_gy=None if result.given_dose_gy_per_mu is None else result.given_dose_gy_per_mu * m * fractions,
            warnings=result.warnings,
            engine=engine_of(result),
        )
        for beam, result, m in zip(plan.beams, results, mu_known, strict=True)
    )
    uncertainty = plan_uncertainty(results, mu_known, fractions, total)
    return DoseState(
        status=DoseStatus.CURRENT,
        fraction=1.0,
        grid=grid,
        plan_gy=total,
        beams=beams,
        engine=engines_text(results, [b.number for b in plan.beams], uncertainty),
        uncertainty=uncertainty,
        max_gy=float(total[k, j, i]),
        max_point_cm=(float(point[0]), float(point[1]), float(point[2])),
    )


def preview_state(plan: Plan, results: Sequence[DoseResult], *, message: str) -> DoseState:
    """What is shown of a plan by another engine than its own, for the monitor units of that engine's dose.

    Raises
    ------
    Refused
        If a beam has no monitor units.
    """
    mu_known = _monitor_units(plan)
    fractions = plan.prescription.fractions
    total = read_only(plan_dose_gy(list(results), mu_known, fractions))
    is_one = len(results) == 1  # its dose is the sum, and following the hand there is no time to make it twice
    preview = DosePreview(
        grid=results[0].grid,
        preview_gy=total,
        preview_beams_gy=(total,)
        if is_one
        else tuple(_beam_gy(r, m * fractions) for r, m in zip(results, mu_known, strict=True)),
        preview_mu=tuple(mu_known),
        engine=engines_text(results, [b.number for b in plan.beams], None),
    )
    return DoseState(status=DoseStatus.PREVIEW, message=message, preview=preview)
