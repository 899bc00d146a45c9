"""Dose–volume histograms from contours and a dose grid.

* Volume: each contour plane stands for the slab half way to its neighbours; the first and last plane reach half a plane
  spacing outward (`ert.geometry.contours`). Contours on one plane combine by exclusive or.
* Sampling: lines along x at a fifth of the dose grid's spacing or closer, at least five layers a slab; small structures
  are sampled finer, to the equivalent of 10 000 points. Along a line the dose is integrated exactly between the grid's
  nodes, not sampled.
* Dose: trilinear; constant from the outermost voxel centres to their faces; nothing beyond.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ert.domain.dvh import Dvh
from ert.domain.structure import Structure
from ert.errors import Refused
from ert.geometry.contours import ContourStack, EndRule, contour_stack
from ert.geometry.grid import VoxelGrid
from ert.geometry.kernels.histogram import bits_range, stack_histogram
from ert.geometry.raster import stack_volume_cc

BIN_GY = 0.01
_LEAST_BINS = 1000
_MOST_BINS = 100_000
_LINES_PER_VOXEL = 5
_LEAST_SAMPLES = 10_000
F64 = NDArray[np.float64]


def compute_dvh(
    structure: Structure, dose_gy: NDArray[np.float32], grid: VoxelGrid, *, end_rule: EndRule = EndRule.HALF_SPACING
) -> Dvh:
    """Cumulative dose–volume histogram of a structure.

    Parameters
    ----------
    structure : its contours may lie on planes of any direction, whatever the dose grid's.
    dose_gy : float32 [z, y, x] on the grid.
    end_rule : where the structure ends; other than the default only to compare with other systems.

    Raises
    ------
    Refused
        If the structure is empty, or dose and grid do not belong together.
    """
    if dose_gy.shape != grid.shape_zyx:
        raise Refused(f"A dose array has shape {dose_gy.shape}, its grid {grid.shape_zyx}.")
    values = np.ascontiguousarray(dose_gy, dtype=np.float32)
    highest_gy = _highest_gy(values)
    stack = contour_stack(structure, single_plane_cm=grid.spacing_cm[2], end_rule=end_rule)
    bin_gy = _bin_gy(highest_gy)
    n_bins = int(highest_gy / bin_gy) + 3
    line_cm, layer_cm = _pitches_cm(stack, grid)
    to_index = _to_index(stack, grid)
    below, totals = stack_histogram(
        values,
        stack.edges,
        stack.offset,
        stack.low_cm,
        stack.high_cm,
        to_index,
        _nodes(to_index, grid),
        line_cm,
        layer_cm,
        n_bins,
        bin_gy,
    )
    return _as_dvh(structure, below, totals, bin_gy)


def _highest_gy(dose_gy: NDArray[np.float32]) -> float:
    """Highest dose; floats without a sign have the order of their bits, which are compared many at once."""
    least, most = bits_range(dose_gy.reshape(-1).view(np.int32))
    highest_gy = float(np.int32(most).view(np.float32))
    if (least < 0 and not (dose_gy >= 0).all()) or not np.isfinite(highest_gy):  # minus zero has a sign, and is none
        raise Refused("A dose array has negative values, or values that are no numbers.")
    return max(highest_gy, 0.0)


def _as_dvh(structure: Structure, below: F64, totals: F64, bin_gy: float) -> Dvh:
    inside_cc, dose_sum, lowest, highest, outside_cc = (float(v) for v in totals)
    volume_cc = inside_cc + outside_cc
    if volume_cc <= 0:
        raise Refused(f"Structure '{structure.name}' encloses no volume.")
    if inside_cc == 0:
        lowest = highest = 0.0
    volume_pct = 100.0 * np.clip(inside_cc - below, 0.0, inside_cc) / volume_cc
    volume_pct[0] = 100.0
    used = min(int(highest / bin_gy) + 2, len(below))
    volume_pct = np.minimum.accumulate(volume_pct)[:used]
    volume_pct[-1] = 0.0
    return Dvh(
        structure_number=structure.number,
        name=structure.name,
        colour=structure.colour,
        volume_cc=volume_cc,
        dose_gy=np.arange(used) * bin_gy,
        volume_pct=volume_pct,
        min_gy=0.0 if outside_cc > 1e-6 * volume_cc else lowest,
        mean_gy=dose_sum / volume_cc,
        max_gy=highest,
        outside_cc=outside_cc,
    )


def _bin_gy(highest_gy: float) -> float:
    """1 cGy, finer where the highest dose is below 10 Gy."""
    if highest_gy <= 0:
        return BIN_GY
    return max(min(BIN_GY, highest_gy / _LEAST_BINS), highest_gy / _MOST_BINS)


def _pitches_cm(stack: ContourStack, grid: VoxelGrid) -> tuple[float, float]:
    """Largest distance of lines and of layers."""
    finest_cm = min(grid.spacing_cm)
    wanted_cm = (max(stack_volume_cc(stack), 1e-6) / _LEAST_SAMPLES) ** (1 / 3)
    return min(finest_cm / _LINES_PER_VOXEL, wanted_cm), min(grid.spacing_cm[2] / _LINES_PER_VOXEL, wanted_cm)


def _to_index(stack: ContourStack, grid: VoxelGrid) -> F64:
    """Affine map (3, 4) from stack coordinates to index positions of the dose grid."""
    at = grid.index_xyz(np.concatenate([np.asarray(stack.axes), np.zeros((1, 3))]))
    step = at[:3] - at[3]
    step[np.abs(step) < 1e-9 * np.abs(step).max()] = 0.0
    return np.column_stack([*step, at[3]])


def _nodes(to_index: F64, grid: VoxelGrid) -> tuple[float, float]:
    """Along a line: the grid's own nodes if the line runs along one of its axes, else a quarter of the spacing."""
    step = to_index[:, 0]
    main = int(np.argmax(np.abs(step)))
    if np.abs(np.delete(step, main)).max() < 1e-9 * abs(step[main]) and np.abs(to_index[main, 1:3]).max() < 1e-9:
        return float(-to_index[main, 3] / step[main]), float(1 / abs(step[main]))
    return 0.0, min(grid.spacing_cm) / 4
