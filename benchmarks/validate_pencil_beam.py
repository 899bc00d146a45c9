"""Compare a dose engine with the Monte Carlo reference doses at the level of the engine, case by case.

Phantoms are voxelised directly (`TissueGrid`), doses compared as voxel means on the reference's voxels: gamma (Low et
al. 1998; global, percent of the reference's maximum, above 10 %; only voxels of matter, because outside the patient the
engines give no dose), output as the mean ratio over the axis voxels within 5 mm of the reference's maximum, and again
over the middle 0.3 of the field at the same depths, whose noise is several times smaller than the axis voxels' (about
1 %); R50 and R90 on the axis.

    python benchmarks/validate_pencil_beam.py --reference ../shared/reference [--algorithm pbra] [--cases '12MeV*']
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import itertools
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates, uniform_filter
from validation_record import curves, write_record

from ert.commissioning.package import read_package
from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import MachinePackage
from ert.domain.plan import DoseTo
from ert.dose.engine import compute_beam_dose
from ert.dose.geometry import BeamGeometry
from ert.dose.tissue import TissueGrid
from ert.geometry.frames import BeamFrame
from ert.geometry.grid import VoxelGrid
from ert.settings import resources_dir

TISSUE_CM = 0.1
MARGIN_CM = 2.0
AIR_BELOW_G_CM3 = 0.05
FINE_XY, FINE_Z = 4, 2
MEDIA = {"water": "water", "bone": "bone_compact_ICRU", "lung": "lung_ICRU46_inflated", "air": "air"}


def load_case(folder: Path, case: dict[str, Any]) -> dict[str, np.ndarray]:
    """Reference dose [z, y, x] cGy/MU and edges, unfolded; `copies` of one voxel's noise stand in it."""
    with np.load(folder / case["file"]) as file:
        dose, sigma = file["dose"].astype(float), file["rel_sigma"].astype(float)
        is_matter = file["density"] > AIR_BELOW_G_CM3
        x, y, z = (file[f"{a}_edges"].astype(float) for a in "xyz")
        symmetry = json.loads(str(file["meta"]))["symmetry"]
    if symmetry["fold_x"]:
        dose, sigma, is_matter = (np.concatenate([a[..., ::-1], a], -1) for a in (dose, sigma, is_matter))
        x = np.concatenate([-x[:0:-1], x])
    if symmetry["fold_y"]:
        dose, sigma, is_matter = (np.concatenate([a[:, ::-1], a], 1) for a in (dose, sigma, is_matter))
        y = np.concatenate([-y[:0:-1], y])
    copies = np.array((1 + symmetry["fold_x"]) * (1 + symmetry["fold_y"]))
    return {"dose": dose, "sigma": sigma, "is_matter": is_matter, "x": x, "y": y, "z": z, "copies": copies}


def material_ratios() -> dict[str, tuple[float, float, float]]:
    """Density, S_r, T_r at 10 MeV by medium of the cases."""
    with (resources_dir() / "tables" / "materials_ratios.csv").open(newline="") as file:
        rows = {r["material"]: r for r in csv.DictReader(file)}
    return {
        name: tuple(float(rows[key][c]) for c in ("density_g_cm3", "lin_Scol_ratio_10MeV", "lin_T_ratio_10MeV"))
        for name, key in MEDIA.items()
    }


def make_tissue(
    case: dict[str, Any], truth: dict[str, np.ndarray], voxel_cm: float, margin_cm: float = MARGIN_CM
) -> TissueGrid:
    """The phantom as voxels; case (x, y, z) = patient (x, z, y), head first supine."""
    planes = case["phantom"]
    px, py, pz = (np.asarray(planes[f"{a}_planes_cm"]) for a in "xyz")
    index = np.asarray(planes["media_index_zyx"])
    ratios = material_ratios()

    def centres(low: float, high: float) -> np.ndarray:
        first, last = math.floor(low / voxel_cm - 1e-6), math.ceil(high / voxel_cm + 1e-6)
        return (np.arange(first, last) + 0.5) * voxel_cm

    x = centres(truth["x"][0] - margin_cm, truth["x"][-1] + margin_cm)
    y = centres(truth["y"][0] - margin_cm, truth["y"][-1] + margin_cm)
    z = centres(min(pz[0], 0.0) - 1.0, truth["z"][-1] + margin_cm)
    where = [np.searchsorted(p, c, side="right") - 1 for p, c in ((pz, z), (py, y), (px, x))]
    inside = [(w >= 0) & (w < len(p) - 1) for w, p in zip(where, (pz, py, px), strict=True)]
    grid = np.ix_(*[np.clip(w, 0, len(p) - 2) for w, p in zip(where, (pz, py, px), strict=True)])
    medium = index[grid]
    is_inside = inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None, :]
    arrays = []
    for q in range(3):
        values = np.array([_quantity(case, ratios, name, q) for name in planes["media"]])
        volume = np.where(is_inside, values[medium], 0.0012).astype(np.float32)
        arrays.append(np.ascontiguousarray(volume.transpose(1, 0, 2)))
    return TissueGrid(
        grid=VoxelGrid(origin_cm=(x[0], z[0], y[0]), spacing_cm=(voxel_cm,) * 3, shape_zyx=arrays[0].shape),
        density_g_cm3=arrays[0],
        relative_stopping=arrays[1],
        relative_scattering=arrays[2],
    )


