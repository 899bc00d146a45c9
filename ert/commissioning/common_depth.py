"""What all measured curves together say of the reference depth dose, beyond its own noisy line of points."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
_COMMON_SPREAD, _COMMON_LENGTH = 0.006, 0.07
_SURFACE_LENGTH_CM = 0.25
_LEVEL_SPREAD = 0.02
_FIELD_SPREAD, _FIELD_LENGTH = 0.003, 0.25
_SCATTER_FRAC = 0.15
_PLACE_CM = 0.02
_SURFACE_STRETCH = 2.0


@attrs.frozen(kw_only=True)
class Ratios:
    """Measured over computed dose of one field on its axis or plateau, as logarithms.

    Attributes
    ----------
    depth_cm, log_ratio : points; sigma : one standard deviation of the measurement.
    equilibrium : logarithm of the field's share of laterally scattered dose over the reference field's.
    slope_per_cm : relative change of dose with depth.
    is_reference : whether it is the reference field.
    """

    depth_cm: Float
    log_ratio: Float
    sigma: Float
    equilibrium: Float
    slope_per_cm: Float
    is_reference: bool


def point_of(ratios: Ratios) -> Ratios:
    """The points of a plateau as one, weighted by their precision."""
    weight = ratios.sigma**-2

    def mean(values: Float) -> Float:
        return np.array([np.average(values, weights=weight)])

    return attrs.evolve(
        ratios,
        depth_cm=mean(ratios.depth_cm),
        log_ratio=mean(ratios.log_ratio),
        sigma=np.array([np.sum(weight) ** -0.5]),
        equilibrium=mean(ratios.equilibrium),
        slope_per_cm=mean(ratios.slope_per_cm),
    )


def joined(rows: list[Ratios]) -> Ratios:
    """All points of one field."""
    return Ratios(
        depth_cm=np.concatenate([r.depth_cm for r in rows]),
        log_ratio=np.concatenate([r.log_ratio for r in rows]),
        sigma=np.concatenate([r.sigma for r in rows]),
        equilibrium=np.concatenate([r.equilibrium for r in rows]),
        slope_per_cm=np.concatenate([r.slope_per_cm for r in rows]),
        is_reference=rows[0].is_reference,
    )


def _warp(depth_cm: Float, range_cm: float) -> Float:
    """Depth in units over which the depth dose may change: a share of the range, finer where it builds up."""
    return np.asarray(
        depth_cm / (_COMMON_LENGTH * range_cm) + (1.0 - np.exp(-depth_cm / _SURFACE_LENGTH_CM)) * _SURFACE_STRETCH
    )


def _kernel(a: Float, b: Float) -> Float:
    return np.asarray(np.exp(-0.5 * (a[:, None] - b[None, :]) ** 2))


def common_ratio(fields: list[Ratios], *, depth_cm: Float, range_cm: float) -> Float:
    """What all fields say of the reference depth dose beyond its own points: factor on it at the depths.

    Gaussian-process regression of the logarithm of measured over computed: a part common to all fields (0.6 %, changing
    over 0.07 Rp, faster at the surface), a level of each other field (2 %) and its own departure (0.3 %, changing over
    0.25 Rp), more where the field is not in lateral equilibrium as the reference field is; 0.2 mm of place.

    Parameters
    ----------
    fields : the reference field among them.
    depth_cm : where the factor is wanted; range_cm : practical range.
    """
    z = np.concatenate([f.depth_cm for f in fields])
    y = np.concatenate([f.log_ratio for f in fields])
    which = np.concatenate([np.full(len(f.depth_cm), k) for k, f in enumerate(fields)])
    is_other = ~np.array([f.is_reference for f in fields])[which]
    spread = np.concatenate([_FIELD_SPREAD + _SCATTER_FRAC * np.abs(f.equilibrium) for f in fields]) * is_other
    place = np.concatenate([_PLACE_CM * np.abs(f.slope_per_cm) for f in fields])
    sigma = np.concatenate([f.sigma for f in fields])
    same = which[:, None] == which[None, :]
    own = z / (_FIELD_LENGTH * range_cm)
    gram = _COMMON_SPREAD**2 * _kernel(_warp(z, range_cm), _warp(z, range_cm))
    gram += same * np.outer(spread, spread) * _kernel(own, own)
    gram += same * np.outer(is_other, is_other) * _LEVEL_SPREAD**2 + np.diag(sigma**2 + place**2)
    cross = _COMMON_SPREAD**2 * _kernel(_warp(depth_cm, range_cm), _warp(z, range_cm))
    return np.asarray(np.exp(cross @ np.linalg.solve(gram, y)))
