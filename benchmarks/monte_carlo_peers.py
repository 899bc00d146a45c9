"""The Monte Carlo's transport beside ompMC's and pyRadMC's: histories per CPU second and depth dose, 12 MeV in water.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install ompMC==0.4.0 pyRadMC==0.2.1 warp-lang
    python benchmarks/monte_carlo_peers.py --peer-python /tmp/peers/bin/python [--peers ompmc] [--histories 100000]

A pencil of electrons into 20 × 20 × 8 cm of water, voxels of 2.5 mm, one thread each, in turns: no source, no insert, so
that all do the same. ompMC (Doerner and Caprile 2017, Med Phys 44:6672) follows EGSnrc's algorithm in C; pyRadMC is a
class II condensed history of its own, with "warp" compiled and with "ref" interpreted. What is compared beside time is the
dose summed over each depth: R90, R50, practical range, and the largest difference in percent of the maximum.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers import Peer, print_machine, timed

from ert.dose.kernels.mc_batches import run_pencil
from ert.dose.monte_carlo_tables import kernel_tables, monte_carlo_tables, photon_majorant

F64 = NDArray[np.float64]
SHAPE, SIZE_CM, ENERGY_MEV, ERT_FACTOR = (81, 81, 32), 0.25, 12.0, 10

_PEERS = {
    "ompmc": """
import numpy as np, ompmc
def run(histories, shape, size_cm, energy_mev):
    nx, ny, nz = shape
    bounds = [np.arange(n + 1) * size_cm - (0.0 if a == 2 else 0.5 * n * size_cm) for a, n in enumerate(shape)]
    water = ompmc.Geometry(*bounds, ["H2O700ICRU"], np.ones(shape, order="F"), np.ones(shape, np.int32, order="F"))
    dose, _ = ompmc.calc_cube(
        water, ompmc.CollimatedSource(100.0, 0.0, 0.0, 0.0, 0.0), ompmc.Spectrum.monoenergetic(energy_mev),
        ompmc.Physics(global_pcut=0.05, n_split=1), n_histories=histories, n_batches=10, charge=-1, output_dose=False)
    return {"depth_dose": dose.sum(axis=(0, 1)).tolist()}
""",
    "pyradmc-warp": """
import numpy as np, pyradmc
from pyradmc.geometry.source import PencilBeamSource, Primary
class Electrons(PencilBeamSource):
    def emit(self, *a, **k):
        return super().emit(*a, **k)._replace(kind="electron")
def run(histories, shape, size_cm, energy_mev):
    grid = pyradmc.VoxelGrid.uniform_water(shape=tuple(shape), spacing=(size_cm,) * 3)
    xs = pyradmc.AnalyticCrossSections(geometry_densities=grid.max_density_by_material())
    middle = 0.5 * shape[0] * size_cm
    source = Electrons(energy=energy_mev, position=(middle, middle, -1e-6), direction=(0.0, 0.0, 1.0))
    engine = ENGINE
    dose = np.asarray(engine.run(source, n_histories=histories, n_batches=10, seed=1).dose)
    depth = int(np.argmin(dose.shape)) if len(set(dose.shape)) > 1 else 2
    return {"depth_dose": dose.sum(axis=tuple(a for a in range(3) if a != depth)).tolist()}
""",
}
_PEERS["pyradmc-ref"] = _PEERS["pyradmc-warp"].replace(
    "ENGINE", "pyradmc.ReferenceEngine(grid=grid, cross_sections=xs, rng=pyradmc.HostRNG())"
)
_PEERS["pyradmc-warp"] = _PEERS["pyradmc-warp"].replace(
    "ENGINE", 'pyradmc.WarpEngine(grid=grid, cross_sections=xs, device="cpu")'
)


def ert(histories: int) -> F64:
    """Depth dose of our transport."""
    tables = monte_carlo_tables()
    water, count, sides = tables.medium("water"), int(np.prod(SHAPE)), np.full(3, SIZE_CM)
    largest = np.zeros(len(tables.media))
    largest[water] = 1.0
    scene = (
        np.full(count, water, dtype=np.uint8), np.ones(count, dtype=np.float32), np.array(SHAPE, dtype=np.int64),
        sides, 1.0 / sides,
    )  # fmt: skip
    score, tally, middle = np.zeros(count), np.zeros(4), 0.5 * SHAPE[0] * SIZE_CM
    run_pencil(
        ENERGY_MEV, np.array([middle, middle, 0.0]), np.array([0.0, 0.0, 1.0]), 0, histories, np.uint64(1), scene,
        kernel_tables(tables, photon_majorant(tables, largest)), score, tally,
    )  # fmt: skip
    return score.reshape(SHAPE[::-1]).sum(axis=(1, 2))


def fallen_to_cm(dose: F64, level: float) -> float:
    """Depth at which the dose has fallen to a share of its maximum."""
    k = int(np.argmax(dose)) + int(np.argmax(dose[np.argmax(dose) :] < level * dose.max()))
    rest = (dose[k - 1] - level * dose.max()) / (dose[k - 1] - dose[k])
    return float(SIZE_CM * (k - 0.5 + rest))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, required=True)
    parser.add_argument("--peers", nargs="*", default=["ompmc", "pyradmc-warp"], choices=list(_PEERS))
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print_machine()
    ert(100)
    mine, work = ERT_FACTOR * arguments.histories, partial(ert, ERT_FACTOR * arguments.histories)
    for name in arguments.peers:
        peer = Peer(arguments.peer_python, _PEERS[name])
        request = {"shape": SHAPE, "size_cm": SIZE_CM, "energy_mev": ENERGY_MEV}
        peer.run(histories=max(100, arguments.histories // 100), **request)
        ours, theirs = [], []
        for _ in range(arguments.repeats):
            ours.append(timed(work))
            theirs.append(peer.run(histories=arguments.histories, **request))
        peer.close()
        speed, their_speed = mine / min(s for s, _ in ours), arguments.histories / min(f["cpu_s"] for f in theirs)
        dose, other = ours[0][1], np.mean([f["depth_dose"] for f in theirs], axis=0)
        difference = 100 * np.abs(dose / dose.sum() - other / other.sum()).max() / (dose / dose.sum()).max()
        print(f"{name:13s} {their_speed:9.0f} histories a CPU second, ERT {speed:9.0f}: ratio {speed / their_speed:.1f}")
        for level in (0.9, 0.5, 0.1):
            print(f"   {100 * level:.0f} % at {fallen_to_cm(other, level):.3f} cm, ERT {fallen_to_cm(dose, level):.3f} cm")
        print(f"   largest difference {difference:.2f} % of the maximum")


if __name__ == "__main__":
    main()