def _quantity(case: dict[str, Any], ratios: dict[str, tuple[float, ...]], name: str, q: int) -> float:
    key = next(k for k in MEDIA if k in name.lower())
    density = case["densities_g_cm3"].get(name, ratios[key][0])
    return density if q == 0 else ratios[key][q] * density / ratios[key][0]


def compute(
    case: dict[str, Any], truth: dict[str, np.ndarray], package: MachinePackage, voxel_cm: float, algorithm: Algorithm
) -> tuple[np.ndarray, float]:
    """Our voxel-mean dose on a grid refined FINE_XY and FINE_Z times, [z, y, x] cGy/MU, and seconds."""
    machine, model = package.machine, package.model(float(case["energy_MeV"]))
    applicator = min(machine.applicators, key=lambda a: abs(a.opening_x_cm - case["applicator_cm"]))
    opening = case["insert_opening_at_95cm"]
    assert opening["type"] == "rect", opening
    a, b, c, d = (v * machine.sad_cm / machine.insert_distance_cm for v in opening["x0x1y0y1_cm"])
    frame = BeamFrame(
        isocentre_cm=(0.0, machine.sad_cm - case["ssd_cm"], 0.0), gantry_deg=case["gantry_deg"], collimator_deg=0.0,
        couch_deg=0.0, patient_position="HFS", sad_cm=machine.sad_cm,
    )  # fmt: skip
    geometry = BeamGeometry(
        frame=frame, outline_cm=((a, c), (b, c), (b, d), (a, d)), applicator=applicator,
        insert_distance_cm=machine.insert_distance_cm,
    )  # fmt: skip
    step = [float(truth[k][1] - truth[k][0]) for k in "xyz"]
    fine = (step[0] / FINE_XY, step[1] / FINE_XY, step[2] / FINE_Z)
    shape = [(len(truth[k]) - 1) * f for k, f in zip("xyz", (FINE_XY, FINE_XY, FINE_Z), strict=True)]
    grid = VoxelGrid(
        origin_cm=(truth["x"][0] + fine[0] / 2, truth["z"][0] + fine[2] / 2, truth["y"][0] + fine[1] / 2),
        spacing_cm=(fine[0], fine[2], fine[1]),
        shape_zyx=(shape[1], shape[2], shape[0]),
    )
    tissue = make_tissue(case, truth, voxel_cm)
    began = time.perf_counter()
    result = compute_beam_dose(
        tissue=tissue, geometry=geometry, model=model, dose_grid=grid, dose_to=DoseTo.MEDIUM, algorithm=algorithm
    )
    return 100.0 * result.gy_per_mu.transpose(1, 0, 2).astype(float), time.perf_counter() - began


def gamma_pass_pct(
    reference: np.ndarray, mean: np.ndarray, step: list[float], is_asked: np.ndarray, *, dose_frac: float, dta_cm: float
) -> float:
    """Percent of asked reference voxels above 10 % with gamma ≤ 1; our running means are searched every DTA / 6."""
    factors = (FINE_Z, FINE_XY, FINE_XY)
    top = reference.max()
    where = np.argwhere((reference > 0.1 * top) & is_asked)
    values = reference[tuple(where.T)]
    # A running mean of even size is centred half a voxel below its index.
    base = where * np.array(factors) + np.array(factors) / 2
    least = np.full(len(where), np.inf)
    grid = np.arange(-6, 7) / 6.0
    for dz, dy, dx in itertools.product(grid, grid, grid):
        far = dz * dz + dy * dy + dx * dx
        if far > 1.0:
            continue
        shift = np.array([dz, dy, dx]) * dta_cm / np.array(step[::-1]) * np.array(factors)
        ours = map_coordinates(mean, (base + shift).T, order=1, mode="nearest")
        least = np.minimum(least, far + ((ours - values) / (dose_frac * top)) ** 2)
    return float(100.0 * np.mean(least <= 1.0))


