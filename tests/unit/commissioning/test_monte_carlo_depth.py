"""Depth doses from which a Monte Carlo source is fitted, and the share of photons that the fit reads from them."""

import attrs
import numpy as np
import pytest

from ert.commissioning import monte_carlo_depth
from ert.commissioning.monte_carlo_depth import (
    MANY_PHOTONS,
    central_dose,
    csda_range_cm,
    photon_dose,
    reference_field,
    with_smooth_tail,
)
from ert.commissioning.monte_carlo_fit import _solved
from ert.dose.monte_carlo_tables import monte_carlo_tables
from tests.unit.dose.beams import demo

TABLES = monte_carlo_tables()


@pytest.mark.parametrize(("energy_mev", "wanted_cm"), [(6.0, 3.052), (10.0, 4.975), (20.0, 9.320)])
def test_the_range_of_continuous_slowing_down_is_that_of_estar(energy_mev, wanted_cm):
    """NIST ESTAR, liquid water."""
    assert csda_range_cm(TABLES, energy_mev) == pytest.approx(wanted_cm, rel=0.006)


def test_a_noisy_tail_keeps_its_mean_and_loses_its_noise():
    """Photons of 0.05/cm with 10 % of noise a point: σ of a mean of 60 points is 1.3 %."""
    depth = np.arange(0.05, 10.0, 0.1)
    true = np.exp(-0.05 * depth)
    noisy = true * (1.0 + 0.1 * np.random.default_rng(1).standard_normal(len(depth)))
    smooth = with_smooth_tail(depth, noisy, 4.0)
    deep = depth > 4.0
    assert np.array_equal(smooth[~deep], noisy[~deep])
    assert smooth[deep].mean() == pytest.approx(noisy[deep].mean(), rel=0.01)
    assert smooth[deep] == pytest.approx(true[deep], rel=0.05)
    assert with_smooth_tail(depth, noisy, 9.7) is noisy


def test_the_photons_of_the_fit_are_those_of_a_phantom_that_goes_on(monkeypatch):
    """6 MeV, against other random numbers on water twice as far around (1 % each); nothing may be missing at the end.

    Where the phantom ended with what was kept of it, the last centimetre had 7 % less, and the beam was given as many
    photons more.
    """
    model, machine = demo().model(6.0), demo().machine
    found = photon_dose(reference_field(model, machine, TABLES, None), model.monte_carlo, 480_000)
    monkeypatch.setattr(monte_carlo_depth, "_AROUND_CM", 20.0)
    lit, _ = central_dose(
        wide := reference_field(model, machine, TABLES, None),
        attrs.evolve(model.monte_carlo, photons_per_electron=MANY_PHOTONS), seed=91, histories=480_000,
    )  # fmt: skip
    depth = wide.depth_cm
    for low, high in ((0.5, 3.0), (3.0, 5.0), (5.0, 6.0), (6.0, 9.0)):
        part = (depth > low) & (depth < high)
        assert found[part].mean() == pytest.approx(lit[part].mean() / MANY_PHOTONS, rel=0.03)


def test_the_photons_of_a_known_mixture_are_found_again():
    """Half a photon to an electron, from depth doses that are known exactly."""
    model, machine = demo().model(6.0), demo().machine
    field = reference_field(model, machine, TABLES, None)
    edges = model.surface_energy_mev * np.linspace(0.2, 1.16, 33)
    reach = 0.5 * edges[1:]
    fall = 0.5 * (1.0 - np.tanh((field.depth_cm - reach[:, None]) / (0.1 * reach[:, None])))
    basis = fall + 0.004 * np.exp(-0.03 * field.depth_cm)
    photons = 0.02 * np.exp(-0.05 * field.depth_cm) * (1.0 - 0.5 * np.exp(-field.depth_cm))
    share = np.exp(-0.5 * ((np.arange(32) - 26.0) / 2.0) ** 2)
    dose = 3e7 * (share / share.sum() @ basis + 0.5 * photons)
    found = _solved(model.monte_carlo, basis, photons, attrs.evolve(field, dose_gy_per_mu=dose, weight=0 * dose + 1e-5))
    assert found.photons_per_electron == pytest.approx(0.5, rel=0.02)
    assert found.electrons_per_cm2_mu == pytest.approx(3e7, rel=0.01)
