"""Redefinition kernels: conservation, Fermi–Eyges theory, symmetry, translation, linearity, threads."""

import csv
import functools
from concurrent.futures import ThreadPoolExecutor

import attrs
import numba
import numpy as np
import pytest

from ert.dose.kernels.lanes import SUMS
from ert.dose.physics import csda_range_water, energy_at_range_water, scattering_power_water, water_electrons
from ert.dose.redefinition import RANGE_STEP_G_CM2, Carrying, Electrons, Physics, Step, air_steps
from ert.settings import resources_dir

PITCH_CM = 0.2
PARALLEL_CM = 1e9


def physics(energy_mev, *, bins=20, **changes):
    """No straggling, no wide scatter, CSDA energy loss: what the Fermi–Eyges table assumes."""
    top = float(csda_range_water(energy_mev)) * 1.05
    ranges = np.arange(0.0, top + 2 * RANGE_STEP_G_CM2, RANGE_STEP_G_CM2)
    least = water_electrons().csda_range_g_cm2[0]
    energy = energy_at_range_water(np.maximum(ranges, least))
    values = {
        "tables": np.stack([scattering_power_water(energy), np.ones(len(energy))]),
        "populations": np.array([[0.0, bins, top / bins], [bins, bins, top / bins]]),
        "straggling_g_cm2": 0.0, "detour_factor": 0.0, "soft_frac": 1.0, "hard_per_rad2": 0.0, "hard_rad2": 0.0,
        "saturation_per_rad2": 0.0, "isotropy_per_rad2": 0.0,
    }  # fmt: skip
    return Physics(**(values | changes))


def full(energy_mev):
    return physics(
        energy_mev,
        straggling_g_cm2=0.02,
        detour_factor=1.0,
        soft_frac=0.8,
        hard_per_rad2=1.5,
        hard_rad2=0.07,
        saturation_per_rad2=4.0,
        isotropy_per_rad2=3.0,
    )


