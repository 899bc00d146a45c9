"""How the depth dose changes with SSD beyond the model, from depth doses and profiles measured at another SSD."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.commissioning.measured import BeamData, Curve, EnergyData, Field
from ert.commissioning.reference import is_plateau

Float = NDArray[np.float64]
FRACTIONS = np.linspace(0.0, 1.0, 11)
_LEVEL_SPREAD_PER_CM, _SHAPE_SPREAD_PER_CM, _SHAPE_LENGTH = 0.001, 0.0015, 0.25
_CURVE_SIGMA = 0.003
_PLACE_CM = 0.02
_LEAST_FRAC = 0.1


@attrs.frozen(kw_only=True)
class DistanceRatios:
    """Measured over computed dose of one curve at another SSD, as logarithms.

    Attributes
    ----------
    beyond_cm : SSD less the reference SSD.
    depth_frac : z/Rp of the points; log_ratio, sigma : of each, with its standard deviation.
    """

    beyond_cm: float
    depth_frac: Float
    log_ratio: Float
    sigma: Float


def distance_slopes_per_cm(curves: list[DistanceRatios]) -> Float:
    """Slope of ln(measured / computed) against SSD at `FRACTIONS` of the practical range, 1/cm.

    Gaussian-process regression: a level common to all depths (0.1 % per cm) and a part that changes over a quarter of
    the range (0.15 % per cm), each curve with an error of its own (0.3 %), because the points of one curve share what
    is wrong with it. It falls back to 0 where nothing was measured.
    """
    if not curves:
        return np.zeros(len(FRACTIONS))
    u = np.concatenate([c.depth_frac for c in curves])
    y = np.concatenate([c.log_ratio for c in curves])
    sigma = np.concatenate([c.sigma for c in curves])
    which = np.concatenate([np.full(len(c.depth_frac), k) for k, c in enumerate(curves)])
    beyond = np.array([c.beyond_cm for c in curves])[which]
    gram = np.outer(beyond, beyond) * _covariance(u, u) + np.diag(sigma**2)
    gram += _CURVE_SIGMA**2 * (which[:, None] == which[None, :])
    return np.asarray((_covariance(FRACTIONS, u) * beyond) @ np.linalg.solve(gram, y))


def _covariance(a: Float, b: Float) -> Float:
    shape = _SHAPE_SPREAD_PER_CM**2 * np.exp(-0.5 * ((a[:, None] - b[None, :]) / _SHAPE_LENGTH) ** 2)
    return np.asarray(_LEVEL_SPREAD_PER_CM**2 + shape)


def distance_ratios(
    data: BeamData, energy: EnergyData, *, range_cm: float, computed: Callable[[Curve], Float]
) -> list[DistanceRatios]:
    """Absolute curves of the open reference applicator at other SSDs, as far as electrons reach.

    Parameters
    ----------
    computed : dose, cGy/MU without the output correction, at the points of a curve.

    Notes
    -----
    Neighbouring points of a depth dose share their noise; each counts half. A profile gives one point, its plateau.
    """
    found = []
    for curve in energy.curves:
        if not (curve.is_absolute and _is_open_elsewhere(curve.field, data.reference)):
            continue
        far = curve.position_cm if curve.kind == "depth_dose" else np.full(len(curve.position_cm), curve.depth_cm)
        use = (far < range_cm) & (curve.dose > _LEAST_FRAC * curve.dose.max())
        if curve.kind != "depth_dose":
            use &= is_plateau(curve, range_cm)
        if use.any():
            found.append(
                _ratios(
                    curve,
                    computed(curve),
                    use=use,
                    depth_cm=far,
                    reference_ssd_cm=data.reference.ssd_cm,
                    range_cm=range_cm,
                )
            )
    return found


def _is_open_elsewhere(field: Field, reference: Field) -> bool:
    same = field.applicator_id == reference.applicator_id and field.cutout == "open"
    return same and field.ssd_cm != reference.ssd_cm


def _ratios(
    curve: Curve,
    computed: Float,
    *,
    use: NDArray[np.bool_],
    depth_cm: Float,
    reference_ssd_cm: float,
    range_cm: float,
) -> DistanceRatios:
    log_ratio, sigma = np.log(curve.dose[use] / computed[use]), curve.sigma[use] / curve.dose[use]
    depth = depth_cm[use]
    if curve.kind == "depth_dose":
        fall = np.gradient(np.log(np.maximum(computed, 1e-9)), curve.position_cm)[use]
        sigma = np.hypot(np.sqrt(2.0) * sigma, _PLACE_CM * fall)
    else:
        weight = sigma**-2
        log_ratio = np.array([np.average(log_ratio, weights=weight)])
        sigma, depth = np.array([weight.sum() ** -0.5]), depth[:1]
    return DistanceRatios(
        beyond_cm=curve.field.ssd_cm - reference_ssd_cm,
        depth_frac=depth / range_cm,
        log_ratio=log_ratio,
        sigma=sigma,
    )
