"""Trilinear resampling: at points, on planes for the views, and from one grid to another.

Between the centres of the outermost voxels and their faces the outermost value holds; beyond the faces there is the
value `outside`.
"""

from __future__ import annotations

import enum
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.errors import Refused
from ert.geometry.grid import Float3, VoxelGrid
from ert.geometry.kernels.sample import sample_lattice, sample_points

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class SliceAxis(enum.StrEnum):
    """Orthogonal planes of a grid, and what runs along their columns (u) and rows (v)."""

    AXIAL = "axial"  # u = x, v = y
    CORONAL = "coronal"  # u = x, v = z
    SAGITTAL = "sagittal"  # u = y, v = z

    @property
    def axes_uvw(self) -> tuple[int, int, int]:
        """Grid axes (0 x, 1 y, 2 z) along u, along v, and across the plane."""
        return {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}[self.value]


@attrs.frozen(kw_only=True)
class Plane:
    """A lattice of pixels in the patient.

    Attributes
    ----------
    origin_cm : centre of pixel [v = 0, u = 0].
    u_axis, v_axis : unit vectors along columns and rows.
    spacing_cm : pixel distance along u and v.
    shape_vu : rows, columns.
    """

    origin_cm: Float3
    u_axis: Float3
    v_axis: Float3
    spacing_cm: tuple[float, float]
    shape_vu: tuple[int, int]

    def point_cm(self, uv: ArrayLike) -> F64:
        """Patient points (..., 3) of fractional pixel positions (u, v), shape (..., 2)."""
        steps = np.asarray(uv, dtype=np.float64) * np.asarray(self.spacing_cm)
        return np.asarray(np.asarray(self.origin_cm) + steps @ np.array([self.u_axis, self.v_axis]))

    def pixel_uv(self, point_cm: ArrayLike) -> F64:
        """Fractional pixel positions (u, v), shape (..., 2), of patient points (..., 3) projected at right angles."""
        offset = np.asarray(point_cm, dtype=np.float64) - np.asarray(self.origin_cm)
        return np.asarray((offset @ np.array([self.u_axis, self.v_axis]).T) / np.asarray(self.spacing_cm))


def grid_plane(grid: VoxelGrid, axis: SliceAxis | str, index: float) -> Plane:
    """The plane of a grid at a (fractional) slice index, pixels on its voxel centres.

    Raises
    ------
    Refused
        If the index is outside the grid.
    """
    u, v, w = SliceAxis(axis).axes_uvw
    size = grid.shape_zyx[2 - w]
    if not -0.5 <= index <= size - 0.5:
        raise Refused(f"There is no {SliceAxis(axis).value} slice {index}; the grid has {size}.")
    at = [0.0, 0.0, 0.0]
    at[w] = float(index)
    x, y, z = grid.point_cm(at)
    return Plane(
        origin_cm=(float(x), float(y), float(z)),
        u_axis=grid.axes[u],
        v_axis=grid.axes[v],
        spacing_cm=(grid.spacing_cm[u], grid.spacing_cm[v]),
        shape_vu=(grid.shape_zyx[2 - v], grid.shape_zyx[2 - u]),
    )


def sample_at(values: NDArray[Any], grid: VoxelGrid, points_cm: ArrayLike, *, outside: float = 0.0) -> F32:
    """Values, float32 (...), of an array [z, y, x] at patient points (..., 3)."""
    index = grid.index_xyz(points_cm)
    flat = np.ascontiguousarray(index.reshape(-1, 3))
    found: F32 = sample_points(values, flat, outside).reshape(index.shape[:-1])
    return found


def sample_plane(values: NDArray[Any], grid: VoxelGrid, plane: Plane, *, outside: float = 0.0) -> F32:
    """Values, float32 [v, u], of an array [z, y, x] on a plane of any position and direction."""
    corners = grid.index_xyz(plane.point_cm([(0, 0), (1, 0), (0, 1)]))
    nv, nu = plane.shape_vu
    du, dv = corners[1] - corners[0], corners[2] - corners[0]
    found: F32 = sample_lattice(values, corners[0], du, dv, np.zeros(3), (1, nv, nu), outside)[0]
    return found


def resample(values: NDArray[Any], grid: VoxelGrid, target: VoxelGrid, *, outside: float = 0.0) -> F32:
    """An array [z, y, x] of one grid as float32 on the voxel centres of another grid of any orientation."""
    corners = grid.index_xyz(target.point_cm([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]))
    du, dv, dw = corners[1:] - corners[0]
    found: F32 = sample_lattice(values, corners[0], du, dv, dw, target.shape_zyx, outside)
    return found
