"""Depth doses from which a Monte Carlo source is fitted, and the share of photons that the fit reads from them."""

import attrs
import numpy as np
import pytest

from ert.commissioning import monte_carlo_depth
from ert.commissioning.monte_carlo_depth import (
    MANY_PHOTONS,
    _allowed_error,
    central_dose,
    csda_range_cm,
    field_ratio,
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


def parts(depth_cm, energy_mev):
    """Depth doses that look like those of 32 energies, and like that of photons."""
    reach = 0.5 * energy_mev * np.linspace(0.2, 1.16, 33)[1:]
    fall = 0.5 * (1.0 - np.tanh((depth_cm - reach[:, None]) / (0.1 * reach[:, None])))
    photons = 0.02 * np.exp(-0.05 * depth_cm) * (1.0 - 0.5 * np.exp(-depth_cm))
    return fall + 0.004 * np.exp(-0.03 * depth_cm), photons


def test_wiggles_of_a_tail_do_not_move_the_fall_off():
    """A tail with 10 % of smooth noise, half of it in the first centimetre: R50 stays within 0.05 mm of the curve's."""
    model, machine = demo().model(6.0), demo().machine
    field = reference_field(model, machine, TABLES, None)
    depth, range_cm = field.depth_cm, model.practical_range_cm
    basis, photons = parts(depth, model.surface_energy_mev)
    share = np.exp(-0.5 * ((np.arange(32) - 26.0) / 1.5) ** 2)
    true = 3e7 * (share / share.sum() @ basis + 0.5 * photons)
    beyond = np.maximum(depth - 1.1 * range_cm, 0.0)
    dose = true * (1.0 - 0.4 * beyond * np.exp(-beyond / 0.4) + 0.03 * np.sin(9.0 * beyond))
    weight = 1.0 / _allowed_error(depth, dose, range_cm)
    found = _solved(model.monte_carlo, basis, photons, attrs.evolve(field, dose_gy_per_mu=dose, weight=weight))
    ours = found.electrons_per_cm2_mu * (found.spectrum_share @ basis + found.photons_per_electron * photons)
    half = 0.5 * dose.max()
    r50 = [np.interp(-half, -d[d > 0.1 * half], depth[d > 0.1 * half]) for d in (dose, ours)]
    assert r50[1] == pytest.approx(r50[0], abs=0.005)


def test_the_ratio_and_the_rest_give_the_simulation_back_down_to_the_range():
    """20 MeV, where the ratio falls from the electrons' to the bremsstrahlung's within a centimetre; then no rest."""
    model, machine = demo().model(20.0), demo().machine
    field = reference_field(model, machine, TABLES, None)
    broad = 1e-10 * (1.0 - np.tanh((field.depth_cm - 9.0) / 1.5)) + 1e-11
    square = (95.0 / (95.0 + field.depth_cm)) ** 2
    ratio, rest = field_ratio(field, model.monte_carlo, broad, square, seed=4, histories=64_000)
    alone = attrs.evolve(model.monte_carlo, photons_per_electron=0.0)
    simulated, _ = central_dose(field, alone, seed=4, histories=64_000)
    above = field.depth_cm <= 1.15 * model.practical_range_cm
    assert (ratio * broad + rest)[above] == pytest.approx(simulated[above], rel=1e-9)
    assert not np.any(rest[~above])
    assert (ratio / square)[~above] == pytest.approx((ratio / square)[-1])


def test_the_photons_of_a_known_mixture_are_found_again():
    """Half a photon to an electron, from depth doses that are known exactly."""
    model, machine = demo().model(6.0), demo().machine
    field = reference_field(model, machine, TABLES, None)
    basis, photons = parts(field.depth_cm, model.surface_energy_mev)
    share = np.exp(-0.5 * ((np.arange(32) - 26.0) / 2.0) ** 2)
    dose = 3e7 * (share / share.sum() @ basis + 0.5 * photons)
    found = _solved(model.monte_carlo, basis, photons, attrs.evolve(field, dose_gy_per_mu=dose, weight=0 * dose + 1e-5))
    assert found.photons_per_electron == pytest.approx(0.5, rel=0.02)
    assert found.electrons_per_cm2_mu == pytest.approx(3e7, rel=0.01)
