"""Clearance to boxes and cylinders where geometry gives it: spheres, flat slabs, cylinders."""

import numpy as np
import pytest

from ert.errors import Refused
from ert.geometry.clearance import Cylinder, OuterBox, smallest_clearance, surface_facets
from ert.geometry.contours import contour_stack
from ert.geometry.frames import BeamFrame
from tests.shapes import box, cylinder, sphere

OUTER = OuterBox(width_cm=16.0, height_cm=12.0, face_distance_cm=95.0)
STEP = 0.055  # the ball's slabs are 0.1 cm thick: their edges stick out by half of that
BALL = surface_facets(contour_stack(sphere(8.0, spacing=0.1, name="BODY")))
ANGLES = [(0, 0), (40, 0), (90, 0), (200, 0), (30, 60), (90, 45), (300, 340), (0, 90)]


def frame(gantry=0.0, couch=0.0, collimator=0.0, isocentre=(0.0, 0.0, 0.0)):
    return BeamFrame(
        isocentre_cm=isocentre, gantry_deg=gantry, collimator_deg=collimator, couch_deg=couch,
        patient_position="HFS", sad_cm=100.0,
    )  # fmt: skip


def centred_at(bev, gantry, couch, collimator=0.0):
    """A frame in which the patient's origin lies at a point of the beam's frame."""
    at_zero = frame(gantry, couch, collimator)
    return frame(gantry, couch, collimator, isocentre=tuple(-at_zero.to_patient(bev)))


def box_distance(bev, half_x, half_y, bottom):
    gap = np.maximum([abs(bev[0]) - half_x, abs(bev[1]) - half_y, bottom - bev[2]], 0)
    return np.linalg.norm(gap)


@pytest.mark.parametrize(("gantry", "couch"), ANGLES)
@pytest.mark.parametrize("bev", [(0, 0, -5), (3, 2, -12.5), (14, 1, -6), (15, 13, -4), (1, 17, 6), (-20, 0, 30)])
def test_sphere_below_beside_and_at_a_corner_of_the_box(gantry, couch, bev):
    found = smallest_clearance(BALL, centred_at(bev, gantry, couch, 25.0), OUTER, body_name="A10")
    expected = box_distance(bev, 8.0, 6.0, 5.0) - 8.0
    assert expected - STEP < found.distance_cm < expected + 0.005
    assert (found.structure, found.body) == ("BODY", "A10")


@pytest.mark.parametrize(("gantry", "couch"), ANGLES)
def test_sphere_and_collimator_head(gantry, couch):
    head = Cylinder(radius_cm=10.0, face_distance_cm=60.0)
    for bev in ((0, 0, 20), (25, 0, 50), (15, 15, 25)):
        gap = np.maximum([np.hypot(bev[0], bev[1]) - 10.0, 40.0 - bev[2]], 0)
        found = smallest_clearance(BALL, centred_at(bev, gantry, couch), head, body_name="head")
        expected = np.linalg.norm(gap) - 8.0
        assert expected - STEP < found.distance_cm < expected + 0.005


def test_where_the_nearest_point_is():
    found = smallest_clearance(BALL, centred_at((0, 0, -5), 90, 0), OUTER, body_name="A10")
    assert found.point_cm == pytest.approx((8.0, 0.0, 0.0), abs=0.3)  # gantry 90 stands at the patient's left


SLAB = surface_facets(contour_stack(box((-30, 30), (0, 8), np.arange(-29.75, 30, 0.5))))


@pytest.mark.parametrize("gantry", [0, 10, 30, 330])
@pytest.mark.parametrize("couch", [0, 90, 30])
def test_flat_surface_under_a_tilted_box(gantry, couch):
    # plane y = 0, isocentre on it: the lowest corner of the box (half width 8, bottom at 5) hangs at this height
    turn = np.radians(gantry)
    expected = 5 * np.cos(turn) - 8 * abs(np.sin(turn))
    found = smallest_clearance(SLAB, frame(gantry, couch), OUTER, body_name="A10")
    if expected > 0:
        assert found.distance_cm == pytest.approx(expected, abs=0.004)
    else:
        assert found.distance_cm < 0


def test_flat_surface_does_not_depend_on_where_its_contours_lie():
    for shift in (0.0, 0.13, 0.25):
        found = smallest_clearance(SLAB, frame(isocentre=(0.0, 2.0, shift)), OUTER, body_name="A10")
        assert found.distance_cm == pytest.approx(3.0, abs=0.003)


@pytest.mark.parametrize("gantry", [0, 45, 100, 250])
def test_cylinder_across_and_along_the_beam(gantry):
    long = surface_facets(contour_stack(cylinder(4.0, np.arange(-19.75, 20, 0.5))))
    across = smallest_clearance(long, frame(gantry, isocentre=(0.0, 0.0, 1.0)), OUTER, body_name="A10")
    assert across.distance_cm == pytest.approx(1.0, abs=0.01)
    along = smallest_clearance(long, frame(90, 270, isocentre=(0.0, 0.0, 18.0)), OUTER, body_name="A10")
    assert along.distance_cm == pytest.approx(3.0, abs=0.003)  # the last slab ends at z = 20, the box at z = 23


def test_a_small_box_over_the_middle_of_a_flat_end_is_seen():
    wide = surface_facets(contour_stack(cylinder(15.0, np.arange(-4.75, 5, 0.5))))
    pin = OuterBox(width_cm=1.0, height_cm=1.0, face_distance_cm=95.0)
    apart = smallest_clearance(wide, frame(90, 270, isocentre=(0.0, 0.0, 4.0)), pin, body_name="pin")
    assert apart.distance_cm == pytest.approx(4.0, abs=0.003)
    inside = smallest_clearance(wide, frame(90, 270, isocentre=(0.0, 0.0, -1.0)), pin, body_name="pin")
    assert inside.distance_cm < 0


def test_a_surface_without_facets_is_refused():
    empty = type(BALL)(name="X", rows_cm=np.empty((0, 10)))
    with pytest.raises(Refused, match="no surface"):
        smallest_clearance(empty, frame(), OUTER, body_name="A10")
