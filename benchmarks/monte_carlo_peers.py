"""The Monte Carlo's transport beside ompMC's and pyRadMC's: histories per CPU second and depth dose, 12 MeV.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install ompMC==0.4.0 pyRadMC==0.2.1 warp-lang
    python benchmarks/monte_carlo_peers.py --peer-python /tmp/peers/bin/python [--peers ompmc] [--histories 100000]

A pencil of electrons into 20 × 20 × 10 cm of water, voxels of 2.5 mm, one thread each, in turns: no source and no
insert, so that all do the same. With --slabs, ompMC also does slabs of lung and of bone in water (version 0.4.0 crashes
on its own lead and cerrobend). ompMC (Doerner and Caprile 2017, Med Phys 44:6672) follows EGSnrc's algorithm in C;
pyRadMC is a class II condensed history of its own, with "warp" compiled and with "ref" interpreted. What is compared
beside time is the energy left at each depth.
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
from ert.dose.monte_carlo_scene import kernel_scene
from ert.dose.monte_carlo_tables import kernel_tables, monte_carlo_tables, photon_majorant

F64 = NDArray[np.float64]
SHAPE, SIZE_CM, ENERGY_MEV, ERT_FACTOR = (81, 81, 40), 0.25, 12.0, 10
Slab = tuple[str, float, int]
"""Medium, g/cm³, voxels; the last slab goes on to the end."""
WATER: Slab = ("water", 1.0, 40)
SLABS: dict[str, list[Slab]] = {
    "lung from 1 to 4 cm": [("water", 1.0, 4), ("lung", 0.26, 12), WATER],
    "bone from 1 to 2 cm": [("water", 1.0, 4), ("compact bone", 1.85, 4), WATER],
}
_OMPMC_MEDIA = {"water": "H2O700ICRU", "lung": "LUNG700ICRU", "compact bone": "ICRPBONE700ICRU"}

_PEERS = {
    "ompmc": """
import numpy as np, ompmc
def run(histories, shape, size_cm, energy_mev, media, densities):
    nx, ny, nz = shape
    bounds = [np.arange(n + 1) * size_cm - (0.0 if a == 2 else 0.5 * n * size_cm) for a, n in enumerate(shape)]
    names = sorted(set(media))
    material, density = np.empty(shape, np.int32, order="F"), np.empty(shape, order="F")
    material[:], density[:] = [names.index(m) + 1 for m in media], densities
    dose, _ = ompmc.calc_cube(
        ompmc.Geometry(*bounds, names, density, material), ompmc.CollimatedSource(100.0, 0.0, 0.0, 0.0, 0.0),
        ompmc.Spectrum.monoenergetic(energy_mev), ompmc.Physics(global_pcut=0.05, n_split=1),
        n_histories=histories, n_batches=10, charge=-1, output_dose=False)
    return {"depth_dose": dose.sum(axis=(0, 1)).tolist()}
""",
    "pyradmc-warp": """
import numpy as np, pyradmc
from pyradmc.geometry.source import PencilBeamSource
class Electrons(PencilBeamSource):
    def emit(self, *a, **k):
        return super().emit(*a, **k)._replace(kind="electron")
def run(histories, shape, size_cm, energy_mev, media, densities):
    grid = pyradmc.VoxelGrid.uniform_water(shape=tuple(shape), spacing=(size_cm,) * 3)
    xs = pyradmc.AnalyticCrossSections(geometry_densities=grid.max_density_by_material())
    middle = 0.5 * shape[0] * size_cm
    source = Electrons(energy=energy_mev, position=(middle, middle, -1e-6), direction=(0.0, 0.0, 1.0))
    engine = ENGINE
    dose = np.asarray(engine.run(source, n_histories=histories, n_batches=10, seed=1).dose)
    depth = int(np.argmin(dose.shape))
    return {"depth_dose": dose.sum(axis=tuple(a for a in range(3) if a != depth)).tolist()}
