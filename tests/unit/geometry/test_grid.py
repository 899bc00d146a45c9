"""Voxel grids: positions, refusals."""

import numpy as np
import pytest

from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from tests.shapes import rotation


def test_axis_aligned_positions():
    grid = VoxelGrid(origin_cm=(-1, -2, -3), spacing_cm=(0.1, 0.2, 0.5), shape_zyx=(4, 5, 6))
    assert grid.point_cm((3, 2, 1)) == pytest.approx((-0.7, -1.6, -2.5))
    assert grid.index_xyz((-0.7, -1.6, -2.5)) == pytest.approx((3, 2, 1))
    assert grid.size_zyx == 120
    assert grid.voxel_volume_cm3 == pytest.approx(0.01)
    assert grid.is_axis_aligned
    assert grid.axis_centres_cm(0) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert grid.axis_centres_cm(2) == pytest.approx([0, 0.5, 1.0, 1.5])
    corners = grid.corners_cm()
    assert corners.min(axis=0) == pytest.approx((-1.05, -2.1, -3.25))
    assert corners.max(axis=0) == pytest.approx((-0.45, -1.1, -1.25))


def test_oblique_positions_follow_the_axes():
    axes = rotation(90, 0)  # y axis of the grid is the patient's z, z axis the patient's -y
    grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(1, 2, 3), shape_zyx=(2, 2, 2), axes=axes)
    assert not grid.is_axis_aligned
    assert grid.point_cm((0, 1, 0)) == pytest.approx((0, 0, 2))
    assert grid.point_cm((0, 0, 1)) == pytest.approx((0, -3, 0))


def test_index_and_point_are_inverse_for_any_axes():
    grid = VoxelGrid(origin_cm=(5, 1, -7), spacing_cm=(0.1, 0.2, 0.3), shape_zyx=(9, 9, 9), axes=rotation(31, 17))
    points = np.random.default_rng(0).uniform(-20, 20, size=(4, 5, 3))
    assert grid.point_cm(grid.index_xyz(points)) == pytest.approx(points)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"spacing_cm": (0.1, 0.0, 0.1)}, "must be positive"),
        ({"shape_zyx": (0, 1, 1)}, "must be positive"),
        ({"origin_cm": (0, float("nan"), 0)}, "not a finite number"),
        ({"axes": ((1, 0, 0), (0, 1, 0), (0, 0, -1))}, "right-handed"),
        ({"axes": ((1, 0, 0), (0.1, 1, 0), (0, 0, 1))}, "right-handed"),
    ],
)
def test_impossible_grids_are_refused(change, sentence):
    good = {"origin_cm": (0, 0, 0), "spacing_cm": (1, 1, 1), "shape_zyx": (2, 2, 2)}
    with pytest.raises(Refused, match=sentence):
        VoxelGrid(**{**good, **change})
