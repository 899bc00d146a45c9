"""Shares of each component of the pencil beam at fixed points, for one set of parameters after another.

A fit takes its derivatives by moving one parameter at a time, and most parameters move one component alone: what the
others give is kept. The numbers are those of a computation from the beginning, bit by bit.
"""

from __future__ import annotations

import functools
import math

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.commissioning.forward import LEAST_VARIANCE_CM2, Points, Setup, strip
from ert.commissioning.parameters import Parameters
from ert.dose.fluence import edge_weight

Float = NDArray[np.float64]
_Knots = tuple[float, ...]
KEPT = 24
"""More than the columns of derivatives between two that leave a component as it is: seventeen."""


@attrs.frozen(kw_only=True, eq=False)
class _Place:
    """Points, and what no parameter changes there: depth over the practical range, A2 of a pencil in water."""

    setup: Setup
    at: Points
    depth_frac: Float
    moment_cm2: Float


@attrs.frozen(kw_only=True, eq=False)
class _Fan:
    """Where the points lie in the fan of one virtual source.

    Attributes
    ----------
    virtual_cm, gap_cm : distance from the virtual source, and from the insert.
    half_x_cm, half_y_cm : half width and height of the field at the points.
    grow : distances across the fan there over those at the isocentre plane; magnify : over those at the insert.
    inverse, square : inverse square factor; (r / 10 cm)² at the isocentre plane.
    """

    virtual_cm: Float
    gap_cm: Float
    half_x_cm: Float
    half_y_cm: Float
    grow: Float
    magnify: Float
    inverse: Float
    square: Float


def _fan(setup: Setup, at: Points, virtual_sad_cm: float) -> _Fan:
    distance = at.ssd_cm + at.depth_cm
    virtual = distance - setup.sad_cm + virtual_sad_cm
    to_insert = setup.insert_cm - setup.sad_cm + virtual_sad_cm
    magnify = virtual / to_insert * setup.insert_cm / setup.sad_cm
    inverse = (virtual_sad_cm / virtual) ** 2
    return _Fan(
        virtual_cm=virtual,
        gap_cm=distance - setup.insert_cm,
        half_x_cm=0.5 * at.width_cm * magnify,
        half_y_cm=0.5 * at.height_cm * magnify,
        grow=virtual / virtual_sad_cm,
        magnify=magnify,
        inverse=inverse,
        square=((at.x_cm**2 + at.y_cm**2) * inverse) / 100.0,
    )


def _line(x: Float, half: Float, sigma: Float) -> Float:
    """Density at x of two lines at ±half blurred by sigma, 1/cm."""
    norm = 1.0 / (math.sqrt(2.0 * math.pi) * sigma)
    return np.asarray(norm * (np.exp(-0.5 * ((x - half) / sigma) ** 2) + np.exp(-0.5 * ((x + half) / sigma) ** 2)))


def _edges(at: Points, fan: _Fan, angle_rad: float, growth_frac: float) -> Float:
    """Density, 1/cm, at the points of the four blurred edges, each with its `edge_weight`."""
    a, b, sigma = fan.half_x_cm, fan.half_y_cm, angle_rad * fan.gap_cm
    per_x = edge_weight(growth_frac, 0.5 * at.width_cm) * _line(at.x_cm, a, sigma) * strip(at.y_cm, b, sigma)
    per_y = edge_weight(growth_frac, 0.5 * at.height_cm) * _line(at.y_cm, b, sigma) * strip(at.x_cm, a, sigma)
    return np.asarray(per_x + per_y)


def _strips(at: Points, fan: _Fan, sigma: Float) -> tuple[Float, Float]:
    """Share across x and across y of the open field blurred by sigma."""
    return strip(at.x_cm, fan.half_x_cm, sigma), strip(at.y_cm, fan.half_y_cm, sigma)


def _open(at: Points, fan: _Fan, angle_rad: float) -> tuple[Float, Float]:
    return _strips(at, fan, angle_rad * fan.gap_cm)


def _shadow(at: Points, fan: _Fan, angle_rad: float, margin_cm: float) -> Float:
    """Share of what the insert lets through: the irradiated part of the applicator less the open field."""
    s = angle_rad * fan.gap_cm
    wide_x = 0.5 * at.applicator_x_cm * fan.magnify + margin_cm * fan.grow
    wide_y = 0.5 * at.applicator_y_cm * fan.magnify + margin_cm * fan.grow
    x, y = _strips(at, fan, s)
    return np.asarray(strip(at.x_cm, wide_x, s) * strip(at.y_cm, wide_y, s) - x * y)


