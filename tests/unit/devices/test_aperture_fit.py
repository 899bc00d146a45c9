"""Openings around targets whose projections are known, and simple shapes."""

import numpy as np
import pytest

from ert.devices.aperture_fit import (
    Avoidance,
    ellipse_aperture,
    fit_aperture,
    project_outlines,
    rectangle_aperture,
)
from ert.domain.device import ApertureSource
from ert.domain.machine import Applicator
from ert.errors import InvalidPlan
from ert.geometry.frames import BeamFrame
from ert.geometry.polygon import Region
from tests.shapes import box, sphere, structure

FRAME = BeamFrame(
    isocentre_cm=(0, 0, 0), gantry_deg=0, collimator_deg=0, couch_deg=0, patient_position="HFS", sad_cm=100.0
)
A10 = Applicator(id="A10", opening_x_cm=10.0, opening_y_cm=10.0)
A20 = Applicator(id="A20", opening_x_cm=20.0, opening_y_cm=20.0)
PLANES = np.arange(-1.9, 2, 0.2)  # a box that is 4 cm long in z
FLAT = box((-3, 3), (-0.001, 0.001), PLANES, name="PTV")  # lies in the isocentre plane: no magnification


def region(fitted):
    return Region.from_outlines([fitted.aperture.outline_cm])


@pytest.mark.parametrize("margin", [0.0, 0.4, 1.0])
def test_margin_all_around_a_rectangle(margin):
    fitted = fit_aperture(FLAT, FRAME, A20, margin_cm=margin)
    expected = (-3 - margin, 3 + margin, -2 - margin, 2 + margin)
    assert fitted.aperture.bounds_cm == pytest.approx(expected, abs=0.04)
    assert fitted.aperture.area_cm2 == pytest.approx(24 + 20 * margin + np.pi * margin**2, rel=0.015)
    assert fitted.aperture.source is ApertureSource.TARGET
    assert fitted.aperture.margin_cm == margin
    assert fitted.notes == ()
    assert region(fitted).contains(Region.rectangle(-3, 3, -2, 2).grow(margin - 0.05))


def test_negative_margin_takes_away():
    fitted = fit_aperture(FLAT, FRAME, A20, margin_cm=-0.5)
    assert fitted.aperture.bounds_cm == pytest.approx((-2.5, 2.5, -1.5, 1.5), abs=0.04)
    with pytest.raises(InvalidPlan, match="leaves nothing"):
        fit_aperture(FLAT, FRAME, A20, margin_cm=-2.5)


def test_margin_is_cut_at_the_rim_with_a_note():
    fitted = fit_aperture(FLAT, FRAME, A10, margin_cm=2.0)  # 3 + 2 = 5, the rim begins at 4.5
    assert fitted.aperture.bounds_cm == pytest.approx((-4.5, 4.5, -4.0, 4.0), abs=0.04)
    assert fitted.notes == ("The margin is cut by applicator A10: 1.5 cm are left where 2.0 cm were asked for.",)
    full = fit_aperture(FLAT, FRAME, A10, margin_cm=2.0, rim_cm=0.0)
    assert full.aperture.bounds_cm == pytest.approx((-5.0, 5.0, -4.0, 4.0), abs=0.04)


def test_target_wider_than_the_applicator_is_refused():
    wide = box((-4.7, 3), (-0.001, 0.001), PLANES, name="PTV wide")
    with pytest.raises(InvalidPlan, match=r"'PTV wide' does not fit in applicator A10: it reaches x -4.7 to 3.0 cm"):
        fit_aperture(wide, FRAME, A10, margin_cm=1.0)


