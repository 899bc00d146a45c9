"""Penumbra, field sizes, flatness and symmetry of profiles with known answers."""

import math

import numpy as np
import pytest

from ert.analysis.profile import dose_along_line, profile_quantities, width_and_penumbra_cm
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from tests.shapes import rotation


def test_field_blurred_by_a_gaussian():
    sigma, half = 0.4, 5.0
    x = np.arange(-9, 9.001, 0.02)
    edge = np.vectorize(math.erf)
    dose = 0.5 * (edge((x - 0.3 + half) / sigma / math.sqrt(2)) - edge((x - 0.3 - half) / sigma / math.sqrt(2)))
    found = profile_quantities(x, 70 * dose)
    assert found.width_cm == pytest.approx(10.0, abs=1e-3)
    assert found.centre_cm == pytest.approx(0.3, abs=1e-3)
    assert found.penumbra_80_20_cm == pytest.approx((1.683 * sigma,) * 2, abs=1e-3)
    assert found.penumbra_90_10_cm == pytest.approx((2.563 * sigma,) * 2, abs=1e-3)
    assert found.edge_to_90_cm == pytest.approx((1.2816 * sigma,) * 2, abs=1e-3)
    assert found.flatness_pct == pytest.approx(0.0, abs=0.01)
    assert found.symmetry_pct == pytest.approx(0.0, abs=0.01)


POSITION = np.linspace(-10, 10, 401)
TRAPEZOID = np.clip((6.0 - np.abs(POSITION)) / 2.0, 0.0, 1.0)  # 100 % to 4 cm, 50 % at 5 cm, zero at 6 cm


@pytest.mark.parametrize("part", [POSITION > -99, POSITION >= 0, POSITION <= 0])
def test_width_and_penumbra_of_a_whole_and_of_half_a_trapezoid(part):
    assert width_and_penumbra_cm(POSITION[part], 3.0 * TRAPEZOID[part]) == pytest.approx((10.0, 0.6 * 2.0), abs=1e-9)


def test_width_and_penumbra_agree_with_the_full_analysis_where_that_is_possible():
    dose = TRAPEZOID * (1.0 + 0.01 * POSITION)
    full = profile_quantities(POSITION, dose)
    wanted = (full.width_cm, sum(full.penumbra_80_20_cm) / 2)
    assert width_and_penumbra_cm(POSITION, dose) == pytest.approx(wanted, abs=1e-9)


def test_a_profile_that_never_falls_has_neither_and_one_over_photons_has_a_width_only():
    assert np.isnan(width_and_penumbra_cm(POSITION, np.ones(401))).all()
    width, penumbra = width_and_penumbra_cm(POSITION, TRAPEZOID + 0.5)  # falls to 33 % of the axis
    assert width == pytest.approx(2 * (6 - 2 * 0.25))
    assert np.isnan(penumbra)


def test_flatness_and_symmetry_of_a_tilted_field():
    x = np.arange(-8, 8.001, 0.05)
    dose = np.where(np.abs(x) <= 5, 1 + 0.01 * x, 0)
    found = profile_quantities(x, dose)
    reach = 4.0  # 90 % width is 10 cm; 1 cm less on each side
    assert found.flatness_pct == pytest.approx(100 * 0.01 * reach, rel=0.01)
    assert found.symmetry_pct == pytest.approx(100 * 0.02 * reach, rel=0.01)


def test_profiles_that_do_not_reach_the_edges():
    x = np.arange(-3, 3.01, 0.1)
    with pytest.raises(Refused, match="does not fall below 90 %"):
        profile_quantities(x, np.ones_like(x))
    with pytest.raises(Refused, match="over the central axis"):
        profile_quantities(x + 10, np.ones_like(x))


def test_each_definition_on_a_profile_reckoned_by_hand():
    """Edges at -5.05 and 5.05 cm, 1 at the axis, rising by 2 % a cm to the right of it only."""
    x = np.arange(-8, 8.001, 0.1)
    dose = np.where(np.abs(x) < 5.05, 1 + 0.02 * np.maximum(x, 0), 0)
    found = profile_quantities(x, 250 * dose)
    left, right = -5.0 - 0.1 * 0.5, 5.0 + 0.1 * (1.1 - 0.5) / 1.1
    middle, half = (left + right) / 2, (right - left) / 2
    assert (found.width_cm, found.centre_cm) == pytest.approx((right - left, middle))
    inner_right = 5.0 + 0.1 * (1.1 - 0.9) / 1.1 - 1.0
    top = 1 + 0.02 * inner_right
    assert found.iec_flatness_pct == pytest.approx(100 * top)
    assert found.flatness_pct == pytest.approx(100 * (top - 1) / (top + 1))
    assert found.symmetry_pct == pytest.approx(100 * (top - 1))
    assert found.iec_symmetry_pct == pytest.approx(100 * top)
    top = 1 + 0.02 * (middle + 0.8 * half)
    assert found.central_flatness_pct == pytest.approx(100 * (top - 1) / (top + 1))
    assert found.central_variation_pct == pytest.approx(100 * (top - 1))
    assert found.central_symmetry_pct == pytest.approx(100 * (top - 1))
    before = 5.0 + middle + 0.05 * 0.75 + 0.5 * 0.02 * middle**2
    after = (5.0 - middle) + 0.01 * (25 - middle**2) + (right - 5.0) * 0.5 * (1.1 + 0.5)
    assert found.area_symmetry_pct == pytest.approx(100 * (after - before) / (after + before), abs=1e-3)


def test_small_fields_have_no_plateau_1_cm_inside():
    x = np.arange(-4, 4.001, 0.05)
    found = profile_quantities(x, np.exp(-((x / 1.0) ** 2)))
    assert math.isnan(found.flatness_pct)
    assert math.isnan(found.iec_symmetry_pct)
    assert found.width_cm == pytest.approx(2 * math.sqrt(math.log(2)), abs=1e-3)
    assert found.central_symmetry_pct == pytest.approx(0.0, abs=1e-9)


def test_line_through_a_dose_of_any_direction():
    axes = rotation(25, 40)
    grid = VoxelGrid(origin_cm=(1.0, -2.0, 3.0), spacing_cm=(0.2, 0.25, 0.3), shape_zyx=(20, 24, 30), axes=axes)
    k, j, i = np.indices(grid.shape_zyx)
    slope = np.array([3.0, -1.0, 2.0])
    dose = (50 + grid.point_cm(np.stack([i, j, k], axis=-1)) @ slope).astype(np.float32)
    start, end = grid.point_cm((2, 3, 4)), grid.point_cm((20.5, 15.2, 12.3))
    distance, found = dose_along_line(dose, grid, start, end, step_cm=0.1)
    assert distance[-1] == pytest.approx(np.linalg.norm(end - start))
    assert np.diff(distance).max() <= 0.1
    points = start + np.outer(distance / distance[-1], end - start)
    assert found == pytest.approx(50 + points @ slope, rel=1e-5)
    _, beyond = dose_along_line(dose, grid, start, grid.point_cm((60, 3, 4)))
    assert np.isnan(beyond[-1])
    for wrong in ({"end_cm": start}, {"step_cm": 0.0}):
        with pytest.raises(Refused, match="two different ends"):
            dose_along_line(dose, grid, **{"start_cm": start, "end_cm": end, **wrong})
    with pytest.raises(Refused, match="its grid"):
        dose_along_line(dose[1:], grid, start, end)
