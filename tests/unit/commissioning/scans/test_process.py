"""Steps on curves: known coefficients, symmetric functions, closed forms; the raw scan is never touched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ert.commissioning.scans import process
from ert.commissioning.scans.scan import CROSSLINE, DEPTH_DOSE
from ert.errors import InvalidBeamData
from ert.settings import resources_dir
from tests.unit.commissioning.scans import writers
from tests.unit.commissioning.scans.test_ionisation import curve

X = np.linspace(-8.0, 8.0, 161)


def profile(shift=0.0, tilt=0.0, x=X):
    """A field of ±5 cm with edges of 0.6 cm (80 % to 20 %), shifted and tilted."""
    edge = 0.5 * (np.tanh((x - shift + 5.0) / 0.45) - np.tanh((x - shift - 5.0) / 0.45))
    return curve(x, edge * (1.0 + tilt * x) + 0.01, kind=CROSSLINE, depth=1.0)


def test_smoothing_has_the_coefficients_of_savitzky_and_golay():
    """Seven points, quadratic or cubic: (−2, 3, 6, 7, 6, 3, −2)/21 (Savitzky and Golay 1964, table I)."""
    impulse = np.zeros(21)
    impulse[10] = 1.0
    found = process.smooth(curve(np.arange(21) * 0.1, impulse)).value
    assert found[7:14] * 21 == pytest.approx([-2, 3, 6, 7, 6, 3, -2], abs=1e-9)
    assert np.abs(found[:7]).max() < 1e-12


def test_smoothing_keeps_a_cubic_on_unequal_steps_to_the_last_point():
    x = np.cumsum(np.linspace(0.05, 0.4, 30))
    cubic = 2.0 - 0.3 * x + 0.05 * x**2 - 0.004 * x**3
    assert process.smooth(curve(x, cubic)).value == pytest.approx(cubic, abs=1e-10)


def test_smoothing_takes_noise_from_a_plateau():
    noise = np.random.default_rng(1).normal(1.0, 0.01, 2000)
    found = process.smooth(curve(np.arange(2000) * 0.1, noise)).value
    assert found.std() == pytest.approx(0.01 * np.sqrt(7 / 21), rel=0.05)  # the central coefficient is the variance


def test_too_few_points_are_not_smoothed():
    with pytest.raises(InvalidBeamData, match="too few to smooth"):
        process.smooth(curve(np.arange(6.0), np.ones(6)))


@given(st.floats(-0.45, 0.45))
def test_centring_undoes_a_shift(shift):
    found = process.centre(profile(shift))
    assert abs(process.off_centre_cm(found)) < 0.01
    assert found.position_cm == pytest.approx(X - shift, abs=0.01)
    assert found.value.tolist() == profile(shift).value.tolist()


def test_a_profile_far_off_the_axis_is_a_fault_of_the_set_up():
    with pytest.raises(InvalidBeamData, match=r"lies \+0\.80 cm off the axis"):
        process.centre(profile(0.8))


@given(st.floats(-0.02, 0.02), st.floats(-0.4, 0.4))
def test_a_symmetrised_profile_is_symmetric_and_stays_so(tilt, shift):
    once = process.symmetrise(profile(shift, tilt))
    assert once.position_cm == pytest.approx(-once.position_cm[::-1], abs=1e-9)
    assert once.value == pytest.approx(once.value[::-1], abs=1e-12)
    assert process.symmetrise(once).value == pytest.approx(once.value, abs=1e-12)


def test_symmetrising_a_tilt_gives_the_profile_without_it():
    assert process.symmetrise(profile(tilt=0.01)).value == pytest.approx(profile().value, abs=1e-3)


def test_symmetrising_keeps_to_where_both_halves_were_measured():
    found = process.symmetrise(profile(x=np.linspace(-8.0, 6.0, 141)))
    assert (found.position_cm[0], found.position_cm[-1]) == (-6.0, 6.0)
    with pytest.raises(InvalidBeamData, match="one half only"):
        process.symmetrise(profile(x=np.linspace(0.5, 8.0, 76)))


def test_depth_doses_have_no_centre_and_no_second_half():
    made = curve(np.linspace(0, 8, 81), np.linspace(1, 0, 81))
    assert process.centre(made) is made
    assert process.symmetrise(made) is made


def test_resampling_keeps_to_the_measured_range_and_a_straight_line():
    x = np.array([-0.17, 0.4, 1.1, 2.3, 3.05])
    found = process.resample(curve(x, 3.0 * x + 1.0), 0.5)
    assert found.position_cm.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert found.value == pytest.approx(3.0 * found.position_cm + 1.0)


def test_points_above_the_water_and_negative_values_are_left_out_and_counted():
    found = process.keep_usable(curve(np.array([-0.2, -0.1, 0.0, 0.1, 0.2]), np.array([1.0, -1.0, 2.0, -0.1, 3.0])))
    assert found.position_cm.tolist() == [0.0, 0.2]
    assert found.history[-1] == "Left out: 2 points above the water surface and 1 values below zero."


def test_repeated_positions_are_averaged():
    found = process.average_repeats(curve(np.array([0.0, 1.0, 1.0, 2.0]), np.array([1.0, 2.0, 4.0, 5.0])))
    assert (found.position_cm.tolist(), found.value.tolist()) == ([0.0, 1.0, 2.0], [1.0, 3.0, 5.0])


def test_every_step_tells_what_it_did_and_leaves_the_scan():
    made = profile(0.1, 0.01)
    steps = [
        lambda c: process.subtract_background(c, 0.005),
        process.smooth,
        process.centre,
        process.symmetrise,
        lambda c: process.resample(c, 0.2),
    ]
    found = made
    for step in steps:
        before = found
        found = step(found)
        assert len(found.history) == len(before.history) + 1
    assert found.scan is made.scan
    assert found.scan.values.tolist() == made.value.tolist()
    assert process.subtract_background(made, 0.005).value == pytest.approx(made.value - 0.005)


@pytest.mark.parametrize("energy", ["06MeV", "12MeV", "20MeV"])
def test_noise_does_not_raise_the_maximum_a_depth_dose_is_normalised_to(energy):
    """By definition of its monitor unit the reference field's maximum is 1 cGy/MU; the highest points lie above."""
    table = writers.columns(
        resources_dir() / "demo_machine" / "beam_data" / energy / "depth_dose_10x10_open_ssd100.csv"
    )
    _, top, is_smoothed = process.peak(table["depth_cm"], table["dose_cgy_per_mu"])
    assert is_smoothed
    assert top == pytest.approx(1.0, abs=0.0035)


