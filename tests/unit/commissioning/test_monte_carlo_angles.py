"""Electrons in air and the angular spread that is read from them."""

import math

import attrs
import numpy as np
import pytest

from ert.commissioning import monte_carlo_angles, monte_carlo_profiles
from ert.commissioning.measured import AirProfile, Curve, Field
from ert.commissioning.monte_carlo_angles import FINE, least, with_angles
from ert.commissioning.monte_carlo_profiles import with_core_in_water
from ert.domain.monte_carlo_model import MonteCarloModel
from ert.dose.kernels.mc_air import run_air
from ert.dose.kernels.mc_random import LATTICE_NUMBERS, start_history, start_lattice
from ert.dose.kernels.mc_start import start
from ert.dose.monte_carlo_source import source_numbers
from ert.dose.monte_carlo_tables import kernel_tables, monte_carlo_tables
from ert.geometry.grid import VoxelGrid
from tests.unit.dose.beams import beam, demo

TABLES = monte_carlo_tables()
GRID = VoxelGrid(origin_cm=(0.0, 0.0, 0.0), spacing_cm=(1.0, 1.0, 1.0), shape_zyx=(1, 1, 1))
SOURCE = MonteCarloModel(
    electrons_per_cm2_mu=3e7, spectrum_edges_mev=[4.0, 8.0, 11.0, 13.0], spectrum_share=[0.05, 0.0, 0.95],
    core_angle_rad=0.045, wide_frac=0.0, wide_angle_rad=0.0, virtual_sad_cm=92.0, off_axis=(0.0, 0.0),
    off_axis_limit_cm=10.0, photons_per_electron=0.0, photon_angle_rad=0.05, irradiated_margin_cm=0.5,
    insert_thickness_cm=1.5, insert_medium="cerrobend", insert_density_g_cm3=9.4, tables_digest=TABLES.digest,
)  # fmt: skip


def in_air(source, distances_cm, *, seed, histories=250_000):
    """Profiles across the open 10 × 10 applicator, points 2.5 mm apart, for one electron per cm² on the insert."""
    geometry = beam()
    numbers = source_numbers(source, TABLES, geometry, GRID)
    fluence, planes = np.zeros((len(distances_cm), 60)), geometry.frame.sad_cm - np.array(distances_cm)
    run_air(
        0, histories, np.uint64(seed), numbers.source, numbers.numbers, numbers.metals,
        kernel_tables(TABLES, np.ones(TABLES.photon.shape[1])), planes, 1.0, 0.25, fluence,
    )  # fmt: skip
    return (np.arange(60) + 0.5) * 0.25, fluence / (histories * 4 * 2.0 * 0.25)


def started(numbers, histories):
    """Energies, and tangents of the angle to the fan across x, of electrons as they start."""
    p, rng, found = np.empty(9), np.empty(1, dtype=np.uint64), []
    tables = kernel_tables(TABLES, np.ones(TABLES.photon.shape[1]))
    far, lattice = numbers.numbers[0] - numbers.numbers[1], np.empty(LATTICE_NUMBERS, dtype=np.uint64)
    start_lattice(lattice, np.uint64(5), np.uint64(0))
    for history in range(histories):
        start_history(rng, np.uint64(5), np.uint64(history))
        if start(p, numbers.source, numbers.numbers, tables, numbers.metals[1], lattice, np.uint64(history), rng):
            found.append((p[0], -p[4] / p[6] - p[1] / far))
    energies, across = np.array(found).T
    return energies, across


def test_fluence_in_air_falls_with_the_square_of_the_distance_from_the_virtual_source():
    """With a thin insert that nothing but its opening is lit of: a thick one's walls add about 1.5 % below 10 × 10."""
    source = attrs.evolve(
        SOURCE, core_angle_rad=0.02, spectrum_share=[0.0, 0.0, 1.0], insert_thickness_cm=0.01, irradiated_margin_cm=0.0
    )
    _, fluence = in_air(source, [95.5, 100.0, 110.0], seed=3)
    insert = 92.0 - 5.01
    wanted = [(insert / (92.0 - 100.0 + d)) ** 2 for d in (95.5, 100.0, 110.0)]
    assert fluence[:, :12].mean(axis=1) == pytest.approx(wanted, rel=0.015)
    assert fluence[0, 24:].max() < 0.01  # 6 cm off axis, 5 mm below an opening of 9.5 cm


