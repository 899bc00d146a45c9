"""Gamma in three dimensions against pymedphys: time and error on the same pair of doses.

    python -m venv /tmp/peers && /tmp/peers/bin/pip install pymedphys==0.41.0 numba scipy
    python benchmarks/gamma.py --peer-python /tmp/peers/bin/python [--repeats 3] [--fractions 10]

The pair: an electron field on 100 × 100 × 80 voxels of 2.5 mm, 51 000 of them above 10 %; the evaluated dose is moved
by 3.5 mm, 3.5 % higher, and has 2 % of noise. 3 % (global) / 3 mm, gamma up to 2. What both approximate is the minimum
over the trilinear evaluated dose; the truth is a search of all places within reach on two fine lattices, extrapolated
to no step, written here and independent of either.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import argparse
import math
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray
from peers import Peer, print_machine, timed

from ert.analysis.gamma import gamma_index, pass_rate_pct

F64 = NDArray[np.float64]
SHAPE = (80, 100, 100)
SPACING_CM = 0.25
SHIFT_CM, HIGHER, NOISE_FRAC = 0.35, 1.035, 0.02
FIELD_CM, EDGE_SIGMA_CM, R50_CM, FALL_CM = 8.4, 1.3, 5.2, 1.0
DOSE_PCT, DISTANCE_CM, MOST = 3.0, 0.3, 2.0

_PEER = """
import numpy as np
from pymedphys import gamma

def run(path, fraction):
    data = np.load(path)
    axes = tuple(10 * data[a] for a in "zyx")
    began = time.process_time()
    found = gamma(axes, data["reference"], axes, data["evaluated"], 3, 3, lower_percent_dose_cutoff=10,
                  interp_fraction=fraction, max_gamma=2, quiet=True, ram_available=2**30)
    seconds = time.process_time() - began
    np.save(path + ".found.npy", found)
    return {"gamma_s": seconds}
