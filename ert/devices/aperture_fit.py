"""Cutout openings from target projections, and openings of simple shapes.

All lengths are at the isocentre plane. Steps: project the target, grow by the margin, take avoidance structures away
(unless a smallest target margin is enforced), fill holes and what is too narrow for the cutting tool, keep the largest
part, round its corners, clip to the applicator, thin out the points.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.device import Aperture, ApertureSource
from ert.domain.machine import Applicator
from ert.domain.structure import Structure
from ert.errors import InvalidPlan
from ert.geometry.frames import BeamFrame
from ert.geometry.polygon import Region, union_all
from ert.geometry.shadow import project_structure

RIM_CM = 0.5
TOOL_RADIUS_CM = 0.3
MAX_POINTS = 200
_TOLERANCE_CM = 0.03
_SEEN_CM = 0.05
_CIRCLE_POINTS = 120
F64 = NDArray[np.float64]


@attrs.frozen(kw_only=True)
class FittedAperture:
    """An aperture and what had to be done to it, in sentences for the user."""

    aperture: Aperture
    notes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Avoidance:
    """A structure to keep out of the beam, with a margin at the isocentre plane."""

    structure: Structure
    margin_cm: float = 0.0


def project_outlines(structure: Structure, frame: BeamFrame) -> tuple[F64, ...]:
    """Outlines (n, 2) of a structure's projection on the isocentre plane: outer ones and holes."""
    return project_structure(structure, frame).outlines()


def applicator_region(applicator: Applicator, *, rim_cm: float = 0.0) -> Region:
    """An applicator's opening less a rim."""
    half_x, half_y = applicator.opening_x_cm / 2 - rim_cm, applicator.opening_y_cm / 2 - rim_cm
    return Region.rectangle(-half_x, half_x, -half_y, half_y)


def fit_aperture(
    target: Structure,
    frame: BeamFrame,
    applicator: Applicator,
    *,
    margin_cm: float,
    avoidances: Sequence[Avoidance] = (),
    least_margin_cm: float | None = None,
    rim_cm: float = RIM_CM,
    tool_radius_cm: float = TOOL_RADIUS_CM,
) -> FittedAperture:
    """The opening around a target.

    Parameters
    ----------
    target, frame : what is projected, and from where.
    margin_cm : added all around; negative takes away.
    avoidances : taken out of the opening.
    least_margin_cm : margin around the target that avoidance structures may not take; None: they may take all.
    rim_cm : the opening stays this far inside the applicator.
    tool_radius_cm : smallest inner radius of the outline; outer corners are rounded so only if the margin allows.

    Raises
    ------
    InvalidPlan
        If the target does not fit in the applicator, or nothing of the opening is left.
    """
    shadow = project_structure(target, frame)
    limit = applicator_region(applicator, rim_cm=rim_cm)
    notes: list[str] = []
    if not limit.contains(shadow, tolerance_cm=_SEEN_CM):
        raise InvalidPlan(
            f"'{target.name}' does not fit in applicator {applicator.id}: it reaches {_extent(shadow)}, the opening "
            f"less its rim {_extent(limit)}.",
            hint="Choose a larger applicator or move the isocentre to the middle of the target.",
        )
    opening = shadow.grow(margin_cm)
    if opening.is_empty:
        raise InvalidPlan(f"A margin of {margin_cm:.1f} cm leaves nothing of the target's projection.")
    if avoidances:
        kept_out = union_all([project_structure(a.structure, frame).grow(a.margin_cm) for a in avoidances])
        forced = None if least_margin_cm is None else shadow.grow(least_margin_cm).intersection(opening)
        opening = _avoid(shadow, opening, kept_out, forced, notes)
    opening = _largest(opening.without_holes().grow(tool_radius_cm).grow(-tool_radius_cm).without_holes(), notes)
    corner_cm = min(tool_radius_cm, max(margin_cm, 0.0))
    opening = opening.grow(-corner_cm).grow(corner_cm)
    clipped = opening.intersection(limit)
    if clipped.area_cm2 < opening.area_cm2 - _SEEN_CM**2:
        left_cm = clipped.gap_to_edge_cm(shadow)
        notes.append(
            f"The margin is cut by applicator {applicator.id}: {left_cm:.1f} cm are left where {margin_cm:.1f} cm were "
            "asked for."
        )
    clipped = _largest(clipped, notes)
    aperture = Aperture(outline_cm=_points(clipped), source=ApertureSource.TARGET, margin_cm=margin_cm)
    return FittedAperture(aperture=aperture, notes=tuple(notes))


