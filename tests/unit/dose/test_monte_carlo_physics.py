"""The Monte Carlo's tables and sampling against published tables and analytic moments."""

import csv
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from ert.dose.kernels import mc_electron, mc_events, mc_random
from ert.dose.kernels.mc_batches import run_pencil
from ert.dose.monte_carlo_scene import kernel_scene
from ert.dose.monte_carlo_tables import kernel_tables, last_ways, monte_carlo_tables, photon_majorant
from ert.settings import resources_dir

TABLES = monte_carlo_tables()
WATER = TABLES.medium("water")
MC2 = 0.51099895


def published(name):
    with (resources_dir() / "tables" / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(r[key]) for r in rows]) for key in rows[0]}


def at(column, energy):
    return np.interp(energy, np.arange(len(column)) * TABLES.step_mev, column)


def stream(seed=1):
    rng = np.empty(1, dtype=np.uint64)
    mc_random.start_history(rng, np.uint64(seed), np.uint64(0))
    return rng


def test_water_stopping_powers_are_those_of_estar():
    """NIST ESTAR, resources/tables/water_electrons.csv, 0.2 MeV up."""
    wanted = published("water_electrons.csv")
    energy = wanted["E_MeV"]
    use = energy >= 0.2
    found = at(TABLES.total[WATER].sum(axis=1), energy[use])
    assert found == pytest.approx(wanted["Stot_MeVcm2_g"][use], rel=1e-3)


def test_soft_and_hard_losses_add_up_to_estar():
    """Restricted loss + ∫ over the sampled Møller and bremsstrahlung events = total stopping power."""
    energy, count, rng = 10.0, 60_000, stream()
    soft, _, hard, photons = (float(at(TABLES.electron[WATER, :, q], energy)) for q in range(4))
    moller = np.mean([mc_events.moller_energy_mev(energy, rng) for _ in range(count)])
    row = float(at(TABLES.row, energy))
    brems = np.mean([mc_events.brems_energy_mev(energy, TABLES.brems, WATER, row, rng) for _ in range(count)])
    wanted = published("water_electrons.csv")
    total = np.interp(energy, wanted["E_MeV"], wanted["Stot_MeVcm2_g"])
    assert soft + hard * moller + photons * brems == pytest.approx(total, rel=4e-3)


def test_csda_range_in_water_is_that_of_estar():
    wanted = published("water_electrons.csv")
    grid = np.linspace(0.2, 20.0, 40_000)
    inverse = 1.0 / at(TABLES.total[WATER].sum(axis=1), grid)
    path = np.concatenate([[0.0], np.cumsum(0.5 * (inverse[1:] + inverse[:-1]) * np.diff(grid))])
    path += np.interp(0.2, wanted["E_MeV"], wanted["R_CSDA_g_cm2"])
    for energy in (1.0, 6.0, 12.0, 20.0):
        ours = np.interp(energy, grid, path)
        assert ours == pytest.approx(np.interp(energy, wanted["E_MeV"], wanted["R_CSDA_g_cm2"]), rel=1e-3)


def test_first_transport_moment_of_water():
    wanted = published("water_electrons.csv")
    use = wanted["E_MeV"] >= 0.3
    found = at(TABLES.electron[WATER, :, 1], wanted["E_MeV"][use])
    assert found == pytest.approx(wanted["G1_mott_moliere_per_cm_density1"][use], rel=4e-3)


def test_photon_attenuation_of_water():
    """NIST mass attenuation coefficients, cm²/g (Hubbell and Seltzer 1995)."""
    energy = np.array([0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0])
    wanted = [0.0969, 0.0707, 0.0494, 0.0397, 0.0303, 0.0222, 0.0181]
    assert at(TABLES.photon[WATER].sum(axis=1), energy) == pytest.approx(wanted, rel=0.015)


@pytest.mark.parametrize(
    ("z", "energy_mev", "published_ratio"),
    [
        (26, 0.3, [1.016, 0.855, 0.654, 0.492]),
        (50, 1.0, [1.280, 1.058, 0.662, 0.303]),
        (82, 1.0, [1.848, 1.973, 1.456, 0.682]),
        (82, 10.0, [1.916, 1.976, 1.325, 0.422]),
    ],
)
def test_single_scattering_is_mott_s(z, energy_mev, published_ratio):
    """Mott over Rutherford at 60, 90, 120 and 150 degrees: fits of Boschini et al. 2013, Radiat Phys Chem 90:39."""
    spec = importlib.util.spec_from_file_location(
        "build_monte_carlo_tables", Path(__file__).parents[3] / "tools" / "build_monte_carlo_tables.py"
    )
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tau = energy_mev / MC2
    x = 1.0 - np.cos(np.radians([60.0, 90.0, 120.0, 150.0]))
    found = tool.mott(z, math.sqrt(tau * (tau + 2)) / (tau + 1), x)
    assert found == pytest.approx(published_ratio, rel=0.012)


