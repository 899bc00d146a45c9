"""Starts on a lattice, and histories that share their way to the grid: even, but each by itself as if at random."""

import attrs
import numpy as np
import pytest

from ert.dose.kernels import mc_random, mc_start
from ert.dose.kernels.mc_batches import run_beam
from ert.dose.monte_carlo_batches import SHARING, TALLIES
from ert.dose.monte_carlo_scene import build_scene
from ert.dose.monte_carlo_source import arrival_height_cm
from ert.dose.output import rectangle_cm
from tests.unit.dose.beams import beam, slab_phantom
from tests.unit.dose.test_monte_carlo import BLOCK, ENERGETIC, TABLES, runner


def lattice_of(seed, first):
    lattice = np.empty(mc_random.LATTICE_NUMBERS, dtype=np.uint64)
    mc_random.start_lattice(lattice, np.uint64(seed), np.uint64(first))
    return lattice


def started(made, count, *, seed=5):
    """Particles [n, 9] that `count` histories start."""
    p, rng, found = np.empty(9), np.empty(1, dtype=np.uint64), []
    lattice, source = lattice_of(seed, 0), made.source
    for history in range(count):
        mc_random.start_history(rng, np.uint64(seed), np.uint64(history))
        if mc_start.start(
            p, source.source, source.numbers, made.scene.tables, source.metals[1], lattice, np.uint64(history), rng
        ):
            found.append(p.copy())
    return np.array(found)


def direct(made, first, histories, *, origin=0):
    """Score and tally of histories by the kernel itself."""
    score, tally = np.zeros(made.scene.grid.size_zyx), np.zeros(TALLIES)
    run_beam(
        first, histories, np.uint64(made.settings.seed), made.source.source, made.source.numbers, made.source.metals,
        made.source.affine, made.scene.kernel, made.scene.tables, score, tally, origin, made.sharing,
    )  # fmt: skip
    return score, tally


@pytest.mark.parametrize("point", [0, 1, 7, 16_000])
def test_every_point_of_the_lattice_is_uniform_over_the_batches(point):
    """Mean ½, mean square ⅓, products of two coordinates ¼, of two batches' as well: 4000 batches, four errors."""
    points = np.array([mc_random.lattice_points(lattice_of(3, 50_000 * b), np.uint64(point)) for b in range(4_000)])
    error = np.sqrt(np.array([1 / 12, 4 / 45, 7 / 144]) / len(points))
    assert points.min() >= 0.0
    assert points.max() < 1.0
    assert np.all(np.abs(points.mean(axis=0) - 1 / 2) < 4 * error[0])
    assert np.all(np.abs((points**2).mean(axis=0) - 1 / 3) < 4 * error[1])
    for other in (np.roll(points, 1, axis=1), np.roll(points, 1, axis=0)):
        assert np.all(np.abs((points * other).mean(axis=0) - 1 / 4) < 4 * error[2])


@pytest.mark.parametrize("count", [700, 2_000, 17_000])
def test_a_lattice_is_far_more_even_than_chance(count):
    """Points of the kinds below 0.6 in the cells of a grid, about ten in each: variance under a third of Poisson's."""
    side, counts = round(np.sqrt(0.06 * count)), []
    for batch in range(20):
        lattice = lattice_of(4, batch)
        points = np.array([mc_random.lattice_points(lattice, np.uint64(n)) for n in range(count)])
        x, y, _ = points[points[:, 2] < 0.6].T
        counts.append(np.histogram2d(x, y, bins=side, range=[(0.0, 1.0)] * 2)[0])
    assert np.mean(counts) == pytest.approx(10.0, rel=0.2)
    assert np.var(counts, axis=0, ddof=1).mean() < np.mean(counts) / 3


