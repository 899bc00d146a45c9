"""The commissioning report as a value: measured against computed."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.domain.acceptance import AcceptanceTest
from ert.domain.beam_model import FittedParameter, MeasuredRange
from ert.domain.identity import read_only

Float = NDArray[np.float64]


def _row(value: ArrayLike) -> Float:
    return read_only(np.array(value, dtype=np.float64))


def _row_field() -> Float:
    row: Float = attrs.field(converter=_row, eq=attrs.cmp_using(eq=np.array_equal), repr=False)
    return row


@attrs.frozen(kw_only=True)
class ProfileEdges:
    """Field width at 50 % and penumbra 80–20 % (mean of both sides), relative to the axis; nan where there are none."""

    width_cm: float
    penumbra_cm: float


@attrs.frozen(kw_only=True)
class CurveComparison:
    """One measured curve and the computed one at the same points.

    Attributes
    ----------
    kind : "depth_dose", "profile" or "check" (a line of a phantom check); position_cm is depth or off-axis position.
    axis, depth_cm : of a profile ("crossline", "inline"); empty and NaN for a depth dose. Of a check's line the
        coordinate that runs ("x", "y", "depth").
    measured_cgy_per_mu, sigma_cgy_per_mu, computed_cgy_per_mu : at position_cm.
    gamma_2_2_pct, gamma_3_3_pct : percent of points above 10 % of the curve's maximum with gamma ≤ 1; the dose
        criterion is a part of the field's maximum dose (global), the distance lies along the curve.
    measured_edges, computed_edges : of a profile; None for all else.
    """

    name: str
    file: str
    kind: str
    axis: str = ""
    depth_cm: float = math.nan
    applicator_id: str
    cutout: str
    ssd_cm: float
    position_cm: Float = _row_field()
    measured_cgy_per_mu: Float = _row_field()
    sigma_cgy_per_mu: Float = _row_field()
    computed_cgy_per_mu: Float = _row_field()
    gamma_2_2_pct: float
    gamma_3_3_pct: float
    measured_edges: ProfileEdges | None = None
    computed_edges: ProfileEdges | None = None


@attrs.frozen(kw_only=True)
class DepthComparison:
    """One depth quantity of the reference field."""

    name: str
    measured_cm: float
    computed_cm: float


@attrs.frozen(kw_only=True)
class OutputComparison:
    """Output of one field, cGy/MU: measured with its uncertainty, computed, and what part the correction is.

    `side_cm` is that of the equivalent square of the opening at the isocentre plane.
    """

    name: str
    applicator_id: str
    cutout: str
    ssd_cm: float
    side_cm: float
    measured_cgy_per_mu: float
    relative_sigma: float
    computed_cgy_per_mu: float
    correction: float

    @property
    def difference_pct(self) -> float:
        """Computed minus measured in percent of measured."""
        return 100.0 * (self.computed_cgy_per_mu / self.measured_cgy_per_mu - 1.0)


@attrs.frozen(kw_only=True)
class CheckComparison:
    """One phantom check: measured against computed along its lines.

    Attributes
    ----------
    kind : "oblique" (oblique incidence or an irregular surface) or "heterogeneous".
    phantom : what was irradiated and how, in words.
    curves : of kind "check"; empty where the engine refused the case.
    refusal : the engine's sentence; empty otherwise.
    """

    name: str
    kind: str
    phantom: str
    curves: tuple[CurveComparison, ...]
    refusal: str = ""


@attrs.frozen(kw_only=True)
class EnergyReport:
    """Everything the report says about one energy.

    Attributes
    ----------
    identity_error_pct : largest difference of the engine from the smoothed reference depth dose, percent of its
        maximum (self-test; must stay below 0.1).
    smoothing_chi2 : mean squared distance of the smoothed reference from the measured points, in their σ².
    limits : what was not measured and therefore limits the model.
    measured_range : depths and incidence at which the model was compared with measurements.
    checks : phantoms other than flat water at right angles; no part of the fit.
    acceptance : the figures above against published tolerances.
    redefinition : the same of the redefinition engine; None where it was not fitted.
    """

    energy_mev: float
    model_digest: str
    depths: tuple[DepthComparison, ...]
    curves: tuple[CurveComparison, ...]
    outputs: tuple[OutputComparison, ...]
    parameters: tuple[FittedParameter, ...]
    identity_error_pct: float
    smoothing_chi2: float
    fit_chi2: float
    ssd_min_cm: float
    ssd_max_cm: float
    min_side_cm: float
    limits: tuple[str, ...]
    measured_range: MeasuredRange | None = None
    checks: tuple[CheckComparison, ...] = ()
    acceptance: tuple[AcceptanceTest, ...] = ()
    redefinition: EnergyReport | None = None


def engines_of(report: EnergyReport) -> tuple[tuple[str, EnergyReport], ...]:
    """Name and report of every engine of one energy."""
    both = (("pencil beam", report), ("PBRA", report.redefinition))
    return tuple((name, of) for name, of in both if of is not None)


@attrs.frozen(kw_only=True)
class CommissioningReport:
    """Report of one machine package."""

    machine_name: str
    origin: str
    package_digest: str
    is_demo: bool
    energies: tuple[EnergyReport, ...]
