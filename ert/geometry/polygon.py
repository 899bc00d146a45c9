"""Polygons in a plane: the one module that knows shapely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from ert.errors import Refused

F64 = NDArray[np.float64]
_QUARTER_SEGMENTS = 16


@attrs.frozen(eq=False)
class Region:
    """A part of a plane: any number of separate parts, with or without holes; lengths in cm."""

    _shape: BaseGeometry

    @classmethod
    def from_outlines(cls, outlines: Iterable[ArrayLike]) -> Region:
        """Outlines (n, 2) combined by exclusive or; outlines that cross themselves are repaired, slivers dropped."""
        shape: BaseGeometry = shapely.Polygon()
        for outline in outlines:
            points = np.asarray(outline, dtype=np.float64)
            if len(points) >= 3:
                shape = shape.symmetric_difference(_areas(shapely.make_valid(shapely.Polygon(points))))
        return cls(_areas(shape))

    @classmethod
    def rectangle(cls, x_low_cm: float, x_high_cm: float, y_low_cm: float, y_high_cm: float) -> Region:
        """An upright rectangle."""
        return cls(shapely.box(x_low_cm, y_low_cm, x_high_cm, y_high_cm))

    @property
    def is_empty(self) -> bool:
        """True if there is no area."""
        return bool(self._shape.is_empty)

    @property
    def area_cm2(self) -> float:
        """Area, holes taken out."""
        return float(self._shape.area)

    @property
    def bounds_cm(self) -> tuple[float, float, float, float]:
        """Lowest and highest x, lowest and highest y.

        Raises
        ------
        Refused
            If the region is empty.
        """
        if self.is_empty:
            raise Refused("An empty shape has no size.")
        x_low_cm, y_low_cm, x_high_cm, y_high_cm = self._shape.bounds
        return float(x_low_cm), float(x_high_cm), float(y_low_cm), float(y_high_cm)

    @property
    def parts(self) -> tuple[Region, ...]:
        """Connected parts, the largest first."""
        polygons = [p for p in shapely.get_parts(self._shape) if not p.is_empty]
        return tuple(Region(p) for p in sorted(polygons, key=lambda p: -p.area))

    def outlines(self) -> tuple[F64, ...]:
        """Outer outlines and holes of all parts, (n, 2), not closed; outer ones run counter-clockwise."""
        found: list[F64] = []
        for part in self.parts:
            oriented = shapely.geometry.polygon.orient(part._shape)
            found.extend(np.asarray(ring.coords)[:-1] for ring in (oriented.exterior, *oriented.interiors))
        return tuple(found)

    def grow(self, margin_cm: float) -> Region:
        """The region grown on all sides, corners rounded; shrunk if the margin is negative."""
        return Region(_areas(self._shape.buffer(margin_cm, quad_segs=_QUARTER_SEGMENTS)))

    def union(self, other: Region) -> Region:
        """What lies in either."""
        return Region(_areas(self._shape.union(other._shape)))

    def intersection(self, other: Region) -> Region:
        """What lies in both."""
        return Region(_areas(self._shape.intersection(other._shape)))

    def difference(self, other: Region) -> Region:
        """What lies in this one only."""
        return Region(_areas(self._shape.difference(other._shape)))

    def without_holes(self) -> Region:
        """The region with its holes filled."""
        filled = [shapely.Polygon(p.exterior) for p in shapely.get_parts(self._shape)]
        return Region(_areas(shapely.union_all(filled)))

    def simplified(self, tolerance_cm: float) -> Region:
        """Fewer points, nowhere further off than the tolerance (Douglas and Peucker 1973)."""
        return Region(_areas(self._shape.simplify(tolerance_cm)))

    def contains(self, other: Region, *, tolerance_cm: float = 1e-6) -> bool:
        """Whether the other lies inside, but for a tolerance."""
        return bool(self._shape.buffer(tolerance_cm).covers(other._shape))

    def gap_to_edge_cm(self, inner: Region) -> float:
        """Smallest distance between the outlines of this region and of another."""
        return float(self._shape.boundary.distance(inner._shape.boundary))


def union_all(regions: Sequence[Region]) -> Region:
    """What lies in any of the regions."""
    return Region(_areas(shapely.union_all([r._shape for r in regions])))


def _areas(shape: BaseGeometry) -> BaseGeometry:
    """The polygons of a geometry; points and lines, which enclose nothing, are left out."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    polygons = [p for p in shapely.get_parts(shape) if p.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(polygons) if polygons else shapely.Polygon()
