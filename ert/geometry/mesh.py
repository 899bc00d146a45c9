"""Triangle meshes of structures, for the three-dimensional view."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.geometry.contours import HasContours, contour_stack
from ert.geometry.grid import VoxelGrid
from ert.geometry.kernels.mesh import smooth, surface_nets
from ert.geometry.raster import structure_occupancy

MAX_CELLS = 700_000
SMALLEST_PIXEL_CM = 0.05
_SMOOTHING_ROUNDS = 6
_LEVEL = 0.5


@attrs.frozen(kw_only=True, eq=False)
class Mesh:
    """A closed triangle mesh: vertices float32 (n, 3), patient, cm; triangles int32 (m, 3), outward."""

    vertices_cm: NDArray[np.float32]
    triangles: NDArray[np.int32]


def surface_mesh(structure: HasContours, *, max_cells: int = MAX_CELLS) -> Mesh:
    """A closed, smoothed surface of a structure for display; not for measuring.

    The structure is rasterised in the frame of its own planes, as finely as `max_cells` allows.

    Raises
    ------
    Refused
        If the structure is empty.
    """
    stack = contour_stack(structure)
    low, high = stack.bounds_cm
    width_cm, height_cm, length_cm = high - low
    layers = max(round(length_cm / stack.spacing_cm), 1)
    pixel_cm = max(math.sqrt(width_cm * height_cm * layers / max_cells), SMALLEST_PIXEL_CM)
    shape = (layers, math.ceil(height_cm / pixel_cm) + 1, math.ceil(width_cm / pixel_cm) + 1)
    layer_cm = length_cm / layers
    first = np.array([low[0], low[1], low[2] + layer_cm / 2])
    grid = VoxelGrid(
        origin_cm=first @ stack.axes, spacing_cm=(pixel_cm, pixel_cm, layer_cm), shape_zyx=shape, axes=stack.axes
    )
    return field_mesh(structure_occupancy(structure, grid), grid)


def field_mesh(
    field: NDArray[np.float32], grid: VoxelGrid, *, level: float = _LEVEL, rounds: int = _SMOOTHING_ROUNDS
) -> Mesh:
    """The closed, smoothed surface where an array [z, y, x] passes a level; at the grid's border it is closed off."""
    padded = np.pad(np.asarray(field, dtype=np.float32), 1)
    vertices, triangles = surface_nets(padded, level)
    vertices -= 1.0
    if rounds and len(vertices):
        scale = np.asarray(grid.spacing_cm)
        vertices *= scale
        smooth(vertices, triangles, rounds)
        vertices /= scale
    return Mesh(vertices_cm=grid.point_cm(vertices).astype(np.float32), triangles=triangles)