def _avoid(shadow: Region, opening: Region, kept_out: Region, forced: Region | None, notes: list[str]) -> Region:
    """The opening less what is to be avoided, but with what is forced."""
    reduced = opening.difference(kept_out)
    if forced is not None:
        reduced = reduced.union(forced)
    if reduced.is_empty:
        raise InvalidPlan("The structures to be avoided cover the whole opening.", hint="Make their margins smaller.")
    missed = shadow.difference(reduced)
    if missed.area_cm2 > _SEEN_CM**2:
        notes.append(f"Avoidance leaves {missed.area_cm2:.1f} cm² of the target's projection outside the opening.")
    return reduced


def _largest(region: Region, notes: list[str]) -> Region:
    """The largest part; a cutout has one opening."""
    parts = region.parts
    if not parts:
        raise InvalidPlan("Nothing of the opening is left.", hint="Check margin, avoidance structures and isocentre.")
    if len(parts) > 1:
        dropped = sum(p.area_cm2 for p in parts[1:])
        notes.append(
            f"The projection has {len(parts)} separate parts; only the largest is open ({dropped:.1f} cm² lost)."
        )
    return parts[0]


def _extent(region: Region) -> str:
    x_low, x_high, y_low, y_high = region.bounds_cm
    return f"x {x_low:.1f} to {x_high:.1f} cm, y {y_low:.1f} to {y_high:.1f} cm"


def _points(region: Region) -> F64:
    """The outline with at most `MAX_POINTS` points, nowhere further off than needed for that."""
    tolerance_cm = _TOLERANCE_CM
    while True:
        outline = region.without_holes().simplified(tolerance_cm).outlines()[0]
        if len(outline) <= MAX_POINTS:
            return outline
        tolerance_cm *= 1.5


def rectangle_aperture(
    width_cm: float, height_cm: float, applicator: Applicator, *, centre_cm: Sequence[float] = (0.0, 0.0)
) -> FittedAperture:
    """A rectangle, full widths along beam's eye x and y, clipped to the applicator's opening.

    Raises
    ------
    InvalidPlan
        If a width is not positive or nothing lies inside the applicator.
    """
    _check_widths(width_cm, height_cm)
    x, y = centre_cm
    shape = Region.rectangle(x - width_cm / 2, x + width_cm / 2, y - height_cm / 2, y + height_cm / 2)
    return _clipped(shape, applicator, ApertureSource.RECTANGLE)


def ellipse_aperture(
    width_cm: float, height_cm: float, applicator: Applicator, *, centre_cm: Sequence[float] = (0.0, 0.0)
) -> FittedAperture:
    """An ellipse (a circle if both widths are equal), clipped to the applicator's opening; its area is exact.

    Raises
    ------
    InvalidPlan
        If a width is not positive or nothing lies inside the applicator.
    """
    _check_widths(width_cm, height_cm)
    step = 2 * np.pi / _CIRCLE_POINTS
    grown = np.sqrt(step / np.sin(step))  # the polygon has the ellipse's area
    angle = step * np.arange(_CIRCLE_POINTS)
    x = centre_cm[0] + grown * width_cm / 2 * np.cos(angle)
    y = centre_cm[1] + grown * height_cm / 2 * np.sin(angle)
    return _clipped(Region.from_outlines([np.column_stack([x, y])]), applicator, ApertureSource.ELLIPSE)


def _check_widths(width_cm: float, height_cm: float) -> None:
    if not (np.isfinite([width_cm, height_cm]).all() and min(width_cm, height_cm) > 0):
        raise InvalidPlan("The width and height of an opening must be above zero.")


def _clipped(shape: Region, applicator: Applicator, source: ApertureSource) -> FittedAperture:
    inside = shape.intersection(applicator_region(applicator))
    if inside.is_empty:
        raise InvalidPlan(f"The opening lies outside applicator {applicator.id}.", hint="Move it to the middle.")
    notes: tuple[str, ...] = ()
    if inside.area_cm2 < shape.area_cm2 * (1 - 1e-9):
        notes = (f"The opening is clipped to applicator {applicator.id}.",)
    return FittedAperture(aperture=Aperture(outline_cm=inside.outlines()[0], source=source), notes=notes)
