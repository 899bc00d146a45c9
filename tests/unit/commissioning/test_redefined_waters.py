"""Redefinition's doses in water, of which the end of the fit and the comparison ask for the same."""

import attrs
import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.correction import absolute_fields
from ert.commissioning.redefinition_model import RedefinedWater, RedefinedWaters
from ert.settings import resources_dir
from tests.unit.dose.beams import demo

DEPTHS_CM = np.linspace(0.0, 3.0, 13)


@pytest.fixture(scope="module")
def small():
    data = read_beam_data(resources_dir() / "demo_machine" / "beam_data", energies_mev=[6.0])
    field = min(absolute_fields(data, data.energies[0]), key=lambda f: f.width_cm * f.height_cm)
    return data, field, demo().model(6.0)


def test_what_no_dose_depends_on_may_change(small):
    """What the fit and the comparison differ in: outputs, validity, Monte Carlo source; the bytes are alike."""
    data, field, model = small
    later = attrs.evolve(
        model,
        monte_carlo=None,
        parameters=(),
        output=attrs.evolve(model.output, ssd_slope_per_cm=0.01),
        validity=attrs.evolve(model.validity, limits=("none",), min_side_cm=9.0),
        redefinition=attrs.evolve(model.redefinition, parameters=(), output=model.output),
    )
    waters = RedefinedWaters(data)
    kept = waters.of(model, field)
    assert waters.of(later, field) is kept
    assert RedefinedWater(data, later, field).planes_cgy(DEPTHS_CM).tobytes() == kept.planes_cgy(DEPTHS_CM).tobytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda m: attrs.evolve(m, redefinition=attrs.evolve(m.redefinition, scale_gy_per_mu=0.02)),
        lambda m: attrs.evolve(m, redefinition=attrs.evolve(m.redefinition, off_axis_change=-0.3)),
        lambda m: attrs.evolve(m, source=attrs.evolve(m.source, virtual_sad_cm=80.0)),
        lambda m: attrs.evolve(m, photons=attrs.evolve(m.photons, open_gy_per_mu=0.001)),
    ],
)
def test_another_model_is_computed_anew(small, change):
    data, field, model = small
    waters = RedefinedWaters(data)
    before = waters.of(model, field).axis_cgy(DEPTHS_CM)
    assert np.abs(waters.of(change(model), field).axis_cgy(DEPTHS_CM) - before).max() > 1e-4
