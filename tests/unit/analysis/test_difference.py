"""Differences of doses that are planes, on grids of other spacing and direction: exact."""

import numpy as np
import pytest

from ert.analysis.difference import dose_difference
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from tests.shapes import rotation

REFERENCE = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.2, 0.3, 0.4), shape_zyx=(8, 9, 10))
WIDE = VoxelGrid(
    origin_cm=np.array([-4.0, -5.0, -4.0]), spacing_cm=(0.5,) * 3, shape_zyx=(24, 24, 24), axes=rotation(15, 30)
)


def plane(grid, offset, slope=(1.0, 2.0, 3.0)):
    k, j, i = np.indices(grid.shape_zyx)
    return offset + grid.point_cm(np.stack([i, j, k], axis=-1)) @ np.asarray(slope)


def test_difference_of_planes_on_turned_grids_is_exact():
    found = dose_difference(plane(REFERENCE, 50.0), REFERENCE, plane(WIDE, 51.5, (1.5, 2, 3)), WIDE)
    x = 0.2 * np.arange(10)
    assert found.points_outside == 0
    assert found.points == 720
    assert found.difference_gy == pytest.approx(np.broadcast_to(1.5 + 0.5 * x, (8, 9, 10)), abs=1e-4)
    assert found.mean_gy == pytest.approx(1.95, abs=1e-4)
    assert found.sigma_gy == pytest.approx(0.5 * x.std(), abs=1e-4)
    assert found.rms_gy == pytest.approx(np.sqrt(1.95**2 + (0.5 * x.std()) ** 2), abs=1e-4)
    assert found.largest_gy == pytest.approx(2.4, abs=1e-4)
    assert found.percentile_gy(50) == pytest.approx(1.95, abs=1e-4)
    top = 50 + 1.8 + 2 * 2.4 + 3 * 2.8
    assert found.normalisation_gy == pytest.approx(top)
    assert found.within_pct(100 * 1.95 / top) == pytest.approx(50.0)


def test_sign_threshold_and_what_lies_outside():
    reference = np.zeros(REFERENCE.shape_zyx)
    reference[:, :, 5:] = 10.0
    half = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(0.2, 0.3, 0.4), shape_zyx=(8, 9, 7))
    found = dose_difference(
        reference, REFERENCE, np.full(half.shape_zyx, 9.0), half, threshold_pct=50, normalisation_gy=12.0
    )
    assert (found.points, found.points_outside) == (8 * 9 * 2, 8 * 9 * 3)
    assert (found.mean_gy, found.largest_gy) == pytest.approx((-1.0, -1.0))
    assert found.within_pct(8.0) == 0
    assert found.within_pct(9.0) == 100


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reference": np.zeros(REFERENCE.shape_zyx)}, "nowhere above zero"),
        ({"reference": np.ones((2, 2, 2))}, "its grid"),
        ({"evaluated": np.full(WIDE.shape_zyx, -1.0)}, "evaluated dose has negative"),
        ({"reference": np.full(REFERENCE.shape_zyx, np.nan)}, "no numbers"),
        ({"threshold_pct": 200.0}, "can be compared"),
    ],
)
def test_refusals(change, sentence):
    good = {
        "reference": np.ones(REFERENCE.shape_zyx),
        "reference_grid": REFERENCE,
        "evaluated": np.ones(WIDE.shape_zyx),
        "evaluated_grid": WIDE,
    }
    with pytest.raises(Refused, match=sentence):
        dose_difference(**{**good, **change})
