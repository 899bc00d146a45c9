"""Measured beam data as values."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.identity import read_only
from ert.domain.image import Material
from ert.domain.machine import Machine

Float = NDArray[np.float64]
OPEN = "open"
"""Name of the cutout that leaves the applicator's whole opening free."""

LINE_AXES = ("x", "y", "depth")
"""Coordinates of a phantom: crossline, inline, downwards from the water surface."""


@attrs.frozen(kw_only=True)
class Field:
    """One measured field: applicator, opening at the isocentre plane, distance."""

    applicator_id: str
    cutout: str
    width_cm: float
    height_cm: float
    ssd_cm: float

    @property
    def name(self) -> str:
        """For tables: applicator, cutout, SSD."""
        return f"{self.applicator_id} {self.cutout} SSD {self.ssd_cm:g}"


@attrs.frozen(kw_only=True)
class Curve:
    """A depth dose (positions are depths) or a profile (positions across the beam at `depth_cm`).

    Attributes
    ----------
    kind : "depth_dose" or "profile"; axis : "crossline" or "inline" for profiles.
    position_cm, dose, sigma : measured points; dose in cGy/MU (`is_absolute`) or percent of its own maximum.
    """

    kind: str
    field: Field
    file: str
    axis: str = ""
    depth_cm: float = math.nan
    position_cm: Float = attrs.field(converter=read_only, repr=False)
    dose: Float = attrs.field(converter=read_only, repr=False)
    sigma: Float = attrs.field(converter=read_only, repr=False)
    is_absolute: bool = True

    @property
    def name(self) -> str:
        """For tables and legends."""
        at = f", {self.axis} at {self.depth_cm:g} cm" if self.kind == "profile" else ", depth dose"
        return self.field.name + at


@attrs.frozen(kw_only=True)
class Output:
    """A measured output, cGy/MU at the depth of maximum, with one relative standard deviation."""

    field: Field
    cgy_per_mu: float
    relative_sigma: float
    depth_of_maximum_cm: float


@attrs.frozen(kw_only=True)
class AirProfile:
    """Relative fluence across the beam in air at one distance from the nominal source."""

    applicator_id: str
    distance_cm: float
    width_cm: float
    position_cm: Float = attrs.field(converter=read_only, repr=False)
    fluence: Float = attrs.field(converter=read_only, repr=False)
    sigma: Float = attrs.field(converter=read_only, repr=False)


@attrs.frozen(kw_only=True)
class Insert:
    """A measured cutout factor of an opening of any shape, by width and length of its equivalent ellipse."""

    applicator_id: str
    ssd_cm: float
    width_cm: float
    length_cm: float
    cutout_factor: float
    relative_sigma: float


@attrs.frozen(kw_only=True)
class PhantomBlock:
    """A box of one material in or on the water: low and high x, y and depth, cm; above it depth is negative."""

    material: Material
    x_cm: tuple[float, float]
    y_cm: tuple[float, float]
    depth_cm: tuple[float, float]


@attrs.frozen(kw_only=True)
class CheckLine:
    """Doses along one straight line of a phantom, cGy/MU.

    Attributes
    ----------
    along : "x", "y" or "depth": the coordinate that runs; the two others are `start_cm`'s.
    position_cm : that coordinate at each point, rising.
    start_cm : x, y and depth of the first point.
    """

    file: str
    along: str
    start_cm: tuple[float, float, float]
    position_cm: Float = attrs.field(converter=read_only, repr=False)
    dose: Float = attrs.field(converter=read_only, repr=False)
    sigma: Float = attrs.field(converter=read_only, repr=False)

    @property
    def name(self) -> str:
        """For tables and legends."""
        fixed = [f"{n} {v:g}" for n, v in zip(LINE_AXES, self.start_cm, strict=True) if n != self.along]
        return f"along {self.along} at {', '.join(fixed)} cm"


@attrs.frozen(kw_only=True)
class PhantomCheck:
    """A measurement in a phantom that is no flat water at right angles: it judges the model and is no part of the fit.

    Attributes
    ----------
    kind : "oblique" (oblique incidence or an irregular surface) or "heterogeneous".
    field : its SSD is measured along the beam's axis to where that meets the water surface (x = y = depth = 0).
    incidence_deg : between the beam's axis and the normal of the water surface; positive tilts the source towards +x.
    blocks : later ones win.
    """

    name: str
    kind: str
    field: Field
    incidence_deg: float
    blocks: tuple[PhantomBlock, ...]
    lines: tuple[CheckLine, ...]


@attrs.frozen(kw_only=True)
class EnergyData:
    """Everything measured at one energy; `missing` names what the index lists but the folder lacks."""

    energy_mev: float
    curves: tuple[Curve, ...]
    outputs: tuple[Output, ...]
    air_profiles: tuple[AirProfile, ...]
    inserts: tuple[Insert, ...] = ()
    checks: tuple[PhantomCheck, ...] = ()
    missing: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class BeamData:
    """A whole beam data folder."""

    name: str
    origin: str
    machine: Machine
    reference: Field
    reference_cgy_per_mu: float
    energies: tuple[EnergyData, ...]
    notes: tuple[str, ...] = ()