def test_place_and_direction_are_independent_though_the_lattice_counts_where_electrons_arrive():
    """4 × 4 cm: even across the opening with the direction's spread everywhere the same, within four errors each; and
    electrons in cells of 2.5 mm of the plane of arrival with under half of Poisson's variance."""
    made = runner(beam(rectangle_cm(4.0, 4.0)), source=ENERGETIC)
    way = made.source.numbers[1] - made.source.numbers[21]
    fan = made.source.numbers[0] - made.source.numbers[1]
    found = started(made, 40_000)
    found = found[(found[:, 8] == 0.0) & (np.abs(found[:, 1]) < 1.8) & (np.abs(found[:, 2]) < 1.8)]
    x, y, tangent = found[:, 1], found[:, 2], -found[:, 4] / found[:, 6] - found[:, 1] / fan
    expected = len(found) / 12
    for place in (x, y):
        assert np.all(np.abs(np.histogram(place, 12, (-1.8, 1.8))[0] - expected) < 4 * np.sqrt(expected))
    assert abs(np.corrcoef(x, tangent)[0, 1]) < 4 / np.sqrt(len(x))
    assert abs(np.corrcoef(np.abs(x), tangent**2)[0, 1]) < 4 / np.sqrt(len(x))
    arrive = [a - way * u / w for a, u, w in ((x, found[:, 4], found[:, 6]), (y, found[:, 5], found[:, 6]))]
    cells = np.histogram2d(*arrive, bins=8, range=[(-1.0, 1.0)] * 2)[0]
    assert cells.mean() > 30
    assert cells.var(ddof=1) < 0.5 * cells.mean()


def test_slices_of_a_batch_are_the_batch():
    """Whole groups of histories, and a group cut short at the end."""
    made = runner(tissue=BLOCK)
    whole, in_whole = direct(made, 0, 500)
    parts = [direct(made, first, min(99, 500 - first)) for first in range(0, 500, 99)]
    assert 99 % SHARING == 0
    assert np.sum([p[0] for p in parts], axis=0) == pytest.approx(whole, rel=1e-12, abs=1e-12)
    assert np.sum([p[1] for p in parts], axis=0) == pytest.approx(in_whole, rel=1e-12)


@pytest.mark.parametrize("histories", [1, 2, 3, 100])
def test_groups_cut_short_keep_their_energy_and_their_weight(histories):
    """Energy in = energy out, and on average as much comes in for each history as in groups that are whole."""
    made, incident = runner(tissue=BLOCK), []
    for batch in range(12_000 // histories):
        score, tally = direct(made, batch * histories, histories, origin=batch * histories)
        assert score.sum() + tally[0] + tally[2] == pytest.approx(tally[3], rel=1e-9)
        assert tally[1] == 0.0
        incident.append(tally[3] / histories)
    _, whole = direct(made, 0, 60_000)
    error = np.std(incident, ddof=1) / np.sqrt(len(incident))
    assert np.mean(incident) == pytest.approx(whole[3] / 60_000, abs=4 * error)


def test_histories_that_share_their_way_go_on_by_themselves():
    """One primary's group leaves other energy in the voxels than three times the first history of it does."""
    made = runner(tissue=BLOCK)
    shared, alone = np.zeros(2), 0
    for history in range(0, 60, SHARING):
        one, of_one = direct(made, history, 1)
        all_of_them, of_all = direct(made, history, SHARING)
        shared += of_all[3], SHARING * of_one[3]
        alone += int(np.count_nonzero(all_of_them) > np.count_nonzero(one))
    assert shared[0] == pytest.approx(shared[1], rel=1e-12)
    assert alone > 5


@pytest.mark.parametrize(("above_cm", "below_cm"), [(2.0, 5.0), (0.0, 12.0)])
def test_particles_arrive_evenly_at_the_surface(above_cm, below_cm):
    """Water whose surface lies so far below the isocentre, with and without voxels of air above it."""
    tissue = slab_phantom([(3.0, 1.0)], voxel_cm=0.5, width_cm=8.0, above_cm=above_cm)
    surface = tissue.grid.origin_cm[1] - 0.25 + above_cm
    geometry = beam(rectangle_cm(4.0, 4.0))
    frame = attrs.evolve(geometry.frame, isocentre_cm=(0.0, surface - below_cm, 0.0))
    scene = build_scene(TABLES, tissue, tissue.grid)
    found = arrival_height_cm(attrs.evolve(geometry, frame=frame), scene)
    assert found == pytest.approx(-below_cm, abs=0.06)
    beside = attrs.evolve(geometry, frame=attrs.evolve(frame, isocentre_cm=(100.0, 0.0, 0.0)))
    assert arrival_height_cm(beside, scene) == 0.0