def point(what, energy_mev, size=64, *, at=None, virtual_cm=PARALLEL_CM, electrons=1.0, state=None):
    """Electrons in one pixel, at its centre, along the fan line."""
    slots = what.slots
    state = np.zeros((slots, size, size, SUMS)) if state is None else state
    j, i = at or (size // 2, size // 2)
    r = float(csda_range_water(energy_mev))
    k = int(r / what.populations[0, 2])
    state[k, j, i, :3] += electrons, electrons * r, electrons * r * r
    return Electrons(state, what, pitch_cm=PITCH_CM, virtual_cm=virtual_cm)


def material(size=64, stopping=1.0, scattering=1.0, kept=1.0):
    values = np.ones((3, size, size), dtype=np.float32)
    values[0], values[1], values[2] = stopping, scattering, kept
    return values


def walk(electrons, depth_cm, step_cm, what=None, start_cm=PARALLEL_CM):
    """Water from `start_cm` after the virtual source to a depth."""
    what = material(len(electrons.plane)) if what is None else what
    planes = []
    for n in range(round(depth_cm / step_cm)):
        near = start_cm + n * step_cm
        electrons.advance(Step(near_cm=near, far_cm=near + step_cm, material=what))
        planes.append(electrons.plane.copy())
    return np.array(planes)


def spread_cm(electrons):
    """Standard deviation across x of all electrons, from the moments within their pixels."""
    used = np.zeros(electrons.state.shape[2:])
    for k, (j0, j1, i0, i1) in enumerate(electrons.boxes):
        used[i0:i1] += electrons.state[k, j0:j1, i0:i1].sum(axis=0)
    x = np.arange(len(used)) + 0.0
    n = used[:, 0].sum()
    mean = (used[:, 0] * x + used[:, 3]).sum() / n
    square = (used[:, 0] * x * x + 2 * x * used[:, 3] + used[:, 4]).sum() / n
    return PITCH_CM * np.sqrt(square - mean**2), n


def count(electrons):
    return sum(electrons.state[k, j0:j1, i0:i1, 0].sum() for k, (j0, j1, i0, i1) in enumerate(electrons.boxes))


def reference_rows():
    with (resources_dir() / "tables" / "fermi_eyges_water_reference.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize("energy", [6.0, 12.0, 20.0])
def test_a_single_pixel_spreads_as_fermi_eyges_theory_says(energy):
    """The table of small-angle theory in water, to the end of the range."""
    rows = [r for r in reference_rows() if r["E0_MeV"] == energy and r["z_cm"] >= 1.0]
    electrons = point(physics(energy, obliquity_factor=0.0), energy, 96)
    walk(electrons, 0.5, 0.1, material(96))
    for row in rows:
        walk(electrons, 0.5, 0.1, material(96))
        sigma, left = spread_cm(electrons)
        assert left > 0.99
        assert sigma == pytest.approx(row["sigma_x_cm"], rel=0.02)


def test_electrons_are_neither_made_nor_forgotten():
    electrons = point(full(12.0), 12.0, virtual_cm=100.0)
    for n in range(40):
        near = 100.0 + 0.2 * n
        slab = material(stopping=1.7, scattering=2.6) if 5 < n < 9 else material(kept=0.9 if n == 3 else 1.0)
        electrons.advance(Step(near_cm=near, far_cm=near + 0.2, material=slab))
        assert count(electrons) + electrons.lost == pytest.approx(1.0, abs=1e-12)
        assert n > 9 or count(electrons) > 0.5  # nothing would be shown by electrons that left at once
    assert electrons.is_spent
    assert electrons.lost == pytest.approx(1.0, abs=1e-12)


def test_mean_range_falls_by_the_path_and_its_variance_grows_by_straggling():
    """Without scattering: r loses S dz each step, its variance gains the given amount per path."""
    electrons = point(physics(12.0, straggling_g_cm2=0.02), 12.0)
    walk(electrons, 2.0, 0.1, material(scattering=0.0))
    sums = sum(electrons.state[k, a:b, c:d].sum(axis=(0, 1)) for k, (a, b, c, d) in enumerate(electrons.boxes))
    mean = sums[1] / sums[0]
    assert mean == pytest.approx(float(csda_range_water(12.0)) - 2.0, abs=1e-4)
    assert sums[2] / sums[0] - mean**2 == pytest.approx(0.02 * 2.0, rel=1e-3)


def test_a_divergent_beam_stays_in_its_pixels_without_scattering():
    electrons = point(physics(12.0), 12.0, at=(40, 50), virtual_cm=90.0)
    walk(electrons, 3.0, 0.2, material(scattering=0.0), start_cm=85.0)
    box = electrons.boxes[electrons.boxes[:, 1] > 0]
    assert np.all(box == (40, 41, 50, 51))


def test_a_symmetric_beam_in_a_symmetric_phantom_stays_symmetric():
    what, size = full(12.0), 32
    state = np.zeros((what.slots, size, size, SUMS))
    for j in (14, 15, 16, 17):
        for i in (13, 14, 15, 16, 17, 18):
            electrons = point(what, 12.0, size, at=(j, i), virtual_cm=90.0, state=state)
    slab = material(size)
    slab[:2, :, 12:20] = 1.8
    planes = walk(electrons, 5.0, 0.25, slab, start_cm=90.0)
    assert planes == pytest.approx(planes[:, :, ::-1], abs=1e-10 * planes.max())
    assert planes == pytest.approx(planes[:, ::-1], abs=1e-10 * planes.max())
    assert np.abs(planes - planes.transpose(0, 2, 1)).max() > 1e-3 * planes.max()


def test_moving_the_start_by_a_pixel_moves_the_dose_by_a_pixel():
    here = walk(point(full(12.0), 12.0, at=(30, 30)), 4.0, 0.25)
    there = walk(point(full(12.0), 12.0, at=(31, 29)), 4.0, 0.25)
    assert there[:, 1:, :-1] == pytest.approx(here[:, :-1, 1:], rel=1e-9, abs=1e-12 * here.max())


def test_dose_is_proportional_to_fluence():
    one = walk(point(full(12.0), 12.0), 5.0, 0.25)
    three = walk(point(full(12.0), 12.0, electrons=3.0), 5.0, 0.25)
    assert three == pytest.approx(3.0 * one, rel=1e-9)


def test_metal_ends_every_electron_that_enters_it():
    electrons = point(full(12.0), 12.0)
    walk(electrons, 1.0, 0.25)
    closed = material(kept=0.0)
    electrons.advance(Step(near_cm=PARALLEL_CM, far_cm=PARALLEL_CM + 0.25, material=closed))
    assert electrons.is_spent
    assert electrons.lost == pytest.approx(1.0, abs=1e-12)


def test_a_long_way_through_air_spreads_by_the_initial_angle():
    """In air σ² = (θ L)² + T_air L³ / 6 (Eyges), on the fan of a source far away."""
    what = physics(12.0)
    electrons = point(what, 12.0, 128)
    electrons.state[..., 7] = electrons.state[..., 12] = 0.03**2 * electrons.state[..., 0]
    for step in air_steps(PARALLEL_CM, PARALLEL_CM + 30.0, (128, 128)):
        electrons.advance(step)
    power = float(scattering_power_water(12.0)) * 0.0012
    assert spread_cm(electrons)[0] == pytest.approx(np.sqrt((0.03 * 30.0) ** 2 + power * 30.0**3 / 6.0), rel=0.01)


@pytest.mark.parametrize(
    ("is_wide", "ratio", "most"),
    [(False, 1.0, 0.08), (False, 2.0, 0.16), (False, 6.0, 1.0 / 3.0), (True, 1.0, 1.0 / 3.0), (True, 2.0, 1.0 / 3.0)],
)
def test_scattering_widens_the_core_to_its_bound_and_the_wide_population_to_isotropy(is_wide, ratio, most):
    """In the middle of a wide beam: the core's bound follows scattering over stopping, isotropy's is 1/3."""
    what = physics(12.0, saturation_per_rad2=1.0 / 0.08, isotropy_per_rad2=3.0, obliquity_factor=0.0)
    what = attrs.evolve(what, tables=np.stack([np.full_like(what.tables[0], 8.0), what.tables[1]]))
    r, size = float(csda_range_water(12.0)), 32
    state = np.zeros((what.slots, size, size, SUMS))
    state[int(r / what.populations[0, 2]) + 20 * is_wide, :, :, :3] = 1.0, r, r * r
    electrons = Electrons(state, what, pitch_cm=PITCH_CM, virtual_cm=PARALLEL_CM)
    walk(electrons, 1.0, 0.02, material(size, stopping=0.5, scattering=0.5 * ratio))
    used = np.flatnonzero(electrons.boxes[:, 1])
    sums = electrons.state[used, size // 2, size // 2].sum(axis=0)
    assert sums[[7, 12]] / sums[0] == pytest.approx([most, most], rel=0.01)


def test_the_same_bytes_for_one_and_two_threads():
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("this process was started with one thread")
    run = functools.partial(walk, depth_cm=5.0, step_cm=0.25)
    found = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        found.append(run(point(full(12.0), 12.0)).tobytes())
    assert found[0] == found[1]


def rectangle(carrying=Carrying.WHOLE):
    """A field of 8 × 4 of 56 × 56 pixels about the middle, spread as an electron beam is, below 10 cm of air."""
    what, r = full(12.0), float(csda_range_water(12.0))
    state = np.zeros((what.slots, 56, 56, SUMS))
    cells = state[int(r / what.populations[0, 2]), 26:30, 24:32]
    cells[..., :3] = 1.0, r, r * r
    cells[..., 4] = cells[..., 9] = 1.0 / 12.0
    cells[..., 7] = cells[..., 12] = 0.03**2
    electrons = Electrons(state, what, pitch_cm=PITCH_CM, virtual_cm=95.0, carrying=carrying)
    electrons.advance(Step(near_cm=85.0, far_cm=95.0, material=material(56, stopping=0.0011, scattering=0.0012)))
    return electrons


def through_water(electrons, planes=20):
    """Dose of each plane."""
    water, found = material(56), []
    for n in range(planes):
        electrons.advance(Step(near_cm=95.0 + 0.25 * n, far_cm=95.25 + 0.25 * n, material=water))
        found.append(electrons.plane.copy())
    return np.array(found)


def test_two_that_move_alone_at_the_same_time_give_the_same_bytes_as_one_on_all_threads():
    wanted = through_water(rectangle())
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: through_water(rectangle(Carrying.ALONE)), range(4)))
    assert wanted[-1].max() > 0.0
    assert {a.tobytes() for a in found} == {wanted.tobytes()}


def test_a_quarter_of_a_field_and_its_images_are_the_whole_field():
    """Electrons cross both middles by the thousand: without their images a quarter would be half empty there."""
    electrons = rectangle(Carrying.QUARTER)
    wanted, found = through_water(rectangle()), through_water(electrons)
    assert np.all(found[:, 28:] == 0.0)
    assert np.all(found[:, :, 28:] == 0.0)
    found = found + found[:, ::-1] + found[:, :, ::-1] + found[:, ::-1, ::-1]
    assert np.abs(found - wanted).max() < 1e-12 * wanted.max()
    assert electrons.boxes[:, 1].max() == 28
    assert electrons.boxes[:, 3].max() == 28


@pytest.mark.parametrize("shape", [(6, 8), (7, 7)])
def test_a_lattice_without_quarters_is_refused(shape):
    what = full(12.0)
    with pytest.raises(ValueError, match="no quarter"):
        Electrons(
            np.zeros((what.slots, *shape, SUMS)), what, pitch_cm=PITCH_CM, virtual_cm=95.0, carrying=Carrying.QUARTER
        )
