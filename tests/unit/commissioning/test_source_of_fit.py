"""What a fit makes of the off-axis ratio: corners of the largest field, of which no measured line tells."""

import math

import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.fit import fit_energy
from ert.commissioning.measured import Field
from ert.commissioning.model import build_model, field_fluence, planes_cgy
from ert.dose.fluence import off_axis_ratio
from ert.settings import resources_dir

LARGEST = Field(applicator_id="A20", cutout="open", width_cm=20.0, height_cm=20.0, ssd_cm=100.0)


@pytest.fixture(scope="module", params=[6.0, 12.0], ids=["6 MeV", "12 MeV"])
def fitted(request):
    data = read_beam_data(resources_dir() / "demo_machine" / "beam_data", energies_mev=[request.param])
    (energy,) = data.energies
    return data, build_model(data, energy, fit_energy(data, energy), is_demo=True)


def test_a_corner_gains_what_both_its_sides_gain(fitted):
    _, model = fitted
    side, corner = off_axis_ratio(model.source, np.array([10.0, math.hypot(10.0, 10.0)])) - 1.0
    assert abs(side) > 0.005
    assert corner == pytest.approx(2.0 * side)


def test_corners_of_the_largest_field_are_those_of_the_reference_dose(fitted):
    """Dose at 7 to 9 cm both ways over that in the middle, down to 0.6 Rp, of the reference doses (EGSnrc), ± 0.2 %."""
    data, model = fitted
    deepest_cm, wanted = {6.0: (1.6, 1.0393), 12.0: (3.6, 1.0261)}[model.energy_mev]
    depths = np.arange(0.1, deepest_cm, 0.2)
    fluence = field_fluence(data, model, LARGEST)
    planes = planes_cgy(data, model, fluence, LARGEST, depths).astype(np.float64)
    corner, middle = [], []
    for depth, plane in zip(depths, planes, strict=True):
        virtual = model.source.virtual_sad_cm
        across = np.abs(fluence.x_cm) * (LARGEST.ssd_cm + depth - data.machine.sad_cm + virtual) / virtual
        out, near = (across > 7.0) & (across < 9.0), across < 3.0  # noqa: PLR2004
        corner.append(plane[np.ix_(out, out)].mean())
        middle.append(plane[np.ix_(near, near)].mean())
    assert np.mean(corner) / np.mean(middle) == pytest.approx(wanted, abs=0.008)
