"""Layers of media in a broad beam, for checks of the Monte Carlo against published numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ert.dose.kernels.mc_batches import run_pencil
from ert.dose.kernels.mc_transport import Pack
from ert.dose.monte_carlo_scene import kernel_scene
from ert.dose.monte_carlo_tables import kernel_tables, monte_carlo_tables, photon_majorant

TABLES = monte_carlo_tables()
DENSITY = {"water": 1.0, "cortical bone": 1.92, "aluminium": 2.699, "lead": 11.35, "tungsten": 19.3}
Layer = tuple[str, int] | tuple[str, int, float]
"""Medium, number of rows, and its density in g/cm³ where it is not the medium's own."""


def slabs(rows: Sequence[Layer], size_cm: tuple[float, float, float], shape_xy: tuple[int, int]) -> tuple[Pack, Pack]:
    """A scene of layers and its tables; `size_cm` is a voxel's."""
    of_layer = [row[2] if len(row) > 2 else DENSITY[row[0]] for row in rows]
    count = [row[1] for row in rows]
    media = np.repeat([TABLES.medium(row[0]) for row in rows], count).astype(np.uint8)
    density = np.repeat(of_layer, count).astype(np.float32)
    largest = np.zeros(len(TABLES.media))
    for row, of_row in zip(rows, of_layer, strict=True):
        largest[TABLES.medium(row[0])] = max(of_row, largest[TABLES.medium(row[0])])
    per_row = shape_xy[0] * shape_xy[1]
    scene = kernel_scene(np.repeat(media, per_row), np.repeat(density, per_row), (*shape_xy, len(media)), size_cm)
    return scene, kernel_tables(TABLES, photon_majorant(TABLES, largest))


def depth_dose(rows: Sequence[Layer], row_cm: float, energy_mev: float, histories: int, seed: int) -> np.ndarray:
    """Energy over density in each row for one electron, MeV cm³/g per row's depth: layers 4 m wide, a broad beam."""
    scene, tables = slabs(rows, (400.0, 400.0, row_cm), (1, 1))
    score, tally = np.zeros(int(scene[2][2])), np.zeros(4)
    middle, down = np.array([200.0, 200.0, 0.0]), np.array([0.0, 0.0, 1.0])
    run_pencil(energy_mev, middle, down, 0, histories, np.uint64(seed), scene, tables, score, tally)
    return score / (scene[1] * row_cm * histories)
