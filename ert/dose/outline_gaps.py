"""Slices that EXTERNAL leaves out although the CT shows the patient in them.

Contours further apart than a few plane spacings are the ends of separate parts (`ert.geometry.contours`), and outside
EXTERNAL there is air. Where contours of the patient's outline are missing, that would turn a slab of the patient into
air: the dose behind it would be that of a patient who is not there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ert.domain.structure import Structure
from ert.errors import Refused
from ert.geometry.contours import ContourStack, stack_on_grid
from ert.geometry.grid import VoxelGrid
from ert.geometry.kernels.scan import coverage
from ert.geometry.raster import INSIDE_FRAC, to_index

_TISSUE_HU = -400  # between lung that is well inflated and any other tissue
_LEAST_CC = 1.0
_ENDS_SPACINGS = 0.4  # beyond a plane's own slab: where a part ends, its last slice is often not contoured
_LINES_PER_VOXEL = 2
_TOUCHING_CM = 1e-6


def refuse_gaps(external: Structure, hu: NDArray[np.int16], grid: VoxelGrid) -> None:
    """Refuse an outline with missing contours: tissue in the slices of a gap, within the outlines on both its sides.

    Parameters
    ----------
    external : the patient's outline.
    hu : int16 [z, y, x] on the grid.

    Raises
    ------
    Refused
        With the place of the gap. A gap in which there is air separates parts and is none.
    """
    stack = stack_on_grid(external, grid)
    gaps = np.flatnonzero(stack.low_cm[1:] - stack.high_cm[:-1] > _TOUCHING_CM)
    for plane in gaps:
        tissue_cc = _tissue_cc(stack, int(plane), hu, grid)
        if tissue_cc >= _LEAST_CC:
            low_cm, high_cm = stack.z_cm[plane : plane + 2]
            raise Refused(
                f"The external contour '{external.name}' has no contours between {low_cm:.2f} and {high_cm:.2f} cm "
                f"along the slices' normal, where the CT shows {tissue_cc:.0f} cm³ of tissue; it would be taken for "
                "air.",
                hint="Contour the outline on every slice.",
            )


def _tissue_cc(stack: ContourStack, plane: int, hu: NDArray[np.int16], grid: VoxelGrid) -> float:
    """Tissue between a plane and the next one, in slices that neither reaches, within both outlines; in cm³."""
    edges, slabs = to_index(stack, grid)
    left_out = _ENDS_SPACINGS * stack.spacing_cm / grid.spacing_cm[2]
    first, last = int(np.ceil(slabs[plane, 1] + left_out)), int(np.floor(slabs[plane + 1, 0] - left_out))
    slices = hu[max(first, 0) : max(last + 1, 0)]
    if len(slices) == 0:
        return 0.0
    _, ny, nx = grid.shape_zyx
    both = np.ones((ny, nx), dtype=np.bool_)
    for side in (plane, plane + 1):
        part = np.ascontiguousarray(edges[stack.offset[side] : stack.offset[side + 1]])
        both &= coverage(part, ny, nx, _LINES_PER_VOXEL) >= INSIDE_FRAC
    return int(np.count_nonzero(slices[:, both] > _TISSUE_HU)) * grid.voxel_volume_cm3
