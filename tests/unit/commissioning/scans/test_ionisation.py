"""Ionisation to dose against published numbers: TRS-398's table of stopping-power ratios and TG-51's relations."""

import attrs
import numpy as np
import pytest

from ert.analysis.depth import depth_quantities
from ert.commissioning.scans.ionisation import (
    ionisation_to_dose,
    r50_from_i50_cm,
    shift_effective_point,
    stopping_power_ratio,
)
from ert.commissioning.scans.scan import CROSSLINE, CYLINDRICAL, DEPTH_DOSE, DIAMOND, DIODE, Scan
from ert.commissioning.scans.working import begin
from ert.errors import InvalidBeamData
from ert.settings import resources_dir
from tests.unit.commissioning.scans import writers

DEMO = resources_dir() / "demo_machine" / "beam_data"


def curve(position, value, *, kind=DEPTH_DOSE, detector=CYLINDRICAL, depth=None):
    return begin(
        Scan(
            file="a.mcc",
            index=1,
            line=4,
            file_format="PTW mcc",
            modality="electron",
            curve=kind,
            tank_axis="depth",
            depth_cm=depth,
            positions_cm=position,
            values=value,
            unit="A.U.",
            detector_kind=detector,
        )
    )


# IAEA TRS-398 (2000), table 20: water/air stopping-power ratios for R50 (columns) at relative depths z/R50 (rows).
R50_CM = [1.0, 1.4, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0, 10.0, 13.0, 16.0, 20.0]
TRS398 = {
    0.02: [1.076, 1.060, 1.042, 1.030, 1.020, 1.012, 1.004, 0.997, 0.991,
           0.986, 0.980, 0.971, 0.963, 0.950, 0.935, 0.924, 0.914],
    0.05: [1.078, 1.061, 1.044, 1.032, 1.022, 1.014, 1.006, 1.000, 0.994,
           0.988, 0.983, 0.974, 0.965, 0.952, 0.937, 0.926, 0.916],
    0.10: [1.080, 1.064, 1.047, 1.036, 1.026, 1.018, 1.010, 1.004, 0.998,
           0.992, 0.987, 0.978, 0.970, 0.957, 0.942, 0.931, 0.920],
    0.20: [1.085, 1.070, 1.053, 1.043, 1.034, 1.026, 1.019, 1.012, 1.006,
           1.001, 0.996, 0.987, 0.979, 0.966, 0.951, 0.940, 0.929],
}  # fmt: skip


@pytest.mark.parametrize("relative", sorted(TRS398))
def test_ratios_are_those_of_trs_398(relative):
    found = [float(stopping_power_ratio(relative * r50, r50)) for r50 in R50_CM]
    assert found == pytest.approx(TRS398[relative], abs=0.00055)


@pytest.mark.parametrize("r50", np.arange(2.0, 8.5, 0.5))
def test_at_the_reference_depth_it_is_the_ratio_tg_51_builds_on(r50):
    """TG-51: at d_ref = 0.6 R50 − 0.1 cm the ratio is 1.2534 − 0.1487 R50^0.2144."""
    found = float(stopping_power_ratio(0.6 * r50 - 0.1, r50))
    assert found == pytest.approx(1.2534 - 0.1487 * r50**0.2144, rel=0.0025)


def test_the_value_at_5_cm():
    assert float(stopping_power_ratio(2.9, 5.0)) == pytest.approx(1.0439, abs=5e-5)


@pytest.mark.parametrize(("depth", "r50"), [(0.05, 5.0), (6.1, 5.0), (0.5, 0.9), (5.0, 20.5)])
def test_outside_the_formula_is_refused(depth, r50):
    with pytest.raises(InvalidBeamData, match="formula holds"):
        stopping_power_ratio(depth, r50)


@pytest.mark.parametrize(("i50", "r50"), [(2.0, 1.998), (5.0, 5.085), (10.0, 10.23), (12.0, 12.338)])
def test_r50_of_tg_51(i50, r50):
    assert r50_from_i50_cm(i50) == pytest.approx(r50, abs=1e-9)


def test_i50_below_2_cm_is_refused():
    with pytest.raises(InvalidBeamData, match="holds from 2 cm"):
        r50_from_i50_cm(1.95)


@pytest.mark.parametrize("energy", ["06MeV", "12MeV", "20MeV"])
def test_ionisation_made_from_a_dose_becomes_that_dose_again(energy):
    """The reference depth dose over the ratios at its own R50 is what a chamber would read."""
    table = writers.columns(DEMO / energy / "depth_dose_10x10_open_ssd100.csv")
    z, dose = table["depth_cm"], table["dose_cgy_per_mu"]
    r50 = depth_quantities(z, dose).r50_cm
    ionisation = dose / stopping_power_ratio(np.clip(z, 0.02 * r50, 1.2 * r50), r50)
    found = ionisation_to_dose(curve(z, ionisation))
    assert depth_quantities(z, found.value).r50_cm == pytest.approx(r50, abs=0.02)
    assert np.abs(found.value / found.value.max() - dose / dose.max()).max() < 0.006
    assert depth_quantities(z, ionisation).r50_cm < r50 - 0.015  # without the step the beam is too short
    assert "Burns 1996" in found.history[-1]
    assert found.scan.values.tolist() == ionisation.tolist()


@pytest.mark.parametrize("detector", [DIODE, DIAMOND])
def test_detectors_that_read_dose_are_left_alone(detector):
    made = curve(np.linspace(0, 8, 81), np.linspace(1, 0, 81), detector=detector)
    found = ionisation_to_dose(made)
    assert found.value.tolist() == made.value.tolist()
    assert found.history[-1].startswith("Not converted")


def test_a_curve_that_does_not_fall_to_half_is_refused():
    with pytest.raises(InvalidBeamData, match="does not fall to half"):
        ionisation_to_dose(curve(np.linspace(0, 2, 21), np.linspace(1, 0.8, 21)))


def test_the_effective_point_is_half_a_radius_towards_the_source():
    z, value = np.linspace(0, 8, 81), np.linspace(1, 0, 81)
    found = shift_effective_point(curve(z, value), 0.275)
    assert found.position_cm == pytest.approx(z - 0.1375)
    assert found.value.tolist() == value.tolist()
    profile = shift_effective_point(curve(z - 4, value, kind=CROSSLINE, depth=2.0), 0.3)
    assert profile.depth_cm == pytest.approx(1.85)
    assert profile.position_cm.tolist() == (z - 4).tolist()
    assert attrs.evolve(profile, depth_cm=2.0).scan.depth_cm == 2.0
