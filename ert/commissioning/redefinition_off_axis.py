"""What an off-axis ratio lacks, from profiles of open fields: the redefinition engine's, and the Monte Carlo's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.commissioning.measured import BeamData, Curve, EnergyData
from ert.domain.beam_model import BeamModel

Float = NDArray[np.float64]
_SPREAD = 0.01
_SHAPE_SIGMA = 0.003
_MARGIN_CM, _MARGIN_PER_DEPTH = 1.0, 0.35
_LEAST_POINTS = 3


@attrs.frozen(kw_only=True)
class Shoulder:
    """Logarithm of measured over computed dose of one profile, and (r / 10 cm)² at the isocentre plane.

    Attributes
    ----------
    square, log_ratio, sigma : one value a point; sigma is the standard deviation of the logarithm.
    """

    square: Float
    log_ratio: Float
    sigma: Float


def off_axis_change(shoulders: list[Shoulder], *, spread_frac: float = _SPREAD) -> float:
    """Change of the coefficient c2 of 1 + c2 (r/10 cm)² + …: weighted least squares, prior 0 ± spread_frac.

    Every profile has a level of its own, because outputs are corrected elsewhere, and an error of its own in shape
    (0.3 % at 10 cm), which no number of points beats down.
    """
    numerator, denominator = 0.0, spread_frac**-2
    for shoulder in shoulders:
        weight = shoulder.sigma**-2
        square = shoulder.square - np.average(shoulder.square, weights=weight)
        information = float(weight @ square**2)
        if information <= 0.0:
            continue
        slope = float(weight @ (square * shoulder.log_ratio)) / information
        trust = 1.0 / (1.0 / information + _SHAPE_SIGMA**2)
        numerator += trust * slope
        denominator += trust
    return numerator / denominator


def open_profiles(data: BeamData, energy: EnergyData, r90_cm: float) -> list[Curve]:
    """Profiles of open fields at the reference SSD down to R90."""
    return [
        c
        for c in energy.curves
        if c.kind == "profile"
        and c.field.cutout == "open"
        and c.field.ssd_cm == data.reference.ssd_cm
        and c.depth_cm <= r90_cm
    ]


def shoulders(
    profiles: Sequence[Curve], model: BeamModel, sad_cm: float, computed: Callable[[Curve], Float]
) -> list[Shoulder]:
    """Of open profiles, what lies inside what the edges reach; none of those of which that is too little.

    Parameters
    ----------
    computed : dose at the points of a profile; its unit does not matter.
    """
    found = []
    for curve in profiles:
        use = _is_inside(curve)
        if np.count_nonzero(use) >= _LEAST_POINTS:
            found.append(_shoulder(sad_cm, model, curve, computed(curve), use))
    return found


def inside_cm(width_cm: float, depth_cm: float) -> float:
    """How far from the axis it is farther to the field's edge than electrons have spread by that depth."""
    return 0.5 * width_cm - _MARGIN_CM - _MARGIN_PER_DEPTH * depth_cm


def _is_inside(curve: Curve) -> NDArray[np.bool_]:
    width = curve.field.width_cm if curve.axis == "crossline" else curve.field.height_cm
    reach = inside_cm(width, curve.depth_cm)
    return np.asarray((np.abs(curve.position_cm) < reach) & (curve.dose > 0.0))


def _shoulder(sad_cm: float, model: BeamModel, curve: Curve, computed: Float, use: NDArray[np.bool_]) -> Shoulder:
    virtual = model.source.virtual_sad_cm
    magnify = (curve.field.ssd_cm + curve.depth_cm - sad_cm + virtual) / virtual
    radius = np.minimum(np.abs(curve.position_cm[use]) / magnify, model.source.off_axis_limit_cm)
    return Shoulder(
        square=(radius / 10.0) ** 2,
        log_ratio=np.log(curve.dose[use] / computed[use]),
        sigma=curve.sigma[use] / curve.dose[use],
    )
