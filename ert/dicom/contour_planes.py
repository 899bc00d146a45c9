"""Contours of one structure on one plane: copies, and outlines that cross.

Closed contours of one plane combine by exclusive or (holes, keyholes; `ert.geometry.contours`). A contour that a writer
stored twice would take itself away, and where two outlines cross, what lies in both would be a hole.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ert.domain.structure import Contour
from ert.geometry.contours import SAME_PLANE_CM
from ert.geometry.polygon import Region

F64 = NDArray[np.float64]
_SAME_POINT_CM = 1e-4
_CROSSING_FRAC = 0.01  # of the smaller area: less is how pixels' edges are drawn


def without_copies(contours: Sequence[Contour]) -> tuple[Contour, ...]:
    """Each contour once, in their order: the same points from any start and in either direction are a copy."""
    kept: dict[bytes, Contour] = {}
    for contour in contours:
        kept.setdefault(_points_of(contour), contour)
    return tuple(kept.values())


def crossing_heights_cm(contours: Sequence[Contour], axes: F64) -> list[float]:
    """Positions along the normal of planes on which two contours partly overlap; axes (3, 3), rows x, y, normal."""
    planes: list[tuple[float, list[F64]]] = []
    local = sorted((np.asarray(c.points_cm) @ axes.T for c in contours), key=lambda p: float(p[:, 2].mean()))
    for points in local:
        height_cm = float(points[:, 2].mean())
        if not planes or height_cm - planes[-1][0] > SAME_PLANE_CM:
            planes.append((height_cm, []))
        planes[-1][1].append(points[:, :2])
    return [height_cm for height_cm, outlines in planes if any(_cross(a, b) for a, b in _close_pairs(outlines))]


def _points_of(contour: Contour) -> bytes:
    """The rounded points, in an order that neither start nor direction changes."""
    rounded = np.rint(np.asarray(contour.points_cm) / _SAME_POINT_CM).astype(np.int64)
    return rounded[np.lexsort(rounded.T)].tobytes()


def _close_pairs(outlines: Sequence[F64]) -> Iterator[tuple[F64, F64]]:
    """Pairs whose bounding boxes overlap."""
    boxes = [(o.min(axis=0), o.max(axis=0)) for o in outlines]
    for a, b in itertools.combinations(range(len(outlines)), 2):
        if np.all(boxes[a][0] < boxes[b][1]) and np.all(boxes[b][0] < boxes[a][1]):
            yield outlines[a], outlines[b]


def _cross(first: F64, second: F64) -> bool:
    """Whether two outlines overlap and neither holds the other."""
    one, other = Region.from_outlines([first]), Region.from_outlines([second])
    smaller_cm2 = min(one.area_cm2, other.area_cm2)
    shared_cm2 = one.intersection(other).area_cm2
    return _CROSSING_FRAC * smaller_cm2 < shared_cm2 < (1.0 - _CROSSING_FRAC) * smaller_cm2
