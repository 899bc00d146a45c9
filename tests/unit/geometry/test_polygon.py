"""Regions of a plane: areas known by hand."""

import numpy as np
import pytest

from ert.errors import Refused
from ert.geometry.polygon import Region, union_all
from tests.shapes import circle_xy, rectangle_xy


def test_outlines_combine_by_exclusive_or():
    ring = Region.from_outlines([circle_xy(3.0), circle_xy(1.0)])
    assert ring.area_cm2 == pytest.approx(8 * np.pi)
    assert len(ring.outlines()) == 2
    assert ring.without_holes().area_cm2 == pytest.approx(9 * np.pi)
    assert Region.from_outlines([rectangle_xy(0, 1, 0, 1)] * 2).is_empty


def test_outline_that_crosses_itself_is_repaired():
    bow = Region.from_outlines([[(0, 0), (2, 2), (2, 0), (0, 2)]])
    assert bow.area_cm2 == pytest.approx(2.0)
    assert [p.area_cm2 for p in bow.parts] == pytest.approx([1.0, 1.0])
    assert Region.from_outlines([[(0, 0), (1, 0)], [(0, 0), (1, 0), (2, 0)]]).is_empty


def test_growing_and_shrinking():
    square = Region.rectangle(-1, 1, -2, 2)
    assert square.grow(0.5).area_cm2 == pytest.approx(8 + 12 * 0.5 + np.pi * 0.25, rel=1e-3)
    assert square.grow(-0.5).bounds_cm == pytest.approx((-0.5, 0.5, -1.5, 1.5))
    assert square.grow(-1.1).is_empty


def test_sets():
    left, right = Region.rectangle(0, 2, 0, 1), Region.rectangle(1, 4, 0, 1)
    assert left.union(right).area_cm2 == pytest.approx(4)
    assert left.intersection(right).area_cm2 == pytest.approx(1)
    assert left.difference(right).area_cm2 == pytest.approx(1)
    assert left.intersection(Region.rectangle(2, 3, 0, 1)).is_empty  # they share a line only
    assert union_all([left, right, Region.rectangle(10, 12, 0, 1)]).area_cm2 == pytest.approx(6)
    assert union_all([left, Region.rectangle(10, 13, 0, 1)]).parts[0].bounds_cm == pytest.approx((10, 13, 0, 1))


def test_containing_and_distances():
    outer, inner = Region.rectangle(0, 10, 0, 10), Region.rectangle(2, 9, 3, 8)
    assert outer.contains(inner)
    assert not inner.contains(outer)
    assert outer.gap_to_edge_cm(inner) == pytest.approx(1.0)


def test_simplifying_stays_within_its_tolerance():
    circle = Region.from_outlines([circle_xy(5.0, n=2000)])
    thin = circle.simplified(0.03)
    (outline,) = thin.outlines()
    assert len(outline) < 60
    assert np.abs(np.hypot(*outline.T) - 5).max() < 0.01
    assert circle.gap_to_edge_cm(thin) < 0.031
    assert thin.area_cm2 == pytest.approx(25 * np.pi, rel=0.01)


def test_nothing_has_no_size():
    with pytest.raises(Refused, match="no size"):
        _ = Region.from_outlines([]).bounds_cm
    assert Region.from_outlines([]).outlines() == ()
