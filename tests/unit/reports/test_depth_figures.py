"""Output, R90 and R50 of noisy doses as the validation page states them, on a curve that is known exactly."""

import importlib.util
import sys

import numpy as np
import pytest
from scipy.special import erf

DEPTH_CM = np.arange(0.1, 10.0, 0.2)


def curve(depth_cm):
    """A depth dose of about 12 MeV: rises to 2.6 cm, R50 near 5 cm, a photon tail."""
    return (0.8 + 0.12 * depth_cm - 0.02 * depth_cm**2) * 0.5 * (1.0 - erf((depth_cm - 5.0) / 0.85)) + 0.015


@pytest.fixture(scope="module")
def figures(repository):
    specification = importlib.util.spec_from_file_location("depth_figures", repository / "benchmarks/depth_figures.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["depth_figures"] = module
    specification.loader.exec_module(module)
    return module


def lines(figures, computed, *, reference=None, sigma=1e-6):
    error = np.full(len(DEPTH_CM), sigma)
    wanted = curve(DEPTH_CM) if reference is None else reference
    return figures.Lines(DEPTH_CM, wanted, computed, error, error)


@pytest.mark.parametrize("moved_mm", [-1.0, 0.5])
def test_a_known_move_and_a_known_level_are_found(figures, moved_mm):
    """Without noise the parabolas add at most 0.05 mm to a difference."""
    found = figures.compare_depths(lines(figures, 1.01 * curve(DEPTH_CM - 0.1 * moved_mm)))
    assert found["output"] == pytest.approx(1.01, abs=0.003)
    assert found["dR50_mm"] == pytest.approx(moved_mm, abs=0.05)
    assert found["dR90_mm"] == pytest.approx(moved_mm, abs=0.1)


def test_the_stated_error_is_how_far_independent_noise_throws_the_figures(figures, monkeypatch):
    """1 % of noise a depth in both: spread of 60 pairs against the stated error without its factor for tracks."""
    monkeypatch.setattr(figures, "_DRAWS", 100)
    random = np.random.default_rng(5)
    true, found = curve(DEPTH_CM), []
    for _ in range(60):
        first, second = true + 0.01 * random.standard_normal((2, len(true)))
        found.append(figures.compare_depths(lines(figures, first, reference=second, sigma=0.01)))
    for name, key in (("output", "output"), ("R90", "dR90_mm"), ("R50", "dR50_mm")):
        values = np.array([f[key] for f in found])
        stated = np.mean([f[f"{key}_sigma"] for f in found]) / figures.CORRELATION[name]
        assert values.std() == pytest.approx(stated, rel=0.3)
        assert values.mean() == pytest.approx(1.0 if key == "output" else 0.0, abs=3.0 * stated / np.sqrt(60))


def test_voxels_that_were_unfolded_count_once(figures):
    """A plane of 4 × 4 voxels, each standing for four: the error of its mean is twice that of independent ones."""
    edges = np.arange(-2.0, 2.1, 1.0)
    depth = np.array([0.0, 0.2])
    dose = np.ones((1, 4, 4))
    truth = {"x": edges, "y": edges, "z": depth, "dose": dose, "sigma": 0.04 * dose, "copies": np.array(4)}
    made = figures.inner_lines({"field_cm": [8.0, 8.0]}, truth, dose, 0.04 * dose)
    assert made.computed_sigma == pytest.approx(0.01)
    assert made.reference_sigma == pytest.approx(0.02)
