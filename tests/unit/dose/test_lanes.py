"""Cut Gaussians for many pixels at once: the normal distribution, and nothing lost between intervals."""

import math

import numpy as np
import pytest

from ert.dose.kernels import lanes
from ert.dose.kernels.lanes import COUNT, MEAN, PER_SIGMA, PITCH, ROWS, SIGMA, W0, W1, W2

FIRST, LAST = np.uint64(0), np.uint64(12)


def gaussians():
    """Work for twelve Gaussians of different number, mean and width."""
    work = np.zeros(ROWS * int(PITCH))
    rng = np.random.default_rng(5)
    for row, low, high in ((COUNT, 0.1, 3.0), (MEAN, -0.4, 0.4), (SIGMA, 0.2, 0.9)):
        work[int(row) : int(row) + 12] = rng.uniform(low, high, 12)
    work[int(PER_SIGMA) : int(PER_SIGMA) + 12] = 1.0 / row_of(work, SIGMA)
    return work


def row_of(work, row):
    return work[int(row) : int(row) + 12]


def test_the_polynomials_are_the_normal_distribution_and_its_density():
    for u in np.linspace(-3.5, 3.5, 1001):
        f, d = lanes.normal(u)
        assert f == pytest.approx(0.5 * math.erfc(-u / math.sqrt(2.0)), abs=3e-8)
        assert d == pytest.approx(math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi), abs=2e-7)


def test_intervals_share_out_number_and_moments_exactly():
    """Number, mean 0 and variance 1 of each Gaussian, whatever is cut where."""
    work, sums = gaussians(), np.zeros((3, 12))
    low, high = lanes.extent(work, FIRST, LAST)
    lanes.begin(work, FIRST, LAST)
    edges = np.arange(math.floor(low) + 0.5, high, 1.0)
    for edge in edges:
        lanes.weigh(work, edge, False, FIRST, LAST)
        sums += [row_of(work, w) for w in (W0, W1, W2)]
    lanes.weigh(work, math.inf, True, FIRST, LAST)
    sums += [row_of(work, w) for w in (W0, W1, W2)]
    count = row_of(work, COUNT)
    assert len(edges) > 3
    assert sums[0] == pytest.approx(count, rel=1e-14)
    assert sums[1] == pytest.approx(np.zeros(12), abs=1e-14)
    assert sums[2] == pytest.approx(count, rel=1e-14)


def test_an_interval_has_the_moments_of_the_gaussian_within_it():
    """By numerical integration of the density over |u| < 3.5, from −0.5 to 0.5."""
    work = gaussians()
    lanes.begin(work, FIRST, LAST)
    lanes.weigh(work, -0.5, False, FIRST, LAST)
    lanes.weigh(work, 0.5, False, FIRST, LAST)
    for n, mean, sigma, *found in zip(*(row_of(work, r) for r in (COUNT, MEAN, SIGMA, W0, W1, W2)), strict=True):
        x = (np.arange(20000) + 0.5) / 20000 - 0.5
        u = (x - mean) / sigma
        weight = n * np.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi) / sigma / 20000 * (np.abs(u) < 3.5)
        assert found[1:] == pytest.approx([(weight * u).sum(), (weight * u * u).sum()], abs=2e-3)
        assert found[0] == pytest.approx(weight.sum(), abs=6e-4 * n)


def test_lanes_left_out_of_an_interval_have_nothing_there():
    """Gaussians side by side, one of them empty: nothing, exactly, beyond 3.5 standard deviations of every one."""
    work = gaussians()
    row_of(work, MEAN)[:] = 0.7 * np.arange(12)
    row_of(work, COUNT)[11] = 0.0
    low, high = lanes.extent(work, FIRST, LAST)
    mean, reach = row_of(work, MEAN)[:11], 3.5 * row_of(work, SIGMA)[:11]
    assert (low, high) == pytest.approx(((mean - reach).min(), (mean + reach).max()))
    lanes.begin(work, FIRST, LAST)
    left_out = 0
    for edge in np.arange(math.floor(low) + 1.0, high, 1.0):
        first, last = lanes.reaching(work, edge - 1.0, edge, FIRST, LAST)
        lanes.weigh(work, edge, False, FIRST, LAST)
        inside = np.arange(12)[int(first) : int(last)]
        assert set(np.flatnonzero((mean + reach > edge - 1.0) & (mean - reach < edge))) <= set(inside)
        for w in (W0, W1, W2):
            assert not np.delete(row_of(work, w), inside).any()
        left_out += 12 - len(inside)
    assert left_out > 12


def test_a_row_is_worked_on_in_equal_parts_no_longer_than_a_vector_row():
    for count in range(1, 300):
        size = lanes.part_size(count)
        assert size <= lanes.LANES
        assert size % 4 == 0
        assert math.ceil(count / size) == math.ceil(count / lanes.LANES)
