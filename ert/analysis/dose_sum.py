"""Doses of several plans on one grid, and their sum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ert.domain.dose import DoseResult
from ert.domain.dose_uncertainty import (
    DoseUncertainty,
    histories_of,
    in_quadrature,
    mean_uncertainty_pct,
    shared_sigma,
)
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from ert.geometry.resample import resample

F32 = NDArray[np.float32]
MAX_VOXELS = 60_000_000
_SAME = 1e-6


def common_grid(grids: Sequence[VoxelGrid]) -> VoxelGrid:
    """The grid that holds all of these, on the lattice of the finest (the first of equally fine ones).

    Raises
    ------
    Refused
        If there is none, their axes differ, or the grid would have more than 60 million voxels.
    """
    if not grids:
        raise Refused("There is no dose grid to add on.")
    if any(not np.allclose(g.axes, grids[0].axes, atol=_SAME) for g in grids):
        raise Refused("The dose grids are turned against one another and cannot be added.")
    finest = min(grids, key=lambda g: g.voxel_volume_cm3)
    ends = np.concatenate([finest.index_xyz(_end_centres_cm(g)) for g in grids])
    first = np.floor(ends.min(axis=0) + _SAME).astype(int)
    last = np.ceil(ends.max(axis=0) - _SAME).astype(int)
    count = last - first + 1
    if np.prod(count.astype(float)) > MAX_VOXELS:
        raise Refused(
            f"The sum would need {np.prod(count.astype(float)) / 1e6:.0f} million voxels.",
            hint="Compute the plans on coarser dose grids.",
        )
    return VoxelGrid(
        origin_cm=finest.point_cm(first), spacing_cm=finest.spacing_cm, shape_zyx=count[::-1], axes=finest.axes
    )


def _end_centres_cm(grid: VoxelGrid) -> NDArray[np.float64]:
    nz, ny, nx = grid.shape_zyx
    return grid.point_cm([(0, 0, 0), (nx - 1, ny - 1, nz - 1)])


def on_grid(dose_gy: F32, grid: VoxelGrid, target: VoxelGrid) -> F32:
    """A dose [z, y, x] on another grid: the same values where the centres coincide, else trilinear, nothing beyond."""
    return dose_gy if grid == target else resample(dose_gy, grid, target)


def summed_uncertainty(
    parts: Sequence[tuple[Sequence[DoseResult], Sequence[float]]], grid: VoxelGrid, total_gy: F32
) -> DoseUncertainty | None:
    """How certain a sum of doses is; None unless every part has beams with noise.

    Beams of different plans that answer one request share their histories: their errors add, all others in quadrature.
    Off its own lattice the standard error is interpolated like the dose, which overstates it somewhat, because
    neighbouring voxels' errors are nearly independent.

    Parameters
    ----------
    parts : of each plan the doses of its beams and their monitor units of the whole course.
    grid, total_gy : where the doses were added, and their sum.
    """
    if not parts or any(all(r.statistics is None for r in results) for results, _ in parts):
        return None
    results = [r for beams, _ in parts for r in beams]
    independent = shared_sigma(results, [mu for _, units in parts for mu in units])
    sigma = in_quadrature(
        [on_grid(found.astype(np.float32), own, grid).astype(np.float64) for own, found in independent.values()]
    )
    return DoseUncertainty(
        sigma_gy=sigma.astype(np.float32),
        mean_pct=mean_uncertainty_pct(total_gy, sigma),
        histories=histories_of(results),
        is_partial=any(r.statistics is None for r in results),
    )


def summed(doses_gy: Sequence[F32]) -> F32:
    """Sum of doses on one grid, added in their order in float64."""
    total = np.zeros(doses_gy[0].shape, dtype=np.float64)
    for gy in doses_gy:
        total += gy
    return total.astype(np.float32)
