"""Ranges, penumbra and field sizes of curves with known answers."""

import math

import numpy as np
import pytest

from ert.analysis.depth import depth_quantities, last_crossing_cm, profile_quantities
from ert.errors import Refused


def test_ranges_of_straight_lines():
    # 80 % at the surface, maximum at 2 cm, straight fall from 3 to 5 cm, then a tail of 2 % that falls 0.1 % a cm
    depth = np.arange(0, 14.01, 0.1)
    tail = 0.02 - 0.001 * (depth - 5)
    fall = 1 - 0.5 * (depth - 3)
    dose = np.select([depth <= 2, depth <= 3], [0.8 + 0.1 * depth, np.full_like(depth, 1.0)], np.maximum(fall, tail))
    found = depth_quantities(depth, 180 * dose)
    assert (found.r90_cm, found.r80_cm, found.r50_cm) == pytest.approx((3.2, 3.4, 4.0), abs=1e-6)
    # tangent 1 - 0.5 (z - 3) meets the tail 0.025 - 0.001 z
    rp = (2.5 - 0.025) / (0.5 - 0.001)
    assert found.rp_cm == pytest.approx(rp, abs=1e-4)
    assert found.tail_frac == pytest.approx(0.025 - 0.001 * (rp + 2), abs=1e-6)
    assert found.surface_frac == pytest.approx(0.805)
    assert found.depth_of_maximum_cm == pytest.approx(2.0)


def test_curves_that_say_nothing_about_ranges():
    depth = np.arange(0, 5, 0.1)
    with pytest.raises(Refused, match="does not fall below 30 %"):
        depth_quantities(depth, np.ones_like(depth))
    with pytest.raises(Refused, match="ends before the bremsstrahlung tail"):
        depth_quantities(depth, np.clip(1 - 0.5 * (depth - 3), 0, 1))
    with pytest.raises(Refused, match="at least five"):
        depth_quantities([0, 1], [1, 0])
    with pytest.raises(Refused, match="has no dose"):
        depth_quantities(depth, np.zeros_like(depth))
    assert last_crossing_cm([0, 1, 2], [0.1, 0.2, 0.3], 0.5) is None


def test_field_blurred_by_a_gaussian():
    sigma, half = 0.4, 5.0
    x = np.arange(-9, 9.001, 0.02)
    edge = np.vectorize(math.erf)
    dose = 0.5 * (edge((x - 0.3 + half) / sigma / math.sqrt(2)) - edge((x - 0.3 - half) / sigma / math.sqrt(2)))
    found = profile_quantities(x, 70 * dose)
    assert found.width_cm == pytest.approx(10.0, abs=1e-3)
    assert found.centre_cm == pytest.approx(0.3, abs=1e-3)
    assert found.penumbra_80_20_cm == pytest.approx((1.683 * sigma,) * 2, abs=1e-3)
    assert found.penumbra_90_10_cm == pytest.approx((2.563 * sigma,) * 2, abs=1e-3)
    assert found.flatness_pct == pytest.approx(0.0, abs=0.01)
    assert found.symmetry_pct == pytest.approx(0.0, abs=0.01)


def test_flatness_and_symmetry_of_a_tilted_field():
    x = np.arange(-8, 8.001, 0.05)
    dose = np.where(np.abs(x) <= 5, 1 + 0.01 * x, 0)
    found = profile_quantities(x, dose)
    reach = 4.0  # 90 % width is 10 cm; 1 cm less on each side
    assert found.flatness_pct == pytest.approx(100 * 0.01 * reach, rel=0.03)
    assert found.symmetry_pct == pytest.approx(100 * 0.02 * reach, rel=0.03)


def test_profiles_that_do_not_reach_the_edges():
    x = np.arange(-3, 3.01, 0.1)
    with pytest.raises(Refused, match="does not fall below 90 %"):
        profile_quantities(x, np.ones_like(x))
    with pytest.raises(Refused, match="over the central axis"):
        profile_quantities(x + 10, np.ones_like(x))
