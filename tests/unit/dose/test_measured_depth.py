"""Dose deeper than the model was measured is told: depths are water-equivalent, along the rays, by geometry."""

import re

import attrs
import numpy as np
import pytest

from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import MeasuredRange
from ert.domain.monte_carlo_model import MonteCarloSettings
from ert.dose.engine import compute_beam_dose
from ert.dose.measured_depth import check_depth
from ert.dose.output import rectangle_cm
from ert.geometry.grid import VoxelGrid
from tests.unit.dose.beams import beam, demo, slab_phantom

NARROW = rectangle_cm(2.0, 2.0)
GRID = VoxelGrid(origin_cm=(-9.9, 0.1, -9.9), spacing_cm=(0.2, 0.2, 0.2), shape_zyx=(100, 65, 100))


def measured_to(depth_cm, energy_mev=12.0):
    model = demo().model(energy_mev)
    measured = MeasuredRange(depth_min_cm=0.1, depth_max_cm=depth_cm, incidence_max_deg=0.0)
    return attrs.evolve(model, validity=attrs.evolve(model.validity, measured=measured))


def dose_to(depth_cm, *, beyond=0.0):
    """1 Gy/MU down to a depth below y = 0, then a part of it."""
    below = GRID.origin_cm[1] + GRID.axis_centres_cm(1) < depth_cm
    values = np.where(below, 1.0, beyond).astype(np.float32)
    return np.ascontiguousarray(np.broadcast_to(values[None, :, None], GRID.shape_zyx))


def told(model, geometry, tissue, dose):
    return check_depth(model, geometry, tissue, GRID, dose)


def told_cm(*args):
    (sentence,) = told(*args)
    return float(re.search(r"depth of ([0-9.]+) cm", sentence).group(1))


@pytest.mark.parametrize(
    ("gantry_deg", "density", "wanted_cm"),
    [
        (0.0, 1.0, 6.0),
        (0.0, 1.5, 9.0),  # 6 cm of 1.5 times the stopping power of water
        (30.0, 1.0, 6.0 / np.cos(np.radians(30.0))),
        (45.0, 0.8, 6.0 * 0.8 / np.cos(np.radians(45.0))),
    ],
)
def test_the_depth_is_water_equivalent_and_along_the_rays(gantry_deg, density, wanted_cm):
    tissue, geometry = slab_phantom([(14.0, density)]), beam(NARROW, gantry_deg=gantry_deg)
    assert told_cm(measured_to(4.0), geometry, tissue, dose_to(6.0)) == pytest.approx(wanted_cm, abs=0.25)
    assert told(measured_to(wanted_cm + 0.3), geometry, tissue, dose_to(6.0)) == []


def test_rays_of_one_patient_serve_every_dose_but_no_other_limit_field_or_direction():
    """Depths by geometry, and in a patient that nothing is kept of the same sentences."""
    tissue = slab_phantom([(14.0, 1.0)])
    for wanted_cm in (6.0, 7.5, 6.0):
        assert told_cm(measured_to(4.0), beam(NARROW), tissue, dose_to(wanted_cm)) == pytest.approx(wanted_cm, abs=0.25)
    for limit_cm in (5.0, 4.0, 6.5):
        for geometry in (beam(NARROW), beam(), beam(NARROW, gantry_deg=30.0), beam(NARROW, isocentre_cm=(3.0, 0, 0))):
            fresh = told(measured_to(limit_cm), geometry, slab_phantom([(14.0, 1.0)]), dose_to(6.0))
            assert told(measured_to(limit_cm), geometry, tissue, dose_to(6.0)) == fresh


def test_layers_add_up():
    """3 cm of water, 2 cm of bone of 1.7, 1 cm of lung of 0.25."""
    tissue = slab_phantom([(3.0, 1.0), (2.0, 1.7), (9.0, 0.25)])
    assert told_cm(measured_to(5.0), beam(NARROW), tissue, dose_to(6.0)) == pytest.approx(6.65, abs=0.25)


@pytest.mark.parametrize(
    ("energy_mev", "beyond", "is_told"),
    [(12.0, 0.04, False), (12.0, 0.06, True), (20.0, 0.07, False), (20.0, 0.09, True)],
)
def test_the_photon_tail_is_not_told(energy_mev, beyond, is_told):
    """5 % at 12 MeV, whose tail is 1.5 %; 8.2 % at 20 MeV, whose tail is 4.1 %."""
    found = told(measured_to(8.0, energy_mev), beam(), slab_phantom([(14.0, 1.0)]), dose_to(6.0, beyond=beyond))
    assert bool(found) is is_told


def test_a_single_noisy_voxel_and_no_dose_are_not_told():
    dose = dose_to(6.0)
    dose[49:51, 50, 49:51] = 1.0  # four about (0, 10.1, 0), on the axis
    assert told(measured_to(8.0), beam(), slab_phantom([(14.0, 1.0)]), dose) == []
    assert told(measured_to(8.0), beam(), slab_phantom([(14.0, 1.0)]), np.zeros_like(dose)) == []


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_engine_tells_it_once_and_its_dose_stays(algorithm):
    tissue, grid = slab_phantom([(5.0, 1.0)], voxel_cm=0.5), attrs.evolve(GRID, spacing_cm=(0.5,) * 3)
    grid = attrs.evolve(grid, shape_zyx=(20, 10, 20), origin_cm=(-4.75, 0.25, -4.75))

    def computed(model):
        return compute_beam_dose(
            tissue=tissue, geometry=beam(NARROW), model=model, dose_grid=grid, algorithm=algorithm,
            monte_carlo=MonteCarloSettings(max_histories=1_000_000),
        )  # fmt: skip

    within, beyond = (computed(measured_to(depth_cm, 6.0)) for depth_cm in (6.9, 1.0))
    assert not [w for w in within.warnings if "was measured" in w]
    (sentence,) = (w for w in beyond.warnings if "was measured" in w)
    reached_cm = float(re.search(r"^More than 5 % of .* depth of ([0-9.]+) cm", sentence).group(1))
    assert reached_cm == pytest.approx(measured_to(6.9, 6.0).practical_range_cm, abs=0.3)  # voxels are 0.5 cm
    assert sentence.endswith("6 MeV was measured to 1.0 cm: verify by measurement.")
    assert np.array_equal(within.gy_per_mu, beyond.gy_per_mu)


def test_a_package_that_does_not_say_is_not_judged():
    model = demo().model(12.0)
    plain = attrs.evolve(model, validity=attrs.evolve(model.validity, measured=None))
    assert told(plain, beam(), slab_phantom([(14.0, 1.0)]), dose_to(12.0)) == []
