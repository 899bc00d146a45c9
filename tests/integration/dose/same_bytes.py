"""The same plan gives the same bytes: for one and two threads, and for code made for any processor and for this one.

    python -m tests.integration.dose.same_bytes [--kinds host generic] [--plans "PBRA body"] [--keep FOLDER]

Six plans: pencil beam, PBRA and Monte Carlo, in water and in a body of soft tissue, lung, bone and air. Each kind of
processor is a process of its own with a cache of compiled code of its own (`NUMBA_CPU_NAME`, `NUMBA_CACHE_DIR`), so
that nothing compiled for another one is used; each plan is computed there with one thread and with two. What a kind is
made of:

- host, generic: what the program's own code is compiled for; "host-fma": this processor without fused multiply-add
- +libm: the C library's functions as on processors without AVX2 and FMA (`GLIBC_TUNABLES`)
- +numpy256, +numpy: NumPy as on processors without 512-bit vectors, or with its least code only

"generic+libm+numpy" is the oldest processor there is. Prints the digests and how far doses differ as JSON; exits with 1
if any byte does.
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
_LIBM = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"}


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


def elsewhere(kind: str, plans: list[str], folder: Path) -> dict[str, object]:
    """Do `compute` in a process that is of this kind."""
    (folder / kind).mkdir(parents=True)
    cpu, *libraries = kind.split("+")
    environment = {**os.environ, "NUMBA_NUM_THREADS": str(max(THREADS)), "NUMBA_CACHE_DIR": str(folder / f"code {cpu}")}
    environment |= {"NUMBA_THREADING_LAYER": "workqueue"}
    name, *without = cpu.split("-")
    if name != "host":
        environment |= {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ""}
    elif without:
        environment |= {"NUMBA_CPU_NAME": _own_name(), "NUMBA_CPU_FEATURES": ",".join(_features(without))}
    for library in libraries:
        environment |= _LIBM if library == "libm" else _numpy_without(library)
    command = [sys.executable, "-m", "tests.integration.dose.same_bytes", "--here", str(folder / kind), "--plans"]
    done = subprocess.run([*command, *plans], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{kind}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _numpy_without(library: str) -> dict[str, str]:
    """What makes NumPy leave out code of this processor that others have not."""
    from numpy._core._multiarray_umath import __cpu_dispatch__ as offered
    from numpy._core._multiarray_umath import __cpu_features__ as present

    narrow = {"numpy": (), "numpy256": ("X86_V3",)}[library]
    left_out = [name for name in offered if present[name] and name not in narrow]
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(left_out)} if left_out else {}


def marks() -> dict[str, str]:
    """What this process computes with: of the program's code what it is compiled for, of libraries a few bytes."""
    import math

    import numba

    @numba.njit
    def scaled(values, factor, out):
        for i in range(values.size):
            out[i] = values[i] * factor + 1.0

    values = np.linspace(-9.0, 9.0, 20_001)
    scaled(values, 2.0, np.empty_like(values))
    (assembly,) = scaled.inspect_asm().values()
    libm = np.array([math.exp(value) for value in values])
    return {
        "vectors": next((name for name in ("zmm", "ymm", "xmm") if name in assembly), "none"),
        "libm": hashlib.sha256(libm.tobytes()).hexdigest()[:12],
        "numpy": hashlib.sha256(np.exp(values).tobytes()).hexdigest()[:12],
    }


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


def compare(kinds: list[str], plans: list[str], folder: Path) -> dict[str, object]:
    """Digests and marks of every kind, and what differs from the first kind with one thread."""
    found = {kind: elsewhere(kind, plans, folder) for kind in kinds}
    return {
        "marks": {kind: found[kind]["marks"] for kind in kinds},
        "digests": {kind: found[kind]["digests"] for kind in kinds},
        "differences": differences(kinds, plans, folder),
    }


def differences(kinds: list[str], plans: list[str], folder: Path) -> list[dict[str, object]]:
    """Doses in the folder that are not those of the first kind with one thread, byte by byte."""
    apart = []
    for plan in plans:
        one = np.load(folder / kinds[0] / f"{plan}, {THREADS[0]} threads.npy")
        for kind in kinds:
            for threads in THREADS:
                other = np.load(folder / kind / f"{plan}, {threads} threads.npy")
                if one.tobytes() != other.tobytes():
                    far = np.abs(one.astype(np.float64) - other)
                    apart.append({
                        "kind": kind, "plan": plan, "threads": threads, "voxels": int(np.count_nonzero(far)),
                        "of": int(np.count_nonzero(one)), "largest_of_maximum": float(far.max() / one.max()),
                    })  # fmt: skip
    return apart


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=["host", "generic"])
    parser.add_argument("--plans", nargs="+", default=list(PLANS), choices=PLANS)
    parser.add_argument("--keep", type=Path, help="an empty folder for the doses and the compiled code")
    parser.add_argument("--here", type=Path, help="used for the processes of the kinds of processor")
    arguments = parser.parse_args()
    if arguments.here is not None:
        print(json.dumps({"marks": marks(), "digests": compute(arguments.plans, arguments.here)}))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        found = compare(arguments.kinds, arguments.plans, arguments.keep or Path(temporary))
    print(json.dumps(found, indent=1))
    return 1 if found["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
