"""Occupancy of voxels against volumes known in closed form."""

import math

import numpy as np
import pytest

from ert.errors import Refused
from ert.geometry.contours import contour_stack
from ert.geometry.grid import VoxelGrid
from ert.geometry.raster import crop, stack_volume_cc, structure_box, structure_mask, structure_occupancy, union_box
from tests.shapes import box, circle_xy, cylinder, polygon, rectangle_xy, rotation, sphere, structure

GRID = VoxelGrid(origin_cm=(-5, -5, -5), spacing_cm=(0.2, 0.25, 0.5), shape_zyx=(21, 41, 51))


def volume(occupancy, grid=GRID):
    return float(occupancy.sum(dtype=np.float64)) * grid.voxel_volume_cm3


def test_cylinder_fills_its_volume_with_half_slices_at_both_ends():
    part = cylinder(3.0, np.arange(-2, 2.01, 0.5))  # 9 planes, 0.5 cm apart: 4.5 cm long
    assert volume(structure_occupancy(part, GRID)) == pytest.approx(math.pi * 9 * 4.5, rel=2e-4)
    assert stack_volume_cc(contour_stack(part)) == pytest.approx(math.pi * 9 * 4.5, rel=2e-4)


def test_box_on_voxel_faces_is_exact():
    part = box((-1.1, 1.1), (-1.125, 1.125), (-0.5, 0.0, 0.5))
    occupancy = structure_occupancy(part, GRID)
    assert set(np.unique(occupancy)) == {0.0, 1.0}
    assert np.count_nonzero(occupancy) == 11 * 9 * 3
    assert occupancy[10, 20, 25] == 1.0  # the voxel at (0, 0, 0)


def test_partial_voxels_hold_the_fraction_covered():
    part = box((-0.05, 0.15), (-0.125, 0.125), (0.0,))  # 0.15 cm of voxel i = 25, 0.05 cm of i = 26
    occupancy = structure_occupancy(part, GRID)
    assert occupancy[10, 20, 25:27] == pytest.approx([0.75, 0.25])
    assert np.count_nonzero(occupancy) == 2
    assert np.argwhere(structure_mask(part, GRID)).tolist() == [[10, 20, 25]]


def test_contours_between_slices_share_the_slices_they_overlap():
    part = box((-1.1, 1.1), (-1.125, 1.125), (-0.25, 0.25))  # slab −0.5 … 0.5; slices are at −0.5, 0, 0.5
    occupancy = structure_occupancy(part, GRID)
    assert occupancy[9:12, 20, 25] == pytest.approx([0.5, 1.0, 0.5])
    assert occupancy[8, 20, 25] == occupancy[12, 20, 25] == 0


def test_sparse_contours_hold_until_half_way_to_the_next():
    wide, narrow = rectangle_xy(-2.1, 2.1, -1.125, 1.125), rectangle_xy(-0.1, 0.1, -1.125, 1.125)
    occupancy = structure_occupancy(structure([polygon(wide, -1.5), polygon(narrow, 0.5)]), GRID)
    widths = occupancy[:, 20, :].sum(axis=1) * 0.2
    # slices −2.5, −2.0 … 1.5; the slabs reach from −2.5 over −0.5 to 1.5
    assert widths[5:14] == pytest.approx([2.1, 4.2, 4.2, 4.2, 2.2, 0.2, 0.2, 0.2, 0.1], rel=1e-5)
    assert volume(occupancy) == pytest.approx(2.25 * (4.2 * 2 + 0.2 * 2), rel=1e-6)


def test_parts_far_apart_are_not_joined():
    part = box((-1, 1), (-1, 1), [-4, -3.5, -3, 3, 3.5, 4])
    occupancy = structure_occupancy(part, GRID)
    assert not occupancy[6:15].any()
    assert volume(occupancy) == pytest.approx(4 * 3.0, rel=1e-5)


def test_one_missing_plane_is_bridged():
    part = box((-1, 1), (-1, 1), [-1.5, -1, -0.5, 0.5, 1])
    assert volume(structure_occupancy(part, GRID)) == pytest.approx(4 * 3.0, rel=1e-5)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_inner_contour_is_a_hole_whatever_its_direction(is_reversed):
    inner = circle_xy(1.0)[:: -1 if is_reversed else 1]
    part = structure([polygon(circle_xy(3.0), 0.0), polygon(inner, 0.0)])
    occupancy = structure_occupancy(part, GRID)
    assert occupancy[10, 20, 25] == 0.0
    assert volume(occupancy) == pytest.approx(math.pi * (9 - 1) * 0.5, rel=1e-3)


def test_keyhole_contour_leaves_the_hole_open():
    outer, inner = circle_xy(3.0, n=180), circle_xy(1.0, n=180)[::-1]
    keyhole = np.concatenate([outer, outer[:1], inner, inner[:1]])
    occupancy = structure_occupancy(structure([polygon(keyhole, 0.0)]), GRID)
    assert occupancy[10, 20, 25] == 0.0
    assert volume(occupancy) == pytest.approx(math.pi * 8 * 0.5, rel=2e-3)


def test_oblique_image_gives_the_same_volume():
    axes = rotation(25, 40)
    grid = VoxelGrid(
        origin_cm=np.array([7.0, -3.0, 2.0]) + np.array([-5, -5, -5]) @ axes,
        spacing_cm=(0.2, 0.2, 0.25),
        shape_zyx=(41, 51, 51),
        axes=axes,
    )
    part = sphere(3.0, spacing=0.25, centre=(7.0, -3.0, 2.0), axes=axes)
    occupancy = structure_occupancy(part, grid)
    assert volume(occupancy, grid) == pytest.approx(4 / 3 * math.pi * 27, rel=2e-3)
    centre = np.argwhere(occupancy > 0.5).mean(axis=0)[::-1]
    assert grid.point_cm(centre) == pytest.approx([7.0, -3.0, 2.0], abs=0.02)
    assert contour_stack(part).z_cm == pytest.approx(contour_stack(part, axes=axes).z_cm)


def test_structure_outside_the_grid_is_empty_there():
    part = box((50, 52), (50, 52), [0.0, 0.5])
    assert structure_box(part, GRID) is None
    assert not structure_mask(part, GRID).any()


def test_box_cuts_to_the_grid_and_crop_keeps_positions():
    part = box((-9, -3.9), (-1.125, 1.125), [0.0, 0.5])
    zyx = structure_box(part, GRID, margin_voxels=1)
    assert zyx == (slice(9, 13), slice(15, 26), slice(0, 7))
    small = crop(GRID, zyx)
    assert small.point_cm((0, 0, 0)) == pytest.approx(GRID.point_cm((0, 15, 9)))
    assert structure_occupancy(part, small) == pytest.approx(structure_occupancy(part, GRID)[zyx])
    assert union_box(zyx, None) == zyx
    assert union_box(zyx, (slice(0, 2), slice(20, 30), slice(3, 9))) == (slice(0, 13), slice(15, 30), slice(0, 9))


def test_sagittal_contours_are_refused_with_a_sentence():
    axes = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=float)
    part = cylinder(2.0, [0.0, 0.5], axes=axes, name="Sag")
    with pytest.raises(Refused, match=r"Structure 'Sag' has contours that do not lie in planes parallel"):
        structure_mask(part, GRID)


def test_empty_structure_is_refused_with_a_sentence():
    with pytest.raises(Refused, match=r"Structure 'shape' has no contours"):
        structure_mask(structure([]), GRID)
    with pytest.raises(Refused, match=r"has no contours"):
        contour_stack(structure([polygon([(0, 0), (1, 1)], 0)]))