@pytest.mark.parametrize("medium", ["water", "lead"])
@pytest.mark.parametrize("row", [0, 30, 63])
def test_deflections_have_the_first_moment_of_their_path(medium, row):
    """Goudsmit and Saunderson 1940: the mean of cos θ over a path is exp(−K1)."""
    rng, count = stream(row), 40_000
    index = TABLES.medium(medium)
    x = np.array([mc_events.deflection(TABLES.angle, index, float(row), rng) for _ in range(count)])
    energy = 0.2 * (26.0 / 0.2) ** (row / (TABLES.angle.shape[1] - 1))
    k1 = float(at(TABLES.first_moment, energy))
    assert x.mean() == pytest.approx(1 - math.exp(-k1), abs=5 * x.std() / math.sqrt(count) + 2e-3 * k1)
    assert 0 <= x.min() <= x.max() <= 2


@pytest.mark.parametrize(("energy", "given"), [(10.0, 3.0), (1.0, 0.4), (20.0, 0.2)])
def test_collisions_conserve_energy_and_momentum(energy, given):
    def momentum(e):
        return math.sqrt(e * (e + 2 * MC2))

    left = energy - given
    turns = [mc_events.collision_turn(energy, e) for e in (given, left)]
    along = sum(momentum(e) * (1 - x) for e, x in zip((given, left), turns, strict=True))
    across = [momentum(e) * math.sqrt(x * (2 - x)) for e, x in zip((given, left), turns, strict=True)]
    assert along == pytest.approx(momentum(energy), rel=1e-12)
    assert across[0] == pytest.approx(across[1], rel=1e-9)


def test_moller_energies_follow_their_cross_section():
    """χ² of 50,000 samples against the integrated Møller cross section."""
    energy, rng, count = 8.0, stream(), 50_000
    drawn = np.array([mc_events.moller_energy_mev(energy, rng) for _ in range(count)]) / energy
    tau = energy / MC2
    a, b = (tau / (tau + 1)) ** 2, (2 * tau + 1) / (tau + 1) ** 2

    def integral(e):
        return -1 / e + 1 / (1 - e) + a * e - b * np.log(e / (1 - e))

    edges = np.geomspace(0.2 / energy, 0.5, 21)
    share = np.diff(integral(edges)) / (integral(0.5) - integral(0.2 / energy))
    found, _ = np.histogram(drawn, edges)
    assert np.sum((found - count * share) ** 2 / (count * share)) < 45.3  # 99.9 % of χ² with 20 degrees


@pytest.mark.parametrize("energy", [0.3, 2.0, 10.0])
def test_compton_photons_follow_klein_and_nishina(energy):
    rng, count = stream(), 40_000
    drawn = np.array([mc_events.compton(energy, rng) for _ in range(count)])
    a = energy / MC2
    eps = np.linspace(1 / (1 + 2 * a), 1, 20_001)
    x = (1 - eps) / (a * eps)
    density = (1 / eps + eps) - x * (2 - x)
    mean = np.sum(eps * density) / np.sum(density)
    spread = drawn[:, 0].std() / energy
    assert drawn[:, 0].mean() / energy == pytest.approx(mean, abs=4 * spread / math.sqrt(count))
    assert 1 / drawn[:, 0] - 1 / energy == pytest.approx(drawn[:, 1] / MC2, abs=1e-9)  # Compton's formula


def water_scene(shape, size):
    count = int(np.prod(shape))
    return kernel_scene(np.full(count, WATER, dtype=np.uint8), np.ones(count, dtype=np.float32), shape, size)


def water_lookup():
    largest = np.zeros(len(TABLES.media))
    largest[WATER] = 1.0
    return kernel_tables(TABLES, photon_majorant(TABLES, largest))


@pytest.mark.parametrize(("energy", "r50_cm"), [(6.0, 2.41), (12.0, 5.06), (20.0, 8.54)])
def test_r50_of_monoenergetic_broad_beams(energy, r50_cm):
    """R50 of an independent prototype without photons, ± 1 mm; energy in = energy out to 1e-9."""
    step, count, histories = 0.1, int(energy * 7), 25_000
    score, tally = np.zeros(count), np.zeros(4)
    run_pencil(
        energy, np.array([100.0, 100.0, 0.0]), np.array([0.0, 0.0, 1.0]), 0, histories, np.uint64(3),
        water_scene((1, 1, count), (200.0, 200.0, step)), water_lookup(), score, tally,
    )  # fmt: skip
    assert score.sum() + tally[0] == pytest.approx(energy * histories, rel=1e-9)
    assert tally[1] == 0
    top = np.sort(score)[-6:].mean()
    begin = int(np.argmax(score))
    k = begin + int(np.argmax(score[begin:] < top / 2))
    found = step * (k - 0.5 + (score[k - 1] - top / 2) / (score[k - 1] - score[k]))
    assert found == pytest.approx(r50_cm, abs=0.1)


