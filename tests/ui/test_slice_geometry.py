"""Slices of a volume are taken without a copy, in display order."""

from __future__ import annotations

import numpy as np
import pytest

from ert.ui.slice_geometry import SliceGeometry
from tests.ui.fakes import acquired_axes, make_image


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_a_plane_is_a_view_of_the_volume(axis, position):
    grid = make_image(acquired_axes(position), position, shape=(4, 5, 6)).grid
    volume = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    geometry = SliceGeometry(grid=grid, axis=axis)
    plane = geometry.plane_of(volume, 2)
    assert np.shares_memory(plane, volume)
    assert plane.shape == geometry.shape
    for row, column in ((0, 0), (1, 2), (geometry.shape[0] - 1, geometry.shape[1] - 1)):
        i, j, k = np.rint(grid.index_xyz(geometry.point_cm(column, row, 2))).astype(int)
        assert plane[row, column] == volume[k, j, i]