def distal_cm(z: np.ndarray, dose: np.ndarray, level: float) -> float:
    top = int(np.argmax(dose))
    k = top + int(np.argmax(dose[top:] < level * dose.max()))
    return float(np.interp(-level * dose.max(), [-dose[k - 1], -dose[k]], [z[k - 1], z[k]]))


def evaluate(
    case: dict[str, Any], folder: Path, package: MachinePackage, voxel_cm: float, algorithm: Algorithm
) -> dict[str, Any]:
    truth = load_case(folder, case)
    fine, seconds = compute(case, truth, package, voxel_cm, algorithm)
    mean = uniform_filter(fine, size=(FINE_Z, FINE_XY, FINE_XY), mode="nearest")
    step = [float(truth[k][1] - truth[k][0]) for k in "xyz"]
    ours = fine.reshape(
        fine.shape[0] // FINE_Z, FINE_Z, fine.shape[1] // FINE_XY, FINE_XY, fine.shape[2] // FINE_XY, FINE_XY
    ).mean(axis=(1, 3, 5))
    centres = {k: 0.5 * (truth[k][1:] + truth[k][:-1]) for k in "xyz"}
    mid_x = np.abs(centres["x"]) < max(0.51 * step[0], 0.3)
    mid_y = np.abs(centres["y"]) < max(0.51 * step[1], 0.3)
    axis_truth = truth["dose"][:, mid_y][:, :, mid_x].mean(axis=(1, 2))
    axis_ours = ours[:, mid_y][:, :, mid_x].mean(axis=(1, 2))
    near = np.abs(centres["z"] - centres["z"][np.argmax(axis_truth)]) < 0.5
    middle = np.ix_(near, *[np.abs(centres[k]) < 0.15 * case["field_cm"][0] for k in "yx"])
    return {
        "case": case["name"],
        "centre": float(ours[middle].mean() / truth["dose"][middle].mean()),
        "gamma33": gamma_pass_pct(truth["dose"], mean, step, truth["is_matter"], dose_frac=0.03, dta_cm=0.3),
        "gamma22": gamma_pass_pct(truth["dose"], mean, step, truth["is_matter"], dose_frac=0.02, dta_cm=0.2),
        "gamma42": gamma_pass_pct(truth["dose"], mean, step, truth["is_matter"], dose_frac=0.04, dta_cm=0.2),
        "gamma33_with_air": gamma_pass_pct(truth["dose"], mean, step, truth["dose"] > 0, dose_frac=0.03, dta_cm=0.3),
        "output": float(axis_ours[near].mean() / axis_truth[near].mean()),
        "dR50_mm": 10 * (distal_cm(centres["z"], axis_ours, 0.5) - distal_cm(centres["z"], axis_truth, 0.5)),
        "dR90_mm": 10 * (distal_cm(centres["z"], axis_ours, 0.9) - distal_cm(centres["z"], axis_truth, 0.9)),
        "seconds": seconds,
        "noise_pct": 100 * case["uncertainty"]["mean_rel_sigma_above_50pct"],
        "truth": truth,
        "ours": ours,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--machine", type=Path, default=resources_dir() / "demo_machine" / "package")
    parser.add_argument("--algorithm", default=Algorithm.PENCIL_BEAM.value, choices=[a.value for a in Algorithm])
    parser.add_argument("--cases", default="*")
    parser.add_argument("--voxel", type=float, default=TISSUE_CM)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    package = read_package(arguments.machine)
    cases = json.loads((arguments.reference / "cases.json").read_text())["cases"]
    print("case                            3%/3mm  2%/2mm  4%/2mm  output  centre   dR50   dR90 mm   s   noise")
    rows = []
    for case in cases:
        if not fnmatch.fnmatch(case["name"], arguments.cases):
            continue
        r = evaluate(case, arguments.reference, package, arguments.voxel, Algorithm(arguments.algorithm))
        print(
            f"{r['case']:30s} {r['gamma33']:7.2f} {r['gamma22']:7.2f} {r['gamma42']:7.2f} {r['output']:8.4f} "
            f"{r['centre']:7.4f} "
            f"{r['dR50_mm']:6.2f} {r['dR90_mm']:6.2f} {r['seconds']:6.2f} {r['noise_pct']:6.2f}", flush=True,
        )  # fmt: skip
        rows.append(r | {"curves": curves(r["truth"], r["ours"])})
    if arguments.json:
        write_record(
            arguments.json, engine=arguments.algorithm, package=package, rows=rows,
            settings={"tissue_voxel_cm": arguments.voxel},
        )  # fmt: skip


if __name__ == "__main__":
    main()
