"""Rays of the fan: depths of a slanted ray in a slab, the variance of Fermi and Eyges, and which blocks hold tissue."""

import numpy as np
import pytest

from ert.domain.identity import read_only
from ert.dose.kernels.convert import BLOCK_BITS, may_be_tissue
from ert.dose.kernels.trace import trace_fan
from ert.dose.pencil_beam import scattered

SAD_CM, VIRTUAL_CM, SURFACE_CM = 100.0, 95.0, 98.0
SPACING_CM, STEP_CM = 0.5, 0.2
COLUMNS = 120  # two rows are more rays than are followed at once
TABLE_SIZE = 201
POWER_RAD2_PER_CM = 1e-5


def trace_slab(is_pencil: np.ndarray, steps: int, range_cm: float = 50.0):
    """Fan through 20 cm of water under air; depth, variance and ends."""
    shape = (60, 60, 60)  # z, y, x; the beam comes along +y
    stopping = np.full(shape, 0.001, dtype=np.float32)
    stopping[:, 10:50] = 1.0
    # bev (x, y, z): z towards the source, 0 at the isocentre; the face between voxels 9 and 10 lies at the surface
    to_index = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) / SPACING_CM
    offset = np.array([29.5, 9.5 + (SAD_CM - SURFACE_CM) / SPACING_CM, 29.5])
    centres = (np.arange(COLUMNS) - COLUMNS / 2 + 0.5) * 0.1
    rows = (np.arange(8) - 3.5) * 0.1
    nodes = SURFACE_CM - 3.0 + STEP_CM * np.arange(60)
    count = (len(nodes), len(rows), COLUMNS)
    depth, variance = np.full(count, np.nan, np.float32), np.full(count, np.nan, np.float32)
    ends = np.full((2, *count[1:]), np.nan, np.float32)
    constant = np.ones(TABLE_SIZE)
    angle = POWER_RAD2_PER_CM / 2 * np.arange(TABLE_SIZE) / 100 * range_cm  # of water: nothing makes a path longer
    stopping, ones = read_only(stopping), read_only(np.ones(shape, np.float32))  # all as the engine gives it
    trace_fan(
        stopping, ones, read_only(may_be_tissue(stopping)), to_index, offset, read_only(centres), read_only(rows),
        is_pencil, np.ones_like(is_pencil), scattered(0, 4), nodes, steps, np.array([SAD_CM, VIRTUAL_CM, range_cm]),
        *(read_only(table) for table in (POWER_RAD2_PER_CM * constant, constant, angle)), depth, variance, ends,
    )  # fmt: skip
    path = np.sqrt(1 + (centres[None, :] ** 2 + rows[:, None] ** 2) / VIRTUAL_CM**2)
    return nodes, path, depth, variance, ends


@pytest.mark.parametrize("steps", [1, 2])
def test_depth_and_variance_of_slanted_pencils_in_a_slab(steps: int):
    nodes, path, depth, variance, ends = trace_slab(np.ones((8, COLUMNS), np.bool_), steps)
    behind = np.maximum(nodes - SURFACE_CM, 0.0)
    expected = behind[:, None, None] * path
    assert np.abs(depth - expected).max() < STEP_CM / steps + 0.01  # the face falls within one sample
    # A2 = T z³ / 6 along the axis (Eyges 1948), T per length of the slanted ray, begun within a sample of where
    # the mean of two voxels is more than air
    sample_cm = STEP_CM / steps
    for late_cm, sign in ((-SPACING_CM / 2 - sample_cm, 1.0), (sample_cm, -1.0)):
        bound = POWER_RAD2_PER_CM * path * np.maximum(behind - late_cm, 0.0)[:, None, None] ** 3 / 6
        assert (sign * ((1.0 + sign * 1e-3) * bound - variance)[behind > 0] >= 0.0).all()
    assert np.abs(ends[0] - SURFACE_CM).max() <= SPACING_CM / 2 + sample_cm


def test_rays_without_electrons_find_their_own_depth_or_that_of_their_block():
    is_pencil = np.zeros((8, COLUMNS), np.bool_)
    is_pencil[2:5, 40:73] = True
    nodes, path, depth, variance, _ = trace_slab(is_pencil, 2)
    expected = np.maximum(nodes - SURFACE_CM, 0.0)[:, None, None] * path
    assert np.abs(depth - expected).max() < STEP_CM + 0.05
    assert np.isnan(variance[:, ~is_pencil]).all()
    assert np.isfinite(variance[:, is_pencil]).all()


def test_pencils_carry_no_variance_far_behind_their_range():
    nodes, _, depth, variance, _ = trace_slab(np.ones((8, COLUMNS), np.bool_), 2, range_cm=2.0)
    assert (variance[depth > 1.3 * 2.0 + STEP_CM] == 0.0).all()
    assert (variance[(depth > 0.5) & (depth < 2.0)] > 0.0).all()


@pytest.mark.parametrize("at", [(0, 0, 0), (3, 4, 7), (8, 5, 6), (9, 10, 4)])
def test_blocks_next_to_a_voxel_of_tissue_may_be_tissue(at: tuple[int, int, int]):
    stopping = np.full((10, 11, 9), 0.001, dtype=np.float32)
    stopping[at] = 1.0
    side = 1 << BLOCK_BITS
    voxels = np.indices(stopping.shape)
    near = (np.abs(voxels - np.array(at).reshape(3, 1, 1, 1)) <= 1).all(axis=0)
    expected = np.zeros(tuple(-(-n // side) for n in stopping.shape), np.bool_)
    for k, j, i in np.argwhere(near):
        expected[k // side, j // side, i // side] = True
    assert np.array_equal(may_be_tissue(read_only(stopping)), expected)
