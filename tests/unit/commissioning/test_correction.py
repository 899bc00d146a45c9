"""Measured over computed output: found where it was measured, shrunk by its uncertainty, smooth in between.

Expected numbers are posterior means of a normal value v with standard deviation s under a prior of 0 ± p, written out
by hand: v p² / (p² + s²).
"""

import attrs
import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.correction import OutputRatio, fit_correction, measured_ratio
from ert.commissioning.gamma_along import gamma_along
from ert.commissioning.measured import Curve, EnergyData, Output
from ert.settings import resources_dir


@pytest.fixture(scope="module")
def data():
    return read_beam_data(resources_dir() / "demo_machine" / "beam_data", energies_mev=[12.0])


def ratio_of(data, *, ratio, sigma, **field):
    changed = attrs.evolve(data.reference, **field)
    side_cm = 2 * changed.width_cm * changed.height_cm / (changed.width_cm + changed.height_cm)
    return OutputRatio(field=changed, side_cm=side_cm, ratio=ratio, relative_sigma=sigma)


def other_applicator(data):
    return next(a.id for a in data.machine.applicators if a.id != data.reference.applicator_id)


def test_a_model_that_meets_every_output_is_not_corrected(data):
    found = fit_correction(data, [ratio_of(data, ratio=1.0, sigma=0.005, cutout="3x3", width_cm=3.0, height_cm=3.0)])
    assert found.side_factor == pytest.approx(np.ones(len(found.side_cm)), abs=1e-12)
    assert set(dict(found.applicator_factors).values()) == {1.0}
    assert found.ssd_slope_per_cm == 0.0


@pytest.mark.parametrize(("sigma", "kept"), [(1e-6, 1.0), (0.01, 0.5), (0.03, 0.1)])
def test_an_applicator_is_corrected_as_far_as_its_measurement_is_sure(data, sigma, kept):
    name = other_applicator(data)
    found = fit_correction(data, [ratio_of(data, ratio=1.02, sigma=sigma, applicator_id=name)])
    assert np.log(dict(found.applicator_factors)[name]) == pytest.approx(kept * np.log(1.02), rel=1e-3)


def test_a_cutout_is_corrected_where_it_was_measured_and_the_open_field_is_not(data):
    small = ratio_of(data, ratio=1.03, sigma=1e-5, cutout="3x3", width_cm=3.0, height_cm=3.0)
    found = fit_correction(data, [small])
    at = np.interp([3.0, 10.0], found.side_cm, found.side_factor)
    assert at == pytest.approx([1.03, 1.0], abs=1e-3)


def test_a_cutout_that_the_model_misses_by_far_is_corrected_nearly_whole(data):
    small = ratio_of(data, ratio=0.95, sigma=0.01, cutout="2x2", width_cm=2.0, height_cm=2.0)
    found = fit_correction(data, [small])
    # Prior as wide as the ratio says, 5.13 %, against 1 %: v p² / (p² + s²) keeps 0.963; a prior of 1 % kept half.
    assert np.log(np.interp(2.0, found.side_cm, found.side_factor)) == pytest.approx(0.963 * np.log(0.95), rel=0.02)


def test_the_slope_with_distance_is_that_of_the_two_fields(data):
    far = ratio_of(data, ratio=0.99, sigma=1e-6, ssd_cm=data.reference.ssd_cm + 10.0)
    assert fit_correction(data, [far]).ssd_slope_per_cm == pytest.approx(np.log(0.99) / 10.0, rel=1e-4)


def test_the_ratio_is_measured_over_computed_at_the_depth_of_maximum(data):
    output = Output(field=data.reference, cgy_per_mu=1.03, relative_sigma=0.003, depth_of_maximum_cm=2.0)
    energy = EnergyData(energy_mev=12.0, curves=(), outputs=(output,), air_profiles=())
    depth_cm, computed = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.8, 0.9, 1.0, 0.9])
    found = measured_ratio(energy, data.reference, depth_cm, computed, [])
    assert found is not None
    assert found.ratio == pytest.approx(1.03)
    assert found.relative_sigma == pytest.approx(np.hypot(0.003, 0.004))
    assert measured_ratio(attrs.evolve(energy, outputs=()), data.reference, depth_cm, computed, []) is None


def test_a_noisy_depth_dose_counts_less_than_a_sure_output(data):
    output = Output(field=data.reference, cgy_per_mu=1.0, relative_sigma=1e-4, depth_of_maximum_cm=2.0)
    noisy = Curve(
        file="made.csv", kind="depth_dose", field=data.reference, is_absolute=True,
        position_cm=np.array([1.0, 2.0, 3.0]), dose=np.full(3, 0.97), sigma=np.full(3, 0.97 * 0.03),
    )  # fmt: skip
    energy = EnergyData(energy_mev=12.0, curves=(noisy,), outputs=(output,), air_profiles=())
    depth_cm, computed = np.array([0.0, 1.0, 2.0, 3.0]), np.ones(4)
    found = measured_ratio(energy, data.reference, depth_cm, computed, [])
    # Of 3 % a third of the variance is common to the curve: 1.73 %; with the 0.4 % of each, weights are 1 : 19.7.
    assert found is not None
    assert found.ratio == pytest.approx(1.0 - 0.03 / 20.74, abs=2e-5)


def test_gamma_of_a_shifted_ramp_is_its_closed_form():
    """A ramp of slope g shifted by d: gamma = d g / sqrt(D² + g² L²) for criteria D and L (Low et al. 1998)."""
    x, slope, criteria = np.linspace(0.0, 10.0, 101), 0.1, {"dose_cgy": 0.03, "distance_cm": 0.3}
    limit = np.hypot(0.03, slope * 0.3) / slope
    for shift, passed in ((0.97 * limit, 100.0), (1.03 * limit, 0.0)):
        middle = gamma_along(x, 1.0 + slope * x, 1.0 + slope * (x - shift), **criteria)
        assert abs(middle - passed) < 6.0  # the ends, where the other curve stops, may differ
