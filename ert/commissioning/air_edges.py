"""Profiles in air against the pencil beam: in air only the penumbra counts."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.commissioning.forward import LEAST_VARIANCE_CM2, Setup, strip
from ert.commissioning.measured import AirProfile
from ert.commissioning.parameters import Parameters
from ert.commissioning.shapes import KEPT

Float = NDArray[np.float64]


@attrs.frozen(kw_only=True)
class _AirSpread:
    """The parameters that a profile in air depends on."""

    virtual_sad_cm: float
    core_angle_rad: float
    wide_angle_rad: float
    wide_frac: float
    air_scatter_scale: float


class AirEdges:
    """Residuals of the profiles in air of one energy; what the last parameters gave is kept."""

    def __init__(self, setup: Setup, profiles: Sequence[AirProfile]) -> None:
        self._residuals = functools.lru_cache(maxsize=KEPT)(functools.partial(_residuals, setup, profiles))

    def residuals(self, p: Parameters) -> Float:
        """(n,) of all profiles in turn, over their standard deviations."""
        return self._residuals(
            _AirSpread(
                virtual_sad_cm=p.virtual_sad_cm, core_angle_rad=p.core_angle_rad, wide_angle_rad=p.wide_angle_rad,
                wide_frac=float(p.wide_frac[0]), air_scatter_scale=p.air_scatter_scale,
            )
        )  # fmt: skip


def _residuals(setup: Setup, profiles: Sequence[AirProfile], p: _AirSpread) -> Float:
    """The level of each profile is taken from its own plateau."""
    rows = [np.zeros(0)]
    for air in profiles:
        shape = _air_share(setup, p, width_cm=air.width_cm, x_cm=air.position_cm, distance_cm=air.distance_cm)
        plateau = (shape > 0.9 * shape.max()) & (np.abs(air.position_cm) < 0.35 * air.width_cm)
        if not plateau.any() or air.distance_cm < setup.insert_cm + 1.0:
            rows.append(np.zeros(len(shape)))
            continue
        level = float(np.mean(air.fluence[plateau]) / np.mean(shape[plateau]))
        is_edge = (shape > 0.15 * shape.max()) & ~plateau
        sigma = np.hypot(air.sigma, 0.02 * level * shape.max())
        rows.append(is_edge * (level * shape - air.fluence) / sigma)
    return np.concatenate(rows)


def _air_share(setup: Setup, p: _AirSpread, *, width_cm: float, x_cm: Float, distance_cm: float) -> Float:
    """Relative fluence across the middle of a square field in air at a distance from the nominal source."""
    virtual = distance_cm - setup.sad_cm + p.virtual_sad_cm
    magnify = virtual / (setup.insert_cm - setup.sad_cm + p.virtual_sad_cm) * setup.insert_cm / setup.sad_cm
    gap = max(distance_cm - setup.insert_cm, 0.0)
    in_air = p.air_scatter_scale * setup.air_rad2_per_cm / 6.0 * gap**3
    core = (p.core_angle_rad * gap) ** 2 + in_air + LEAST_VARIANCE_CM2
    half, middle = np.asarray(0.5 * width_cm * magnify), np.zeros(1)
    both = np.zeros(len(x_cm))
    for share, variance in ((1.0 - p.wide_frac, core), (p.wide_frac, core + (p.wide_angle_rad * gap) ** 2)):
        sigma = np.asarray(math.sqrt(variance))
        both += share * strip(x_cm, half, sigma) * strip(middle, half, sigma)
    return np.asarray(both * (p.virtual_sad_cm / virtual) ** 2)
