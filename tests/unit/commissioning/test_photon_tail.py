"""Photons are read from where electrons no longer come, or the depth dose is refused."""

import math

import attrs
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.fit import Objective
from ert.commissioning.parameters import START
from ert.commissioning.reference import smooth_reference
from ert.errors import InvalidBeamData
from ert.settings import resources_dir


@pytest.fixture(scope="module")
def data():
    return read_beam_data(resources_dir() / "demo_machine" / "beam_data", energies_mev=[12.0])


def cut_off(data, deepest_cm):
    """The folder as if its reference depth dose ended at a depth."""
    (energy,) = data.energies
    curves = []
    for c in energy.curves:
        keep = c.position_cm <= deepest_cm
        is_reference = c.kind == "depth_dose" and c.field == data.reference
        curves.append(
            attrs.evolve(c, position_cm=c.position_cm[keep], dose=c.dose[keep], sigma=c.sigma[keep])
            if is_reference
            else c
        )
    energy = attrs.evolve(energy, curves=tuple(curves))
    return attrs.evolve(data, energies=(energy,)), energy


@pytest.mark.parametrize("deepest_cm", [5.5, 6.1, 6.7])
def test_a_depth_dose_that_ends_with_the_electrons_is_refused(data, deepest_cm):
    # practical range 5.9 cm; electrons reach 1.12 times as far
    cut, energy = cut_off(data, deepest_cm)
    with pytest.raises(InvalidBeamData) as caught:
        smooth_reference(cut, energy)
    assert f"ends at {deepest_cm:g} cm, the practical range is 5.9 cm" in caught.value.sentence
    assert "2 cm beyond the practical range" in caught.value.hint


@pytest.mark.parametrize("deepest_cm", [7.1, 7.9, 9.9])
def test_a_short_tail_gives_the_photons_of_the_whole_one(data, deepest_cm):
    # reference README: 1.444 % of the maximum at the tail; the photons alone must be that, 2 cm beyond the range
    cut, energy = cut_off(data, deepest_cm)
    reference = smooth_reference(cut, energy)
    objective = Objective(cut, energy, reference)
    p = objective.parameters(START)
    found = objective.identity(p)
    at_cm = 7.9
    inverse_square = (100.0 / (100.0 + at_cm)) ** 2
    dose = found.photon_strength * math.exp(-found.attenuation_per_cm * at_cm) * inverse_square
    assert dose == pytest.approx(0.0144, rel=0.08)
