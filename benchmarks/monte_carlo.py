"""Speed of the Monte Carlo: 10 × 10 cm in water, 2.5 mm voxels; histories a second, time to 2 and 1 %.

Seconds of the wall clock and of the processor are both stated: a shared machine makes the former meaningless.

    python benchmarks/monte_carlo.py [--energies 6 12 20] [--uncertainties 2 1]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from ert.commissioning.package import read_package
from ert.domain.monte_carlo_model import MonteCarloSettings
from ert.dose.geometry import BeamGeometry
from ert.dose.monte_carlo import simulate
from ert.dose.monte_carlo_batches import BatchRunner
from ert.dose.monte_carlo_scene import build_scene
from ert.dose.monte_carlo_source import source_numbers
from ert.dose.monte_carlo_tables import monte_carlo_tables
from ert.dose.output import rectangle_cm
from ert.dose.tissue import TissueGrid
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.settings import resources_dir

VOXEL_CM, BATCH = 0.25, 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine", type=Path, default=resources_dir() / "demo_machine" / "package")
    parser.add_argument("--energies", type=float, nargs="*", default=[6.0, 12.0, 20.0])
    parser.add_argument("--uncertainties", type=float, nargs="*", default=[2.0, 1.0])
    arguments = parser.parse_args()
    package, tables = read_package(arguments.machine), monte_carlo_tables()
    shape = (80, 60, 80)
    grid = VoxelGrid(origin_cm=(-9.875, 0.125, -9.875), spacing_cm=(VOXEL_CM,) * 3, shape_zyx=shape)
    water = np.ones(shape, dtype=np.float32)
    tissue = TissueGrid(grid=grid, relative_stopping=water, relative_scattering=water, density_g_cm3=water)
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=0.0, collimator_deg=0.0, couch_deg=0.0, patient_position="HFS",
        sad_cm=package.machine.sad_cm,
    )  # fmt: skip
    geometry = BeamGeometry(
        frame=frame, outline_cm=rectangle_cm(10.0, 10.0), applicator=package.machine.applicator("A10"),
        insert_distance_cm=package.machine.insert_distance_cm,
    )  # fmt: skip
    scene = build_scene(tables, tissue, grid)
    for energy in arguments.energies:
        model = package.model(energy).monte_carlo
        numbers = source_numbers(model, tables, geometry, grid)
        list(BatchRunner(scene, numbers, MonteCarloSettings(threads=1)).run(1, 100, None))
        for threads in (1, 2):
            runner = BatchRunner(scene, numbers, MonteCarloSettings(threads=threads))
            wall, cpu = time.perf_counter(), time.process_time()
            list(runner.run(8, BATCH, None))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(
                f"{energy:4g} MeV, {threads} thread(s): {8 * BATCH / wall:9.0f} histories/s, "
                f"{8 * BATCH / cpu:9.0f} histories per processor second", flush=True,
            )  # fmt: skip
        for wanted in arguments.uncertainties:
            wall, cpu = time.perf_counter(), time.process_time()
            _, found = simulate(
                tissue=tissue, geometry=geometry, model=model, dose_grid=grid,
                settings=MonteCarloSettings(uncertainty_pct=wanted),
            )  # fmt: skip
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(
                f"{energy:4g} MeV, {found.uncertainty_pct:.2f} %: {found.histories} histories, {wall:.1f} s, "
                f"{cpu:.1f} processor seconds", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
