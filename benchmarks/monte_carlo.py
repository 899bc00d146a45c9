"""Speed of the Monte Carlo: 10 × 10 cm, in water and in slabs of tissue; histories a second, time to 2 and 1 %.

Seconds of the wall clock and of the processor are both stated: a shared machine makes the former meaningless.
"Slabs": 1 cm of muscle, 1 cm of cortical bone, 2 cm of lung, water behind. Photons are always followed.

    python benchmarks/monte_carlo.py [--energies 6 12 20] [--voxels 0.2 0.25 0.3] [--uncertainties 2 1]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from ert.commissioning.package import read_package
from ert.domain.monte_carlo_model import MonteCarloModel, MonteCarloSettings
from ert.dose.geometry import BeamGeometry
from ert.dose.monte_carlo import simulate
from ert.dose.monte_carlo_batches import BatchRunner
from ert.dose.monte_carlo_scene import build_scene, media_ratios
from ert.dose.monte_carlo_source import source_numbers
from ert.dose.monte_carlo_tables import monte_carlo_tables
from ert.dose.output import rectangle_cm
from ert.dose.tissue import TissueGrid
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.settings import resources_dir

BATCH, BATCHES = 10_000, 8
SIDE_CM, DEPTH_CM = 20.0, 15.0
SLABS = (("muscle", 1.05, 1.0), ("cortical bone", 1.92, 1.0), ("lung", 0.26, 2.0))


def phantom(voxel_cm: float, *, has_slabs: bool) -> TissueGrid:
    """A box below the isocentre, with slabs on top or of water alone."""
    side, depth = round(SIDE_CM / voxel_cm), round(DEPTH_CM / voxel_cm)
    edge = -0.5 * (side - 1) * voxel_cm
    grid = VoxelGrid(origin_cm=(edge, 0.5 * voxel_cm, edge), spacing_cm=(voxel_cm,) * 3, shape_zyx=(side, depth, side))
    layers = np.ones((3, depth))
    along, begin = (np.arange(depth) + 0.5) * voxel_cm, 0.0
    for medium, density, thick in SLABS if has_slabs else ():
        stop, scatter = media_ratios(monte_carlo_tables(), (medium,))[0]
        layers[:, (along > begin) & (along < begin + thick)] = np.array([density, density * stop, density * scatter])[
            :, None
        ]
        begin += thick
    density, stopping, scattering = (
        np.ascontiguousarray(np.broadcast_to(v[None, :, None], grid.shape_zyx), dtype=np.float32) for v in layers
    )
    return TissueGrid(grid=grid, density_g_cm3=density, relative_stopping=stopping, relative_scattering=scattering)


def speed(model: MonteCarloModel, geometry: BeamGeometry, tissue: TissueGrid, threads: int) -> tuple[float, float]:
    """Histories per second of the wall clock and of the processor; compiled before the clock starts."""
    tables = monte_carlo_tables()
    scene = build_scene(tables, tissue, tissue.grid)
    runner = BatchRunner(
        scene, source_numbers(model, tables, geometry, scene.grid), MonteCarloSettings(threads=threads)
    )
    list(runner.run(1, 100, None))
    wall, cpu = time.perf_counter(), time.process_time()
    list(runner.run(BATCHES, BATCH, None))
    return BATCHES * BATCH / (time.perf_counter() - wall), BATCHES * BATCH / (time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", type=Path, default=resources_dir() / "demo_machine" / "package")
    parser.add_argument("--energies", type=float, nargs="*", default=[6.0, 12.0, 20.0])
    parser.add_argument("--voxels", type=float, nargs="*", default=[0.2, 0.25, 0.3])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--uncertainties", type=float, nargs="*", default=[2.0, 1.0])
    arguments = parser.parse_args()
    package = read_package(arguments.machine)
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=0.0, collimator_deg=0.0, couch_deg=0.0, patient_position="HFS",
        sad_cm=package.machine.sad_cm,
    )  # fmt: skip
    geometry = BeamGeometry(
        frame=frame, outline_cm=rectangle_cm(10.0, 10.0), applicator=package.machine.applicator("A10"),
        insert_distance_cm=package.machine.insert_distance_cm,
    )  # fmt: skip
    for energy in arguments.energies:
        model = package.model(energy).monte_carlo
        for voxel in arguments.voxels:
            for name, tissue in (("water", phantom(voxel, has_slabs=False)), ("slabs", phantom(voxel, has_slabs=True))):
                for threads in arguments.threads:
                    wall, cpu = speed(model, geometry, tissue, threads)
                    print(
                        f"{energy:4g} MeV, {10 * voxel:g} mm, {name}, {threads} thread(s): {wall:9.0f} histories/s, "
                        f"{cpu:9.0f} per processor second", flush=True,
                    )  # fmt: skip
        water = phantom(0.25, has_slabs=False)
        for wanted in arguments.uncertainties:
            wall, cpu = time.perf_counter(), time.process_time()
            _, found = simulate(
                tissue=water, geometry=geometry, model=model, dose_grid=water.grid,
                settings=MonteCarloSettings(uncertainty_pct=wanted),
            )  # fmt: skip
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(
                f"{energy:4g} MeV, {found.uncertainty_pct:.2f} %: {found.histories} histories, {wall:.1f} s, "
                f"{cpu:.1f} processor seconds", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
