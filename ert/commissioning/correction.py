"""Output correction: what measured outputs say beyond the model, smoothed and shrunk by their uncertainty."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.commissioning.measured import BeamData, EnergyData, Field
from ert.commissioning.reference import INDEPENDENT, absolute
from ert.domain.beam_model import OutputCorrection
from ert.dose.output import equivalent_square_cm, rectangle_cm

Float = NDArray[np.float64]
_MODEL_SPREAD = 0.01
_LENGTH = 0.5
_CURVE_SIGMA = 0.004
_SLOPE_SPREAD_PER_CM = 0.001
_SIDE_NODES = 25


@attrs.frozen(kw_only=True)
class OutputRatio:
    """Measured over computed output of one field with its relative standard deviation."""

    field: Field
    side_cm: float
    ratio: float
    relative_sigma: float


def measured_ratio(
    energy: EnergyData, field: Field, depth_cm: Float, computed_cgy: Float, plateaus: list[tuple[float, float]]
) -> OutputRatio | None:
    """Measured over computed output of a field; None if nothing absolute was measured.

    Where the field has an absolute depth dose, the ratio is taken over all its points above 70 % of the maximum, which
    beats down the noise of a single maximum; the tabulated output enters with its own uncertainty.

    Parameters
    ----------
    plateaus : ratio and relative standard deviation of the plateau of each absolute profile.
    """
    ratios = [r for r, _ in plateaus]
    weights = [1.0 / (s**2 + _CURVE_SIGMA**2) for _, s in plateaus]
    for curve in energy.curves:
        if curve.kind != "depth_dose" or curve.field != field or not curve.is_absolute:
            continue
        plateau = curve.dose > 0.7 * curve.dose.max()
        computed = np.interp(curve.position_cm[plateau], depth_cm, computed_cgy)
        ratios.append(float(np.average(curve.dose[plateau] / computed, weights=computed)))
        noise = float(np.mean(curve.sigma[plateau] / curve.dose[plateau]))
        weights.append(1.0 / (noise**2 / INDEPENDENT + _CURVE_SIGMA**2))
    for output in energy.outputs:
        if output.field == field:
            at = float(np.interp(output.depth_of_maximum_cm, depth_cm, computed_cgy))
            ratios.append(output.cgy_per_mu / at)
            weights.append(1.0 / (output.relative_sigma**2 + _CURVE_SIGMA**2))
    if not ratios:
        return None
    return OutputRatio(
        field=field,
        side_cm=equivalent_square_cm(rectangle_cm(field.width_cm, field.height_cm)),
        ratio=float(np.average(ratios, weights=weights)),
        relative_sigma=float(sum(weights) ** -0.5),
    )


def fit_correction(data: BeamData, ratios: list[OutputRatio]) -> OutputCorrection:
    """Smooth correction from the ratios of all measured fields of one energy (equation (10)).

    * cutouts of the reference applicator at the reference SSD: Gaussian-process regression of ln ratio against
      ln(equivalent square side), prior standard deviation 1 % or, if more, the root mean square of ln ratio,
      correlation length 0.5 (a factor 1.65 in side);
    * open applicators: the ratio shrunk towards 1 by prior 1 % against its uncertainty;
    * other SSDs: slope of ln ratio against SSD through zero at the reference, prior 0.1 % per cm.

    The open reference field itself is 1 by construction.
    """
    reference = data.reference
    at_reference = [r for r in ratios if r.field.ssd_cm == reference.ssd_cm]
    cutouts = [r for r in at_reference if r.field.applicator_id == reference.applicator_id and r.field.cutout != "open"]
    whole = equivalent_square_cm(rectangle_cm(reference.width_cm, reference.height_cm))
    sides, values = _side_factor(cutouts, whole)
    factors = {a.id: 1.0 for a in data.machine.applicators}
    for r in at_reference:
        if r.field.cutout == "open" and r.field.applicator_id != reference.applicator_id:
            factors[r.field.applicator_id] = math.exp(_shrink(math.log(r.ratio), r.relative_sigma, _MODEL_SPREAD))
    return OutputCorrection(
        side_cm=sides,
        side_factor=values,
        applicator_factors=tuple(sorted(factors.items())),
        ssd_slope_per_cm=_ssd_slope(ratios, reference),
    )


def _shrink(value: float, sigma: float, prior: float) -> float:
    return value * prior**2 / (prior**2 + sigma**2)


def _side_factor(cutouts: list[OutputRatio], whole_cm: float) -> tuple[Float, Float]:
    """Posterior mean of the correction against side, anchored at 1 for the open reference field.

    The prior is as wide as the model is wrong: a narrower one would keep a known error of the smallest cutouts.
    """
    x = np.log([*(r.side_cm for r in cutouts), whole_cm])
    y = np.array([*(math.log(r.ratio) for r in cutouts), 0.0])
    noise = np.array([*(r.relative_sigma for r in cutouts), 1e-4])
    spread = max(_MODEL_SPREAD, float(np.sqrt(np.mean(y[:-1] ** 2)))) if cutouts else _MODEL_SPREAD
    sides = np.geomspace(min(1.0, math.exp(x.min())), 40.0, _SIDE_NODES)

    def covariance(a: Float, b: Float) -> Float:
        return np.asarray(spread**2 * np.exp(-0.5 * ((a[:, None] - b[None, :]) / _LENGTH) ** 2))

    gram = covariance(x, x) + np.diag(noise**2)
    return sides, np.exp(covariance(np.log(sides), x) @ np.linalg.solve(gram, y))


def _ssd_slope(ratios: list[OutputRatio], reference: Field) -> float:
    """Slope of ln ratio against SSD for open reference-applicator fields, relative to the reference SSD."""
    numerator, denominator = 0.0, 1.0 / _SLOPE_SPREAD_PER_CM**2
    for r in ratios:
        distance = r.field.ssd_cm - reference.ssd_cm
        if r.field.cutout == "open" and r.field.applicator_id == reference.applicator_id and distance != 0:
            numerator += distance * math.log(r.ratio) / r.relative_sigma**2
            denominator += distance**2 / r.relative_sigma**2
    return numerator / denominator


def absolute_fields(data: BeamData, energy: EnergyData) -> list[Field]:
    """Every field of an energy with something absolute to compare with, in a fixed order."""
    found = {c.field for c in energy.curves if absolute(c, data, energy) is not None}
    found |= {o.field for o in energy.outputs}
    return sorted(found, key=lambda f: (f.applicator_id, f.ssd_cm, f.width_cm * f.height_cm, f.cutout))
