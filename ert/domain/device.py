"""Beam devices: the cutout's opening."""

from __future__ import annotations

import enum

import attrs
import numpy as np
from numpy.typing import ArrayLike

from ert.errors import InvalidPlan

Outline = tuple[tuple[float, float], ...]
_MIN_POINTS = 3


class ApertureSource(enum.StrEnum):
    """How an aperture's outline was made."""

    OPEN = "OPEN"
    TARGET = "TARGET"
    RECTANGLE = "RECTANGLE"
    ELLIPSE = "ELLIPSE"
    EDITED = "EDITED"
    IMPORTED = "IMPORTED"


def to_outline(points: ArrayLike) -> Outline:
    """(n, 2) numbers as an outline; the closing point is dropped if it repeats the first."""
    array = np.asarray(points, dtype=float).reshape(-1, 2)
    if len(array) > _MIN_POINTS and np.array_equal(array[0], array[-1]):
        array = array[:-1]
    return tuple((float(x), float(y)) for x, y in array)


def _area_cm2(outline: Outline) -> float:
    x, y = np.asarray(outline).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


@attrs.frozen(kw_only=True)
class Aperture:
    """The opening of a cutout: one polygon at the isocentre plane in beam's eye view (bev x, y), cm.

    The drawn outline is projected from the source to the isocentre plane (DICOM Block Data); what is cut in the
    workshop is that times insert distance / SAD.

    Attributes
    ----------
    outline_cm : points (x, y), not closed.
    source : how it was made; margin_cm is the margin that was used for TARGET.
    material, thickness_cm : of the insert around the opening.
    """

    outline_cm: Outline = attrs.field(converter=to_outline)
    source: ApertureSource = ApertureSource.EDITED
    margin_cm: float | None = None
    material: str = "cerrobend"
    thickness_cm: float = 1.5

    def __attrs_post_init__(self) -> None:
        if len(self.outline_cm) < _MIN_POINTS or not np.all(np.isfinite(self.outline_cm)):
            raise InvalidPlan("An aperture outline needs at least three points with finite coordinates.")
        if self.area_cm2 <= 0:
            raise InvalidPlan("The aperture outline encloses no area.")

    @property
    def area_cm2(self) -> float:
        """Enclosed area at the isocentre plane (shoelace)."""
        return _area_cm2(self.outline_cm)

    @property
    def bounds_cm(self) -> tuple[float, float, float, float]:
        """X min, x max, y min, y max."""
        x, y = np.asarray(self.outline_cm).T
        return float(x.min()), float(x.max()), float(y.min()), float(y.max())
