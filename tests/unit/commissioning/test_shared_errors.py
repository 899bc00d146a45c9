"""Errors of level that points share: the sum of squares of what is left, against its definition."""

import attrs
import numpy as np
import pytest

from ert.commissioning.measured import Curve, Field
from ert.commissioning.shared_errors import SharedErrors

OPEN = Field(applicator_id="A10", cutout="open", width_cm=10.0, height_cm=10.0, ssd_cm=100.0)
CUTOUT = attrs.evolve(OPEN, cutout="4x4", width_cm=4.0, height_cm=4.0)


def curve(field: Field, dose: list[float], sigma: float) -> Curve:
    return Curve(
        file="made.csv", kind="depth_dose", field=field, position_cm=np.arange(len(dose)) * 0.5,
        dose=np.array(dose), sigma=np.full(len(dose), sigma), is_absolute=True,
    )  # fmt: skip


def test_squares_are_those_of_generalised_least_squares():
    curves = [curve(OPEN, [0.9, 1.0, 0.6], 0.01), curve(CUTOUT, [0.8, 0.5], 0.02)]
    sigma, residuals = np.array([0.012, 0.013, 0.011, 0.021, 0.022]), np.array([1.0, -0.4, 2.0, 1.5, 0.3])
    dose = np.array([0.9, 1.0, 0.6, 0.8, 0.5])
    # One third of the curves' noise is in all their points; the level of the cutout is 2 % uncertain.
    noise = [0.01 * 3 / 2.5 / np.sqrt(3) * dose * [1, 1, 1, 0, 0], 0.02 * 2 / 1.3 / np.sqrt(3) * dose * [0, 0, 0, 1, 1]]
    level = 0.02 * dose * [0, 0, 0, 1, 1]
    covariance = np.diag(sigma**2) + sum(np.outer(v, v) for v in (*noise, level))
    wanted = (residuals * sigma) @ np.linalg.solve(covariance, residuals * sigma)
    freed = SharedErrors(OPEN, curves, sigma).freed(residuals)
    assert freed @ freed == pytest.approx(wanted, rel=1e-10)


def test_a_level_that_is_wrong_costs_nearly_nothing_and_a_shape_all():
    dose = np.full(200, 0.8)
    errors = SharedErrors(OPEN, [curve(CUTOUT, dose.tolist(), 1e-6)], np.full(200, 0.005))
    level, shape = 0.02 * dose / 0.005, 0.02 * dose / 0.005 * np.tile([1.0, -1.0], 100)
    assert np.sum(errors.freed(level) ** 2) == pytest.approx(1.0, rel=0.01)  # one standard deviation of the level
    assert np.sum(errors.freed(shape) ** 2) == pytest.approx(np.sum(shape**2))


def test_exact_curves_of_the_reference_are_weighed_point_by_point():
    residuals = np.array([1.0, 2.0, -1.0])
    errors = SharedErrors(OPEN, [curve(OPEN, [0.9, 1.0, 0.6], 0.0)], np.full(3, 0.01))
    assert errors.freed(residuals) == pytest.approx(residuals)