def test_the_maximum_of_a_smooth_curve_is_found_between_its_points():
    z = np.arange(0.05, 8.0, 0.2)
    exact = np.exp(-(((z - 2.13) / 2.5) ** 2)) * 0.5 * (1 - np.tanh((z - 5.0) / 0.6)) + 0.01
    fine = np.linspace(1.5, 2.8, 5000)
    truth = np.exp(-(((fine - 2.13) / 2.5) ** 2)) * 0.5 * (1 - np.tanh((fine - 5.0) / 0.6)) + 0.01
    depth_cm, top, is_smoothed = process.peak(z, exact)
    assert is_smoothed
    assert top == pytest.approx(truth.max(), rel=1e-3)
    assert depth_cm == pytest.approx(fine[truth.argmax()], abs=0.1)


def test_a_curve_that_ends_before_its_range_is_normalised_to_its_highest_point():
    z = np.linspace(0.0, 2.0, 21)
    assert process.peak(z, 1.0 - 0.1 * (z - 1.0) ** 2) == (1.0, 1.0, False)


def test_a_depth_dose_takes_its_output_and_a_profile_its_depth_dose():
    z = np.linspace(0.0, 8.0, 161)
    shape = 0.5 * (1 - np.tanh((z - 5.0) / 0.5)) + 0.01
    depth_dose = process.normalise_to_output(curve(z, 37.0 * shape), 0.95)
    assert depth_dose.unit == "cGy/MU"
    assert depth_dose.value == pytest.approx(0.95 * shape / shape.max(), rel=2e-3)
    found = process.normalise_to_depth_dose(profile(), depth_dose)
    assert np.interp(0.0, found.position_cm, found.value) == pytest.approx(np.interp(1.0, z, depth_dose.value))
    deep = curve(X, profile().value, kind=CROSSLINE, depth=9.0)
    with pytest.raises(InvalidBeamData, match="does not reach the profile's depth"):
        process.normalise_to_depth_dose(deep, depth_dose)


def test_a_profile_without_signal_on_the_axis_is_not_normalised():
    z = np.linspace(0.0, 8.0, 161)
    depth_dose = curve(z, np.ones(161), kind=DEPTH_DOSE)
    with pytest.raises(InvalidBeamData, match="no signal on the axis"):
        process.normalise_to_depth_dose(profile(x=np.linspace(1.0, 8.0, 71)), depth_dose)
