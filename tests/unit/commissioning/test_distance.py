"""What another SSD says of the depth dose: recovered where it is sure, shrunk where it is not, absent where unmeasured.

Expected numbers are what the curves were made with, and posterior means of a normal value under a normal prior.
"""

import attrs
import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.distance import FRACTIONS, DistanceRatios, distance_ratios, distance_slopes_per_cm
from ert.commissioning.package import read_package
from ert.dose.pencil_beam import depth_dose_gy_per_mu
from ert.settings import resources_dir


@pytest.fixture(scope="module")
def data():
    return read_beam_data(resources_dir() / "demo_machine" / "beam_data", energies_mev=[12.0])


@pytest.fixture(scope="module")
def model():
    return read_package(resources_dir() / "demo_machine" / "package").model(12.0)


def curves_of(slope, *, beyond_cm=(10.0, 15.0, -2.0, 7.0) * 40, sigma=1e-4):
    """Many curves, each exact at a few depths: what one curve has wrong of its own is averaged away."""
    u = np.linspace(0.0, 1.0, 6)
    return [
        DistanceRatios(beyond_cm=d, depth_frac=u, log_ratio=d * slope(u), sigma=np.full(len(u), sigma))
        for d in beyond_cm
    ]


def test_slopes_that_change_with_depth_are_found_where_they_are_sure():
    def slope(u):
        return 0.001 * np.cos(2.0 * u)

    assert distance_slopes_per_cm(curves_of(slope)) == pytest.approx(slope(FRACTIONS), abs=2e-5)


def test_one_unsure_depth_moves_the_slope_by_its_posterior_mean():
    sigma, beyond = 0.01, 10.0
    curve = DistanceRatios(
        beyond_cm=beyond, depth_frac=np.array([0.5]), log_ratio=np.array([0.02]), sigma=np.array([sigma])
    )
    # Prior variance of the slope 0.001² + 0.0015² per cm²; noise 1 % and the curve's own 0.3 %.
    prior, noise = 0.001**2 + 0.0015**2, (sigma**2 + 0.003**2) / beyond**2
    found = distance_slopes_per_cm([curve])
    assert found[5] == pytest.approx(0.002 * prior / (prior + noise), rel=1e-12)
    assert abs(found[0]) < abs(found[5])


def test_nothing_measured_means_no_change():
    assert not distance_slopes_per_cm([]).any()


def test_only_open_fields_at_another_ssd_are_asked_and_only_as_deep_as_electrons_reach(data):
    (energy,) = data.energies
    range_cm = 5.9
    # As if the model gave half of every measured dose.
    found = distance_ratios(data, energy, range_cm=range_cm, computed=lambda curve: 0.5 * curve.dose)
    used = [c for c in energy.curves if c.field.ssd_cm != data.reference.ssd_cm and c.field.cutout == "open"]
    shallow = [c for c in used if c.kind == "depth_dose" or c.depth_cm < range_cm]
    assert len(found) == len(shallow) >= 4
    assert {r.beyond_cm for r in found} == {10.0}
    assert max(r.depth_frac.max() for r in found) < 1.0
    assert np.concatenate([r.log_ratio for r in found]) == pytest.approx(np.log(2.0), rel=1e-12)


def test_the_depth_dose_is_the_models_own_at_the_reference_ssd_and_follows_the_table_elsewhere(model):
    flat = attrs.evolve(model, distance_frac=(0.0, 1.0), distance_slope_per_cm=(0.002, 0.002))
    g = model.electron_gy_per_mu
    assert np.array_equal(depth_dose_gy_per_mu(flat, model.reference_ssd_cm), g)
    assert depth_dose_gy_per_mu(flat, model.reference_ssd_cm + 5.0) == pytest.approx(g * np.exp(0.01), rel=1e-12)
    bare = attrs.evolve(model, distance_frac=(), distance_slope_per_cm=())
    assert np.array_equal(depth_dose_gy_per_mu(bare, 115.0), g)
