"""Tissue on the voxels of the Monte Carlo's grid: means over volume, whatever the two spacings are."""

import numpy as np
import pytest

from ert.dose.monte_carlo_scene import alike_around, build_scene
from ert.dose.monte_carlo_tables import monte_carlo_tables
from ert.dose.physics import AIR_DENSITY_G_CM3
from ert.dose.tissue import TissueGrid
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid


def tissue_of(values, spacing_cm=(0.2, 0.2, 0.2), origin_cm=(0.0, 0.0, 0.0), **more):
    grid = VoxelGrid(origin_cm=origin_cm, spacing_cm=spacing_cm, shape_zyx=values.shape, **more)
    return TissueGrid(grid=grid, density_g_cm3=values, relative_stopping=values, relative_scattering=values)


def density_of(tissue, grid):
    scene = build_scene(monte_carlo_tables(), tissue, grid)
    return scene.density_g_cm3[scene.window]


def test_a_surface_within_a_voxel_stands_where_it_is():
    """CT of 2 mm, water from y = 0 on, a grid of 2.5 mm from −0.25 mm on: nine tenths of the first row are water."""
    values = np.full((6, 10, 6), 0.001, dtype=np.float32)
    values[:, 3:, :] = 1.0
    tissue = tissue_of(values, origin_cm=(0.0, -0.5, 0.0))
    grid = VoxelGrid(origin_cm=(0.6, 0.1, 0.6), spacing_cm=(0.25, 0.25, 0.25), shape_zyx=(1, 3, 1))
    assert density_of(tissue, grid)[0, :, 0] == pytest.approx([0.9 + 0.1 * 0.001, 1.0, 1.0], abs=1e-6)


@pytest.mark.parametrize("spacing_cm", [(0.25, 0.3, 0.15), (0.33, 0.2, 0.47), (0.05, 0.9, 0.21)])
def test_no_mass_is_lost_or_made(spacing_cm):
    """Mass in voxels that hold all of the tissue is the tissue's and that of the air around it, to single precision."""
    values = np.random.default_rng(5).uniform(0.2, 1.9, (11, 9, 13)).astype(np.float32)
    tissue = tissue_of(values, spacing_cm=(0.2, 0.3, 0.25), origin_cm=(-1.0, 2.0, 0.3))
    start = VoxelGrid(origin_cm=(-0.93, 2.11, 0.37), spacing_cm=spacing_cm, shape_zyx=(1, 1, 1))
    scene = build_scene(monte_carlo_tables(), tissue, start)
    mass = scene.density_g_cm3.sum(dtype=float) * np.prod(spacing_cm)
    tissue_cm3 = values.size * 0.2 * 0.3 * 0.25
    air_cm3 = scene.density_g_cm3.size * np.prod(spacing_cm) - tissue_cm3
    assert air_cm3 >= 0.0
    wanted = values.sum(dtype=float) * 0.2 * 0.3 * 0.25 + air_cm3 * AIR_DENSITY_G_CM3
    assert mass == pytest.approx(wanted, rel=1e-6)


def test_the_same_grid_keeps_every_voxel():
    values = np.random.default_rng(6).uniform(0.2, 1.9, (4, 5, 6)).astype(np.float32)
    tissue = tissue_of(values)
    assert np.array_equal(density_of(tissue, tissue.grid), values)


def test_grids_that_are_not_parallel_are_refused():
    turned = ((0.8, 0.6, 0.0), (-0.6, 0.8, 0.0), (0.0, 0.0, 1.0))
    grid = VoxelGrid(origin_cm=(0.4, 0.4, 0.4), spacing_cm=(0.2, 0.2, 0.2), shape_zyx=(2, 2, 2), axes=turned)
    with pytest.raises(Refused, match="not parallel"):
        build_scene(monte_carlo_tables(), tissue_of(np.ones((6, 6, 6), dtype=np.float32)), grid)


def test_voxels_are_alike_where_no_neighbour_differs_by_more_than_a_quarter():
    """A slab from the fifth of ten rows on: the rows beside its surface see both sides, the outermost see the edge."""
    density = np.ones((5, 10, 6), dtype=np.float32)
    density[:, 5:, :] = 1.26
    expected = np.zeros(density.shape, dtype=bool)
    expected[1:-1, [1, 2, 3, 6, 7, 8], 1:-1] = True
    assert np.array_equal(alike_around(density), expected)
    density[:, 5:, :] = 1.24
    expected[1:-1, 1:-1, 1:-1] = True
    assert np.array_equal(alike_around(density), expected)
    assert not np.any(alike_around(density[:1]))
