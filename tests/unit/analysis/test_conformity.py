"""Isodose volumes of a dose that falls evenly from a point (spheres), and indices reckoned by hand."""

import numpy as np
import pytest

from ert.analysis.conformity import isodose_volumes_cc, plan_indices
from ert.analysis.dvh import compute_dvh
from ert.domain.dvh import Dvh
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid
from tests.shapes import rotation, sphere

GRID = VoxelGrid(origin_cm=(-5.0, -5.0, -5.0), spacing_cm=(0.2, 0.2, 0.25), shape_zyx=(41, 51, 51))


def cone(grid=GRID, top_gy=50.0, fall_gy_cm=10.0):
    """50 Gy in the origin, 10 Gy less every centimetre."""
    k, j, i = np.indices(grid.shape_zyx)
    radius = np.linalg.norm(grid.point_cm(np.stack([i, j, k], axis=-1)), axis=-1)
    return np.maximum(top_gy - fall_gy_cm * radius, 0).astype(np.float32)


def ball_cc(radius_cm):
    return 4 / 3 * np.pi * radius_cm**3


def test_isodose_volumes_are_spheres():
    found = isodose_volumes_cc(cone(), GRID, [10.0, 20.0, 30.0])
    assert found == pytest.approx([ball_cc(4), ball_cc(3), ball_cc(2)], rel=0.01)


def test_isodose_volumes_do_not_depend_on_the_grids_direction():
    axes = rotation(30, 20)
    grid = VoxelGrid(origin_cm=np.full(3, -5.0) @ axes, spacing_cm=(0.25,) * 3, shape_zyx=(41, 41, 41), axes=axes)
    assert isodose_volumes_cc(cone(grid), grid, [20.0])[0] == pytest.approx(ball_cc(3), rel=0.01)


def test_isodose_volume_within_a_structure_and_of_everything():
    part = sphere(2.0, spacing=0.1)
    assert isodose_volumes_cc(cone(), GRID, [10.0, 40.0], within=part) == pytest.approx(
        [ball_cc(2), ball_cc(1)], rel=0.04
    )
    full = np.full(GRID.shape_zyx, 7.0, dtype=np.float32)
    assert isodose_volumes_cc(full, GRID, [6.9, 7.1]) == pytest.approx([51 * 51 * 41 * 0.01, 0.0])
    for wrong in (0.0, -1.0, np.nan):
        with pytest.raises(Refused, match="levels must be above zero"):
            isodose_volumes_cc(full, GRID, [wrong])


def test_indices_of_a_ball_in_a_falling_dose():
    """Target of 3 cm; 25 Gy lies at 2.5 cm, half of it at 3.75 cm; a part v of the target exceeds 50 - 30 v^⅓ Gy."""
    target = compute_dvh(sphere(3.0, spacing=0.1), cone(), GRID)
    body = compute_dvh(sphere(4.8, spacing=0.1), cone(), GRID)
    found = plan_indices(target, body, prescription_gy=25.0)
    covered = (2.5 / 3) ** 3
    assert found.rtog_conformity_index == pytest.approx(covered, rel=0.01)
    assert found.coverage_pct == pytest.approx(100 * covered, rel=0.01)
    assert found.paddick_index == pytest.approx(covered, rel=0.01)
    assert found.rtog_homogeneity_index == pytest.approx(50 / 25, rel=0.03)
    assert found.rtog_quality_ratio == pytest.approx(20 / 25, rel=0.03)

    def dose(part):
        return 50 - 30 * part ** (1 / 3)

    assert found.homogeneity_index == pytest.approx((dose(0.02) - dose(0.98)) / dose(0.5), rel=0.02)
    assert found.d10_d90_gy == pytest.approx(dose(0.1) - dose(0.9), rel=0.01)
    assert found.gradient_index == pytest.approx((3.75 / 2.5) ** 3, rel=0.01)


def test_indices_that_cannot_be_had():
    dvh = Dvh(
        structure_number=1,
        name="body",
        volume_cc=1.0,
        dose_gy=[0, 1],
        volume_pct=[100, 0],
        min_gy=0,
        mean_gy=0,
        max_gy=1,
    )
    with pytest.raises(Refused, match="must be above zero"):
        plan_indices(dvh, dvh, prescription_gy=0.0)
    with pytest.raises(Refused, match="No part of 'body' receives 5 Gy"):
        plan_indices(dvh, dvh, prescription_gy=5.0)
