"""The part of measured over computed dose that all fields share, against cases whose answer is known beforehand."""

import numpy as np

from ert.commissioning.common_depth import Ratios, common_ratio, joined, point_of

RANGE_CM = 6.0
DEPTH_CM = np.arange(0.1, 5.0, 0.2)


def ratios(log_ratio, *, sigma=0.005, equilibrium=0.0, is_reference=False):
    ones = np.ones(len(DEPTH_CM))
    return Ratios(
        depth_cm=DEPTH_CM,
        log_ratio=log_ratio * ones,
        sigma=sigma * ones,
        equilibrium=equilibrium * ones,
        slope_per_cm=0.0 * ones,
        is_reference=is_reference,
    )


def test_level_of_another_field_is_not_taken_for_depth_dose():
    fields = [ratios(0.0, sigma=0.001, is_reference=True), ratios(0.03, sigma=0.001)]
    assert np.abs(common_ratio(fields, depth_cm=DEPTH_CM, range_cm=RANGE_CM) - 1.0).max() < 5e-4


def test_noise_of_the_reference_line_is_taken_out_by_the_other_fields():
    truth = 0.008 * np.sin(2 * np.pi * DEPTH_CM / 4.0)
    noise = np.random.default_rng(3)
    fields = [ratios(0.0, sigma=0.008, is_reference=True)]
    fields[0] = ratios(truth + noise.normal(0, 0.008, len(DEPTH_CM)), sigma=0.008, is_reference=True)
    fields += [ratios(truth + noise.normal(0, 0.008, len(DEPTH_CM)), sigma=0.008) for _ in range(8)]
    alone = np.log(common_ratio(fields[:1], depth_cm=DEPTH_CM, range_cm=RANGE_CM)) - truth
    together = np.log(common_ratio(fields, depth_cm=DEPTH_CM, range_cm=RANGE_CM)) - truth
    # Its level stays the reference field's own affair; the shape is what all fields share.
    assert np.std(together) < 0.6 * np.std(alone)
    assert np.std(together) < 0.003


def test_field_out_of_lateral_equilibrium_counts_less():
    trend = 0.02 * (DEPTH_CM / 5.0)
    quiet = ratios(0.0, sigma=0.002, is_reference=True)
    near = common_ratio([quiet, ratios(trend, sigma=0.001)], depth_cm=DEPTH_CM, range_cm=RANGE_CM)
    far = common_ratio([quiet, ratios(trend, sigma=0.001, equilibrium=-0.3)], depth_cm=DEPTH_CM, range_cm=RANGE_CM)
    assert np.abs(far - 1.0).max() < np.abs(near - 1.0).max()
    assert np.abs(far - 1.0).max() < 1e-3


def test_plateau_becomes_its_weighted_mean():
    one = point_of(ratios(np.linspace(0.0, 0.01, len(DEPTH_CM)), sigma=0.01))
    assert np.isclose(one.log_ratio[0], 0.005)
    assert np.isclose(one.sigma[0], 0.01 / np.sqrt(len(DEPTH_CM)))
    assert len(joined([one, one]).depth_cm) == 2
