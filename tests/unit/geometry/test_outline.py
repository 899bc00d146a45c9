"""Outlines of levels and structures against areas and positions known beforehand."""

import numpy as np
import pytest

from ert.geometry.contours import contour_stack
from ert.geometry.grid import VoxelGrid
from ert.geometry.outline import level_outlines, structure_outlines
from ert.geometry.resample import grid_plane
from tests.shapes import box, circle_xy, cylinder, polygon, sphere, structure

GRID = VoxelGrid(origin_cm=(-10, -10, -6), spacing_cm=(0.1, 0.2, 0.3), shape_zyx=(41, 101, 201))


def area(outline):
    x, y = outline.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def test_ring_has_an_outer_outline_and_a_hole():
    y, x = np.mgrid[-80:81, -80:81] / 20
    radius = np.hypot(x, y)
    outlines = sorted(level_outlines(np.minimum(3 - radius, radius - 1), level=0.0), key=len)
    assert [area(o) / 400 for o in outlines] == pytest.approx([-np.pi, 9 * np.pi], rel=2e-3)
    assert np.hypot(*(outlines[1] - 80).T) / 20 == pytest.approx(np.full(len(outlines[1]), 3.0), abs=1e-3)


def test_outline_at_the_border_is_closed_and_touching_corners_stay_apart():
    outlines = level_outlines(np.eye(2))
    assert [area(o) for o in outlines] == pytest.approx([0.5, 0.5])  # one diamond around each pixel
    assert level_outlines(np.zeros((3, 3))) == []
    (whole,) = level_outlines(np.ones((4, 6)))
    assert 5.0 * 3.0 < area(whole) < 7.0 * 5.0  # around all pixel centres, not beyond the next


def test_axial_outline_is_the_contour_as_drawn():
    part = cylinder(4.0, [-0.6, -0.3, 0.0], centre=(1.0, 0.0, 0.0))
    (outline,) = structure_outlines(part, GRID, "axial", 20)  # z = 0
    points = grid_plane(GRID, "axial", 20).point_cm(outline)
    assert points == pytest.approx(part.contours[2].points_cm)
    assert structure_outlines(part, GRID, "axial", 22) == []  # z = 0.6: outside
    hole = structure([polygon(circle_xy(3), 0), polygon(circle_xy(1), 0)])
    assert len(structure_outlines(hole, GRID, "axial", 20)) == 2


@pytest.mark.parametrize(("axis", "index"), [("coronal", 50), ("sagittal", 100)])
def test_section_of_a_sphere_is_a_disc(axis, index):
    stack = contour_stack(sphere(5.0, spacing=0.3, phase=0.0))
    (outline,) = structure_outlines(stack, GRID, axis, index)
    points = grid_plane(GRID, axis, index).point_cm(outline)
    assert np.linalg.norm(points, axis=1) == pytest.approx(np.full(len(points), 5.0), abs=0.25)
    pixel = 0.3 * (0.1 if axis == "coronal" else 0.2)
    assert area(outline) * pixel == pytest.approx(25 * np.pi, rel=0.01)


def test_section_beside_the_structure_is_empty():
    assert structure_outlines(box((-1, 1), (-1, 1), [0.0]), GRID, "coronal", 90) == []


def test_stack_of_other_axes_is_a_fault():
    stack = contour_stack(sphere(2.0, spacing=0.3, axes=np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=float)))
    with pytest.raises(ValueError, match="axes"):
        structure_outlines(stack, GRID, "axial", 20)
