"""Volumes turned so that x, y, z rise along the patient's left, posterior, superior; no voxel changes."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ert.geometry.grid import VoxelGrid

_Scalar = TypeVar("_Scalar", bound=np.generic)
_AXIS_TOLERANCE = 1e-5
_Z = 2


def along_patient_axes(grid: VoxelGrid, volume: NDArray[_Scalar]) -> tuple[VoxelGrid, NDArray[_Scalar], list[int]]:
    """Exchange and reverse array axes until the grid runs along the patient's axes.

    Only a stack of transverse slices is turned, so that slices and files stay together; any other (sagittal, coronal,
    oblique) is returned as it is, with its own axes.

    Returns
    -------
    VoxelGrid
        Of the turned volume.
    ndarray
        [z, y, x], C order.
    list of int
        For each slice of the turned volume, its number in the given one.
    """
    axes = np.asarray(grid.axes)
    order = list(range(grid.shape_zyx[0]))
    nearest = np.argmax(np.abs(axes), axis=1)
    is_aligned = np.allclose(np.abs(axes), np.eye(3)[nearest], atol=_AXIS_TOLERANCE)
    if not is_aligned or nearest[_Z] != _Z:
        return grid, volume, order
    spacing, origin = np.asarray(grid.spacing_cm), np.asarray(grid.origin_cm)
    for axis in range(3):
        if axes[axis, nearest[axis]] < 0:
            last = volume.shape[2 - axis] - 1
            origin = origin + axes[axis] * spacing[axis] * last
            volume = np.flip(volume, 2 - axis)
            if axis == _Z:
                order.reverse()
    if nearest[0] == 1:
        volume = volume.transpose(0, 2, 1)
        spacing = spacing[[1, 0, 2]]
    turned = np.ascontiguousarray(volume)
    nz, ny, nx = turned.shape
    return VoxelGrid(origin_cm=origin, spacing_cm=spacing, shape_zyx=(nz, ny, nx)), turned, order
