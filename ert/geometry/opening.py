"""Shape of an opening: largest circle inside, equivalent ellipse, how full its box is, sectors around a point."""

from __future__ import annotations

import functools
import math

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.geometry.kernels.polygon_distance import farthest_inside, signed_distances

F64 = NDArray[np.float64]
CIRCLE_TOLERANCE_CM = 1e-3
SECTORS = 720
_STRAIGHT_FRAC = 0.999
"""An opening that fills this part of its smallest box is a rectangle."""


@attrs.frozen(kw_only=True)
class OpeningShape:
    """Measures of a simple outline.

    Attributes
    ----------
    circle_centre_cm, width_cm : centre and diameter of the largest circle inside.
    length_cm : of the ellipse with that width and the same area, 4 A / (π width) (Biggs et al., Physica Medica 2015).
    fullness_frac : area over the area of the smallest box around it, turned as fits best: 1 rectangle, π/4 ellipse.
    box_cm : sides of that box, the shorter first.
    solidity_frac : area over the area of the convex hull: 1 without notches.
    """

    area_cm2: float
    perimeter_cm: float
    centroid_cm: tuple[float, float]
    circle_centre_cm: tuple[float, float]
    width_cm: float
    length_cm: float
    fullness_frac: float
    box_cm: tuple[float, float]
    solidity_frac: float

    @property
    def is_rectangle(self) -> bool:
        """Whether the outline is its own box."""
        return self.fullness_frac > _STRAIGHT_FRAC

    @property
    def equivalent_square_cm(self) -> float:
        """Side of the square with the same area to perimeter ratio, 4 A / P."""
        return 4.0 * self.area_cm2 / self.perimeter_cm

    @property
    def rectangle_cm(self) -> tuple[float, float]:
        """Sides of the equivalent rectangle, the shorter first (equation (5) of docs/physics/monitor_units.md).

        A rectangle's own sides. Otherwise the same area, and a shorter side of s × width: s = √π / 2 for an ellipse
        (a circle becomes the square of its area) and for anything less full, rising to 1 for a rectangle.
        """
        if self.is_rectangle:
            return self.box_cm
        rounded = math.sqrt(math.pi) / 2.0
        share = min(1.0, max(0.0, (self.fullness_frac - math.pi / 4.0) / (1.0 - math.pi / 4.0)))
        side = (rounded + (1.0 - rounded) * share) * self.width_cm
        other = self.area_cm2 / side
        return min(side, other), max(side, other)


def opening_shape(outline_cm: ArrayLike) -> OpeningShape:
    """Measures of a simple outline, points (n, 2), not closed."""
    points = np.asarray(outline_cm, dtype=np.float64)
    x, y = points.T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = float(cross.sum()) / 2.0
    hull = convex_hull(points)
    centre = (
        float(((x + np.roll(x, -1)) * cross).sum() / (6.0 * area)),
        float(((y + np.roll(y, -1)) * cross).sum() / (6.0 * area)),
    )
    circle, radius = largest_circle(points)
    box = _smallest_box(hull)
    return OpeningShape(
        area_cm2=abs(area),
        perimeter_cm=float(np.hypot(np.roll(x, -1) - x, np.roll(y, -1) - y).sum()),
        centroid_cm=centre,
        circle_centre_cm=circle,
        width_cm=2.0 * radius,
        length_cm=max(4.0 * abs(area) / (math.pi * 2.0 * radius), 2.0 * radius),
        fullness_frac=abs(area) / (box[0] * box[1]),
        box_cm=box,
        solidity_frac=min(1.0, abs(area) / _area(hull)),
    )


def largest_circle(outline_cm: ArrayLike) -> tuple[tuple[float, float], float]:
    """Centre and radius of the largest circle inside an outline; the radius is at most `CIRCLE_TOLERANCE_CM` too small.

    Branch and bound: squares of half side h whose centre has the signed distance d to the outline can hold no centre
    of a circle larger than d + h √2; those that cannot beat the best circle yet are dropped, the others quartered.
    Global for any outline, and the same answer every time; the last outlines asked for are remembered.
    """
    points = np.ascontiguousarray(outline_cm, dtype=np.float64)
    return _largest_circle(points.tobytes())


