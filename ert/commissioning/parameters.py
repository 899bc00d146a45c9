"""The parameters of the pencil beam that are fitted, their starting values, spreads and bounds.

Starting values and spreads are what electron beams of 6–20 MeV behind scattering foils and a low-melting-alloy insert
look like; a fit leaves them only as far as the measured curves ask for it (Gaussian prior). With few measured curves
the model so falls back on typical shapes instead of on noise.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
DEPTH_FRAC = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25])
EDGE_FRAC = np.array([0.0, 0.06, 0.15, 0.3, 0.5, 0.75, 1.1])
RIM_FRAC = np.array([0.0, 0.45, 0.6, 0.72, 0.85, 1.0, 1.1])
BUILDUP_FRAC, BUILDUP_PER_CM = 0.6, 2.0
_BEND, _LEAST_BEND = 0.8, 0.006


@attrs.frozen(kw_only=True)
class Parameters:
    """One set of parameters (docs/physics/pencil_beam.md lists symbol, equation and source of each)."""

    virtual_sad_cm: float
    core_angle_rad: float
    wide_angle_rad: float
    wide_ratio: Float
    scatter_scale: Float
    wide_frac: Float
    off_axis_2: float
    edge: Float
    edge_angle_rad: float
    edge_growth_frac: float
    air_scatter_scale: float
    rim_angle_rad: float
    open_angle_rad: float
    blocked_strength: float
    blocked_attenuation_per_cm: float
    blocked_angle_rad: float
    irradiated_margin_cm: float
    rim: Float
    depth_frac: Float = attrs.field(factory=lambda: DEPTH_FRAC)
    edge_frac: Float = attrs.field(factory=lambda: EDGE_FRAC)
    rim_frac: Float = attrs.field(factory=lambda: RIM_FRAC)
    buildup_frac: float = BUILDUP_FRAC
    buildup_per_cm: float = BUILDUP_PER_CM


# name, start, spread, lower, upper, what it is fitted from
_ROWS: tuple[tuple[str, float, float, float, float, str], ...] = (
    ("virtual_sad_cm", 91.0, 8.0, 60.0, 130.0, "profiles in water and in air at several distances, outputs"),
    ("core_angle_rad", 0.04, 0.02, 0.005, 0.12, "penumbra of shallow profiles and in air"),
    ("wide_angle_rad", 0.08, 0.05, 0.0, 0.3, "penumbra tails"),
    *[(f"wide_ratio_{u:g}", 2.0, 0.3, 1.2, 3.5, "cutout depth doses and profiles") for u in DEPTH_FRAC],
    *[
        (f"scatter_scale_{u:g}", s, w, 0.3, 1.7, "cutout depth doses and profiles")
        for u, s, w in zip(
            DEPTH_FRAC, (1.0, 1.0, 1.05, 1.15, 0.85, 0.5, 0.55), (0.15, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1), strict=True
        )
    ],
    *[
        (f"wide_frac_{u:g}", b, 0.08, 0.0, 0.6, "cutout depth doses and profiles")
        for u, b in zip(DEPTH_FRAC, (0.08, 0.2, 0.2, 0.1, 0.02, 0.02, 0.05), strict=True)
    ],
    ("off_axis_2", 0.0, 0.05, -0.4, 0.4, "shallow profiles of large fields"),
    *[
        (f"edge_{u:g}", v, 0.03, 0.0, 0.5, "shallow dose of cutouts")
        for u, v in zip(EDGE_FRAC[:-1], (0.08, 0.07, 0.06, 0.04, 0.02, 0.005), strict=True)
    ],
    *[
        (f"rim_{u:g}", v, 0.02, -0.2, 0.4, "shoulders of profiles of large fields")
        for u, v in zip(RIM_FRAC[:-1], (0.01, 0.01, 0.01, 0.0, 0.0, 0.0), strict=True)
    ],
    ("edge_angle_rad", 0.45, 0.15, 0.1, 1.2, "shallow dose of cutouts, profile tails"),
    ("edge_growth_frac", 0.5, 0.3, 0.0, 1.0, "shoulders of profiles of small and large fields"),
    ("air_scatter_scale", 0.7, 0.3, 0.1, 1.5, "penumbra in air and at a longer SSD"),
    ("rim_angle_rad", 0.2, 0.07, 0.03, 0.5, "shoulders of profiles of large fields"),
    ("open_angle_rad", 0.08, 0.03, 0.02, 0.3, "deepest profiles"),
    ("blocked_strength", 0.02, 0.03, 0.0, 0.3, "profiles beside cutouts"),
    ("blocked_attenuation_per_cm", 0.05, 0.03, 0.0, 0.3, "profiles beside cutouts"),
    ("blocked_angle_rad", 0.15, 0.1, 0.05, 0.6, "profiles beside cutouts"),
    ("irradiated_margin_cm", 0.8, 0.5, 0.0, 3.0, "profile tails beside open fields"),
)

NAMES = tuple(row[0] for row in _ROWS)
START = np.array([row[1] for row in _ROWS])
SPREAD = np.array([row[2] for row in _ROWS])
LOWER = np.array([row[3] for row in _ROWS])
UPPER = np.array([row[4] for row in _ROWS])
SOURCES = tuple(row[5] for row in _ROWS)


def to_parameters(vector: Float) -> Parameters:
    """Named parameters from the vector the fit works on."""
    v = dict(zip(NAMES, (float(x) for x in vector), strict=True))
    return Parameters(
        virtual_sad_cm=v["virtual_sad_cm"],
        core_angle_rad=v["core_angle_rad"],
        wide_angle_rad=v["wide_angle_rad"],
        wide_ratio=np.array([v[f"wide_ratio_{u:g}"] for u in DEPTH_FRAC]),
        scatter_scale=np.array([v[f"scatter_scale_{u:g}"] for u in DEPTH_FRAC]),
        wide_frac=np.array([v[f"wide_frac_{u:g}"] for u in DEPTH_FRAC]),
        off_axis_2=v["off_axis_2"],
        edge=np.array([*(v[f"edge_{u:g}"] for u in EDGE_FRAC[:-1]), 0.0]),
        rim=np.array([*(v[f"rim_{u:g}"] for u in RIM_FRAC[:-1]), 0.0]),
        edge_angle_rad=v["edge_angle_rad"],
        edge_growth_frac=v["edge_growth_frac"],
        air_scatter_scale=v["air_scatter_scale"],
        rim_angle_rad=v["rim_angle_rad"],
        open_angle_rad=v["open_angle_rad"],
        blocked_strength=v["blocked_strength"],
        blocked_attenuation_per_cm=v["blocked_attenuation_per_cm"],
        blocked_angle_rad=v["blocked_angle_rad"],
        irradiated_margin_cm=v["irradiated_margin_cm"],
    )


def bends(p: Parameters) -> Float:
    """How much the tables of edge and rim bend from knot to knot, over what is expected of smooth curves."""
    return _bend(p.rim_frac, p.rim)


def _bend(knots: Float, values: Float) -> Float:
    """Each inner value less the straight line between its neighbours, over 0.15 per squared distance of the knots."""
    before, after = knots[1:-1] - knots[:-2], knots[2:] - knots[1:-1]
    line = (values[:-2] * after + values[2:] * before) / (before + after)
    return np.asarray((values[1:-1] - line) / np.maximum(_BEND * before * after, _LEAST_BEND))
