"""Time and memory of a dose engine: 10 × 10 cm² (or --field), 2.5 mm, a heterogeneous patient of 50 × 40 × 30 cm.

    python benchmarks/pencil_beam.py [--algorithm pbra] [--field 10] [--threads 1 2] [--repeats 9] [--json FILE]

Cold is the first dose of a beam in a known patient: no ray of it is traced, no table of the model made. Dragged is a
corner of its cutout moved: the lattice, and so most rays, are as before. Stages and digest are of the cold dose.
Every figure is the median of the repeats after one warm-up; each thread count runs in its own process. Of the stages of
the pencil beam the least of the repeats is told, in processor time of all threads: machines are shared.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # as the program has it

import attrs
import numba
import numpy as np

from ert.commissioning.package import read_package
from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import BeamModel
from ert.domain.dose import DoseResult
from ert.dose import engine, pencil_beam
from ert.dose.engine import compute_beam_dose
from ert.dose.geometry import BeamGeometry
from ert.dose.output import rectangle_cm
from ert.dose.threads import kernel_threads
from ert.dose.tissue import TissueGrid
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.settings import resources_dir

VOXELS = (120, 160, 200)  # z, y, x
SPACING_CM = 0.25
PHASES = (6.0, 12.0, 20.0)
STAGES = ("_fluence", "_trace", "spread_planes", "blur_maps", "add_background", "_to_grid", "given_dose_gy_per_mu")


def make_patient() -> TissueGrid:
    """An elliptic body with lungs, ribs and spine; grid 200 × 160 × 120 of 2.5 mm."""
    nz, ny, nx = VOXELS
    grid = VoxelGrid(
        origin_cm=(-(nx - 1) / 2 * SPACING_CM, -(ny - 1) / 2 * SPACING_CM, -(nz - 1) / 2 * SPACING_CM),
        spacing_cm=(SPACING_CM,) * 3,
        shape_zyx=VOXELS,
    )
    x, y, z = (grid.origin_cm[axis] + grid.axis_centres_cm(axis) for axis in range(3))
    yy, xx = np.meshgrid(y, x, indexing="ij")
    body = (xx / 22.0) ** 2 + (yy / 12.0) ** 2 < 1
    lung = body & (((np.abs(xx) - 9.0) / 6.5) ** 2 + (yy / 7.0) ** 2 < 1)
    shell = (xx / 20.0) ** 2 + (yy / 10.2) ** 2
    rib = body & (shell < 1.0) & (shell > 0.88)
    arrays = []
    for in_lung, in_rib in ((0.26, 1.6), (0.269, 1.5), (0.257, 1.9)):
        between = np.where(lung, in_lung, np.where(body, 1.0, 0.0012)).astype(np.float32)
        across_ribs = np.where(rib, in_rib, between).astype(np.float32)
        array = np.empty(VOXELS, dtype=np.float32)  # slice by slice: what building takes for a moment would be the peak
        for k in range(nz):
            array[k] = across_ribs if np.mod(z[k], 2.5) < 1.0 else between
        arrays.append(array)
    return TissueGrid(grid=grid, density_g_cm3=arrays[0], relative_stopping=arrays[1], relative_scattering=arrays[2])


class Stages:
    """Least processor time of each stage, while it is entered."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Stages:
        for module in (engine, pencil_beam):
            for name in STAGES:
                if hasattr(module, name):
                    self._watch(module, name)
        return self

    def __exit__(self, *_error: object) -> None:
        for undo in self._undo:
            undo()

    def _watch(self, module: ModuleType, name: str) -> None:
        inner = getattr(module, name)

        def timed(*given: object, **named: object) -> object:
            began_s = time.process_time()
            result = inner(*given, **named)
            self.ms[name] = min(self.ms.get(name, math.inf), 1e3 * (time.process_time() - began_s))
            return result

        setattr(module, name, timed)
        self._undo.append(lambda: setattr(module, name, inner))


def _cold(
    tissue: TissueGrid, geometry: BeamGeometry, model: BeamModel, algorithm: Algorithm
) -> Callable[[], DoseResult]:
    """The dose with nothing remembered but where the patient ends."""

    def once() -> DoseResult:
        tissue.fans.clear()
        return compute_beam_dose(
            tissue=tissue, geometry=geometry, model=attrs.evolve(model), dose_grid=tissue.grid, algorithm=algorithm
        )

    return once


def _dragged(
    tissue: TissueGrid, geometry: BeamGeometry, model: BeamModel, algorithm: Algorithm, side_cm: float
) -> Callable[[], DoseResult]:
    """The dose of another outline at every call: one corner goes inwards."""
    steps = itertools.count()

    def once() -> DoseResult:
        n = next(steps) % 20
        outline = list(rectangle_cm(side_cm, side_cm))
        outline[2] = (outline[2][0] - 0.05 * n, outline[2][1] - 0.03 * n)
        return compute_beam_dose(
            tissue=tissue, geometry=attrs.evolve(geometry, outline_cm=tuple(outline)), model=model,
            dose_grid=tissue.grid, algorithm=algorithm,
        )  # fmt: skip

    return once


