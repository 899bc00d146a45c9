"""Voxel grids: where the centre of voxel (i, j, k) lies in the patient."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.errors import Refused

Float3 = tuple[float, float, float]
Axes = tuple[Float3, Float3, Float3]
IDENTITY_AXES: Axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_ORTHONORMAL_TOLERANCE = 1e-5


def _float3(value: ArrayLike) -> Float3:
    x, y, z = np.asarray(value, dtype=float)
    return (float(x), float(y), float(z))


def _int3(value: ArrayLike) -> tuple[int, int, int]:
    z, y, x = np.asarray(value)
    return (int(z), int(y), int(x))


def _axes(value: ArrayLike) -> Axes:
    rows = np.asarray(value, dtype=float).reshape(3, 3)
    return (_float3(rows[0]), _float3(rows[1]), _float3(rows[2]))


@attrs.frozen(kw_only=True)
class VoxelGrid:
    """A right-handed, evenly spaced grid of voxel centres in DICOM patient coordinates (LPS, cm).

    Attributes
    ----------
    origin_cm : tuple of 3 float
        Centre of voxel ``i = j = k = 0``.
    spacing_cm : tuple of 3 float
        Distance of neighbouring centres along the grid's own x (column index i), y (row index j), z (slice index k).
    shape_zyx : tuple of 3 int
        Number of voxels; arrays on this grid are C-order ``[k, j, i]``.
    axes : 3 x 3
        Unit vectors of the grid's x, y, z in the patient, one a row; identity for an axial head-first supine CT.

    Raises
    ------
    Refused
        If spacing is not positive, a dimension is empty or the axes are not orthonormal and right-handed.
    """

    origin_cm: Float3 = attrs.field(converter=_float3)
    spacing_cm: Float3 = attrs.field(converter=_float3)
    shape_zyx: tuple[int, int, int] = attrs.field(converter=_int3)
    axes: Axes = attrs.field(converter=_axes, default=IDENTITY_AXES)

    def __attrs_post_init__(self) -> None:
        numbers = [*self.origin_cm, *self.spacing_cm, *np.ravel(self.axes)]
        if not all(math.isfinite(v) for v in numbers):
            raise Refused("The voxel grid has a coordinate that is not a finite number.")
        if min(self.spacing_cm) <= 0 or min(self.shape_zyx) < 1:
            raise Refused(
                f"The voxel grid has spacing {self.spacing_cm} cm and shape {self.shape_zyx}; both must be positive."
            )
        rows = np.asarray(self.axes)
        is_orthonormal = np.allclose(rows @ rows.T, np.eye(3), atol=_ORTHONORMAL_TOLERANCE)
        if not is_orthonormal or np.linalg.det(rows) < 0:
            raise Refused("The axes of the voxel grid are not perpendicular, right-handed unit vectors.")

    @property
    def size_zyx(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape_zyx)

    @property
    def voxel_volume_cm3(self) -> float:
        """Volume of one voxel, cm³."""
        return math.prod(self.spacing_cm)

    @property
    def is_axis_aligned(self) -> bool:
        """True if the grid's axes are the patient's x, y, z in that order and direction."""
        return bool(np.allclose(self.axes, IDENTITY_AXES, atol=_ORTHONORMAL_TOLERANCE))

    def point_cm(self, index_xyz: ArrayLike) -> NDArray[np.float64]:
        """Patient points, shape (..., 3), of (fractional) voxel indices (i, j, k), shape (..., 3)."""
        index = np.asarray(index_xyz, dtype=float)
        moved: NDArray[np.float64] = (index * np.asarray(self.spacing_cm)) @ np.asarray(self.axes)
        moved += np.asarray(self.origin_cm)
        return moved

    def index_xyz(self, point_cm: ArrayLike) -> NDArray[np.float64]:
        """Fractional voxel indices (i, j, k), shape (..., 3), of patient points, shape (..., 3)."""
        offset = np.asarray(point_cm, dtype=float) - np.asarray(self.origin_cm)
        along_cm: NDArray[np.float64] = offset @ np.asarray(self.axes).T
        along_cm /= np.asarray(self.spacing_cm)
        return along_cm

    def axis_centres_cm(self, axis: int) -> NDArray[np.float64]:
        """Distances of the voxel centres from voxel 0 along grid axis 0 (x), 1 (y) or 2 (z)."""
        return np.arange(self.shape_zyx[2 - axis], dtype=np.float64) * self.spacing_cm[axis]

    def corners_cm(self) -> NDArray[np.float64]:
        """The 8 outer corners (voxel faces, not centres), shape (8, 3)."""
        nz, ny, nx = self.shape_zyx
        corners = [(i, j, k) for k in (-0.5, nz - 0.5) for j in (-0.5, ny - 0.5) for i in (-0.5, nx - 0.5)]
        return self.point_cm(corners)