def measured_in_air(true):
    distances = (95.1, 100.0, 110.0)
    at, fluence = in_air(true, distances, seed=99, histories=1_500_000)
    return [
        AirProfile(applicator_id="A10", distance_cm=d, width_cm=10.0, position_cm=at, fluence=f, sigma=0.01 + 0 * f)
        for d, f in zip(distances, fluence, strict=True)
    ]


def test_the_spread_of_electrons_is_found_again(monkeypatch):
    """Profiles of a known source, from other random numbers; 0.045 rad lies between two spreads that are tried."""
    monkeypatch.setattr(monte_carlo_angles, "_FINE_TIMES", 8)
    true = attrs.evolve(
        SOURCE, spectrum_share=[0.1, 0.0, 0.9], wide_frac=0.05, wide_angle_rad=0.7, slow_below_mev=8.0,
        slow_angle_rad=0.12,
    )  # fmt: skip
    air = measured_in_air(true)
    # The widest are on top of the spectrum, which dose tells: most of them give none.
    start = attrs.evolve(SOURCE, core_angle_rad=0.03, wide_frac=0.2, wide_angle_rad=0.05)
    found, error = with_angles(start, air, demo().machine, beam(), TABLES)
    assert found.core_angle_rad == pytest.approx(0.045, rel=0.03)
    assert 0.004 < error < 0.05  # the slow electrons' spread is free as well
    assert found.wide_frac == pytest.approx(0.05, abs=0.012)
    assert 0.4 <= found.wide_angle_rad <= 1.0
    assert with_angles(start, [], demo().machine, beam(), TABLES) == (start, math.inf)


def test_slow_electrons_have_a_spread_of_their_own(monkeypatch):
    """8 % below 8 MeV at 0.12 rad, the rest at 0.04: 1 cm below the insert they hardly show, at 110 cm they do."""
    monkeypatch.setattr(monte_carlo_angles, "_FINE_TIMES", 16)
    share = [0.08, 0.0, 0.92]
    true = attrs.evolve(
        SOURCE, core_angle_rad=0.04, spectrum_share=share, slow_below_mev=8.0, slow_angle_rad=0.12
    )  # fmt: skip
    start = attrs.evolve(SOURCE, spectrum_share=share, core_angle_rad=0.05)
    found, _ = with_angles(start, measured_in_air(true), demo().machine, beam(), TABLES)
    assert found.slow_below_mev == pytest.approx(0.8 * start.mean_energy_mev)
    assert found.slow_angle_rad == pytest.approx(0.12, rel=0.25)
    assert found.core_angle_rad == pytest.approx(0.04, rel=0.03)
    assert found.wide_frac < 0.005


@pytest.mark.parametrize("below_mev", [0.0, 8.0])
def test_only_electrons_below_an_energy_start_with_the_slow_spread(below_mev):
    """Directions at the insert, 4 to 13 MeV: root of the mean square about the fan by energy."""
    source = attrs.evolve(
        SOURCE, core_angle_rad=0.01, spectrum_share=[0.5, 0.0, 0.5], slow_below_mev=below_mev, slow_angle_rad=0.1
    )  # fmt: skip
    numbers = source_numbers(source, TABLES, beam(), GRID)
    energies, across = started(numbers, 4_000)
    slow, fast = (float(np.sqrt(np.mean(across[is_it] ** 2))) for is_it in (energies < 8.0, energies > 8.0))
    assert fast == pytest.approx(0.01, rel=0.05)
    assert slow == pytest.approx(0.1 if below_mev else 0.01, rel=0.05)


