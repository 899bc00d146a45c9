"""Outlines of structures on the planes of the views, and of levels in any plane."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ert.geometry.contours import ContourStack, HasContours, contour_stack
from ert.geometry.grid import VoxelGrid
from ert.geometry.kernels.outline import trace
from ert.geometry.kernels.scan import add_slab, coverage
from ert.geometry.raster import LINES_PER_VOXEL, to_index
from ert.geometry.resample import SliceAxis

F64 = NDArray[np.float64]


def level_outlines(field: NDArray[Any], *, level: float = 0.5) -> list[F64]:
    """Closed outlines (n, 2) of a level in an array [v, u], in pixel positions (u, v); outside the array is below it.

    The inside is on the left of the way the points go (u right, v up): outer outlines run counter-clockwise, holes
    clockwise. The first point is not repeated.
    """
    field = np.asarray(field)
    lowest = float(field.min())
    padded = np.pad(field, 1, constant_values=lowest if lowest < level else level - 1.0)
    points, offset = trace(padded.astype(np.float32), level)
    return [points[a:b] - 1.0 for a, b in itertools.pairwise(offset)]


def structure_outlines(
    structure: HasContours | ContourStack, grid: VoxelGrid, axis: SliceAxis | str, index: int
) -> list[F64]:
    """Outlines (n, 2) of a structure on an orthogonal plane of a grid, in pixel positions (u, v) of that plane.

    Axial: the contours of the plane that this slice belongs to, as they were drawn. Coronal and sagittal: where half
    of the voxels is filled. ``grid_plane(grid, axis, index).point_cm(outline)`` gives patient points.

    Raises
    ------
    Refused
        If the structure is empty, or not contoured in planes parallel to the grid's slices.
    """
    axis = SliceAxis(axis)
    stack = structure if isinstance(structure, ContourStack) else None
    if stack is None or not np.allclose(stack.axes, np.asarray(grid.axes), atol=1e-6):
        if stack is not None:
            raise ValueError("the stack must have been made with the grid's axes")
        stack = contour_stack(
            structure,  # type: ignore[arg-type]
            axes=np.asarray(grid.axes),
            single_plane_cm=grid.spacing_cm[2],
        )
    if axis is SliceAxis.AXIAL:
        return _axial(stack, grid, index)
    return _across(stack, grid, axis, index)


def _axial(stack: ContourStack, grid: VoxelGrid, index: int) -> list[F64]:
    origin = np.asarray(grid.axes) @ np.asarray(grid.origin_cm)
    z_cm = origin[2] + index * grid.spacing_cm[2]
    return [
        (polygon - origin[:2]) / np.asarray(grid.spacing_cm[:2])
        for plane in stack.planes_at(z_cm)
        for polygon in stack.polygons(plane)
    ]


def _across(stack: ContourStack, grid: VoxelGrid, axis: SliceAxis, index: int) -> list[F64]:
    """Fill one row (coronal) or column (sagittal) of every slice and outline it."""
    edges, slabs = to_index(stack, grid)
    if axis is SliceAxis.SAGITTAL:
        edges = edges[:, [1, 0, 3, 2]]
    nz, ny, nx = grid.shape_zyx
    section = np.zeros((nz, 1, nx if axis is SliceAxis.CORONAL else ny), dtype=np.float32)
    shifted = edges - np.array([0.0, index, 0.0, index])
    for plane, (k_low, k_high) in enumerate(slabs):
        part = shifted[stack.offset[plane] : stack.offset[plane + 1]]
        if part[:, 1].min() < 0.5 and part[:, 1].max() > -0.5:
            add_slab(section, coverage(part, 1, section.shape[2], LINES_PER_VOXEL), k_low, k_high)
    return level_outlines(section[:, 0, :]) if section.any() else []
