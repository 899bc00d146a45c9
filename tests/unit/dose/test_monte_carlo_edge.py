"""Electrons that graze the wall of an insert leave it as single scattering, followed collision by collision, says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ert.dose.kernels import mc_source
from ert.dose.kernels.mc_random import start_history
from ert.dose.monte_carlo_tables import kernel_tables, monte_carlo_tables

TABLES = monte_carlo_tables()
CERROBEND_G_CM3, THICKNESS_CM = 9.4, 0.02
SMALL_RAD = 0.1


def _builder() -> Any:
    spec = importlib.util.spec_from_file_location(
        "build_monte_carlo_tables", Path(__file__).parents[3] / "tools" / "build_monte_carlo_tables.py"
    )
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def _turned(direction: np.ndarray, cosine: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Unit vectors [n, 3] turned by an angle about any axis, its azimuth counted from an arbitrary normal."""
    normal = np.cross(direction, [0.0, 1.0, 0.0])
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    other = np.cross(direction, normal)
    sine = np.sqrt(1.0 - cosine**2)[:, None]
    return np.asarray(
        cosine[:, None] * direction
        + sine * (np.cos(azimuth)[:, None] * normal + np.sin(azimuth)[:, None] * other)
    )  # fmt: skip


def _single(energy_mev: float, grazing_rad: float, count: int) -> np.ndarray:
    """Component across the wall (into the metal positive) of the directions of electrons that have left it; single
    scattering of nuclei (screened Mott) and electrons, without loss, through a slab of the insert."""
    tool = _builder()
    x, weight = tool.Elastic(energy_mev, tool.compositions()["cerrobend"]).mixture()
    order = np.argsort(x)
    cumulative = np.cumsum(weight[order])
    free_cm = 1.0 / (cumulative[-1] * CERROBEND_G_CM3)
    rng = np.random.default_rng(1)
    depth, along = np.zeros(count), np.zeros(count)
    direction = np.tile([np.sin(grazing_rad), 0.0, np.cos(grazing_rad)], (count, 1))
    left = []
    while len(depth):
        path = rng.exponential(free_cm, len(depth))
        depth, along = depth + path * direction[:, 0], along + path * direction[:, 2]
        left.append(direction[(depth < 0.0) & (along < THICKNESS_CM), 0])
        stays = (depth >= 0.0) & (along < THICKNESS_CM) & (along > 0.0)
        depth, along, direction = depth[stays], along[stays], direction[stays]
        drawn = np.interp(rng.uniform(0.0, cumulative[-1], len(depth)), cumulative, x[order])
        direction = _turned(direction, 1.0 - drawn, rng.uniform(0.0, 2.0 * np.pi, len(depth)))
    return np.concatenate(left)


def _engine(energy_mev: float, grazing_rad: float, count: int) -> np.ndarray:
    """The same of the engine, of those that leave the insert downwards."""
    outline = np.array([[-50.0, -50.0], [0.0, -50.0], [0.0, 50.0], [-50.0, 50.0]])
    tables = kernel_tables(TABLES, np.ones(TABLES.photon.shape[1]))
    metals = (TABLES.medium("cerrobend"), TABLES.medium("tungsten"), TABLES.metals.index("cerrobend"))
    stack, tally, rng, left = np.empty((64, 9)), np.zeros(4), np.empty(1, dtype=np.uint64), []
    for history in range(count):
        start_history(rng, np.uint64(5), np.uint64(history))
        p = np.array([energy_mev, 1e-9, 0.0, 0.0, np.sin(grazing_rad), 0.0, -np.cos(grazing_rad), 1.0, 0.0])
        alive, _ = mc_source.through_insert(
            p, outline, 0.0, -THICKNESS_CM, metals, CERROBEND_G_CM3, tables, stack, 0, tally, rng
        )
        if alive and p[1] < 0.0:
            left.append(p[4])
    return np.array(left)


@pytest.mark.parametrize(("energy_mev", "grazing_rad"), [(6.0, 0.06), (12.0, 0.04)])
def test_a_grazing_electron_leaves_the_wall_as_single_scattering_says(energy_mev, grazing_rad):
    count = 12_000
    wanted, found = (f(energy_mev, grazing_rad, count) for f in (_single, _engine))
    assert len(found) / count == pytest.approx(len(wanted) / count, abs=0.02)
    small = [float(np.sum(-left < SMALL_RAD)) / count for left in (wanted, found)]
    assert small[1] == pytest.approx(small[0], abs=0.02)