""",
}
_PEERS["pyradmc-ref"] = _PEERS["pyradmc-warp"].replace(
    "ENGINE", "pyradmc.ReferenceEngine(grid=grid, cross_sections=xs, rng=pyradmc.HostRNG())"
)
_PEERS["pyradmc-warp"] = _PEERS["pyradmc-warp"].replace(
    "ENGINE", 'pyradmc.WarpEngine(grid=grid, cross_sections=xs, device="cpu")'
)


def layers(slabs: list[Slab]) -> list[tuple[str, float]]:
    """Medium and density of every row of voxels."""
    return [(name, density) for name, density, count in slabs for _ in range(count)][: SHAPE[2]]


def ert(histories: int, slabs: list[Slab]) -> F64:
    """Energy left at each depth by our transport, MeV per history."""
    tables = monte_carlo_tables()
    rows, per_row = layers(slabs), SHAPE[0] * SHAPE[1]
    medium = np.repeat(np.array([tables.medium(name) for name, _ in rows], dtype=np.uint8), per_row)
    density = np.repeat(np.array([density for _, density in rows], dtype=np.float32), per_row)
    largest = np.zeros(len(tables.media))
    for name, rho in rows:
        largest[tables.medium(name)] = rho
    scene = kernel_scene(medium, density, SHAPE, (SIZE_CM, SIZE_CM, SIZE_CM))
    score, tally, middle = np.zeros(len(medium)), np.zeros(4), 0.5 * SHAPE[0] * SIZE_CM
    run_pencil(
        ENERGY_MEV, np.array([middle, middle, 0.0]), np.array([0.0, 0.0, 1.0]), 0, histories, np.uint64(1), scene,
        kernel_tables(tables, photon_majorant(tables, largest)), score, tally,
    )  # fmt: skip
    return score.reshape(SHAPE[::-1]).sum(axis=(1, 2)) / histories


def fallen_to_cm(dose: F64, level: float) -> float:
    """Depth at which the dose has fallen to a share of its maximum."""
    k = int(np.argmax(dose)) + int(np.argmax(dose[np.argmax(dose) :] < level * dose.max()))
    rest = (dose[k - 1] - level * dose.max()) / (dose[k - 1] - dose[k])
    return float(SIZE_CM * (k - 0.5 + rest))


def compare(peer: Peer, name: str, slabs: list[Slab], histories: int, repeats: int) -> None:
    """Print speed and depth doses of both."""
    rows = layers(slabs)
    request = {
        "shape": SHAPE, "size_cm": SIZE_CM, "energy_mev": ENERGY_MEV,
        "media": [_OMPMC_MEDIA[medium] for medium, _ in rows], "densities": [density for _, density in rows],
    }  # fmt: skip
    peer.run(histories=max(100, histories // 100), **request)
    mine, ours, theirs = ERT_FACTOR * histories, [], []
    ert(100, slabs)
    for _ in range(repeats):
        ours.append(timed(partial(ert, mine, slabs)))
        theirs.append(peer.run(histories=histories, **request))
    speed, their_speed = mine / min(s for s, _ in ours), histories / min(f["cpu_s"] for f in theirs)
    dose, other = ours[0][1], np.mean([f["depth_dose"] for f in theirs], axis=0)
    print(f"{name}: {their_speed:.0f} histories a CPU second, ERT {speed:.0f}: ratio {speed / their_speed:.1f}")
    if slabs == [WATER]:
        for level in (0.9, 0.5, 0.1):
            print(
                f"   {100 * level:.0f} % at {fallen_to_cm(other, level):.3f} cm, ERT {fallen_to_cm(dose, level):.3f} cm"
            )
    other = other * dose.sum() / other.sum()
    print(f"   largest difference {100 * np.abs(dose - other).max() / dose.max():.2f} % of the maximum")
    for first in range(0, SHAPE[2], 4):
        part = slice(first, first + 4)
        ratio = dose[part].sum() / other[part].sum()
        print(f"   {first * SIZE_CM:4.1f} cm on: {dose[part].sum():8.4f} MeV, ratio to the peer {ratio:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, required=True)
    parser.add_argument("--peers", nargs="*", default=["ompmc", "pyradmc-warp"], choices=list(_PEERS))
    parser.add_argument("--slabs", action="store_true")
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print_machine()
    for name in arguments.peers:
        peer = Peer(arguments.peer_python, _PEERS[name])
        cases = {"water": [WATER], **(SLABS if arguments.slabs and name == "ompmc" else {})}
        for what, slabs in cases.items():
            compare(peer, f"{name}, {what}", slabs, arguments.histories, arguments.repeats)
        peer.close()


if __name__ == "__main__":
    main()
