"""Measures of openings against analytic circles, ellipses, rectangles and a measured cutout set."""

import csv
import math

import numpy as np
import pytest

from ert.geometry.opening import SECTORS, convex_hull, largest_circle, opening_shape, sector_radii, signed_distance_cm


def ellipse(width, length, *, turned_deg=0.0, centre=(0.0, 0.0), n=720):
    t = np.arange(n) * 2 * np.pi / n
    x, y = width / 2 * np.cos(t), length / 2 * np.sin(t)
    c, s = np.cos(np.radians(turned_deg)), np.sin(np.radians(turned_deg))
    return np.column_stack([centre[0] + c * x - s * y, centre[1] + s * x + c * y])


def rectangle(a, b, centre=(0.0, 0.0)):
    return np.array([(-a / 2, -b / 2), (a / 2, -b / 2), (a / 2, b / 2), (-a / 2, b / 2)]) + np.asarray(centre)


L_SHAPE = np.array([(0, 0), (6, 0), (6, 2), (2, 2), (2, 6), (0, 6)], dtype=float)


@pytest.mark.parametrize(("width", "length", "turned_deg"), [(4, 4, 0), (3, 9, 30), (5, 7, 77)])
def test_an_ellipse_is_its_own_equivalent_ellipse(width, length, turned_deg):
    shape = opening_shape(ellipse(width, length, turned_deg=turned_deg, centre=(1.0, -2.0)))
    assert shape.width_cm == pytest.approx(width, abs=0.003)
    assert shape.length_cm == pytest.approx(length, abs=0.01)
    assert shape.area_cm2 == pytest.approx(math.pi / 4 * width * length, rel=1e-4)
    assert shape.centroid_cm == pytest.approx((1.0, -2.0), abs=1e-9)
    assert shape.fullness_frac == pytest.approx(math.pi / 4, abs=2e-3)
    # equal area: √π/2 of both axes
    expected = (0.886227 * width, 0.886227 * length)
    assert shape.rectangle_cm == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize(("a", "b"), [(2, 2), (3, 8), (2.5, 20)])
def test_a_rectangle_keeps_its_sides(a, b):
    turned = rectangle(a, b) @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    shape = opening_shape(turned)
    assert shape.is_rectangle
    assert shape.rectangle_cm == pytest.approx((a, b), abs=1e-9)
    assert shape.width_cm == pytest.approx(a, abs=2.1e-3)
    assert shape.equivalent_square_cm == pytest.approx(2 * a * b / (a + b), rel=1e-9)


def test_the_largest_circle_is_found_in_the_wider_of_two_lobes():
    # two discs of radius 2 and 2.2 joined by a neck: a local search from the middle or the left would stop at 2
    t = np.linspace(0.12, 2 * np.pi - 0.12, 200)
    right = np.column_stack([4 - 2.2 * np.cos(t), -2.2 * np.sin(t)])
    left = np.column_stack([-4 + 2.0 * np.cos(t), 2.0 * np.sin(t)])
    centre, radius = largest_circle(np.vstack([left, right]))
    assert radius == pytest.approx(2.2, abs=0.004)
    assert centre == pytest.approx((4.0, 0.0), abs=0.05)


def test_the_largest_circle_of_an_l_is_the_one_that_touches_its_inner_corner():
    # centre (t, t) with distance t to both walls and √2 (2 − t) to the corner (2, 2): t = 2√2 / (1 + √2)
    _, radius = largest_circle(L_SHAPE)
    assert radius == pytest.approx(2 * math.sqrt(2) / (1 + math.sqrt(2)), abs=1e-3)


def test_notches_lower_the_solidity_and_turning_does_not():
    # the L fills 20 of the 28 cm² of its hull (the square less the triangle of 4 × 4 / 2)
    assert opening_shape(L_SHAPE).solidity_frac == pytest.approx(20 / 28)
    assert opening_shape(ellipse(3, 9, turned_deg=30)).solidity_frac == pytest.approx(1.0)


def test_distances_are_signed():
    found = signed_distance_cm(rectangle(4, 6), [(0, 0), (1.5, 0), (3, 0), (3, 4)])
    assert found == pytest.approx([2.0, 0.5, -1.0, -math.sqrt(2)])


def test_the_hull_leaves_out_what_lies_inside():
    assert len(convex_hull([*rectangle(4, 4), (0, 0), (1, 1), (0, 2)])) == 4


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.5])
def test_sectors_of_a_gaussian_agree_with_error_functions(sigma):
    # ∫ over a rectangle of exp(−r²/σ²)/(πσ²) = erf(a/2σ) erf(b/2σ)
    def inside(outline):
        radius, sign = sector_radii(outline, (0.0, 0.0))
        return float((sign * (1 - np.exp(-((radius / sigma) ** 2)))).sum() / SECTORS)

    whole = inside(rectangle(4, 7))
    assert whole == pytest.approx(math.erf(2 / sigma) * math.erf(3.5 / sigma), abs=2e-5)
    # from a point outside, and for a concave opening: differences of corner rectangles
    outside = inside(rectangle(2, 2, (3.0, 0.0)))
    expected = 0.5 * (math.erf(4 / sigma) - math.erf(2 / sigma)) * math.erf(1 / sigma)
    assert outside == pytest.approx(expected, abs=1e-4)

    def quarter(x, y):
        return 0.25 * math.erf(x / sigma) * math.erf(y / sigma)

    corner = inside(L_SHAPE)
    assert corner == pytest.approx(quarter(6, 2) + quarter(2, 6) - quarter(2, 2), abs=2e-4)


def test_measured_cutouts_have_the_published_widths_and_lengths(development_data):
    # Biggs et al., doi 10.1016/j.ejmp.2015.11.002: outlines, and width and length as another program found them
    folder = development_data / "dicom" / "electron_measured_factors"

    def rows(name):
        with (folder / name).open(newline="") as file:
            return list(csv.reader(file))

    def columns(axis):
        head, *body = rows(f"paper__user_inputs__RawCoordsImport_{axis}Coords.csv")
        return {name: [float(r[n]) for r in body if r[n].strip()] for n, name in enumerate(head)}

    x, y = columns("X"), columns("Y")
    differences = []
    for label, width, length, *_ in rows("pymedphys_electron_factor_measured_data.csv")[1:]:
        if label in x:
            shape = opening_shape(np.column_stack([x[label], y[label]]))
            differences.append((shape.width_cm - float(width), shape.length_cm - float(length)))
    differences = np.array(differences)
    assert len(differences) == 76
    # theirs, to 0.01 cm, came from searches with random starts: ours is never smaller, sometimes 1 mm larger
    assert differences[:, 0].min() > -0.006
    assert differences[:, 0].max() < 0.15
    assert np.abs(np.median(differences, axis=0)).max() < 0.01
