"""Trilinear interpolation reproduces linear fields exactly, on any plane and grid."""

import numpy as np
import pytest

from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from ert.geometry.resample import Plane, SliceAxis, grid_plane, resample, sample_at, sample_plane
from tests.shapes import rotation

AXES = rotation(15, 70)
GRID = VoxelGrid(origin_cm=(1, 2, 3), spacing_cm=(0.2, 0.3, 0.5), shape_zyx=(12, 20, 30), axes=AXES)
SLOPE = np.array([0.7, -1.3, 2.1])


def linear(points):
    return np.asarray(points) @ SLOPE + 5


def field():
    k, j, i = np.indices(GRID.shape_zyx)
    return linear(GRID.point_cm(np.stack([i, j, k], axis=-1))).astype(np.float32)


def test_linear_field_is_exact_inside():
    index = np.random.default_rng(3).uniform(0, [29, 19, 11], size=(200, 3))
    points = GRID.point_cm(index)
    assert sample_at(field(), GRID, points) == pytest.approx(linear(points), rel=1e-5)
    assert sample_at(field(), GRID, points.reshape(10, 20, 3)).shape == (10, 20)


def test_border_half_voxel_holds_and_beyond_is_outside():
    values = field()
    assert sample_at(values, GRID, GRID.point_cm((-0.4, 0, 0))) == pytest.approx(values[0, 0, 0])
    assert sample_at(values, GRID, GRID.point_cm((29.4, 19.4, 11.4))) == pytest.approx(values[-1, -1, -1])
    assert sample_at(values, GRID, GRID.point_cm((-0.6, 0, 0)), outside=-7) == -7
    assert sample_at(values, GRID, GRID.point_cm((0, 0, 11.6)), outside=-7) == -7


@pytest.mark.parametrize(
    ("axis", "index", "expected"),
    [("axial", 4, np.s_[4]), ("coronal", 7, np.s_[:, 7]), ("sagittal", 9, np.s_[:, :, 9])],
)
def test_orthogonal_planes_are_the_slices_of_the_array(axis, index, expected):
    plane = grid_plane(GRID, axis, index)
    values = field()
    assert sample_plane(values, GRID, plane) == pytest.approx(values[expected], rel=1e-5)
    assert sample_plane((values * 100).astype(np.int16), GRID, plane) == pytest.approx(values[expected] * 100, abs=1)


def test_plane_between_slices_and_oblique():
    middle = sample_plane(field(), GRID, grid_plane(GRID, SliceAxis.AXIAL, 4.5))
    assert middle == pytest.approx((field()[4] + field()[5]) / 2, rel=1e-4)
    centre = GRID.point_cm((15, 10, 6))
    u_axis, v_axis, _ = rotation(33, 12)
    plane = Plane(
        origin_cm=tuple(centre), u_axis=tuple(u_axis), v_axis=tuple(v_axis), spacing_cm=(0.05, 0.1), shape_vu=(8, 12)
    )
    v, u = np.indices((8, 12))
    points = plane.point_cm(np.stack([u, v], axis=-1))
    assert sample_plane(field(), GRID, plane) == pytest.approx(linear(points), rel=1e-5)
    assert plane.pixel_uv(points)[3, 5] == pytest.approx((5, 3))


def test_resampling_to_another_grid():
    target = VoxelGrid(origin_cm=GRID.point_cm((8, 6, 3)), spacing_cm=(0.1, 0.1, 0.1), shape_zyx=(9, 8, 7))
    k, j, i = np.indices(target.shape_zyx)
    points = target.point_cm(np.stack([i, j, k], axis=-1))
    assert resample(field(), GRID, target) == pytest.approx(linear(points), rel=1e-5)
    far = VoxelGrid(origin_cm=(90, 90, 90), spacing_cm=(1, 1, 1), shape_zyx=(2, 2, 2))
    assert (resample(field(), GRID, far, outside=3.5) == 3.5).all()


def test_single_slice_grid_can_be_sampled():
    grid = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(1, 1, 1), shape_zyx=(1, 2, 2))
    values = np.array([[[0, 1], [2, 3]]], dtype=np.float32)
    assert sample_at(values, grid, (0.5, 0.5, 0.3)) == pytest.approx(1.5)


def test_slice_outside_the_grid_is_refused():
    with pytest.raises(Refused, match="no axial slice 12; the grid has 12"):
        grid_plane(GRID, "axial", 12)