@pytest.mark.parametrize("medium", TABLES.media)
def test_an_electron_is_absorbed_at_once_only_where_it_would_be_anyway(medium):
    """Below 1 MeV (E − 0.2 MeV) / loss is at least ∫ dE / loss down to 0.2 MeV: it could not leave its voxel."""
    energy = np.linspace(0.2, 1.0, 401)
    per_loss = 1.0 / at(TABLES.electron[TABLES.medium(medium), :, 0], energy)
    path = np.concatenate([[0.0], np.cumsum(0.5 * (per_loss[1:] + per_loss[:-1]) * np.diff(energy))])
    assert np.all((energy - 0.2) * per_loss >= path * (1 - 1e-6))


@pytest.mark.parametrize("medium", ["lung", "water", "cortical bone", "lead"])
@pytest.mark.parametrize("energy", [0.25, 0.4, 0.6])
def test_last_energy_lies_where_slowing_down_and_scattering_leave_it(medium, energy):
    """⟨z⟩ and ⟨r²⟩ of the energy left, from the moments' own equations (Lewis 1950, Phys Rev 78:526) in 4000 steps."""
    index = TABLES.medium(medium)
    ways, cosines = last_ways(TABLES)
    length, cosine = at(ways[index], energy), at(cosines[index], energy)
    points = np.linspace(energy, 0.2, 4001)
    middle = 0.5 * (points[1:] + points[:-1])
    path = -np.diff(points) / at(TABLES.electron[index, :, 0], middle)
    used = np.cumsum(at(TABLES.electron[index, :, 1], middle) * path)
    z = np.cumsum(np.exp(-used) * path)
    r2 = np.cumsum(2 * path * np.exp(-used) * np.cumsum(np.exp(used) * path))
    share = np.append(np.full(4000, (energy - 0.2) / 4000), 0.2) / energy
    assert 0.5 * length * cosine == pytest.approx(np.dot(share, np.append(z, z[-1])), rel=0.02)
    if cosine < 1.0:
        assert length**2 / 3 == pytest.approx(np.dot(share, np.append(r2, r2[-1])), rel=0.05)


def test_an_electron_on_its_last_leaves_the_dose_where_following_it_does():
    """2 MeV in water, of which a sixth of the energy is so left: every row within 0.3 % of the most (noise 0.05 %)."""
    scene, lookup, rows = water_scene((41, 41, 6), (0.25, 0.25, 0.25)), water_lookup(), []
    for alike in (scene[5], np.zeros_like(scene[5])):
        score, tally = np.zeros(41 * 41 * 6), np.zeros(4)
        run_pencil(
            2.0, np.array([5.1, 5.1, 0.0]), np.array([0.0, 0.0, 1.0]), 0, 100_000, np.uint64(7),
            (*scene[:5], alike), lookup, score, tally,
        )  # fmt: skip
        assert score.sum() + tally[0] == pytest.approx(2.0 * 100_000, rel=1e-9)
        rows.append(score.reshape(6, -1).sum(axis=1))
    assert rows[0] == pytest.approx(rows[1], abs=0.003 * rows[1].max())
    assert np.any(rows[0] != rows[1])


def test_photons_that_go_on_stand_for_all():
    """Mean energy × weight of followed bremsstrahlung is that of all drawn photons (noise 1 %), and nothing is lost."""
    count, lookup, rng = 60_000, water_lookup(), stream()
    stack, followed = np.empty((64, 9)), 0.0
    for _ in range(count):
        p, tally = np.array([12.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.25, 0.0]), np.zeros(4)
        height = mc_electron._radiate(p, WATER, lookup, stack, 0, tally, rng)
        here = sum(stack[n, 0] * stack[n, 7] for n in range(height))
        assert 1.25 * p[0] + here + tally[0] == pytest.approx(1.25 * 12.0, rel=1e-12)
        followed += here
    drawn = [
        mc_events.brems_energy_mev(12.0, TABLES.brems, WATER, lookup[4][int(12.0 * lookup[5])], rng)
        for _ in range(count)
    ]
    assert followed / count / 1.25 == pytest.approx(np.mean(drawn), rel=0.04)


@pytest.mark.parametrize("medium", ["water", "cortical bone"])
def test_a_flight_uses_up_the_transport_moment_of_its_way(medium):
    """G² g / (G + ½ G' L g) against ∫ G ds of the tables, up to a sixth of the energy: within 2 %."""
    index = TABLES.medium(medium)
    for energy in (0.3, 1.0, 3.0, 10.0):
        way = np.linspace(0.0, energy / 6, 2001)
        loss, moment = (at(TABLES.electron[index, :, q], energy - way) for q in (0, 1))
        used = np.trapezoid(moment / loss, way)
        g = np.trapezoid(1.0 / loss, way)
        slope = (moment[1] - moment[0]) / (way[0] - way[1])
        assert moment[0] ** 2 * g / (moment[0] + 0.5 * slope * loss[0] * g) == pytest.approx(used, rel=0.02)


def test_every_history_has_its_own_stream_of_splitmix():
    """First outputs of SplitMix64 for seed 1234567 (reference implementation, S. Vigna)."""
    rng = np.array([1234567], dtype=np.uint64)
    wanted = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    for number in wanted:
        assert mc_random.uniform(rng) == (number >> 11) * 2.0**-53
