"""How certain a sum of plans is: independent runs add as variances, a run that two plans share adds as it is."""

import attrs
import numpy as np
import pytest

from ert.analysis.dose_sum import common_grid, summed_uncertainty
from ert.domain.dose import DoseResult
from ert.domain.monte_carlo_model import DoseStatistics
from ert.geometry.grid import VoxelGrid

GRID = VoxelGrid(origin_cm=(0.0, 0.0, 0.0), spacing_cm=(1.0, 1.0, 1.0), shape_zyx=(2, 3, 4))


def noisy(digest, relative, grid=GRID):
    """0.01 Gy/MU everywhere."""
    return DoseResult(
        request_digest=digest, grid=grid, gy_per_mu=np.full(grid.shape_zyx, 0.01, np.float32),
        engine="monte-carlo 9", dose_to="MEDIUM", ssd_cm=100.0,
        statistics=DoseStatistics(relative_sigma=np.full(grid.shape_zyx, relative, np.float32),
                                  uncertainty_pct=100 * relative, histories=500, seed=1, batches=10),
    )  # fmt: skip


def total(gy, grid=GRID):
    return np.full(grid.shape_zyx, gy, np.float32)


def test_plans_with_histories_of_their_own_add_as_variances():
    found = summed_uncertainty([([noisy("a", 0.03)], [100.0]), ([noisy("b", 0.04)], [100.0])], GRID, total(2.0))
    assert found.sigma_gy == pytest.approx(0.05, rel=1e-5)
    assert found.mean_pct == pytest.approx(2.5, rel=1e-5)
    assert found.histories == 1000


def test_plans_that_share_a_run_add_their_errors():
    found = summed_uncertainty([([noisy("a", 0.03)], [100.0]), ([noisy("a", 0.03)], [300.0])], GRID, total(4.0))
    assert found.sigma_gy == pytest.approx(0.12, rel=1e-5)
    assert found.mean_pct == pytest.approx(3.0, rel=1e-5)
    assert found.histories == 500


def test_a_plan_without_noise_leaves_the_sum_without_a_statement_and_a_mixed_plan_says_so():
    exact = attrs.evolve(noisy("c", 0.1), statistics=None, engine="pencil-beam 9")
    assert summed_uncertainty([([noisy("a", 0.03)], [1.0]), ([exact], [1.0])], GRID, total(1.0)) is None
    parts = [([noisy("a", 0.03)], [100.0]), ([noisy("b", 0.04), exact], [100.0, 100.0])]
    found = summed_uncertainty(parts, GRID, total(3.0))
    assert found.sigma_gy == pytest.approx(0.05, rel=1e-5)
    assert found.is_partial


def test_another_grid_adds_within_its_bounds_only():
    """Beside the second plan's grid the sum has the first plan's error alone."""
    small = VoxelGrid(origin_cm=(0.0, 0.0, 0.0), spacing_cm=(1.0, 1.0, 1.0), shape_zyx=(2, 3, 2))
    grid = common_grid([GRID, small])
    parts = [([noisy("a", 0.03)], [100.0]), ([noisy("b", 0.04, small)], [100.0])]
    found = summed_uncertainty(parts, grid, total(2.0, grid))
    assert found.sigma_gy[:, :, :2] == pytest.approx(0.05, rel=1e-5)
    assert found.sigma_gy[:, :, 2:] == pytest.approx(0.03, rel=1e-5)
