"""The Monte Carlo's off-axis ratio against a known one."""

import attrs
import numpy as np
import pytest

from ert.commissioning import monte_carlo_off_axis, monte_carlo_profiles
from ert.commissioning.measured import Curve, Field
from ert.commissioning.monte_carlo_off_axis import with_off_axis
from ert.dose.monte_carlo_tables import monte_carlo_tables
from ert.dose.output import rectangle_cm
from tests.unit.dose.beams import beam, demo

OPEN = Field(applicator_id="A20", cutout="open", width_cm=20.0, height_cm=20.0, ssd_cm=100.0)


def test_a_known_ratio_is_found_again(monkeypatch):
    """20 % more fluence 10 cm from the axis, from other random numbers, whose noise is 1 % of it."""
    monkeypatch.setattr(monte_carlo_off_axis, "_MOST_HISTORIES", 1_600_000)
    machine, model = demo().machine, demo().model(6.0)
    water = monte_carlo_profiles.Water(geometry=beam(), tables=monte_carlo_tables(), ssd_cm=100.0, check=None)
    wide = attrs.evolve(beam(), applicator=machine.applicator("A20"), outline_cm=rectangle_cm(20.0, 20.0))
    true = attrs.evolve(model.monte_carlo, off_axis=(0.2, 0.0))
    with monkeypatch.context() as other:
        other.setattr(monte_carlo_profiles, "_SEED", 71)
        at_cm, dose = attrs.evolve(water, geometry=wide).across(true, 0.5, 0.2, 1_600_000)
    profile = Curve(
        kind="profile", field=OPEN, file="", axis="crossline", depth_cm=0.5, position_cm=at_cm, dose=dose,
        sigma=np.full(len(dose), 0.002 * dose.max()),
    )  # fmt: skip
    found = with_off_axis(attrs.evolve(true, off_axis=(0.3, -0.2)), [profile], model, machine, water)
    assert found.off_axis[0] == pytest.approx(0.2, abs=0.03)
    assert found.off_axis[1] == 0.0


def test_without_a_profile_that_tells_the_ratio_stays():
    machine, model = demo().machine, demo().model(6.0)
    water = monte_carlo_profiles.Water(geometry=beam(), tables=monte_carlo_tables(), ssd_cm=100.0, check=None)
    assert with_off_axis(model.monte_carlo, [], model, machine, water) is model.monte_carlo
