"""Electron tables and Fermi–Eyges moments against published numbers."""

import csv

import numpy as np
import pytest

from ert.domain.electron_energy import most_probable_energy_mev
from ert.dose.physics import (
    collision_stopping_power_water,
    csda_range_water,
    energy_at_range_water,
    fermi_eyges_moments,
    harder_energy_mev,
    scattering_power_water,
)
from ert.settings import resources_dir

STEP_CM = 0.005


@pytest.mark.parametrize(("energy", "stopping", "csda"), [(1, 1.849, 0.4369), (10, 1.968, 4.975), (20, 2.046, 9.320)])
def test_stopping_power_and_range_are_those_of_estar(energy, stopping, csda):
    assert collision_stopping_power_water(energy) == pytest.approx(stopping, rel=1e-3)
    assert csda_range_water(energy) == pytest.approx(csda, rel=1e-3)


@pytest.mark.parametrize(("energy", "power"), [(1, 3.449), (5, 0.2668), (20, 0.0231)])
def test_scattering_power_is_that_of_icru_35(energy, power):
    assert scattering_power_water(energy) == pytest.approx(power, rel=2e-3)


def reference_rows():
    with (resources_dir() / "tables" / "fermi_eyges_water_reference.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("energy", sorted({r["E0_MeV"] for r in reference_rows()}))
def test_moments_in_water_agree_with_the_reference_table(energy):
    rows = [r for r in reference_rows() if r["E0_MeV"] == energy]
    middle = np.arange(STEP_CM / 2, rows[-1]["z_cm"] + STEP_CM, STEP_CM)
    left = energy_at_range_water(csda_range_water(energy) - middle)
    a0, _, a2 = fermi_eyges_moments(scattering_power_water(left), STEP_CM)
    depth = np.arange(len(a0)) * STEP_CM
    for row in rows:
        assert np.interp(row["z_cm"], middle, left) == pytest.approx(row["E_local_CSDA_MeV"], rel=5e-3)
        assert np.interp(row["z_cm"], depth, np.sqrt(a0)) == pytest.approx(row["sigma_theta_x_rad"], rel=5e-3)
        assert np.interp(row["z_cm"], depth, np.sqrt(a2)) == pytest.approx(row["sigma_x_cm"], rel=5e-3)


def test_moments_of_constant_scattering_are_the_closed_form():
    power, length, count = 0.06, 4.0, 50
    a0, a1, a2 = fermi_eyges_moments(np.full(count, power), length / count)
    assert a0[-1] == pytest.approx(power * length / 2)
    assert a1[-1] == pytest.approx(power * length**2 / 4)
    assert a2[-1] == pytest.approx(power * length**3 / 6)


def test_energy_relations():
    # Monte Carlo of monoenergetic beams: Rp 2.96, 6.01, 10.07 cm for 6, 12, 20 MeV (formula 1.4-2 % below).
    for rp, energy in ((2.96, 6.0), (6.01, 12.0), (10.07, 20.0)):
        assert most_probable_energy_mev(rp) == pytest.approx(energy, rel=0.025)
    assert harder_energy_mev(12.0, [0.0, 0.5, 0.99]) == pytest.approx([12.0, 6.0, 0.5])
