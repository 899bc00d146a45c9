"""Covering of pixels by polygons: areas known in closed form."""

import numpy as np
import pytest

from ert.dose.kernels.rasterise import rasterise_polygon


def raster(points, ny=20, nx=30):
    x, y = np.array(points, dtype=float).T
    return rasterise_polygon(np.ascontiguousarray(x), np.ascontiguousarray(y), np.ones((len(x), 1)), ny, nx)


@pytest.mark.parametrize("sense", [1, -1])
def test_rectangle_with_edges_inside_pixels(sense):
    cover, length = raster([(2.25, 3.5), (10.75, 3.5), (10.75, 8.1), (2.25, 8.1)][::sense])
    assert cover.sum() == pytest.approx(8.5 * 4.6)
    assert length.sum() == pytest.approx(2 * (8.5 + 4.6))
    assert cover[3, 2] == pytest.approx(0.75 * 0.5)
    assert cover[5, 5] == 1.0
    assert cover[8, 10] == pytest.approx(0.75 * 0.1)
    assert cover[2, 5] == 0.0


def test_triangle_and_circle_areas():
    cover, _ = raster([(1.3, 1.7), (18.2, 4.4), (7.9, 15.6)])
    area = 0.5 * abs((18.2 - 1.3) * (15.6 - 1.7) - (7.9 - 1.3) * (4.4 - 1.7))
    assert cover.sum() == pytest.approx(area)
    angle = np.linspace(0, 2 * np.pi, 721)[:-1]
    cover, length = raster(np.column_stack([14.3 + 6 * np.cos(angle), 9.6 + 6 * np.sin(angle)]))
    assert cover.sum() == pytest.approx(np.pi * 36, rel=1e-4)
    assert length.sum() == pytest.approx(2 * np.pi * 6, rel=1e-4)


def test_a_polygon_that_leaves_the_raster_is_cut_at_its_border():
    cover, _ = raster([(-5.0, -5.0), (3.5, -5.0), (3.5, 40.0), (-5.0, 40.0)])
    assert cover.sum() == pytest.approx(3.5 * 20)
    assert cover[:, :3].min() == pytest.approx(1.0)
    cover, _ = raster([(25.5, 2.0), (90.0, 2.0), (90.0, 4.0), (25.5, 4.0)])
    assert cover.sum() == pytest.approx(4.5 * 2)


def test_edges_count_with_their_weight():
    x, y = np.array([2.0, 6.0, 6.0, 2.0]), np.array([2.0, 2.0, 5.0, 5.0])
    weights = np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 0.0], [0.0, 5.0]])
    _, length = rasterise_polygon(x, y, weights, 10, 10)
    assert length.sum(axis=(1, 2)) == pytest.approx([4.0 + 2 * 3.0, 3.0 + 5 * 3.0])
