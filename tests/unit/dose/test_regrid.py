"""Where rows of the dose grid begin and end."""

import numpy as np
import pytest

from ert.dose.kernels import regrid

FAN, TISSUE = np.array([138.0, 111.0, 111.0]), np.array([72.0, 120.0, 170.0])
LENS = np.array([100.0, 95.2, 4.7647, 93.4, 373.6, -55.5, -55.5])


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
