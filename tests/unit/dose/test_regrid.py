"""Where rows of the dose grid begin and end."""

import numpy as np
import pytest

from ert.domain.identity import read_only
from ert.dose.kernels import grid_rows, regrid

FAN, TISSUE = np.array([138.0, 111.0, 111.0]), np.array([72.0, 120.0, 170.0])
LENS = np.array([100.0, 95.2, 4.7647, 93.4, 373.6, -55.5, -55.5])


def nothing_held():
    """Of a grid of 5 × 5 rows without anything."""
    return np.zeros((25, 2), dtype=np.int32)


def row_at(*, tissue_y, tissue_z, slant):
    """A row along x through the middle of the fan: place and steps in beam's eye view and in tissue voxels."""
    return np.array([-5.0, 0.0, -4.0, 0.5, 0.0, 0.0, 10.0, tissue_y, tissue_z, 2.0, slant, 0.0])


def test_a_row_ends_at_the_borders_of_fan_and_tissue():
    """(−5 + i/2) · 373.6/97.4 + 55.5 = 111 at i = 38.9; 60.5 + 2 i = 120 at i = 29.75."""
    assert regrid._range(0, 100, row_at(tissue_y=60.5, tissue_z=30.5, slant=0.0), LENS, FAN, TISSUE) == (0, 39)
    assert regrid._range(0, 100, row_at(tissue_y=60.5, tissue_z=30.5, slant=2.0), LENS, FAN, TISSUE) == (0, 30)


@pytest.mark.parametrize("slant", [0.0, 9.1e-17, -9.1e-17, 1e-300])
@pytest.mark.parametrize(("tissue_y", "tissue_z"), [(-2.5, -2.8), (-2.5, 73.8), (122.5, 30.5), (60.5, -2.8)])
def test_a_row_beside_the_tissue_is_empty_however_slight_its_slant(slant, tissue_y, tissue_z):
    """A border that a row meets at 1e16 voxels lies one voxel from itself, as numbers have it."""
    begin, end = regrid._range(0, 35, row_at(tissue_y=tissue_y, tissue_z=tissue_z, slant=slant), LENS, FAN, TISSUE)
    assert begin == end


@pytest.mark.parametrize(("value", "is_finite"), [(1.0, True), (0.0, True), (-1.0, True), (np.inf, False)])
def test_the_highest_bits_tell_whether_a_dose_is_finite(value, is_finite):
    """As whole numbers, bits of floats from zero up rise with the float and end at infinity's, 0x7F800000.

    A fan's numbers below zero become no dose.
    """
    fan = np.full((4, 6, 6), 0.5, dtype=np.float32)
    fan[1:3, 2:4, 2:4] = value
    ends = np.stack([np.full((6, 6), 97.0), np.full((6, 6), 103.0)]).astype(np.float32)
    factor, out, held = np.ones((5, 5, 5), dtype=np.float32), np.zeros((5, 5, 5), dtype=np.float32), nothing_held()
    to_bev = np.hstack([0.5 * np.eye(3), np.full((3, 1), -1.0)])
    chain = np.stack([to_bev, np.hstack([np.eye(3), np.zeros((3, 1))])])
    numbers = np.array([-2.5, -2.5, 1.0, 98.5, 1.0, 100.0, 95.0])
    box = np.array([0, 0, 0, 5, 5, 5])
    highest = regrid.resample_to_grid(fan, ends, read_only(factor), chain, box, numbers, False, False, held, out)
    assert highest.max() == out.view(np.uint32).max()
    assert (highest.max() < 0x7F800000) == is_finite == np.isfinite(out).all()


def test_a_row_holds_only_what_was_written_last():
    """Three rows of nine voxels, each written anew elsewhere, with and without a common part."""
    grid, held = np.zeros(27, dtype=np.float32), np.zeros((3, 2), dtype=np.int32)
    for begin, end in [(0, 4), (2, 9), (5, 5), (7, 8), (0, 2), (1, 8), (0, 0)]:
        for row in range(3):
            grid_rows.keep_only(row, 9, begin, end, held, grid)
            grid[9 * row + begin : 9 * row + end] = 1.0
        expected = np.zeros((3, 9), dtype=np.float32)
        expected[:, begin:end] = 1.0
        np.testing.assert_array_equal(grid.reshape(3, 9), expected)
        np.testing.assert_array_equal(held, [(begin, end)] * 3)