def _times(work: Callable[[], object], repeats: int) -> tuple[list[float], list[float]]:
    """Seconds by the clock and of processor time of each of some calls."""
    seconds, cpu = [], []
    for _ in range(repeats):
        began, began_cpu = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    return seconds, cpu


def run(threads: int, repeats: int, algorithm: Algorithm, side_cm: float) -> dict[str, object]:
    """Figures of one process."""
    kernel_threads()  # as the program's self-test does
    numba.set_num_threads(threads)
    package = read_package(resources_dir() / "demo_machine" / "package")
    tissue = make_patient()
    machine = package.machine
    frame = BeamFrame(
        isocentre_cm=(0.0, -12.0, 0.0), gantry_deg=0.0, collimator_deg=0.0, couch_deg=0.0, patient_position="HFS",
        sad_cm=machine.sad_cm,
    )  # fmt: skip
    applicator = next(a for a in machine.applicators if a.opening_x_cm >= side_cm and a.id != "A06")
    geometry = BeamGeometry(
        frame=frame, outline_cm=rectangle_cm(side_cm, side_cm), applicator=applicator,
        insert_distance_cm=machine.insert_distance_cm,
    )  # fmt: skip
    rows = {}
    idle_mb = None
    for energy in PHASES:
        cold = _cold(tissue, geometry, package.model(energy), algorithm)
        dragged = _dragged(tissue, geometry, package.model(energy), algorithm, side_cm)
        began = time.perf_counter()
        result = cold()
        first = time.perf_counter() - began
        touched = int(np.count_nonzero(result.gy_per_mu))
        digest = hashlib.sha256(result.gy_per_mu.data).hexdigest()[:16]
        del result  # a dose that is held would count as memory of the next
        if idle_mb is None:
            idle_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        stages = Stages()
        with stages:
            for _ in range(repeats):
                cold()
        seconds, cpu = _times(cold, repeats)
        drag_s, drag_cpu_s = _times(dragged, repeats + 1)
        wall = statistics.median(seconds)
        rows[f"{energy:g}"] = {
            "wall_ms": 1e3 * wall, "best_ms": 1e3 * min(seconds), "cpu_ms": 1e3 * statistics.median(cpu),
            "least_cpu_ms": 1e3 * min(cpu), "stages_ms": stages.ms,
            "drag_wall_ms": 1e3 * statistics.median(drag_s), "drag_best_ms": 1e3 * min(drag_s),
            "drag_least_cpu_ms": 1e3 * min(drag_cpu_s),
            "first_ms": 1e3 * first, "voxels_with_dose": touched, "voxels_per_s": touched / wall,
            "sha256": digest,
        }  # fmt: skip
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"threads": threads, "rows": rows, "peak_mb": peak_mb, "after_first_mb": idle_mb}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--algorithm", default=Algorithm.PENCIL_BEAM.value, choices=[a.value for a in Algorithm])
    parser.add_argument("--field", type=float, default=10.0, help="side of the square cutout at the isocentre, cm")
    parser.add_argument("--one", action="store_true", help="used for the processes of the thread counts")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.one:
        algorithm = Algorithm(arguments.algorithm)
        print(json.dumps(run(arguments.threads[0], arguments.repeats, algorithm, arguments.field)))
        return
    found = []
    for threads in arguments.threads:
        command = [sys.executable, __file__, "--one", "--threads", str(threads), "--repeats", str(arguments.repeats)]
        command += ["--algorithm", arguments.algorithm, "--field", str(arguments.field)]
        environment = {**os.environ, "NUMBA_NUM_THREADS": str(threads)}
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout))
    print(f"load {os.getloadavg()[0]:.1f}")
    print("threads  MeV  cold: ms   best    cpu  dragged: ms   best  least cpu  voxels/s   digest")
    for entry in found:
        for energy, r in entry["rows"].items():
            print(
                f"{entry['threads']:7d} {energy:>4s} {r['wall_ms']:9.1f} {r['best_ms']:6.1f} {r['cpu_ms']:6.1f} "
                f"{r['drag_wall_ms']:12.1f} {r['drag_best_ms']:6.1f} {r['drag_least_cpu_ms']:10.1f} "
                f"{r['voxels_per_s']:9.3g}   {r['sha256']}"
            )
        for energy, r in entry["rows"].items():
            parts = "  ".join(f"{name.strip('_')} {ms:.1f}" for name, ms in r["stages_ms"].items())
            print(f"        {energy:>4s} MeV, least processor time {r['least_cpu_ms']:.1f} ms:  {parts}")
        print(f"        peak memory of the process {entry['peak_mb']:.0f} MB")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
