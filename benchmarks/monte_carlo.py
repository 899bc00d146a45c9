"""Speed of the Monte Carlo: histories a second, time to 2 and 1 %, growth with voxels and field.

Three tables, about three minutes on a quiet computer with two cores:

1. 10 × 10 cm in water and in slabs of tissue, every energy, voxel and number of threads: histories a second. "Slabs":
   1 cm of muscle, 1 cm of cortical bone, 2 cm of lung, water behind. Photons are always followed.
2. Water, `--middle-energy`, voxels at 10 × 10 cm and open fields at 2.5 mm: what 2 and 1 % will take, from the noise
   and the time of `SAMPLE` histories (noise falls with the root of the histories; up to 4 % too few, because an
   early look finds the noise too small).
3. Water, 10 × 10 cm, 2.5 mm, run to its end: every energy to 2 %, `--middle-energy` to 1 %.

Seconds of the wall clock and of the processor are both stated: a shared machine makes the former meaningless.

    python benchmarks/monte_carlo.py [--energies 6 12 20] [--voxels 0.2 0.25 0.3] [--fields 6 10 15 20]
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

from ert.commissioning.package import read_package
from ert.domain.beam_model import MachinePackage
from ert.domain.monte_carlo_model import DoseStatistics, MonteCarloModel, MonteCarloSettings
from ert.dose.geometry import BeamGeometry
from ert.dose.monte_carlo import simulate
from ert.dose.monte_carlo_batches import BatchRunner
from ert.dose.monte_carlo_scene import build_scene, media_ratios
from ert.dose.monte_carlo_source import scene_numbers
from ert.dose.monte_carlo_tables import monte_carlo_tables
from ert.dose.output import rectangle_cm
from ert.dose.tissue import TissueGrid
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.settings import resources_dir

BATCH, BATCHES = 10_000, 8
SAMPLE = 640_000
SIDE_CM, DEPTH_CM, BESIDE_CM = 20.0, 15.0, 5.0
VOXEL_CM, FIELD_CM = 0.25, 10.0
SLABS = (("muscle", 1.05, 1.0), ("cortical bone", 1.92, 1.0), ("lung", 0.26, 2.0))


def phantom(voxel_cm: float, *, has_slabs: bool, side_cm: float = SIDE_CM) -> TissueGrid:
    """A box below the isocentre, with slabs on top or of water alone."""
    side, depth = round(side_cm / voxel_cm), round(DEPTH_CM / voxel_cm)
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
    runner = BatchRunner(scene, scene_numbers(model, tables, geometry, scene), MonteCarloSettings(threads=threads))
    list(runner.run(1, 100, None))
    wall, cpu = time.perf_counter(), time.process_time()
    list(runner.run(BATCHES, BATCH, None))
    return BATCHES * BATCH / (time.perf_counter() - wall), BATCHES * BATCH / (time.process_time() - cpu)


def open_field(package: MachinePackage, side_cm: float) -> BeamGeometry:
    """A square open field of the applicator of that size, straight down to the isocentre."""
    machine = package.machine
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=0.0, collimator_deg=0.0, couch_deg=0.0, patient_position="HFS",
        sad_cm=machine.sad_cm,
    )  # fmt: skip
    return BeamGeometry(
        frame=frame, outline_cm=rectangle_cm(side_cm, side_cm), applicator=machine.applicator(f"A{side_cm:02.0f}"),
        insert_distance_cm=machine.insert_distance_cm,
    )  # fmt: skip


def timed_run(
    model: MonteCarloModel, geometry: BeamGeometry, tissue: TissueGrid, settings: MonteCarloSettings
) -> tuple[DoseStatistics, float, float]:
    """What a whole run says of its noise, and its seconds of the wall clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    _, found = simulate(tissue=tissue, geometry=geometry, model=model, dose_grid=tissue.grid, settings=settings)
    return found, time.perf_counter() - wall, time.process_time() - cpu


def print_speeds(package: MachinePackage, energies: list[float], voxels_cm: list[float], threads: list[int]) -> None:
    """Table 1."""
    geometry = open_field(package, FIELD_CM)
    for energy, voxel_cm in itertools.product(energies, voxels_cm):
        model = package.model(energy).monte_carlo
        for name, tissue in (
            ("water", phantom(voxel_cm, has_slabs=False)),
            ("slabs", phantom(voxel_cm, has_slabs=True)),
        ):
            for number in threads:
                wall, cpu = speed(model, geometry, tissue, number)
                print(
                    f"{energy:4g} MeV, {10 * voxel_cm:g} mm, {name}, {number} thread(s): {wall:9.0f} histories/s, "
                    f"{cpu:9.0f} per processor second", flush=True,
                )  # fmt: skip


def print_growth(package: MachinePackage, energy: float, voxels_cm: list[float], fields_cm: list[float]) -> None:
    """Table 2."""
    model = package.model(energy).monte_carlo
    cases = [(FIELD_CM, voxel_cm) for voxel_cm in voxels_cm]
    cases += [(side_cm, VOXEL_CM) for side_cm in fields_cm if side_cm != FIELD_CM]
    for side_cm, voxel_cm in cases:
        tissue = phantom(voxel_cm, has_slabs=False, side_cm=max(SIDE_CM, side_cm + 2.0 * BESIDE_CM))
        found, wall, cpu = timed_run(
            model, open_field(package, side_cm), tissue, MonteCarloSettings(uncertainty_pct=0.5, max_histories=SAMPLE)
        )  # fmt: skip
        for wanted_pct in (2.0, 1.0):
            more = (found.uncertainty_pct / wanted_pct) ** 2
            print(
                f"{energy:4g} MeV, {side_cm:g} x {side_cm:g} cm, {10 * voxel_cm:g} mm, {wanted_pct:g} % will take "
                f"{more * found.histories / 1e6:.2f} million histories, {more * wall:.1f} s, {more * cpu:.1f} "
                "processor seconds", flush=True,
            )  # fmt: skip


def print_runs(package: MachinePackage, energies: list[float], middle_mev: float) -> None:
    """Table 3."""
    geometry, water = open_field(package, FIELD_CM), phantom(VOXEL_CM, has_slabs=False)
    for energy, wanted_pct in [*((e, 2.0) for e in energies), (middle_mev, 1.0)]:
        found, wall, cpu = timed_run(
            package.model(energy).monte_carlo, geometry, water, MonteCarloSettings(uncertainty_pct=wanted_pct)
        )  # fmt: skip
        print(
            f"{energy:4g} MeV, {found.uncertainty_pct:.2f} %: {found.histories} histories, {wall:.1f} s, "
            f"{cpu:.1f} processor seconds", flush=True,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", type=Path, default=resources_dir() / "demo_machine" / "package")
    parser.add_argument("--energies", type=float, nargs="*", default=[6.0, 12.0, 20.0])
    parser.add_argument("--middle-energy", type=float, default=12.0)
    parser.add_argument("--voxels", type=float, nargs="*", default=[0.2, 0.25, 0.3])
    parser.add_argument("--fields", type=float, nargs="*", default=[6.0, 10.0, 15.0, 20.0])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    arguments = parser.parse_args()
    package = read_package(arguments.machine)
    print_speeds(package, arguments.energies, arguments.voxels, arguments.threads)
    print_growth(package, arguments.middle_energy, arguments.voxels, arguments.fields)
    print_runs(package, arguments.energies, arguments.middle_energy)


if __name__ == "__main__":
    main()
