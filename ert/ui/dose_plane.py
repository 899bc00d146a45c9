"""A slice through a dose array, on the dose's own grid, and where its samples lie in a slice view. No Qt here."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, cast

import attrs
import contourpy
import numpy as np
from numpy.typing import NDArray

from ert.geometry.grid import VoxelGrid
from ert.ui.slice_geometry import SliceGeometry

_LEAST_SIGMA_FRAC = 1e-6
_AXES_TOLERANCE = 1e-4


@attrs.frozen(kw_only=True, eq=False)
class Polylines:
    """Many lines in one array: the noise of a Monte Carlo makes hundreds, and a step of Python for each takes longest.

    Attributes
    ----------
    points : (n, 2), one line after the other.
    starts : (lines + 1,) where each begins, then n.
    """

    points: NDArray[np.float64]
    starts: NDArray[np.integer[Any]]

    @property
    def longest(self) -> NDArray[np.float64]:
        """The line with the most points, (m, 2); empty if there is none."""
        if len(self.points) == 0:
            return self.points
        at = int(np.argmax(np.diff(self.starts)))
        return self.points[self.starts[at] : self.starts[at + 1]]


_NO_LINES = Polylines(points=np.zeros((0, 2)), starts=np.zeros(1, dtype=np.int64))


@attrs.frozen(kw_only=True, eq=False)
class DosePlane:
    """Dose on one image slice.

    Attributes
    ----------
    gy : float32 (rows, columns) on the dose grid, display order.
    origin : column and row of the slice view (fractional image pixels) of sample [0, 0].
    step : columns and rows of the slice view between samples.
    """

    gy: NDArray[np.float32]
    origin: tuple[float, float]
    step: tuple[float, float]

    def lines_at(self, levels_gy: Sequence[float]) -> list[Polylines]:
        """Isodose lines of several levels, in their order, in columns and rows of the slice view.

        Preparing the plane costs more than one level's lines.
        """
        box = _box_above(self.gy, min(levels_gy)) if levels_gy else None
        if box is None:
            return [_NO_LINES for _ in levels_gy]
        (top, bottom), (left, right) = box
        generator = contourpy.contour_generator(
            z=self.gy[top:bottom, left:right], line_type=contourpy.LineType.ChunkCombinedOffset
        )
        shift = np.array([left, top], dtype=float)
        found = []
        for level_gy in levels_gy:
            ((points,), (starts,)) = cast(Any, generator.lines(level_gy))  # its type depends on the line type
            if points is None:
                found.append(_NO_LINES)
            else:
                found.append(Polylines(points=(points + shift) * self.step + self.origin, starts=starts))
        return found

    def band(self, level_gy: float, sigma_gy: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Where the dose is the level within one standard error: outlines and holes (n, 2), filled by even and odd.

        Parameters
        ----------
        sigma_gy : float32 (rows, columns), standard error of each sample; 0 where there is no dose.
        """
        box = _box_above(self.gy + sigma_gy, level_gy)
        if box is None:
            return []
        (top, bottom), (left, right) = box
        gy, sigma = (a[top:bottom, left:right].astype(np.float64) for a in (self.gy, sigma_gy))
        away = (gy - level_gy) / np.maximum(sigma, _LEAST_SIGMA_FRAC * level_gy)
        generator = contourpy.contour_generator(z=away, fill_type=contourpy.FillType.OuterOffset)
        found: Any = generator.filled(-1.0, 1.0)  # its type depends on the fill type
        points, offsets = found
        shift = np.array([left, top], dtype=float)
        return [
            (np.asarray(outline[start:end], dtype=float) + shift) * self.step + self.origin
            for outline, ends in zip(points, offsets, strict=True)
            for start, end in itertools.pairwise(ends.tolist())
        ]


def _box_above(gy: NDArray[np.float32], level_gy: float) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Rows and columns that hold everything at or above a level, one sample wider where there is room."""
    above = gy >= level_gy
    rows, columns = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    if rows.size == 0:
        return None
    top, bottom = max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 2, gy.shape[0])
    left, right = max(int(columns[0]) - 1, 0), min(int(columns[-1]) + 2, gy.shape[1])
    if bottom - top < 2 or right - left < 2:  # noqa: PLR2004
        return None
    return (top, bottom), (left, right)


def is_parallel(dose_grid: VoxelGrid, image_grid: VoxelGrid) -> bool:
    """True if both grids have the same axes: the only doses a slice view draws."""
    return bool(np.allclose(dose_grid.axes, image_grid.axes, atol=_AXES_TOLERANCE))


def dose_plane(
    gy: NDArray[np.float32], dose_grid: VoxelGrid, geometry: SliceGeometry, slice_index: int
) -> DosePlane | None:
    """Dose on an image slice, interpolated linearly between the two nearest planes of the dose grid.

    Returns
    -------
    DosePlane or None
        None if the slice lies outside the dose grid or the grids are not parallel.
    """
    if not is_parallel(dose_grid, geometry.grid):
        return None
    image_grid = geometry.grid
    start = image_grid.index_xyz(dose_grid.origin_cm)
    ratio = np.asarray(dose_grid.spacing_cm) / np.asarray(image_grid.spacing_cm)
    axis = geometry.axis
    depth = (slice_index - start[axis]) / ratio[axis]
    plane = _between(gy, 2 - axis, depth)
    if plane is None:
        return None
    flip_columns, flip_rows = geometry.flips
    rows, columns = plane.shape
    plane = np.ascontiguousarray(plane[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])
    first = np.array(start)
    first[geometry.column_axis] += (columns - 1) * ratio[geometry.column_axis] if flip_columns else 0.0
    first[geometry.row_axis] += (rows - 1) * ratio[geometry.row_axis] if flip_rows else 0.0
    u, v = geometry.to_display(first)
    return DosePlane(
        gy=plane,
        origin=(float(u), float(v)),
        step=(float(ratio[geometry.column_axis]), float(ratio[geometry.row_axis])),
    )


def _between(gy: NDArray[np.float32], array_axis: int, depth: float) -> NDArray[np.float32] | None:
    """Linear interpolation between two planes; None beyond half a plane outside."""
    last = gy.shape[array_axis] - 1
    if not -0.5 <= depth <= last + 0.5:
        return None
    depth = min(max(depth, 0.0), float(last))
    low = math.floor(depth)
    part = np.float32(depth - low)
    planes = np.moveaxis(gy, array_axis, 0)
    if part == 0:
        return planes[low, ...]
    return planes[low, ...] * (1 - part) + planes[low + 1, ...] * part


def dose_at(gy: NDArray[np.float32], grid: VoxelGrid, point_cm: tuple[float, float, float]) -> float | None:
    """Trilinear dose in Gy at a patient point; None outside the grid."""
    index = grid.index_xyz(point_cm)[::-1]
    upper = np.asarray(grid.shape_zyx) - 1
    if np.any(index < -1e-6) or np.any(index > upper + 1e-6):
        return None
    index = np.clip(index, 0, upper)
    low = np.minimum(np.floor(index).astype(int), np.maximum(upper - 1, 0))
    part = index - low
    total = 0.0
    for dk, dj, di in np.ndindex(2, 2, 2):
        corner = np.minimum(low + (dk, dj, di), upper)
        weight = np.prod([p if d else 1 - p for p, d in zip(part, (dk, dj, di), strict=True)])
        total += float(weight) * float(gy[tuple(corner)])
    return total
