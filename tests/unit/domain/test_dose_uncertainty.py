"""Standard errors of a plan from those of its beams, against sums done by hand."""

import attrs
import numpy as np
import pytest

from ert.domain.algorithm import Algorithm
from ert.domain.dose import DoseResult, plan_dose_gy
from ert.domain.dose_uncertainty import plan_uncertainty
from ert.domain.monte_carlo_model import DoseStatistics
from ert.errors import Refused
from ert.geometry.grid import VoxelGrid

GRID = VoxelGrid(origin_cm=(0, 0, 0), spacing_cm=(1, 1, 1), shape_zyx=(1, 1, 3))


def beam(digest, gy_per_mu, relative_sigma, *, mean_pct=1.0, histories=1000):
    statistics = DoseStatistics(
        relative_sigma=np.array([[relative_sigma]], np.float32), uncertainty_pct=mean_pct, histories=histories,
        seed=1, batches=32,
    )  # fmt: skip
    return DoseResult(
        request_digest=digest, grid=GRID, gy_per_mu=np.array([[gy_per_mu]], np.float32),
        engine=f"{Algorithm.MONTE_CARLO.value} 7", dose_to="MEDIUM", ssd_cm=100.0, statistics=statistics,
    )  # fmt: skip


def of(results, mu, fractions):
    return plan_uncertainty(results, mu, fractions, plan_dose_gy(results, mu, fractions))


def test_errors_of_different_beams_add_as_variances():
    # 100 MU × 10 fractions: first beam 10, 8, 2 Gy with 3, 2, 10 %: σ = 0.30, 0.16, 0.20 Gy;
    # second 50 MU × 10: 5, 0, 1 Gy with 8, 0, 20 %: σ = 0.40, 0, 0.20 Gy.
    first, second = beam("a", [0.01, 0.008, 0.002], [0.03, 0.02, 0.1]), beam("b", [0.01, 0.0, 0.002], [0.08, 0.0, 0.2])
    found = of([first, second], [100.0, 50.0], 10)
    assert found.sigma_gy.ravel() == pytest.approx([0.5, 0.16, 0.2 * 2**0.5], rel=1e-6)
    # the dose is 15, 8, 3 Gy: two voxels above 7.5 Gy, with 3.333 and 2 %
    assert found.mean_pct == pytest.approx((0.5 / 15 + 0.16 / 8) / 2 * 100, rel=1e-6)
    assert found.histories == 2000
    assert found.sentence.startswith("Statistical uncertainty 2.7 % (one standard deviation")
    assert found.engine_text("monte-carlo 7, 1.99 %, 1000 histories") == "monte-carlo 7, 2.67 %, 2000 histories"
    assert not found.sigma_gy.flags.writeable


def test_two_beams_of_one_request_share_their_histories_so_their_errors_add():
    same = beam("a", [0.01, 0.008, 0.002], [0.03, 0.02, 0.1], mean_pct=2.5)
    found = of([same, same], [100.0, 50.0], 10)
    assert found.sigma_gy.ravel() == pytest.approx([0.45, 0.24, 0.3], rel=1e-6)
    assert found.mean_pct == 2.5
    assert found.histories == 1000


def test_engines_without_noise_have_no_uncertainty_and_add_dose_but_no_variance():
    noisy = beam("a", [0.01, 0.008, 0.002], [0.03, 0.02, 0.1])
    exact = attrs.evolve(noisy, request_digest="b", engine="pencil-beam 7", statistics=None)
    assert of([exact], [100.0], 1) is None
    # 100 MU each: 1, 0.8, 0.2 Gy with 3, 2, 10 %, and as much again without noise
    mixed = of([noisy, exact], [100.0, 100.0], 1)
    assert mixed.sigma_gy.ravel() == pytest.approx([0.03, 0.016, 0.02], rel=1e-6)
    assert mixed.mean_pct == pytest.approx((1.5 + 1.0) / 2, rel=1e-6)
    assert mixed.is_partial


def test_a_dose_without_its_errors_is_never_a_monte_carlo_dose():
    noisy = beam("a", [0.01, 0.008, 0.002], [0.03, 0.02, 0.1])
    with pytest.raises(Refused, match="without its standard errors"):
        attrs.evolve(noisy, statistics=None)
    with pytest.raises(Refused, match="do not lie on its grid"):
        attrs.evolve(noisy, grid=attrs.evolve(GRID, shape_zyx=(1, 3, 1)), gy_per_mu=np.zeros((1, 3, 1), np.float32))


@pytest.mark.parametrize("bad", [[0.1, -0.1, 0.1], [0.1, np.nan, 0.1], [np.inf, 0.1, 0.1]])
def test_errors_that_are_no_numbers_or_negative_are_refused(bad):
    with pytest.raises(Refused, match="finite and not negative"):
        beam("a", [0.01, 0.008, 0.002], bad)
