"""Sums of a row of pixels, to the work at hand and back: compared with plain slices of arrays."""

import numba
import numpy as np
import pytest

from ert.dose.kernels.lanes import PITCH, SUMS
from ert.dose.kernels.lend import lend
from ert.dose.kernels.rows import flush_sums, load_sums, save_sums

NX, WIDTH = 20, 12
TURNED = [0, 1, 2, 8, 9, 10, 11, 12, 3, 4, 5, 6, 7]
"""Sums along y where those along x are."""


def tile_of(rng):
    """A tile of which 12 lanes are set, and those lanes [13, 12]."""
    tile = np.zeros(SUMS * int(PITCH))
    lanes = rng.uniform(0.5, 2.0, (SUMS, WIDTH))
    tile.reshape(SUMS, -1)[:, :WIDTH] = lanes
    return tile, lanes


@pytest.mark.parametrize("is_turned", [False, True])
def test_pixels_are_loaded_with_zeros_beside_them_and_saved_where_they_were(is_turned):
    rng = np.random.default_rng(3)
    state, work = rng.uniform(size=(2, SUMS, NX)), np.full(SUMS * int(PITCH), 7.0)
    load_sums(state.ravel(), SUMS * NX + 5, NX, 9, is_turned, work, np.uint64(0), np.uint64(2))
    order = TURNED if is_turned else list(range(SUMS))
    lanes = work.reshape(SUMS, -1)
    assert np.array_equal(lanes[:, 2:11], state[1, order, 5:14])
    assert not lanes[:, :2].any()
    assert not lanes[:, 11:12].any()
    assert (lanes[:, 12:] == 7.0).all()
    back = np.zeros((2, SUMS, NX))
    save_sums(work, np.uint64(2), 9, is_turned, back.ravel(), SUMS * NX + 5, NX)
    assert np.array_equal(back[1, :, 5:14], state[1, :, 5:14])
    assert not back[0].any()


@pytest.mark.parametrize("column", [-15, -4, 0, 3, 6, 14, 30])
@pytest.mark.parametrize("held", [(0, 0), (2, 9), (6, 8), (16, 20)])
def test_a_tile_is_added_to_what_the_row_holds_and_what_else_stands_there_is_not_read(column, held):
    rng = np.random.default_rng(4)
    tile, lanes = tile_of(rng)
    rows, span = np.full((1, 3, SUMS, NX), np.nan), np.zeros((1, 3, 2), dtype=np.int64)
    rows[0, 1, :, held[0] : held[1]] = rng.uniform(size=(SUMS, held[1] - held[0]))
    span[0, 1] = held
    room = np.zeros((SUMS, 80))
    room[:, 30 + held[0] : 30 + held[1]] = rows[0, 1, :, held[0] : held[1]]
    room[:, 30 + column : 30 + column + WIDTH] += lanes
    lost = flush_sums(tile, np.uint64(0), column, WIDTH, rows.ravel(), SUMS * NX, NX, span, 0, 1)
    low, high = span[0, 1]
    inside = np.arange(max(column, 0), min(column + WIDTH, NX))
    columns = np.union1d(inside, np.arange(*held))
    assert (low, high) == ((columns.min(), columns.max() + 1) if len(columns) else (0, 0))
    assert np.array_equal(rows[0, 1, :, low:high], room[:, 30 + low : 30 + high])
    assert np.isnan(rows[0, 1, :, :low]).all()
    assert np.isnan(rows[0, 1, :, high:]).all()
    assert np.isnan(rows[0, ::2]).all()
    assert lost == pytest.approx(lanes[0].sum() - lanes[0, inside - column].sum())
    assert not tile.any()


def test_an_array_that_is_lent_is_the_same_array():
    @numba.njit
    def fill(values):
        lent = lend(values)
        lent[1, ::2] = 5.0
        return lent.shape, lent.sum()

    values = np.ones((2, 4))
    assert fill(values) == ((2, 4), 16.0)
    assert values.tolist() == [[1.0, 1.0, 1.0, 1.0], [5.0, 1.0, 5.0, 1.0]]
