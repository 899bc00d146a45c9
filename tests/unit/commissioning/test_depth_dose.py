"""Depths that measured and computed curves are compared by, on curves of straight lines whose depths are plain."""

import numpy as np
import pytest

from ert.commissioning.depth_dose import depth_quantities
from ert.errors import InvalidBeamData

DEPTH_CM = np.linspace(0.0, 12.0, 1201)


def ramp(tail=0.0):
    """1 down to 4 cm, then a straight line to 0 at 6 cm, over a level tail."""
    return np.clip((6.0 - DEPTH_CM) / 2.0, tail, 1.0)


def test_depths_of_a_straight_fall_off():
    found = depth_quantities(DEPTH_CM, ramp())
    assert (found.r90_cm, found.r80_cm, found.r50_cm) == pytest.approx((4.2, 4.4, 5.0), abs=1e-6)
    assert found.rp_cm == pytest.approx(6.0, abs=1e-6)
    assert (found.maximum, found.surface_frac, found.tail_frac) == (1.0, 1.0, 0.0)


def test_the_practical_range_is_where_the_tangent_meets_the_photon_tail():
    found = depth_quantities(DEPTH_CM, ramp(tail=0.05))
    assert found.rp_cm == pytest.approx(5.9, abs=1e-4)
    assert found.tail_frac == pytest.approx(0.05, abs=1e-4)
    assert found.r50_cm == pytest.approx(5.0, abs=1e-6)


def test_a_curve_in_other_units_has_the_same_depths():
    one, other = depth_quantities(DEPTH_CM, ramp(0.02)), depth_quantities(DEPTH_CM, 137.0 * ramp(0.02))
    assert other.rp_cm == pytest.approx(one.rp_cm)
    assert other.r80_cm == pytest.approx(one.r80_cm)


def test_a_curve_that_was_not_measured_deep_enough_is_refused():
    with pytest.raises(InvalidBeamData, match="does not fall to"):
        depth_quantities(DEPTH_CM[:500], ramp()[:500])