def test_avoidance_takes_away_and_a_forced_margin_wins():
    organ = box((2.0, 6.0), (-0.001, 0.001), np.arange(-4, 4.1, 0.2))
    plain = fit_aperture(FLAT, FRAME, A20, margin_cm=1.0)
    spared = fit_aperture(FLAT, FRAME, A20, margin_cm=1.0, avoidances=[Avoidance(structure=organ, margin_cm=0.5)])
    x_high = spared.aperture.bounds_cm[1]
    assert plain.aperture.bounds_cm[1] == pytest.approx(4.0, abs=0.04)
    assert region(spared).intersection(Region.rectangle(1.55, 9, -1.8, 1.8)).is_empty
    assert x_high > 1.4
    assert "Avoidance leaves" in spared.notes[0]
    forced = fit_aperture(
        FLAT,
        FRAME,
        A20,
        margin_cm=1.0,
        avoidances=[Avoidance(structure=organ, margin_cm=0.5)],
        least_margin_cm=0.3,
    )
    assert forced.aperture.bounds_cm[1] == pytest.approx(3.3, abs=0.05)
    everything = Avoidance(structure=box((-9, 9), (-0.001, 0.001), np.arange(-9, 9, 0.2)))
    with pytest.raises(InvalidPlan, match="cover the whole opening"):
        fit_aperture(FLAT, FRAME, A20, margin_cm=1.0, avoidances=[everything])


def test_only_the_largest_part_is_open():
    two = structure([*FLAT.contours, *box((6.0, 7.0), (-0.001, 0.001), PLANES).contours], name="PTV")
    fitted = fit_aperture(two, FRAME, A20, margin_cm=0.5)
    assert fitted.aperture.bounds_cm == pytest.approx((-3.5, 3.5, -2.5, 2.5), abs=0.04)
    assert "2 separate parts" in fitted.notes[0]


def test_narrow_notch_is_closed_for_the_tool():
    comb = [*box((-3, -0.1), (-0.001, 0.001), PLANES).contours, *box((0.1, 3), (-0.001, 0.001), PLANES).contours]
    fitted = fit_aperture(structure(comb), FRAME, A20, margin_cm=0.0)
    assert fitted.aperture.area_cm2 == pytest.approx(24, rel=0.02)
    assert fitted.notes == ()


def test_outline_is_short_and_true():
    target = sphere(5.0, spacing=0.2, centre=(0, 3, 0))
    fitted = fit_aperture(target, FRAME, A20, margin_cm=1.0)
    radius = 100 * 5 / np.sqrt(103**2 - 25) + 1.0
    assert 20 < len(fitted.aperture.outline_cm) <= 200
    distance = np.hypot(*np.array(fitted.aperture.outline_cm).T)
    assert distance == pytest.approx(np.full(len(distance), radius), abs=0.12)
    (outline,) = project_outlines(target, FRAME)
    assert np.hypot(*outline.T).mean() == pytest.approx(radius - 1, abs=0.06)


def test_rectangle_and_circle():
    rectangle = rectangle_aperture(6.0, 4.0, A10, centre_cm=(1.0, -0.5))
    assert rectangle.aperture.bounds_cm == pytest.approx((-2.0, 4.0, -2.5, 1.5))
    assert rectangle.aperture.source is ApertureSource.RECTANGLE
    assert rectangle_aperture(10.0, 10.0, A10).aperture.area_cm2 == pytest.approx(100.0)
    circle = ellipse_aperture(6.0, 6.0, A10)
    assert circle.aperture.area_cm2 == pytest.approx(9 * np.pi, rel=1e-9)
    ellipse = ellipse_aperture(8.0, 4.0, A10)
    assert ellipse.aperture.area_cm2 == pytest.approx(8 * np.pi, rel=1e-9)
    assert ellipse.aperture.bounds_cm == pytest.approx((-4, 4, -2, 2), abs=0.01)
    assert ellipse.notes == ()


def test_shapes_are_clipped_with_a_note_and_refused_outside():
    clipped = rectangle_aperture(12.0, 4.0, A10)
    assert clipped.aperture.bounds_cm == pytest.approx((-5, 5, -2, 2))
    assert clipped.notes == ("The opening is clipped to applicator A10.",)
    with pytest.raises(InvalidPlan, match="outside applicator A10"):
        ellipse_aperture(2.0, 2.0, A10, centre_cm=(8.0, 0.0))
    for width in (0.0, -1.0, float("nan")):
        with pytest.raises(InvalidPlan, match="must be above zero"):
            rectangle_aperture(width, 4.0, A10)