"""


def make_pair() -> tuple[tuple[F64, F64, F64], F64, F64]:
    """Axes (z, y, x) in cm, reference and evaluated dose."""
    z, y, x = ((np.arange(n) - (n - 1) / 2) * SPACING_CM for n in SHAPE)

    def edge(u: F64) -> F64:
        return 0.5 + 0.5 * np.array([math.erf((FIELD_CM / 2 - abs(v)) / (EDGE_SIGMA_CM * math.sqrt(2))) for v in u])

    def dose(shift_cm: float) -> F64:
        depth = z + 8.0
        rise = np.where(depth >= 0, 0.85 + 0.05 * np.minimum(depth, 3.0), 0.0)
        along = rise / (1.0 + np.exp((depth - R50_CM) / FALL_CM))
        return np.asarray(along[:, None, None] * edge(y)[None, :, None] * edge(x - shift_cm)[None, None, :])

    reference = dose(0.0)
    noise = np.random.default_rng(20).normal(0.0, NOISE_FRAC * reference.max(), SHAPE)
    return (z, y, x), reference, np.maximum(dose(SHIFT_CM) * HIGHER + noise, 0.0)


@njit
def search(  # noqa: PLR0917
    reference: F64, evaluated: F64, offsets: F64, spacing: float, dose: float, cut: float, most: float
) -> F64:
    """Gamma over a lattice of offsets (n, 4: z, y, x and length in criteria, rising), trilinear in between."""
    nz, ny, nx = reference.shape
    out = np.full(reference.shape, np.nan)
    for k, j, i in np.ndindex(nz, ny, nx):
        if reference[k, j, i] < cut:
            continue
        best = most * most
        for n in range(offsets.shape[0]):
            far2 = offsets[n, 3] * offsets[n, 3]
            if far2 >= best:
                break
            w, v, u = k + offsets[n, 0] / spacing, j + offsets[n, 1] / spacing, i + offsets[n, 2] / spacing
            if not (0 <= w <= nz - 1 and 0 <= v <= ny - 1 and 0 <= u <= nx - 1):
                continue
            c, b, a = min(int(w), nz - 2), min(int(v), ny - 2), min(int(u), nx - 2)
            w, v, u = w - c, v - b, u - a
            value = 0.0
            for corner in range(8):
                p, q, r = corner & 1, (corner >> 1) & 1, corner >> 2
                share = (u if p else 1 - u) * (v if q else 1 - v) * (w if r else 1 - w)
                value += share * evaluated[c + r, b + q, a + p]
            difference = (value - reference[k, j, i]) / dose
            best = min(best, far2 + difference * difference)
        out[k, j, i] = math.sqrt(best)
    return out


def searched(reference: F64, evaluated: F64, per_distance: int) -> F64:
    """Gamma on a lattice of DISTANCE_CM / per_distance."""
    n = int(MOST * per_distance)
    steps = np.arange(-n, n + 1) / per_distance
    z, y, x = np.meshgrid(steps, steps, steps, indexing="ij")
    far = np.sqrt(z**2 + y**2 + x**2)
    inside = far <= MOST
    table = np.column_stack([DISTANCE_CM * a[inside] for a in (z, y, x)] + [far[inside]])
    table = table[np.argsort(table[:, 3], kind="stable")]
    full = float(reference.max())
    return search(reference, evaluated, table, SPACING_CM, DOSE_PCT / 100 * full, 0.1 * full, MOST)


def compare(arguments: argparse.Namespace) -> None:
    axes, reference, evaluated = make_pair()
    ours = partial(
        gamma_index, reference, axes, evaluated, axes,
        dose_pct=DOSE_PCT, distance_cm=DISTANCE_CM, threshold_pct=10.0, max_gamma_ratio=MOST,
    )  # fmt: skip
    ours()  # compiled or read from its cache
    our_s, their_s, theirs = [], [], None
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/pair.npz"
        np.savez(path, z=axes[0], y=axes[1], x=axes[2], reference=reference, evaluated=evaluated)
        peer = Peer(arguments.peer_python, _PEER) if arguments.peer_python else None
        if peer:
            peer.run(path=path, fraction=2)  # so that it has compiled what it compiles
        for _ in range(arguments.repeats):
            seconds, gamma = timed(ours)
            our_s.append(seconds)
            if peer:
                their_s.append(peer.run(path=path, fraction=arguments.fractions)["gamma_s"])
                theirs = np.load(f"{path}.found.npy")
        if peer:
            peer.close()
    print(f"{np.count_nonzero(np.isfinite(gamma))} points; 3 %/3 mm global, 10 % threshold, gamma at most {MOST:g}")
    coarse, fine = (searched(reference, evaluated, k) for k in arguments.truth)
    ratio = (arguments.truth[1] / arguments.truth[0]) ** 2
    truth_pct = pass_rate_pct(fine) + (pass_rate_pct(fine) - pass_rate_pct(coarse)) / (ratio - 1)
    limit = fine + (fine - coarse) / (ratio - 1)
    for k, found in zip(arguments.truth, (coarse, fine), strict=True):
        print(f"  searched in steps of 3 mm / {k:<3d} pass {pass_rate_pct(found):.2f} %")
    print(f"  both extrapolated to no step    pass {truth_pct:.2f} %")
    rows = [("ERT", our_s, gamma)] + ([("pymedphys", their_s, theirs)] if theirs is not None else [])
    for name, seconds, found in rows:
        error = (found - limit)[np.isfinite(limit) & np.isfinite(found)]
        print(
            f"{name:10s} CPU {1e3 * min(seconds):9.1f} ms   pass {pass_rate_pct(found):.2f} % "
            f"({pass_rate_pct(found) - truth_pct:+.2f})   gamma off by {np.abs(error).mean():.4f} on average, "
            f"{np.percentile(np.abs(error), 99):.4f} at 99 %"
        )
    if their_s:
        print(f"ratio of CPU times, least against least: {min(their_s) / min(our_s):.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, help="a Python with pymedphys; without it only ERT is measured")
    parser.add_argument("--fractions", type=int, default=10, help="interp_fraction of pymedphys")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--truth", type=int, nargs=2, default=(20, 40), help="steps per 3 mm of the search")
    arguments = parser.parse_args()
    print_machine()
    compare(arguments)
    print_machine()


if __name__ == "__main__":
    main()
