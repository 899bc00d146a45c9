"""Blurs of maps against sums term by term."""

import numpy as np
import pytest
from numba import njit

from ert.dose.kernels.blur_lines import WIDTH, blur_four, blur_one
from ert.dose.kernels.lattice import add_blurred, occupied


@njit
def blurred_lines(source, weights, count, pitch, lines):
    """Lines blurred across: four together, and each alone."""
    reach = weights.shape[0] - 1
    four, one = np.zeros(lines * pitch, dtype=np.float32), np.zeros(lines * pitch, dtype=np.float32)
    for j in range(0, lines - 3, 4):
        blur_four(source, (reach + j) * pitch, count, pitch, weights, reach, four, j * pitch)
    for j in range(lines):
        blur_one(source, (reach + j) * pitch, count, pitch, weights, reach, one, j * pitch)
    return four, one


def whole_numbers(shape, seed=3):
    """Numbers whose sums are exact in single precision, in whatever order they are added."""
    return np.random.default_rng(seed).integers(0, 64, shape).astype(np.float32)


@pytest.mark.parametrize("reach", range(1, 10))
def test_each_sum_has_every_term_once(reach):
    """Every rest after fours, twos and one."""
    count, pitch, lines = 21, 2 * WIDTH, 8
    source, weights = whole_numbers((lines + 2 * reach, pitch)), whole_numbers(reach + 1, seed=4)
    kernel = np.concatenate([weights[:0:-1], weights])
    wanted = np.stack([np.convolve(column, kernel, "valid") for column in source.T], axis=1)[:, :count]
    for found in blurred_lines(source.ravel(), weights, count, pitch, lines):
        assert np.array_equal(found.reshape(lines, pitch)[:, :count], wanted)


@pytest.mark.parametrize("box", [(10, 12, 3, 30), (0, 40, 0, 48), (17, 40, 45, 48), (5, 6, 7, 8)])
@pytest.mark.parametrize("reach", [2, 5, 13, 50])
def test_a_plane_is_blurred_both_ways_and_added(box, reach):
    """Also where the kernel reaches beyond borders, and farther than the plane: nothing comes in from there."""
    top, bottom, left, right = box
    plane, out = np.zeros((40, 48), dtype=np.float32), np.ones((40, 48), dtype=np.float32)
    plane[top:bottom, left:right] = 1.0 + whole_numbers((bottom - top, right - left)) % 2
    weights = (whole_numbers(reach + 1, seed=5) % 2).astype(np.float32)
    kernel = np.concatenate([weights[:0:-1], weights]).astype(np.float64)
    rows = [np.convolve(row, kernel)[reach:-reach] for row in plane.astype(np.float64)]
    wanted = 1.0 + np.stack([np.convolve(column, kernel)[reach:-reach] for column in np.transpose(rows)], axis=1)
    add_blurred(plane, occupied(plane), weights, out)
    assert np.array_equal(out, wanted)
