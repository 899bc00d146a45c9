"""Where a slice view's pixels lie in the patient: plane axes, flips, direction letters. No Qt here.

A view shows the image plane whose grid index is constant along one grid axis. Columns and rows count in display
order (after flips); everything follows from the grid's axes, so all patient positions and oblique series come out
right.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ert.geometry.grid import Float3, VoxelGrid

# A direction is named by every patient axis it leans to by more than this (about 10 degrees).
_LETTER_THRESHOLD = math.sin(math.radians(10.0))
_NAMES = (("L", "R"), ("P", "A"), ("Sup", "Inf"))
_PLANES = ("Sagittal", "Coronal", "Axial")
# (grid axis held constant) -> (grid axis of columns, grid axis of rows)
_PLANE_AXES = {2: (0, 1), 1: (0, 2), 0: (1, 2)}


def direction_name(vector: ArrayLike) -> str:
    """Anatomical name of a direction in the patient, strongest part first: ``L``, ``Sup``, ``P-Inf``."""
    parts = np.asarray(vector, dtype=float)
    order = np.argsort(-np.abs(parts), kind="stable")
    return "-".join(_NAMES[a][0 if parts[a] > 0 else 1] for a in order if abs(parts[a]) > _LETTER_THRESHOLD)


@attrs.frozen(kw_only=True)
class SliceGeometry:
    """One family of parallel slices through a grid.

    Attributes
    ----------
    grid : the image's grid.
    axis : grid axis that is constant on a slice: 0 (i), 1 (j) or 2 (k).
    """

    grid: VoxelGrid
    axis: int

    @property
    def column_axis(self) -> int:
        """Grid axis along which columns count."""
        return _PLANE_AXES[self.axis][0]

    @property
    def row_axis(self) -> int:
        """Grid axis along which rows count."""
        return _PLANE_AXES[self.axis][1]

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether columns and rows run against their grid axes.

        An image plane as acquired is shown as acquired. In the other planes superior is up, and the columns run to the
        patient's left or back, as reports are read.
        """
        if self.axis == 2:  # noqa: PLR2004
            return False, False
        across, down = (np.asarray(self.grid.axes[a]) for a in (self.column_axis, self.row_axis))
        return _runs_backward(across, (0, 1, 2)), _runs_backward(-down, (2, 1, 0))

    @property
    def slice_count(self) -> int:
        """Number of slices."""
        return self.grid.shape_zyx[2 - self.axis]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of one slice."""
        return self.grid.shape_zyx[2 - self.row_axis], self.grid.shape_zyx[2 - self.column_axis]

    @property
    def pixel_cm(self) -> tuple[float, float]:
        """Width of a column and height of a row."""
        return self.grid.spacing_cm[self.column_axis], self.grid.spacing_cm[self.row_axis]

    @property
    def name(self) -> str:
        """Anatomical name of the plane; says so when it is turned by more than about ten degrees."""
        normal = np.abs(np.asarray(self.grid.axes[self.axis]))
        name = _PLANES[int(np.argmax(normal))]
        is_turned = float(np.max(normal)) < math.cos(math.radians(10.0))
        return f"{name}, oblique" if is_turned else name

    def edge_names(self) -> tuple[str, str, str, str]:
        """Directions at the left, right, upper and lower edge of the view."""
        flip_columns, flip_rows = self.flips
        right = np.asarray(self.grid.axes[self.column_axis]) * (-1 if flip_columns else 1)
        down = np.asarray(self.grid.axes[self.row_axis]) * (-1 if flip_rows else 1)
        return direction_name(-right), direction_name(right), direction_name(-down), direction_name(down)

    def plane_of(self, volume: NDArray[Any], index: int) -> NDArray[Any]:
        """The slice of a volume [z, y, x] on this grid as rows × columns in display order (a view, not a copy)."""
        plane: NDArray[Any] = np.moveaxis(volume, 2 - self.axis, 0)[index, ...]
        flip_columns, flip_rows = self.flips
        return plane[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]

    def to_display(self, index_xyz: ArrayLike) -> NDArray[np.float64]:
        """Columns and rows, shape (..., 2), of fractional grid indices, shape (..., 3)."""
        index = np.asarray(index_xyz, dtype=float)
        rows, columns = self.shape
        flip_columns, flip_rows = self.flips
        u, v = index[..., self.column_axis], index[..., self.row_axis]
        u = (columns - 1) - u if flip_columns else u
        v = (rows - 1) - v if flip_rows else v
        return np.stack([u, v], axis=-1)

    def display_of(self, point_cm: ArrayLike) -> NDArray[np.float64]:
        """Columns and rows, shape (..., 2), of patient points, shape (..., 3), seen along the normal."""
        return self.to_display(self.grid.index_xyz(point_cm))

    def point_cm(self, column: float, row: float, slice_index: float) -> Float3:
        """The patient point at a display position on a slice."""
        rows, columns = self.shape
        flip_columns, flip_rows = self.flips
        index = [0.0, 0.0, 0.0]
        index[self.axis] = slice_index
        index[self.column_axis] = (columns - 1) - column if flip_columns else column
        index[self.row_axis] = (rows - 1) - row if flip_rows else row
        x, y, z = self.grid.point_cm(index)
        return float(x), float(y), float(z)

    def slice_of(self, point_cm: ArrayLike) -> float:
        """Fractional slice index of a patient point."""
        return float(self.grid.index_xyz(point_cm)[self.axis])

    def position_cm(self, slice_index: float) -> float:
        """Patient coordinate along the plane's main normal, at the slice's centre."""
        rows, columns = self.shape
        point = self.point_cm((columns - 1) / 2, (rows - 1) / 2, slice_index)
        return point[int(np.argmax(np.abs(np.asarray(self.grid.axes[self.axis]))))]

    @property
    def position_name(self) -> str:
        """The patient axis that `position_cm` counts along."""
        return "xyz"[int(np.argmax(np.abs(np.asarray(self.grid.axes[self.axis]))))]


def _runs_backward(vector: NDArray[np.float64], priority: tuple[int, int, int]) -> bool:
    """True if the vector's leading component is negative; ties within 10 degrees go by priority."""
    strongest = float(np.max(np.abs(vector)))
    for axis in priority:
        if abs(vector[axis]) > strongest - _LETTER_THRESHOLD:
            return bool(vector[axis] < 0)
    return False