class Shapes:
    """Computed dose of unit components at the points of some measured curves.

    Parameters
    ----------
    at : points of one curve, or of several that are `joined`.
    """

    def __init__(self, setup: Setup, at: Points) -> None:
        self._place = place = _Place(
            setup=setup, at=at, depth_frac=at.depth_cm / setup.range_cm,
            moment_cm2=np.interp(at.depth_cm, setup.depth_cm, setup.moment_cm2),
        )  # fmt: skip
        kept = functools.lru_cache(maxsize=KEPT)
        self._fan = kept(functools.partial(_fan, setup, at))
        self._narrow = kept(functools.partial(_narrow, place))
        self._wide = kept(functools.partial(_wide, place))
        self._edges = kept(functools.partial(_edges, at))
        self._open = kept(functools.partial(_open, at))
        self._shadow = kept(functools.partial(_shadow, at))

    def core_share(self, p: Parameters) -> Float:
        """W: electron dose at the points for g = 1 (equation (3)): both Gaussians, inverse square, off-axis ratio."""
        fan = self._fan(p.virtual_sad_cm)
        spread = _Spread(
            fan=fan, knots=_knots(p.depth_frac), core_angle_rad=p.core_angle_rad,
            air_scatter_scale=p.air_scatter_scale, scatter_scale=_knots(p.scatter_scale),
        )  # fmt: skip
        x, y = self._narrow(spread)
        wide_x, wide_y = self._wide(spread, p.wide_angle_rad, _knots(p.wide_ratio))
        share = np.interp(self._place.depth_frac, p.depth_frac, p.wide_frac)
        both = (1.0 - share) * x * y
        both += share * wide_x * wide_y
        return np.asarray(both * fan.inverse * (1.0 + p.off_axis_2 * fan.square))

    def background(self, p: Parameters) -> tuple[Float, Float]:
        """Edge electrons plus what the insert lets through, cGy/MU; open photons of unit strength, not attenuated."""
        at, fan, u = self._place.at, self._fan(p.virtual_sad_cm), self._place.depth_frac
        # Edge length per area is kept in fan coordinates: × SAD_v / distance turns cm at depth into cm on the fan.
        rest = np.interp(u, p.edge_frac, p.edge) * self._edges(fan, p.edge_angle_rad, p.edge_growth_frac)
        rest = rest + np.interp(u, p.rim_frac, p.rim) * self._edges(fan, p.rim_angle_rad, 1.0)
        rest = rest * fan.inverse * fan.virtual_cm / p.virtual_sad_cm
        build = 1.0 - p.buildup_frac * np.exp(-p.buildup_per_cm * at.depth_cm)
        x, y = self._open(fan, p.open_angle_rad)
        photons = build * (self._place.setup.sad_cm / (at.ssd_cm + at.depth_cm)) ** 2 * x * y
        shadow = self._shadow(fan, p.blocked_angle_rad, p.irradiated_margin_cm)
        through = p.blocked_strength * np.exp(-p.blocked_attenuation_per_cm * at.depth_cm)
        return np.asarray(rest + through * fan.inverse * shadow), np.asarray(photons)


def _knots(values: Float) -> _Knots:
    return tuple(values.tolist())


@attrs.frozen(kw_only=True)
class _Spread:
    """What the width of the narrow component at the points follows from; to be told from another."""

    fan: _Fan
    knots: _Knots
    core_angle_rad: float
    air_scatter_scale: float
    scatter_scale: _Knots


def _variances(place: _Place, spread: _Spread) -> tuple[Float, Float]:
    """Variance, cm², that the narrow component has from air, and from tissue."""
    gap = spread.fan.gap_cm
    tissue = np.interp(place.depth_frac, spread.knots, spread.scatter_scale) ** 2 * place.moment_cm2
    in_air = spread.air_scatter_scale * place.setup.air_rad2_per_cm / 6.0 * (gap**3 - place.at.depth_cm**3)
    return np.asarray((spread.core_angle_rad * gap) ** 2 + in_air + LEAST_VARIANCE_CM2), np.asarray(tissue)


def _narrow(place: _Place, spread: _Spread) -> tuple[Float, Float]:
    air, tissue = _variances(place, spread)
    return _strips(place.at, spread.fan, np.sqrt(air + tissue))


def _wide(place: _Place, spread: _Spread, angle_rad: float, ratio: _Knots) -> tuple[Float, Float]:
    air, tissue = _variances(place, spread)
    times = np.interp(place.depth_frac, spread.knots, ratio) ** 2
    return _strips(place.at, spread.fan, np.sqrt(air + times * tissue + (angle_rad * spread.fan.gap_cm) ** 2))
