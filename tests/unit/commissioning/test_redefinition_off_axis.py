"""Off-axis ratio of the redefinition engine: what profiles with a known bend give."""

import attrs
import numpy as np
import pytest

from ert.commissioning.beam_data import read_beam_data
from ert.commissioning.redefinition_off_axis import Shoulder, off_axis_change, open_profiles, shoulders
from ert.dose import redefinition_fan
from ert.dose.fluence import off_axis_ratio
from ert.settings import resources_dir
from tests.unit.dose.beams import demo


def bent(change, *, level=1.02, points=41, sigma=1e-3):
    square = np.linspace(0.0, 0.9, points) ** 2
    return Shoulder(square=square, log_ratio=np.log(level) + change * square, sigma=np.full(points, sigma))


def test_a_bend_common_to_all_profiles_is_found_whatever_their_levels():
    found = off_axis_change([bent(0.008, level=level) for level in (0.97, 1.0, 1.04) for _ in range(4)])
    assert found == pytest.approx(0.008, rel=0.03)


def test_one_profile_is_held_back_by_the_error_of_its_own_shape():
    """Posterior mean for a normal prior of 1 % and an error of 0.3 %: 1 / (1 + 0.09) of what was seen."""
    assert off_axis_change([bent(0.01, sigma=1e-6)]) == pytest.approx(0.01 / 1.09, rel=1e-3)


def test_without_profiles_nothing_changes():
    assert off_axis_change([]) == 0.0


def test_only_the_inside_of_open_fields_at_the_reference_distance_counts():
    data = read_beam_data(resources_dir() / "demo_machine" / "beam_data")
    energy, model = data.energies[-1], demo().model(20.0)
    asked = []

    def computed(curve):
        asked.append(curve)
        return curve.dose / 1.01

    profiles = open_profiles(data, energy, model.summary.r90_cm)
    found = shoulders(profiles, model, data.machine.sad_cm, computed)
    assert len(found) == len(asked) > 3
    for curve, shoulder in zip(asked, found, strict=True):
        assert (curve.field.cutout, curve.field.ssd_cm) == ("open", data.reference.ssd_cm)
        assert curve.depth_cm <= model.summary.r90_cm
        assert shoulder.log_ratio == pytest.approx(np.log(1.01))
        assert shoulder.square.max() < (0.05 * curve.field.width_cm) ** 2
    assert off_axis_change(found) == pytest.approx(0.0, abs=1e-12)


def test_the_engine_bends_its_beam_and_no_other():
    """c2 of +4 % raises the open beam's fluence 8 cm from the axis by 0.04 × 0.64 of itself at the insert."""
    model = demo().model(20.0)
    changed = attrs.evolve(model, redefinition=attrs.evolve(model.redefinition, off_axis_change=0.04))
    own = redefinition_fan._with_own_shoulders(changed)
    radius = np.array([0.0, 8.0])
    gain = off_axis_ratio(own.source, radius) - off_axis_ratio(changed.source, radius)
    assert gain == pytest.approx([0.0, 0.04 * 0.64])
    assert changed.source == model.source
