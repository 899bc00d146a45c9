"""The band of one standard error about an isodose line, against a dose whose lines are known."""

import numpy as np
import pytest

from ert.ui.dose_plane import DosePlane


def area(outline):
    x, y = outline[:, 0], outline[:, 1]
    return 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def test_of_a_cone_the_band_is_a_ring_as_wide_as_the_error_over_the_slope():
    """40 − r Gy, σ 2 Gy: the 20 Gy line is the circle r = 20, its band the ring from 18 to 22."""
    y, x = np.mgrid[-45:46, -45:46].astype(np.float32)
    plane = DosePlane(gy=np.maximum(40.0 - np.hypot(x, y), 0.0), origin=(0.0, 0.0), step=(1.0, 1.0))
    band = plane.band(20.0, np.where(plane.gy > 0, 2.0, 0.0).astype(np.float32))
    outer, inner = sorted((area(o) for o in band), reverse=True)
    assert len(band) == 2
    assert outer == pytest.approx(np.pi * 22.0**2, rel=5e-3)
    assert inner == pytest.approx(np.pi * 18.0**2, rel=5e-3)


def test_the_band_lies_where_the_lines_lie_and_vanishes_without_error():
    gy = np.tile(np.linspace(0.0, 10.0, 21, dtype=np.float32), (5, 1))
    plane = DosePlane(gy=gy, origin=(3.0, 7.0), step=(2.0, 1.0))
    (outline,) = plane.band(5.0, np.full_like(gy, 0.5))
    assert (outline[:, 0].min(), outline[:, 0].max()) == pytest.approx((3 + 2 * 9, 3 + 2 * 11))  # 4.5 and 5.5 Gy
    thin = plane.band(5.0, np.zeros_like(gy))
    assert sum(area(o) for o in thin) < 1e-3
    assert plane.band(20.0, np.full_like(gy, 0.5)) == []