@functools.lru_cache(maxsize=64)
def _largest_circle(outline: bytes) -> tuple[tuple[float, float], float]:
    points = np.frombuffer(outline, dtype=np.float64).reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    half = float((high - low).min()) / 2.0
    counts = np.ceil((high - low) / (2.0 * half)).astype(int)
    first = (low + high) / 2.0 - (counts - 1) * half
    cells = np.stack(np.meshgrid(*(first[n] + 2.0 * half * np.arange(counts[n]) for n in (0, 1))), -1).reshape(-1, 2)
    x, y, radius = farthest_inside(points, np.ascontiguousarray(cells), half, CIRCLE_TOLERANCE_CM)
    return (float(x), float(y)), float(radius)


def signed_distance_cm(outline_cm: ArrayLike, at_cm: ArrayLike) -> F64:
    """Distance of points (m, 2) from an outline (n, 2), positive inside."""
    points = np.ascontiguousarray(np.atleast_2d(np.asarray(at_cm, dtype=np.float64)))
    return signed_distances(np.ascontiguousarray(outline_cm, dtype=np.float64), points)


def convex_hull(points: ArrayLike) -> F64:
    """Corners of the convex hull of points (n, 2), counter-clockwise (Andrew's monotone chain)."""
    ordered = sorted(set(map(tuple, np.asarray(points, dtype=np.float64).tolist())))

    def chain(sequence: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        kept: list[tuple[float, ...]] = []
        for p in sequence:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], p) <= 0:
                kept.pop()
            kept.append(p)
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1])).reshape(-1, 2)


def _turn(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _area(points: F64) -> float:
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2.0


def _smallest_box(hull: F64) -> tuple[float, float]:
    """Sides of the box of least area around a convex hull; one of its sides lies along the hull."""
    edges = np.roll(hull, -1, axis=0) - hull
    edges = edges / np.hypot(*edges.T)[:, None]
    along, across = hull @ edges.T, hull @ np.stack([-edges[:, 1], edges[:, 0]])
    sides = np.stack([np.ptp(along, axis=0), np.ptp(across, axis=0)])
    best = sides[:, int(np.argmin(sides[0] * sides[1]))]
    return float(best.min()), float(best.max())


def sector_radii(outline_cm: ArrayLike, at_cm: tuple[float, float]) -> tuple[F64, F64]:
    """Radii, cm, at which `SECTORS` evenly spread rays from a point cross an outline, and the sign of each.

    The mean over all directions of a function f of the radius, f(0) = 0, is ``(sign * f(radius)).sum() / SECTORS``.
    Crossings outward add and crossings inward subtract (Clarkson's sector integration), so that concave openings and
    points outside an opening come out right.

    Returns
    -------
    Radii and signs, arrays (n,).
    """
    begin = np.asarray(outline_cm, dtype=np.float64) - np.asarray(at_cm, dtype=np.float64)
    end = np.roll(begin, -1, axis=0)
    angle = (np.arange(SECTORS) + 0.5) * (2.0 * math.pi / SECTORS)
    ux, uy = np.cos(angle)[:, None], np.sin(angle)[:, None]
    side_begin, side_end = ux * begin[:, 1] - uy * begin[:, 0], ux * end[:, 1] - uy * end[:, 0]
    is_crossed = (side_begin > 0) != (side_end > 0)
    t = side_begin / np.where(is_crossed, side_begin - side_end, 1.0)
    radius = ux * (begin[:, 0] + t * (end - begin)[:, 0]) + uy * (begin[:, 1] + t * (end - begin)[:, 1])
    radius = np.sort(np.where(is_crossed & (radius > 0), radius, np.inf), axis=1)
    is_real = np.isfinite(radius)
    outward = is_real.sum(axis=1)[:, None] - 1 - np.arange(radius.shape[1])
    return radius[is_real], np.where(outward % 2 == 0, 1.0, -1.0)[is_real]
