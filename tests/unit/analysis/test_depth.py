"""Ranges of depth doses with known answers: straight lines, published beams, Monte Carlo with its noise."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from ert.analysis.curve import last_crossing_cm
from ert.analysis.depth import depth_quantities, noise_sigma
from ert.errors import InvalidBeamData, Refused

DEPTH_CM = np.linspace(0.0, 12.0, 1201)


def ramp(tail=0.0):
    """1 down to 4 cm, then a straight line to 0 at 6 cm, over a level tail."""
    return np.clip((6.0 - DEPTH_CM) / 2.0, tail, 1.0)


def test_depths_of_a_straight_fall_off():
    found = depth_quantities(DEPTH_CM, ramp())
    assert (found.r90_cm, found.r80_cm, found.r50_cm) == pytest.approx((4.2, 4.4, 5.0), abs=1e-6)
    assert found.rp_cm == pytest.approx(6.0, abs=1e-6)
    assert (found.maximum, found.surface_frac, found.tail_frac) == (1.0, 1.0, 0.0)


def test_the_practical_range_is_where_the_tangent_meets_the_photon_tail():
    found = depth_quantities(DEPTH_CM, ramp(tail=0.05))
    assert found.rp_cm == pytest.approx(5.9, abs=1e-4)
    assert found.tail_frac == pytest.approx(0.05, abs=1e-4)
    assert found.r50_cm == pytest.approx(5.0, abs=1e-6)


def test_a_curve_in_other_units_has_the_same_depths():
    one, other = depth_quantities(DEPTH_CM, ramp(0.02)), depth_quantities(DEPTH_CM, 137.0 * ramp(0.02))
    assert other.rp_cm == pytest.approx(one.rp_cm)
    assert other.r80_cm == pytest.approx(one.r80_cm)


def test_a_curve_that_was_not_measured_deep_enough_is_refused():
    with pytest.raises(InvalidBeamData, match="does not fall to"):
        depth_quantities(DEPTH_CM[:500], ramp()[:500])


def test_a_curve_with_every_part():
    # 80 % at the surface, maximum at 2 cm, straight fall from 3 to 5 cm, then an exponential tail from 2 %
    depth = np.arange(0, 14.01, 0.1)
    tail = 0.02 * np.exp(-0.05 * (depth - 5))
    fall = 1 - 0.5 * (depth - 3)
    dose = np.select([depth <= 2, depth <= 3], [0.8 + 0.1 * depth, np.full_like(depth, 1.0)], np.maximum(fall, tail))
    found = depth_quantities(depth, 180 * dose)
    assert (found.r90_cm, found.r80_cm, found.r50_cm) == pytest.approx((3.2, 3.4, 4.0), abs=1e-6)
    rp = brentq(lambda z: 1 - 0.5 * (z - 3) - 0.02 * np.exp(-0.05 * (z - 5)), 4, 6)
    assert found.rp_cm == pytest.approx(rp, abs=1e-5)
    assert found.tail_frac == pytest.approx(0.02 * np.exp(-0.05 * (rp + 2 - 5)), abs=1e-6)
    assert found.surface_frac == pytest.approx(0.805)
    assert (found.depth_of_maximum_cm, found.maximum) == pytest.approx((2.0, 180.0))
    assert (found.mean_energy_mev, found.iaea_mean_energy_mev) == pytest.approx((9.32, 9.244), abs=1e-5)
    assert found.most_probable_energy_mev == pytest.approx(0.22 + 1.98 * rp + 0.0025 * rp**2)
    assert found.reference_depth_cm == pytest.approx(2.3)


def test_surface_dose_is_not_made_up():
    found = depth_quantities(DEPTH_CM[10:], ramp()[10:])
    assert math.isnan(found.surface_frac)
    assert found.r50_cm == pytest.approx(5.0, abs=1e-6)


def smooth_beam(depth):
    """Maximum near 2 cm, R50 near 5 cm, a tail of 2 %; all derivatives continuous."""
    return (1 - 0.04 * (depth / 2 - 1) ** 2) / (1 + np.exp((depth - 5) / 0.3)) + 0.02 * np.exp(-0.04 * depth)


@pytest.mark.parametrize("noise_frac", [0.005, 0.01])
def test_maximum_of_a_noisy_curve_is_neither_its_largest_point_nor_where_that_lies(noise_frac):
    fine = np.arange(0, 12, 0.001)
    true = depth_quantities(fine, smooth_beam(fine))
    depth = np.arange(0.1, 12, 0.2)
    misses = []
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(0, noise_frac, len(depth))
        noisy = smooth_beam(depth) + noise
        found = depth_quantities(depth, noisy, sigma=noise_frac)
        raw = depth_quantities(depth, noisy)
        misses.append([
            (q.depth_of_maximum_cm - true.depth_of_maximum_cm, q.maximum / true.maximum - 1, q.r50_cm - true.r50_cm)
            for q in (found, raw)
        ])  # fmt: skip
    depth_cm, maximum_frac, r50_cm = np.moveaxis(np.array(misses), -1, 0)
    rms_cm = np.sqrt((depth_cm**2).mean(axis=0))
    assert rms_cm[0] < 0.5 * rms_cm[1]
    assert abs(maximum_frac[:, 0].mean()) < 0.7 * noise_frac < maximum_frac[:, 1].mean()
    assert np.abs(r50_cm[:, 0]).max() < 4 * noise_frac
    assert noise_sigma(depth, noisy) == pytest.approx(noise_frac, rel=0.4)


def test_smoothing_leaves_a_clean_curve_alone():
    depth = np.arange(0.1, 12, 0.2)
    fine = np.arange(0, 12, 0.001)
    true, found = depth_quantities(fine, smooth_beam(fine)), depth_quantities(depth, smooth_beam(depth), sigma=0.001)
    assert found.r50_cm == pytest.approx(true.r50_cm, abs=0.005)
    assert found.depth_of_maximum_cm == pytest.approx(true.depth_of_maximum_cm, abs=0.15)
    assert found.r90_cm == pytest.approx(true.r90_cm, abs=0.015)
    assert found.rp_cm == pytest.approx(true.rp_cm, abs=0.01)
    assert found.maximum == pytest.approx(true.maximum, rel=1e-3)
    assert noise_sigma(depth, smooth_beam(depth)) < 0.001


def test_curves_that_say_nothing_about_ranges():
    depth = np.arange(0, 5, 0.1)
    with pytest.raises(InvalidBeamData, match="does not fall to"):
        depth_quantities(depth, np.ones_like(depth))
    short = np.clip(1 - 0.5 * (depth - 3), 0, 1)
    with pytest.raises(InvalidBeamData, match="ends before the bremsstrahlung tail"):
        depth_quantities(depth, short)
    assert depth_quantities(depth, short, needs_tail=False).rp_cm == pytest.approx(5.0, abs=1e-6)
    with pytest.raises(InvalidBeamData, match="fewer than two points in its fall-off"):
        depth_quantities(np.arange(0.0, 9.0), np.array([1, 1, 1, 1, 0, 0, 0, 0, 0.0]))
    with pytest.raises(Refused, match="at least five"):
        depth_quantities([0, 1], [1, 0])
    with pytest.raises(Refused, match="has no dose"):
        depth_quantities(depth, np.zeros_like(depth))
    with pytest.raises(Refused, match="must be above zero"):
        depth_quantities(DEPTH_CM, ramp(), sigma=0.0)
    assert last_crossing_cm([0, 1, 2], [0.1, 0.2, 0.3], 0.5) is None
