"""The same plan gives the same bytes: for one and two threads, and for code made for any processor and for this one.

    python -m tests.integration.dose.same_bytes [--cpus host generic] [--plans "PBRA body"] [--keep FOLDER]

Six plans: pencil beam, PBRA and Monte Carlo, in water and in a body of soft tissue, lung, bone and air. Each kind of
processor is a process of its own with an empty cache of compiled code (`NUMBA_CPU_NAME`, `NUMBA_CACHE_DIR`), so that
nothing compiled for another one is used; each plan is computed there with one thread and with two. A kind may name
features as well ("host-fma" is this processor without fused multiply-add), to find what makes a difference.

Prints the digests and how far doses differ as JSON; exits with 1 if any byte does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PLANS = tuple(f"{engine} {where}" for engine in ("pencil beam", "PBRA", "Monte Carlo") for where in ("water", "body"))
THREADS = (1, 2)
ENERGY_MEV = 12.0


def dose(plan: str, threads: int):
    """Dose (Gy/MU, float32 [z, y, x]) of one plan computed with so many threads."""
    import numba

    from ert.domain.algorithm import Algorithm
    from ert.domain.monte_carlo_model import MonteCarloSettings
    from ert.dose.engine import compute_beam_dose

    engine, _, where = plan.rpartition(" ")
    algorithm = {
        "pencil beam": Algorithm.PENCIL_BEAM, "PBRA": Algorithm.PBRA,
        "Monte Carlo": Algorithm.MONTE_CARLO,
    }[engine]  # fmt: skip
    numba.set_num_threads(threads)
    tissue = phantom(where)
    few = MonteCarloSettings(uncertainty_pct=3.0, max_histories=20_000, threads=threads)
    return compute_beam_dose(
        tissue=tissue, geometry=field(), model=machine().model(ENERGY_MEV), dose_grid=tissue.grid, algorithm=algorithm,
        monte_carlo=few if algorithm is Algorithm.MONTE_CARLO else None,
    ).gy_per_mu  # fmt: skip


def machine():
    from ert.commissioning.package import read_package
    from ert.settings import resources_dir

    return read_package(resources_dir() / "demo_machine" / "package")


def field():
    """A 7 × 7 cm² cutout, 20 degrees from the normal: rays cross voxels at an angle, as those of patients do."""
    from ert.dose.geometry import BeamGeometry
    from ert.dose.output import rectangle_cm
    from ert.geometry.frames import BeamFrame

    of = machine().machine
    frame = BeamFrame(
        isocentre_cm=(0.0, 0.0, 0.0), gantry_deg=20.0, collimator_deg=30.0, couch_deg=0.0, patient_position="HFS",
        sad_cm=of.sad_cm,
    )  # fmt: skip
    applicator = next(a for a in of.applicators if a.id == "A10")
    return BeamGeometry(
        frame=frame, outline_cm=rectangle_cm(7.0, 7.0), applicator=applicator,
        insert_distance_cm=of.insert_distance_cm,
    )  # fmt: skip


def phantom(where: str):
    """Water or a body below y = 0, with air above; 0.4 cm voxels."""
    from ert.dose.tissue import TissueGrid
    from ert.geometry.grid import VoxelGrid

    grid = VoxelGrid(origin_cm=(-7.0, -3.0, -7.0), spacing_cm=(0.4,) * 3, shape_zyx=(36, 28, 36))
    x, y, z = (grid.origin_cm[i] + grid.axis_centres_cm(i) for i in (0, 1, 2))
    zz, yy, xx = np.meshgrid(z, y, x, indexing="ij")
    inside = yy > (0.02 * xx * xx if where == "body" else 0.0)
    parts = [(inside, (1.0, 1.0, 1.0))]
    if where == "body":
        parts += [
            (inside & (xx > 0.5) & (yy > 2.0) & (yy < 5.5), (0.26, 0.269, 0.257)),
            (inside & (np.abs(xx + 2.0) < 0.9) & (yy > 0.8) & (yy < 1.8), (1.6, 1.5, 1.9)),
            (inside & (xx * xx + zz * zz < 1.0) & (yy > 1.0) & (yy < 2.2), (0.0012, 0.0012, 0.0012)),
        ]
    arrays = [np.full(grid.shape_zyx, 0.0012, dtype=np.float32) for _ in range(3)]
    for mask, values in parts:
        for array, value in zip(arrays, values, strict=True):
            array[mask] = value
    return TissueGrid(grid=grid, density_g_cm3=arrays[0], relative_stopping=arrays[1], relative_scattering=arrays[2])


def compute(plans: list[str], folder: Path) -> dict[str, str]:
    """Compute plans in this process, keep the doses in a folder, and give their digests by plan and threads."""
    found = {}
    for plan in plans:
        for threads in THREADS:
            array = dose(plan, threads)
            if not np.any(array > 0):
                raise RuntimeError(f"{plan}: no dose at all")
            name = f"{plan}, {threads} threads"
            np.save(folder / f"{name}.npy", array)
            found[name] = hashlib.sha256(array.tobytes()).hexdigest()
    return found


def elsewhere(cpu: str, plans: list[str], folder: Path) -> dict[str, str]:
    """Do `compute` in a process whose code is made for `cpu`, from nothing."""
    folder.mkdir(parents=True)
    name, *without = cpu.split("-")
    environment = {**os.environ, "NUMBA_NUM_THREADS": str(max(THREADS)), "NUMBA_CACHE_DIR": str(folder / "code")}
    environment |= {"NUMBA_THREADING_LAYER": "workqueue"}
    if name != "host" or without:
        environment["NUMBA_CPU_NAME"] = _own_name() if name == "host" else name
        environment["NUMBA_CPU_FEATURES"] = ",".join(_features(without)) if name == "host" else ""
    command = [sys.executable, "-m", "tests.integration.dose.same_bytes", "--here", str(folder), "--plans", *plans]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{cpu}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _own_name() -> str:
    import llvmlite.binding as llvm

    return llvm.get_host_cpu_name()


def _features(without: list[str]) -> list[str]:
    import llvmlite.binding as llvm

    own = llvm.get_host_cpu_features()
    missing = set(without) - set(own)
    if missing:
        raise RuntimeError(f"this processor has no {sorted(missing)}")
    return [f"{'+' if has and name not in without else '-'}{name}" for name, has in sorted(own.items())]


def compare(cpus: list[str], plans: list[str], folder: Path) -> dict[str, object]:
    """Digests of every kind of processor, and what differs from the first kind with one thread."""
    digests = {cpu: elsewhere(cpu, plans, folder / cpu) for cpu in cpus}
    differences = []
    for plan in plans:
        first = f"{plan}, {THREADS[0]} threads"
        for cpu in cpus:
            for threads in THREADS:
                name = f"{plan}, {threads} threads"
                if digests[cpu][name] != digests[cpus[0]][first]:
                    one, other = np.load(folder / cpus[0] / f"{first}.npy"), np.load(folder / cpu / f"{name}.npy")
                    apart = np.abs(one.astype(np.float64) - other)
                    differences.append(
                        {
                            "cpu": cpu, "plan": name, "voxels": int(np.count_nonzero(apart)), "of": one.size,
                            "largest_of_maximum": float(apart.max() / one.max()),
                        }
                    )  # fmt: skip
    return {"digests": digests, "differences": differences}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpus", nargs="+", default=["host", "generic"])
    parser.add_argument("--plans", nargs="+", default=list(PLANS), choices=PLANS)
    parser.add_argument("--keep", type=Path, help="an empty folder for the doses and the compiled code")
    parser.add_argument("--here", type=Path, help="used for the processes of the kinds of processor")
    arguments = parser.parse_args()
    if arguments.here is not None:
        print(json.dumps(compute(arguments.plans, arguments.here)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        found = compare(arguments.cpus, arguments.plans, arguments.keep or Path(temporary))
    print(json.dumps(found, indent=1))
    return 1 if found["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
