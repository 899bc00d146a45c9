"""A virtual linac at energies nobody fitted anything to: beam data to commission from, and doses to judge the model by.

The head is the demo machine's, as the Monte Carlo's sources describe it (three energies, fitted to EGSnrc's doses); its
source at any other energy lies between or beyond theirs (`source_at`). ERT's Monte Carlo computes the doses: what this
tells is whether the fits, their starting values, knots and grids suit an energy, not whether the physics is right. A
Monte Carlo source fitted to these data is fitted to its own kind, which flatters it.

OUT gets what the folder of reference doses has: ``beam_data/`` for ``ert commission``, and ``cases.json`` with
``cases/`` for ``validate_pencil_beam.py`` and ``validate_monte_carlo.py``: the fields of the beam data (the same doses,
as in the reference), fields that are held back from it, ``H_…``, and phantoms, ``P_…``.

    python benchmarks/virtual_linac.py OUT --energies 9 16 [--only '*10x10*'] [--threads 2]
    ert commission OUT/beam_data --out MACHINE
    python benchmarks/validate_pencil_beam.py --reference OUT --machine MACHINE --cases 'H_*'

One energy takes about two to three processor minutes. Fields that OUT already holds are kept.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from validate_monte_carlo import MARGIN_CM, place
from validate_pencil_beam import make_tissue
from virtual_linac_data import quantities, write_beam_data

from ert.commissioning.package import read_package
from ert.domain.beam_model import MachinePackage
from ert.domain.monte_carlo_model import LEAST_UNCERTAINTY_PCT, SEED_DIGITS, MonteCarloModel, MonteCarloSettings
from ert.dose.monte_carlo import simulate
from ert.settings import resources_dir

Array = np.ndarray
DEPTH_STEP_CM, BEYOND_RANGE_CM = 0.2, 4.1
# At 9 MeV about as noisy as the reference: 1 to 2 % in a voxel of a case; at 16 MeV --times 5 is (0.5 to 1 %).
HISTORIES_PER_CM2, HISTORY_BOUNDS = 12_000, (600_000, 1_600_000)
# applicator, width, height at the isocentre plane (cm), SSD (cm)
MEASURED = (
    (10, 10, 10, 100), (10, 10, 10, 110), (6, 6, 6, 100), (15, 15, 15, 100), (20, 20, 20, 100),
    (10, 2, 2, 100), (10, 3, 3, 100), (10, 4, 4, 100), (10, 6, 6, 100),
)  # fmt: skip
HELD_BACK = ((10, 5, 5, 100), (10, 3, 8, 100), (15, 8, 8, 105), (15, 15, 15, 110))
Case = dict[str, Any]


def mixed(first: float | Array, second: float | Array, weight: float) -> float | Array:
    """A straight line between two numbers or tables, 0 at the first, 1 at the second."""
    return (1.0 - weight) * first + weight * second


def source_at(package: MachinePackage, energy_mev: float) -> MonteCarloModel:
    """The source at an energy between two commissioned ones, or beyond them.

    The shape of the spectrum over its most probable energy, off-axis ratio and wide electrons are mixed between the two
    neighbours (beyond them: the nearest's). Spread about the fan and virtual source follow straight lines in 1/E,
    because scattering does, photons one in E.
    """
    models = package.models
    known = np.array([m.energy_mev for m in models])
    low = int(np.clip(np.searchsorted(known, energy_mev) - 1, 0, len(known) - 2))
    a, b = models[low].monte_carlo, models[low + 1].monte_carlo
    assert a is not None
    assert b is not None
    part = float((energy_mev - known[low]) / (known[low + 1] - known[low]))
    inverse = float((1 / energy_mev - 1 / known[low]) / (1 / known[low + 1] - 1 / known[low]))
    between = min(max(part, 0.0), 1.0)

    edges = [s.spectrum_edges_mev / e for s, e in zip((a, b), known[low : low + 2], strict=True)]
    share = mixed(a.spectrum_share, b.spectrum_share, between)
    return attrs.evolve(
        a,
        spectrum_edges_mev=energy_mev * mixed(*edges, part), spectrum_share=share / share.sum(),
        core_angle_rad=mixed(a.core_angle_rad, b.core_angle_rad, inverse),
        virtual_sad_cm=mixed(a.virtual_sad_cm, b.virtual_sad_cm, inverse),
        photons_per_electron=max(mixed(a.photons_per_electron, b.photons_per_electron, part), 0.0),
        photon_angle_rad=mixed(a.photon_angle_rad, b.photon_angle_rad, between),
        wide_frac=mixed(a.wide_frac, b.wide_frac, between),
        wide_angle_rad=mixed(a.wide_angle_rad, b.wide_angle_rad, between),
        slow_below_mev=energy_mev * mixed(a.slow_below_mev / known[low], b.slow_below_mev / known[low + 1], between),
        slow_angle_rad=mixed(a.slow_angle_rad, b.slow_angle_rad, inverse),
        irradiated_margin_cm=mixed(a.irradiated_margin_cm, b.irradiated_margin_cm, between),
        off_axis=(mixed(a.off_axis[0], b.off_axis[0], between), mixed(a.off_axis[1], b.off_axis[1], between)),
    )  # fmt: skip


def practical_range_cm(energy_mev: float) -> float:
    """About where the electrons of a beam of this nominal energy end (0.22 + 1.98 Rp + 0.0025 Rp² = E)."""
    return float((-1.98 + np.sqrt(1.98**2 + 0.01 * (energy_mev - 0.22))) / 0.005)


def water_case(energy_mev: float, field: tuple[int, int, int, int], prefix: str = "") -> Case:
    """One field on flat water, as `cases.json` of the reference has it."""
    applicator, width, height, ssd = field
    insert = "open" if width == height == applicator else f"cut{width}x{height}"
    half = [0.475 * width, 0.475 * height]
    deep = round(DEPTH_STEP_CM * np.ceil((practical_range_cm(energy_mev) + BEYOND_RANGE_CM) / DEPTH_STEP_CM), 1)
    side = 0.2 if max(width, height) <= 10 else 0.4  # noqa: PLR2004 - large fields have more voxels to average
    beyond = 0.5 * ssd / 100.0 * np.array([width, height]) + 4.5
    return {
        "name": f"{prefix}{energy_mev:02g}MeV_app{applicator:02d}_{insert}_ssd{ssd}",
        "kind": "water", "energy_MeV": energy_mev, "applicator_cm": applicator, "field_cm": [width, height],
        "ssd_cm": float(ssd), "gantry_deg": 0.0,
        "insert_opening_at_95cm": {"type": "rect", "x0x1y0y1_cm": [-half[0], half[0], -half[1], half[1]]},
        "phantom": {
            "x_planes_cm": [-20.0, 20.0], "y_planes_cm": [-20.0, 20.0], "z_planes_cm": [0.0, deep + 10.0],
            "media": ["water"], "media_index_zyx": [[[0]]], "outside": "air",
        },
        "densities_g_cm3": {"water": 1.0},
        "voxel_cm": [side, side, DEPTH_STEP_CM], "extent_cm": [*(side * np.ceil(beyond / side)), deep],
        "fold": [True, True, width == height],
    }  # fmt: skip


def phantom_cases(energy_mev: float) -> list[Case]:
    """The 10×10 field on a bar of compact bone 2 cm wide, and on one of lung 4 cm wide."""
    found = []
    depths = [1.0, 3.0] if energy_mev >= 8.0 else [0.5, 1.5]  # noqa: PLR2004 - electrons must come through
    for name, medium, density, x, index in (
        ("bonebar", "bone_compact", 1.85, [-20.0, -1.0, 1.0, 20.0], [0, 1, 0]),
        ("lungbar", "lung", 0.26, [-20.0, -2.0, 2.0, 20.0], [0, 1, 0]),
    ):
        case = water_case(energy_mev, (10, 10, 10, 100))
        planes = case["phantom"]
        planes["x_planes_cm"], planes["media"] = x, ["water", medium]
        planes["z_planes_cm"] = [0.0, *depths, planes["z_planes_cm"][-1] + 5.0]
        planes["media_index_zyx"] = [[[0] * len(index)], [index], [[0] * len(index)]]
        deep = case["extent_cm"][2] + (2.0 if name == "lungbar" else 0.0)
        found.append(case | {
            "name": f"P_{energy_mev:02g}MeV_10x10_{name}", "kind": "heterogeneous", "extent_cm": [10.0, 10.0, deep],
            "densities_g_cm3": {"water": 1.0, medium: density}, "voxel_cm": [0.25, 0.5, DEPTH_STEP_CM],
            "fold": [True, True, False],
        })  # fmt: skip
    return found


def folded(volume: Array, fold: list[bool]) -> Array:
    """A volume [z, y, x] as the mean of its mirror images that the case's symmetry makes alike."""
    for axis, is_alike in ((2, fold[0]), (1, fold[1])):
        volume = 0.5 * (volume + np.flip(volume, axis)) if is_alike else volume
    return 0.5 * (volume + volume.transpose(0, 2, 1)) if fold[2] else volume


def compute(
    case: Case, source: MonteCarloModel, package: MachinePackage, threads: int, times: int = 1
) -> dict[str, Array]:
    """Dose [z, y, x] for one electron fluence (any unit), its standard error, and edges; symmetry is averaged over."""
    (dx, dy, dz), (wide, high, deep) = case["voxel_cm"], case["extent_cm"]
    edges = {
        k: first + step * np.arange(round((deep if k == "z" else 2 * half) / step) + 1)
        for k, half, step, first in (("x", wide, dx, -wide), ("y", high, dy, -high), ("z", deep, dz, 0.0))
    }
    geometry, grid = place(case, edges, package)
    area_cm2 = float(np.prod(case["field_cm"]))
    histories = times * int(np.clip(HISTORIES_PER_CM2 * area_cm2, *HISTORY_BOUNDS))
    seed = int(hashlib.sha256(case["name"].encode("ascii")).hexdigest()[:SEED_DIGITS], 16)
    dose, statistics = simulate(
        tissue=make_tissue(case, edges, 0.1 if case["kind"] == "heterogeneous" else 0.2, MARGIN_CM),
        geometry=geometry, model=source, dose_grid=grid,
        settings=MonteCarloSettings(
            uncertainty_pct=LEAST_UNCERTAINTY_PCT, max_histories=histories, seed=seed, threads=threads
        ),
    )  # fmt: skip
    volume = 100.0 * dose.transpose(1, 0, 2).astype(np.float64)
    variance = (statistics.relative_sigma.transpose(1, 0, 2) * volume) ** 2
    copies = float(np.prod([1 + f for f in case["fold"]]))
    return {
        "dose": folded(volume, case["fold"]),
        "sigma": np.sqrt(folded(variance, case["fold"]) / copies),
        "copies": np.array(copies), **edges,
    }  # fmt: skip


def write_case(out: Path, case: Case, field: dict[str, Array], scale: float) -> Case:
    """A case as the reference has it, cGy/MU: folded, and above 4 cm two by two voxels across the beam in one."""
    pair = 2 if case["kind"] == "water" and min(case["field_cm"]) > 4.0 and case["voxel_cm"][0] < 0.3 else 1  # noqa: PLR2004
    first = [len(field[k]) // 2 if is_folded else 0 for k, is_folded in zip("xy", case["fold"], strict=False)]
    count = [(len(field[k]) - 1 - f) // pair for k, f in zip("xy", first, strict=True)]
    place = (slice(None), slice(first[1], first[1] + pair * count[1]), slice(first[0], first[0] + pair * count[0]))
    dose, variance = (
        v[place].reshape(-1, count[1], pair, count[0], pair).mean(axis=(2, 4))
        for v in (scale * field["dose"], (scale * field["sigma"]) ** 2)
    )
    relative = np.sqrt(variance) / pair / np.maximum(dose, 1e-12)
    path = f"cases/{case['name']}.npz"
    np.savez_compressed(
        out / path, dose=dose.astype(np.float32), rel_sigma=relative.astype(np.float32),
        density=np.ones(dose.shape, dtype=np.float32),  # no air in these phantoms; which medium says cases.json
        x_edges=field["x"][first[0] :: pair][: count[0] + 1], y_edges=field["y"][first[1] :: pair][: count[1] + 1],
        z_edges=field["z"],
        meta=json.dumps({"symmetry": {"fold_x": case["fold"][0], "fold_y": case["fold"][1]}}),
    )  # fmt: skip
    above = dose > 0.5 * dose.max()
    return case | {"file": path, "uncertainty": {"mean_rel_sigma_above_50pct": float(relative[above].mean())}}


def main() -> None:
    """Compute what is asked for and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--energies", type=float, nargs="+", required=True)
    parser.add_argument("--only", default="*", help="glob of case names")
    parser.add_argument("--times", type=int, default=1, help="as many times the histories, for less noise")
    parser.add_argument("--threads", type=int, default=0, help="0 for all processors; the doses are the same")
    options = parser.parse_args()
    package = read_package(resources_dir() / "demo_machine" / "package")
    for name in ("fields", "cases", "beam_data"):
        (options.out / name).mkdir(parents=True, exist_ok=True)
    rows, measured = [], {}
    for energy in options.energies:
        source = source_at(package, energy)
        beam_data = [water_case(energy, f) for f in MEASURED]
        held_back = [water_case(energy, f, "H_") for f in HELD_BACK]
        fields = {}
        for case in (*beam_data, *held_back, *phantom_cases(energy)):
            path = options.out / "fields" / f"{case['name']}.npz"
            if not path.exists() and fnmatch.fnmatch(case["name"], options.only):
                began = time.process_time()
                np.savez(path, **compute(case, source, package, options.threads, options.times))
                print(f"{case['name']:34s} {time.process_time() - began:7.1f} s", flush=True)
            if path.exists():
                with np.load(path) as file:
                    fields[case["name"]] = (case, dict(file))
        reference, _ = quantities(fields[beam_data[0]["name"]][1], 10.0)
        scale = 1.0 / reference.maximum
        rows += [write_case(options.out, case, field, scale) for case, field in fields.values()]
        measured[energy] = (source, [fields[c["name"]] for c in beam_data if c["name"] in fields], scale)
    (options.out / "cases.json").write_text(json.dumps({"cases": rows}, indent=1), encoding="utf-8")
    write_beam_data(options.out / "beam_data", package, measured)


if __name__ == "__main__":
    main()
