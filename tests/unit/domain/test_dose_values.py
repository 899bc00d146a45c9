"""What a dose array may hold, and sums of doses."""

import numpy as np
import pytest

from ert.domain.dose import DoseResult, FiniteDose, scaled_sum
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid

GRID = VoxelGrid(origin_cm=(0.0, 0.0, 0.0), spacing_cm=(1.0, 1.0, 1.0), shape_zyx=(1, 1, 3))


def result_of(*values: float) -> DoseResult:
    """A dose of three voxels."""
    array = np.array([[values]], dtype=np.float32)
    return DoseResult(request_digest="", grid=GRID, gy_per_mu=array, engine="test 1", dose_to="WATER", ssd_cm=100.0)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -np.nan])
def test_a_dose_with_a_number_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(Refused, match="finite"):
        result_of(0.0, value, 0.01)
    with pytest.raises(Refused, match="finite"):
        result_of(-1.0, value, 0.01)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -1.0])
def test_an_array_is_taken_as_tested_only_if_its_bits_say_so(value: float) -> None:
    array = np.array([0.0, value, 0.01], dtype=np.float32)
    assert FiniteDose.of(array, int(array.view(np.uint32).max())) is array


def test_a_tested_array_is_the_dose() -> None:
    array = np.array([[[0.0, 0.02, 0.01]]], dtype=np.float32)
    tested = FiniteDose.of(array, int(array.view(np.uint32).max()))
    assert isinstance(tested, FiniteDose)
    assert tested.highest_gy == np.float32(0.02)
    result = DoseResult(request_digest="", grid=GRID, gy_per_mu=tested, engine="test 1", dose_to="WATER", ssd_cm=100.0)
    assert np.array_equal(result.gy_per_mu, array)
    assert not result.gy_per_mu.flags.writeable


def test_the_largest_float_zero_and_numbers_below_zero_are_finite() -> None:
    top = float(np.finfo(np.float32).max)
    assert result_of(0.0, top, 0.01).gy_per_mu[0, 0, 1] == np.float32(top)
    assert result_of(-0.0, -top, 0.01).gy_per_mu[0, 0, 1] == np.float32(-top)


def test_a_sum_is_made_in_double_precision() -> None:
    """1 + 2^-24 + 2^-24 is 1 in single precision at every step, and 1 + 2^-23 if rounded once at the end."""
    doses = [np.full((2, 1, 1), v, dtype=np.float32) for v in (1.0, 2.0**-25, 2.0**-26)]
    assert scaled_sum(doses, [1.0, 2.0, 4.0]).tolist() == [[[1.0 + 2.0**-23]], [[1.0 + 2.0**-23]]]
