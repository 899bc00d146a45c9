"""From contours to voxels: which fraction of each voxel a structure fills.

What contours mean in space is stated in `ert.geometry.contours`. Within a slice the covered fraction is exact along x
and supersampled along y; along z a voxel gets its exact share of every plane's slab.
"""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.geometry.contours import ContourStack, HasContours, stack_on_grid
from ert.geometry.grid import VoxelGrid
from ert.geometry.kernels.scan import add_slab, coverage, plane_areas

Box = tuple[slice, slice, slice]
LINES_PER_VOXEL = 8
AREA_LINES = 256
INSIDE_FRAC = 0.5


def crop(grid: VoxelGrid, box: Box) -> VoxelGrid:
    """The part of a grid that a box of array slices ``[z, y, x]`` (start and stop given, step 1) selects."""
    starts = (box[2].start, box[1].start, box[0].start)
    shape = tuple(s.stop - s.start for s in box)
    return attrs.evolve(grid, origin_cm=grid.point_cm(starts), shape_zyx=shape)


def structure_box(structure: HasContours, grid: VoxelGrid, *, margin_voxels: int = 0) -> Box | None:
    """Array slices of the voxels that a structure touches, grown by a margin, cut to the grid; None if there are none.

    Raises
    ------
    Refused
        If the structure is empty, or not contoured in planes parallel to the grid's slices.
    """
    return _box(stack_on_grid(structure, grid), grid, margin_voxels)


def union_box(first: Box, second: Box | None) -> Box:
    """The smallest box that holds both."""
    if second is None:
        return first
    z, y, x = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(first, second, strict=True))
    return (z, y, x)


def structure_occupancy(structure: HasContours, grid: VoxelGrid) -> NDArray[np.float32]:
    """Fraction of each voxel inside a structure.

    Parameters
    ----------
    structure : name and contours (patient, cm), planar, parallel to the grid's slices, on its planes or between them.
    grid : any orientation.

    Returns
    -------
    float32 [z, y, x], 0 … 1.

    Raises
    ------
    Refused
        If the structure is empty, or not contoured in planes parallel to the grid's slices.
    """
    occupancy = np.zeros(grid.shape_zyx, dtype=np.float32)
    stack = stack_on_grid(structure, grid)
    box = _box(stack, grid, 0)
    if box is not None:
        _fill(occupancy[box], stack, crop(grid, box))
    return occupancy


def structure_mask(structure: HasContours, grid: VoxelGrid) -> NDArray[np.bool_]:
    """Voxels of which at least half lies inside a structure, bool [z, y, x]; arguments as `structure_occupancy`."""
    mask = np.zeros(grid.shape_zyx, dtype=np.bool_)
    stack = stack_on_grid(structure, grid)
    box = _box(stack, grid, 0)
    if box is not None:
        part = np.zeros(mask[box].shape, dtype=np.float32)
        _fill(part, stack, crop(grid, box))
        np.greater_equal(part, INSIDE_FRAC, out=mask[box])
    return mask


def stack_volume_cc(stack: ContourStack) -> float:
    """Volume from planimetry: area of each plane (even-odd) times the thickness of its slab, cm³."""
    return float(plane_areas(stack.edges, stack.offset, AREA_LINES) @ (stack.high_cm - stack.low_cm))


def to_index(stack: ContourStack, grid: VoxelGrid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges in voxel units, slabs in slice units."""
    origin = np.asarray(grid.axes) @ np.asarray(grid.origin_cm)
    dx, dy, dz = grid.spacing_cm
    edges = (stack.edges - np.tile(origin[:2], 2)) / np.array([dx, dy, dx, dy])
    slabs = (np.column_stack([stack.low_cm, stack.high_cm]) - origin[2]) / dz
    return edges, slabs


def _box(stack: ContourStack, grid: VoxelGrid, margin_voxels: int) -> Box | None:
    edges, slabs = to_index(stack, grid)
    lows = (slabs.min(), edges[:, 1::2].min(), edges[:, 0::2].min())
    highs = (slabs.max(), edges[:, 1::2].max(), edges[:, 0::2].max())
    box = []
    for low, high, size in zip(lows, highs, grid.shape_zyx, strict=True):
        start = max(math.floor(low + 0.5 + 1e-9) - margin_voxels, 0)
        stop = min(math.ceil(high + 0.5 - 1e-9) + margin_voxels, size)
        if start >= stop:
            return None
        box.append(slice(start, stop))
    return (box[0], box[1], box[2])


def _fill(occupancy: NDArray[np.float32], stack: ContourStack, grid: VoxelGrid) -> None:
    """Add every plane of a stack to an occupancy array on a grid."""
    edges, slabs = to_index(stack, grid)
    nz, ny, nx = grid.shape_zyx
    for plane, (k_low, k_high) in enumerate(slabs):
        if k_high <= -0.5 or k_low >= nz - 0.5:
            continue
        part = edges[stack.offset[plane] : stack.offset[plane + 1]]
        add_slab(occupancy, coverage(part, ny, nx, LINES_PER_VOXEL), k_low, k_high)