def test_the_spread_of_photons_and_the_share_of_wide_electrons_are_found_again(monkeypatch):
    """Profiles in water of a known source, computed with other random numbers."""
    monkeypatch.setattr(monte_carlo_profiles, "_PHOTONS", 800_000)
    for electrons in ("_ELECTRONS", "_BESIDE_ELECTRONS"):
        monkeypatch.setattr(monte_carlo_profiles, electrons, 200_000)
    true = attrs.evolve(
        SOURCE, wide_frac=0.03, wide_angle_rad=0.7, photons_per_electron=1.0, photon_angle_rad=0.08
    )  # fmt: skip
    water = monte_carlo_profiles.Water(geometry=beam(), tables=TABLES, ssd_cm=100.0, check=None)
    monkeypatch.setattr(monte_carlo_profiles, "_SEED", 5)
    measured = []
    for depth, thickness in ((0.5, 0.2), (8.0, 2.0)):
        at, dose = attrs.evolve(water, strip_cm=6.0).across(true, depth, thickness, 1_500_000)
        field = Field(applicator_id="A10", cutout="open", width_cm=10.0, height_cm=10.0, ssd_cm=100.0)
        measured.append(
            Curve(
                kind="profile",
                field=field,
                file="",
                axis="crossline",
                depth_cm=depth,
                position_cm=at,
                dose=dose,
                sigma=0.03 * dose,
            )  # fmt: skip
        )
    monkeypatch.setattr(monte_carlo_profiles, "_SEED", 6)
    start = attrs.evolve(true, photon_angle_rad=0.02, wide_frac=0.05, wide_angle_rad=0.25)
    spread = monte_carlo_profiles.with_photon_spread(start, measured, water, range_cm=6.5)
    assert spread.photon_angle_rad == pytest.approx(0.08, abs=0.021)
    found = monte_carlo_profiles.with_wide_electrons(attrs.evolve(true, wide_frac=0.05), measured, water)
    assert found.wide_frac == pytest.approx(0.03, abs=0.012)
    assert monte_carlo_profiles.with_photon_spread(start, measured[:1], water, range_cm=6.5) == start
    assert monte_carlo_profiles.with_wide_electrons(start, [], water) == start


def test_the_edges_of_a_far_profile_in_water_tell_the_spread(monkeypatch):
    """0.045 rad, SSD 110 cm, other random numbers; from a start 8 % off, and as one of two estimates."""
    monkeypatch.setattr(monte_carlo_profiles, "_EDGE_ELECTRONS", 960_000)
    water = monte_carlo_profiles.Water(geometry=beam(), tables=TABLES, ssd_cm=100.0, check=None)
    monkeypatch.setattr(monte_carlo_profiles, "_SEED", 5)
    at, dose = attrs.evolve(water, ssd_cm=110.0).across(SOURCE, 0.5, 0.2, 1_920_000)
    field = Field(applicator_id="A10", cutout="open", width_cm=10.0, height_cm=10.0, ssd_cm=110.0)
    sigma = 0.01 * dose.max() + 0.0 * dose
    far = Curve(
        kind="profile", field=field, file="", axis="crossline", depth_cm=0.5, position_cm=at, dose=3.0 * dose,
        sigma=3.0 * sigma,
    )  # fmt: skip
    monkeypatch.setattr(monte_carlo_profiles, "_SEED", 6)
    start = attrs.evolve(SOURCE, core_angle_rad=0.045 / 1.08)
    found = with_core_in_water(start, [far], water, error_frac=math.inf)
    assert found.core_angle_rad == pytest.approx(0.045, rel=0.02)
    monkeypatch.setattr(monte_carlo_profiles, "_EDGE_ELECTRONS", 96_000)
    twice = with_core_in_water(attrs.evolve(SOURCE, core_angle_rad=0.035), [far], water, error_frac=math.inf)
    assert twice.core_angle_rad == pytest.approx(0.045, rel=0.08)
    sure = with_core_in_water(start, [far], water, error_frac=1e-4)
    assert sure.core_angle_rad == pytest.approx(start.core_angle_rad, rel=1e-3)
    near = attrs.evolve(far, field=attrs.evolve(field, ssd_cm=100.0))
    assert with_core_in_water(start, [near], water, error_frac=math.inf) == start
    assert with_core_in_water(start, [], water, error_frac=math.inf) == start


def test_the_error_of_an_angle_is_where_chi_square_has_risen_by_one():
    """χ² of a spread 2 % off and known to 1.5 %; nine points a degree of freedom too far away make it three times."""
    chi2 = 30.0 + ((FINE - 0.02) / 0.015) ** 2
    at, error = least(list(chi2), 100)
    assert FINE[at] == pytest.approx(0.02, abs=0.0013)
    assert error == pytest.approx(0.015)
    assert least(list(chi2 + 870.0), 100)[1] == pytest.approx(0.045, rel=1e-3)


@pytest.mark.parametrize("depth_cm", [0.72, 0.73, 0.74])
def test_a_profile_whose_depth_rounds_the_water_over_its_grid_is_computed(depth_cm):
    """At 134 of 1960 depths from 0.4 to 20 cm the water's grid is a row larger than asked for, by rounding."""
    water = monte_carlo_profiles.Water(geometry=beam(), tables=TABLES, ssd_cm=100.0, check=None)
    at, dose = water.across(SOURCE, depth_cm, min(0.4 * depth_cm, 0.4), 3_200)
    inside, outside = dose[at < 4.0], dose[at > 7.0]
    assert len(at) == len(dose)
    assert inside.mean() > 20.0 * outside.mean()
