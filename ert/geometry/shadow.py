"""Projection of structures on the isocentre plane, as the beam sees them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ert.geometry.contours import ContourStack, HasContours, contour_stack
from ert.geometry.frames import BeamFrame
from ert.geometry.kernels.shadow import fill_shadow
from ert.geometry.outline import level_outlines
from ert.geometry.polygon import Region

F64 = NDArray[np.float64]
PIXEL_CM = 0.025
_OUTLINE_TOLERANCE_CM = 0.01


def project_structure(structure: HasContours | ContourStack, frame: BeamFrame) -> Region:
    """Shadow of a structure on the isocentre plane, beam's eye view x and y, cm.

    All slabs of the structure (the first and last reach half a plane spacing outward) are projected from the geometric
    source: their ends and their walls, on a bitmap of 0.25 mm.

    Raises
    ------
    Refused
        If the structure is empty, or reaches the source.
    """
    stack = structure if isinstance(structure, ContourStack) else contour_stack(structure)
    low, high = (_projected(stack, z, frame) for z in (stack.low_cm, stack.high_cm))
    both = np.concatenate([low, high]).reshape(-1, 2)
    corner = both.min(axis=0) - 2 * PIXEL_CM
    nx, ny = (math.ceil(v) + 3 for v in (both.max(axis=0) - corner) / PIXEL_CM)
    bitmap = np.zeros((ny, nx), dtype=np.uint8)
    shift = np.tile(corner, 2)
    fill_shadow(bitmap, (low - shift) / PIXEL_CM, (high - shift) / PIXEL_CM, stack.offset)
    outlines = [corner + PIXEL_CM * outline for outline in level_outlines(bitmap)]
    return Region.from_outlines(outlines).simplified(_OUTLINE_TOLERANCE_CM)


def _projected(stack: ContourStack, z_cm: F64, frame: BeamFrame) -> F64:
    """Edges (e, 4) of all contours moved to the given heights of their planes and projected."""
    heights = np.repeat(z_cm, np.diff(stack.offset))
    ends = []
    for columns in (stack.edges[:, :2], stack.edges[:, 2:]):
        ends.append(frame.project(np.column_stack([columns, heights]) @ stack.axes))
    return np.ascontiguousarray(np.concatenate(ends, axis=1))
