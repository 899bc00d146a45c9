"""Sums of doses against closed forms: trilinear sampling of a linear dose is exact, whatever the grids."""

import attrs
import numpy as np
import pytest

from ert.analysis.dose_sum import common_grid, on_grid, summed
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid

FINE = VoxelGrid(origin_cm=(0.0, 0.0, 0.0), spacing_cm=(0.25, 0.25, 0.25), shape_zyx=(9, 9, 9))
COARSE = VoxelGrid(origin_cm=(1.1, 0.3, 0.2), spacing_cm=(0.5, 0.5, 0.5), shape_zyx=(5, 5, 5))


def linear(grid, slope=(1.0, 2.0, 3.0), at_zero=10.0):
    k, j, i = np.indices(grid.shape_zyx)
    points = grid.point_cm(np.stack([i, j, k], axis=-1))
    return (at_zero + points @ np.asarray(slope)).astype(np.float32)


def test_the_common_grid_keeps_the_finest_lattice_and_holds_every_centre():
    grid = common_grid([COARSE, FINE])
    assert grid.spacing_cm == FINE.spacing_cm
    assert np.allclose(grid.index_xyz(FINE.origin_cm) % 1, 0)
    for part in (FINE, COARSE):
        nz, ny, nx = part.shape_zyx
        index = grid.index_xyz(part.point_cm([(0, 0, 0), (nx - 1, ny - 1, nz - 1)]))
        assert index.min() >= 0
        assert np.all(index <= np.asarray(grid.shape_zyx)[::-1] - 1)
    # from 0 to 3.1, 2.3, 2.2 cm in steps of 0.25 cm
    assert grid.shape_zyx == (10, 11, 14)


def test_equal_grids_are_added_voxel_by_voxel_without_resampling():
    grid = common_grid([FINE, FINE])
    assert grid == FINE
    first, second = linear(FINE), linear(FINE, at_zero=0.5)
    assert on_grid(first, FINE, grid) is first
    np.testing.assert_array_equal(summed([first, second]), (first.astype(float) + second).astype(np.float32))


def test_grids_on_one_lattice_keep_their_values_exactly():
    moved = attrs.evolve(FINE, origin_cm=(0.75, -0.5, 0.25))
    grid = common_grid([FINE, moved])
    gy = np.random.default_rng(1).random(FINE.shape_zyx).astype(np.float32)
    i, j, k = np.rint(grid.index_xyz(moved.origin_cm)).astype(int)
    np.testing.assert_allclose(on_grid(gy, moved, grid)[k : k + 9, j : j + 9, i : i + 9], gy, rtol=2e-6)


def test_a_linear_dose_comes_over_exactly_and_nothing_lies_beyond():
    grid = common_grid([COARSE, FINE])
    added = on_grid(linear(COARSE), COARSE, grid)
    k, j, i = np.indices(grid.shape_zyx)
    index = COARSE.index_xyz(grid.point_cm(np.stack([i, j, k], axis=-1)))
    within = np.all((index >= 0) & (index <= 4), axis=-1)
    np.testing.assert_allclose(added[within], linear(grid)[within], rtol=1e-5)
    beyond = np.any((index < -0.5 - 1e-9) | (index > 4.5 + 1e-9), axis=-1)
    assert within.any()
    assert beyond.any()
    assert not added[beyond].any()


def test_turned_grids_and_none_are_refused():
    turned = attrs.evolve(FINE, axes=((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    with pytest.raises(Refused, match="turned"):
        common_grid([FINE, turned])
    with pytest.raises(Refused, match="no dose grid"):
        common_grid([])


def test_a_sum_too_large_for_memory_is_refused():
    far = attrs.evolve(FINE, origin_cm=(5000.0, 5000.0, 5000.0))
    with pytest.raises(Refused, match="million voxels"):
        common_grid([FINE, far])
