"""Contours of a structure as a stack of slabs: the one place that says which part of space a contour set means.

Rules, stated once:

* Contours on one plane combine by exclusive or (holes, keyholes).
* Contours within 0.02 cm of each other along the normal lie on one plane.
* Each plane stands for the slab that reaches half way to its neighbours: between planes the nearest plane holds.
* The spacing of the set is the median distance of neighbouring planes; the first and the last plane extend outward by
  half of it. A single plane gets the slice spacing it is asked for with.
* Neighbours further apart than 3.5 spacings are the ends of separate parts: nothing is filled in between.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Sequence
from typing import Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.errors import Refused
from ert.geometry.grid import IDENTITY_AXES, VoxelGrid

F64 = NDArray[np.float64]

SAME_PLANE_CM = 0.02
FLATNESS_CM = 0.05
BRIDGED_SPACINGS = 3.5
_MIN_POINTS = 3
_SURE_AREA_CM2 = 0.01  # far above what rounding makes of contours without area


class EndRule(enum.StrEnum):
    """Where a structure ends along the normal of its planes."""

    HALF_SPACING = "half a plane spacing beyond the first and the last plane"
    AT_PLANES = "at the first and the last plane"


class HasPoints(Protocol):
    """A closed planar polygon in the patient, float64 (n, 3), cm."""

    @property
    def points_cm(self) -> F64:
        """Points; the first is not repeated."""


class HasContours(Protocol):
    """A structure, as far as geometry needs to know it."""

    @property
    def name(self) -> str:
        """For sentences."""

    @property
    def contours(self) -> Sequence[HasPoints]:
        """Its polygons."""


@attrs.frozen(kw_only=True, eq=False)
class ContourStack:
    """Contours sorted into planes; coordinates ``points @ axes.T`` (origin of the patient, axes of the stack), cm.

    Attributes
    ----------
    name : of the structure.
    axes : (3, 3), rows x, y and normal of the planes.
    z_cm : (p,) positions of the planes along the normal, rising.
    low_cm, high_cm : (p,) the slab that each plane stands for.
    edges : (e, 4) x0 y0 x1 y1 of all planes, plane after plane.
    offset : (p + 1,) where each plane's edges start.
    polygon_offset : (c + 1,) where each polygon's edges start; a polygon lies on one plane.
    spacing_cm : median plane distance.
    """

    name: str
    axes: F64
    z_cm: F64
    low_cm: F64
    high_cm: F64
    edges: F64
    offset: NDArray[np.int64]
    polygon_offset: NDArray[np.int64]
    spacing_cm: float

    @property
    def bounds_cm(self) -> tuple[F64, F64]:
        """Lowest and highest corner (3,), in stack coordinates."""
        x, y = self.edges[:, 0::2], self.edges[:, 1::2]
        return (
            np.array([x.min(), y.min(), self.low_cm[0]]),
            np.array([x.max(), y.max(), self.high_cm[-1]]),
        )

    def plane_edges(self, plane: int) -> F64:
        """Edges of one plane, (n, 4)."""
        return self.edges[self.offset[plane] : self.offset[plane + 1]]

    def polygons(self, plane: int) -> list[F64]:
        """Polygons (n, 2) of one plane, x and y in stack coordinates, not closed."""
        first, last = np.searchsorted(self.polygon_offset, self.offset[plane : plane + 2])
        starts = self.polygon_offset[first : last + 1]
        return [self.edges[a:b, :2] for a, b in itertools.pairwise(starts)]

    def planes_at(self, z_cm: float) -> list[int]:
        """Planes whose slab holds a position along the normal: one, or none."""
        return [int(n) for n in np.flatnonzero((self.low_cm <= z_cm) & (z_cm < self.high_cm))]


def plane_axes(structure: HasContours) -> F64:
    """Axes of the planes a structure was contoured on: the patient's if the normal is the patient's z.

    Raises
    ------
    Refused
        If there is no contour that encloses an area.
    """
    points = [np.asarray(c.points_cm) for c in structure.contours if len(c.points_cm) >= _MIN_POINTS]
    if points and _is_axial(points):
        return np.asarray(IDENTITY_AXES, dtype=np.float64)
    areas = [_newell(p) for p in points]
    largest = max(areas, key=lambda v: float(v @ v), default=np.zeros(3))
    size = float(np.linalg.norm(largest))
    if size == 0.0:
        raise Refused(f"Structure '{structure.name}' has no contours.", hint="Contour it, or choose another structure.")
    normal = largest / size
    main = int(np.argmax(np.abs(normal)))
    normal = normal * np.sign(normal[main])
    if np.allclose(normal, (0.0, 0.0, 1.0), atol=1e-6):
        return np.asarray(IDENTITY_AXES, dtype=np.float64)
    x_axis = np.cross(np.roll(np.eye(3)[main], 1), normal)
    x_axis /= np.linalg.norm(x_axis)
    return np.array([x_axis, np.cross(normal, x_axis), normal])


def contour_stack(
    structure: HasContours,
    *,
    axes: F64 | None = None,
    single_plane_cm: float = 0.3,
    end_rule: EndRule = EndRule.HALF_SPACING,
) -> ContourStack:
    """Sort the contours of a structure into planes and slabs.

    Parameters
    ----------
    structure : anything with a name and contours.
    axes : (3, 3) rows x, y, normal that the planes must have; found from the contours if not given.
    single_plane_cm : thickness that a structure of one plane gets.
    end_rule : AT_PLANES is for comparing with systems that end structures there; a lone plane keeps its slab.

    Raises
    ------
    Refused
        If there are no contours, or one of them is not flat along the normal.
    """
    frame = plane_axes(structure) if axes is None else np.asarray(axes, dtype=np.float64)
    outlines = [np.asarray(c.points_cm, dtype=np.float64) @ frame.T for c in structure.contours]
    outlines = [outline for outline in outlines if len(outline) >= _MIN_POINTS]
    if not outlines:
        raise Refused(f"Structure '{structure.name}' has no contours.", hint="Contour it, or choose another structure.")
    _check_flatness(structure, outlines)
    # as numpy's mean, in a third of its time
    levels = np.array([np.add.reduce(outline[:, 2]) / len(outline) for outline in outlines])
    groups = _planes(levels)
    z_cm = np.array([levels[group].mean() if len(group) > 1 else levels[group[0]] for group in groups])
    sizes = [[len(outlines[n]) for n in group] for group in groups]
    spacing_cm = float(np.median(np.diff(z_cm))) if len(z_cm) > 1 else single_plane_cm
    low_cm, high_cm = _slabs(z_cm, spacing_cm, end_rule)
    return ContourStack(
        name=structure.name,
        axes=frame,
        z_cm=z_cm,
        low_cm=low_cm,
        high_cm=high_cm,
        edges=_edges([outlines[n] for group in groups for n in group]),
        offset=_starts([sum(part) for part in sizes]),
        polygon_offset=_starts([size for part in sizes for size in part]),
        spacing_cm=spacing_cm,
    )


def stack_on_grid(structure: HasContours, grid: VoxelGrid) -> ContourStack:
    """Contours in the axes of a grid; a single plane is one slice thick."""
    return contour_stack(structure, axes=np.asarray(grid.axes), single_plane_cm=grid.spacing_cm[2])


def _newell(points: F64) -> F64:
    """Twice the area vector of a polygon (Newell)."""
    x, y, z = points.T
    x1, y1, z1 = np.concatenate([points[1:], points[:1]]).T
    return np.array([y @ z1 - z @ y1, z @ x1 - x @ z1, x @ y1 - y @ x1])


def _starts(sizes: list[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *sizes], dtype=np.int64)


def _is_axial(outlines: list[F64]) -> bool:
    """Whether all contours lie exactly across the patient's z, and one of them surely has an area.

    Most do, and it is found much faster than all normals.
    """
    return not _spread_cm(outlines).any() and any(abs(_newell(outline)[2]) > _SURE_AREA_CM2 for outline in outlines)


def _spread_cm(outlines: list[F64]) -> F64:
    """How far the points of each polygon (n, 3) are apart along z."""
    z_cm = np.concatenate([outline[:, 2] for outline in outlines])
    begin = _starts([len(outline) for outline in outlines])[:-1]
    return np.asarray(np.maximum.reduceat(z_cm, begin) - np.minimum.reduceat(z_cm, begin))


def _check_flatness(structure: HasContours, outlines: list[F64]) -> None:
    spread_cm = float(_spread_cm(outlines).max())
    if spread_cm > 2 * FLATNESS_CM:
        raise Refused(
            f"Structure '{structure.name}' has contours that do not lie in planes parallel to the image's slices.",
            hint="Have it contoured on the slices of this image (not on sagittal or coronal planes).",
            detail=f"contour spans {spread_cm:.3f} cm along the normal",
        )


def _edges(outlines: list[F64]) -> F64:
    """Edges (n, 4) of polygons (m, 3), one after the other."""
    offset = _starts([len(outline) for outline in outlines])
    edges = np.empty((offset[-1], 4))
    np.concatenate([outline[:, :2] for outline in outlines], out=edges[:, :2])
    edges[:-1, 2:] = edges[1:, :2]
    edges[offset[1:] - 1, 2:] = edges[offset[:-1], :2]
    return edges


def _planes(levels: F64) -> list[list[int]]:
    """Indices of the contours of each plane, planes rising."""
    order = np.argsort(levels, kind="stable")
    groups: list[list[int]] = []
    for n in order:
        if groups and levels[n] - levels[groups[-1][0]] <= SAME_PLANE_CM:
            groups[-1].append(int(n))
        else:
            groups.append([int(n)])
    return groups


def _slabs(z_cm: F64, spacing_cm: float, end_rule: EndRule) -> tuple[F64, F64]:
    """Lower and upper limit of each plane's slab."""
    low = z_cm - spacing_cm / 2
    high = z_cm + spacing_cm / 2
    is_bridged = np.diff(z_cm) <= BRIDGED_SPACINGS * spacing_cm
    middle = (z_cm[1:] + z_cm[:-1]) / 2
    high[:-1] = np.where(is_bridged, middle, high[:-1])
    low[1:] = np.where(is_bridged, middle, low[1:])
    if end_rule is EndRule.AT_PLANES:
        joins_below = np.concatenate([[False], is_bridged])
        joins_above = np.concatenate([is_bridged, [False]])
        high = np.where(joins_below & ~joins_above, z_cm, high)
        low = np.where(joins_above & ~joins_below, z_cm, low)
    return low, high
