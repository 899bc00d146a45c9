"""Compare ``ert dose`` with the Monte Carlo reference doses, case by case, through DICOM.

For each case the phantom is written as CT, structure set and electron RT Plan by `phantom_study` (plain pydicom), the
program is run as a command, and its RT Dose is read back with pydicom. Doses are compared as voxel means on the
reference's voxels: gamma (Low et al. 1998, Med Phys 25:656; global, per cent of the reference's maximum, above 10 %),
output on the axis at the reference's depth of maximum, R90 and R50 on the axis.

    python benchmarks/validate_reference.py --reference ../shared/reference --machine MACHINE [--cases '12MeV*']
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from phantom_study import Block, ElectronBeam, Phantom, read_dose, write_ct, write_curve, write_plan, write_structures
from scipy.ndimage import map_coordinates

MARGIN_CM = 3.0
AIR_CM = 2.0
VOXEL_CM = 0.2
SUBSAMPLES = 4


def load_case(reference: Path, case: dict[str, Any]) -> dict[str, Any]:
    """Dose [z, y, x] in Gy for 100 MU (the same number as cGy/MU), edges in cm, unfolded."""
    with np.load(reference / case["file"]) as file:
        dose, sigma, density = (file[k].astype(np.float64) for k in ("dose", "rel_sigma", "density"))
        x, y, z = (file[f"{axis}_edges"].astype(np.float64) for axis in "xyz")
        symmetry = json.loads(str(file["meta"]))["symmetry"]
    if symmetry["fold_x"]:
        dose, sigma, density = (np.concatenate([a[..., ::-1], a], axis=-1) for a in (dose, sigma, density))
        x = np.concatenate([-x[:0:-1], x])
    if symmetry["fold_y"]:
        dose, sigma, density = (np.concatenate([a[:, ::-1], a], axis=1) for a in (dose, sigma, density))
        y = np.concatenate([-y[:0:-1], y])
    return {"dose": dose, "sigma": sigma, "density": density, "x": x, "y": y, "z": z}


def _snap(value_cm: float, *, up: bool) -> float:
    """A whole number of CT voxels, so that the phantom's faces are voxel faces."""
    return (np.ceil if up else np.floor)(round(value_cm / VOXEL_CM, 6)) * VOXEL_CM


def make_phantom(case: dict[str, Any], truth: dict[str, Any]) -> Phantom:
    """The case's phantom cropped to the reference's grid and a margin; case (x, y, z) = patient (x, z, y)."""
    planes = case["phantom"]
    media, index = planes["media"], np.asarray(planes["media_index_zyx"])
    px, py, pz = (np.asarray(planes[f"{axis}_planes_cm"]) for axis in "xyz")
    wide_x = min(_snap(np.abs(truth["x"]).max() + MARGIN_CM, up=True), px[-1])
    wide_y = min(_snap(np.abs(truth["y"]).max() + MARGIN_CM, up=True), py[-1])
    deep = min(_snap(truth["z"].max() + MARGIN_CM, up=True), pz[-1])
    blocks = []
    for k, j, i in np.ndindex(index.shape):
        block = Block(
            medium=media[index[k, j, i]],
            x_cm=(max(px[i], -wide_x), min(px[i + 1], wide_x)),
            y_cm=(pz[k], min(pz[k + 1], deep)),
            z_cm=(max(py[j], -wide_y), min(py[j + 1], wide_y)),
        )
        if all(high > low for low, high in (block.x_cm, block.y_cm, block.z_cm)):
            blocks.append(block)
    extent = (
        (-wide_x - AIR_CM, wide_x + AIR_CM),
        (_snap(pz[0] - AIR_CM, up=False), deep + AIR_CM),
        (-wide_y - AIR_CM, wide_y + AIR_CM),
    )
    return Phantom(blocks=tuple(blocks), extent_cm=extent, voxel_cm=VOXEL_CM, patient_id=case["name"][:60])


def make_beam(case: dict[str, Any]) -> ElectronBeam:
    """The case's beam: the block outline is the insert opening projected to the isocentre plane."""
    opening = case["insert_opening_at_95cm"]
    if opening["type"] == "rect":
        x0, x1, y0, y1 = opening["x0x1y0y1_cm"]
        outline = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    else:
        outline = [tuple(point) for point in opening.get("points_cm") or opening["outline_cm"]]
    side = case["applicator_cm"]
    scaled = tuple((x / 0.95, y / 0.95) for x, y in outline)
    is_open = np.allclose(np.ptp(np.asarray(scaled), axis=0), side, atol=0.01)
    angle = np.radians(case["gantry_deg"])
    beyond_cm = 100.0 - case["ssd_cm"]
    direction = np.array([-np.sin(angle), np.cos(angle), 0.0])  # of the axis in the patient, head first supine
    return ElectronBeam(
        energy_mev=case["energy_MeV"],
        applicator_id=f"A{side:02.0f}",
        isocentre_cm=tuple((direction * beyond_cm).tolist()),
        ssd_cm=case["ssd_cm"],
        gantry_deg=case["gantry_deg"],
        block_cm=None if is_open else scaled,
    )


def write_study(folder: Path, case: dict[str, Any], phantom: Phantom) -> None:
    """CT, structure set, plan and CT curve of a case."""
    slices = write_ct(folder / "ct", phantom)
    write_structures(folder / "rs.dcm", phantom, slices)
    write_plan(folder / "rp.dcm", phantom, [make_beam(case)])
    write_curve(folder / "curve.csv")


def run_ert(folder: Path, machine: Path, grid_cm: float, more: Sequence[str] = ()) -> dict[str, Any]:
    """Run the command; returns its summary, or the sentence it refused with. `more`: further options."""
    command = [
        str(Path(sys.executable).with_name("ert")), "dose", "--ct", str(folder / "ct"),
        "--structures", str(folder / "rs.dcm"), "--plan", str(folder / "rp.dcm"), "--machine", str(machine),
        "--out", str(folder / "out"), "--grid-cm", str(grid_cm), "--ct-curve", str(folder / "curve.csv"),
        "--json", *more,
    ]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {"refused": done.stderr.strip(), "exit_code": done.returncode}
    summary: dict[str, Any] = json.loads(done.stdout)
    return {**summary, "wall_seconds": time.perf_counter() - began}


class Computed:
    """The program's dose, interpolated trilinearly among voxels that lie inside the phantom."""

    def __init__(self, path: Path, phantom: Phantom) -> None:
        self.dose, axes = read_dose(path)
        self.first = np.array([a[0] for a in axes])
        self.step = np.array([a[1] - a[0] for a in axes])
        x, y, z = np.meshgrid(*axes, indexing="ij")
        inside = np.zeros(x.shape, dtype=bool)
        for block in phantom.blocks:
            hit = [(c > low) & (c < high) for c, (low, high) in ((x, block.x_cm), (y, block.y_cm), (z, block.z_cm))]
            inside[hit[0] & hit[1] & hit[2]] = block.medium != "air"
        self.inside = inside.transpose(2, 1, 0).astype(np.float64)

    def at(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Dose at patient points; weights of voxels outside the phantom are left out."""
        index = [(c - f) / s for c, f, s in zip((z, y, x), self.first[::-1], self.step[::-1], strict=True)]
        weight = map_coordinates(self.inside, index, order=1, mode="constant")
        total = map_coordinates(self.dose * self.inside, index, order=1, mode="constant")
        return np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-6)

    def mean_on(self, edges: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        """Means over voxels given by case edges x, y, z; returns [z, y, x] of the case."""
        fine = [
            (e[:-1, None] + np.diff(e)[:, None] * (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES).ravel() for e in edges
        ]
        x, y, z = np.meshgrid(*fine, indexing="ij")
        values = self.at(x, z, y)
        n = [len(e) - 1 for e in edges]
        return values.reshape(n[0], SUBSAMPLES, n[1], SUBSAMPLES, n[2], SUBSAMPLES).mean((1, 3, 5)).transpose(2, 1, 0)


def gamma_pass_pct(truth: dict[str, Any], computed: Computed, dose_frac: float, dta_cm: float) -> tuple[float, int]:
    """Share of reference voxels above 10 % of the maximum with gamma <= 1, and how many voxels these are."""
    reference = truth["dose"]
    centres = [(truth[a][:-1] + truth[a][1:]) / 2 for a in "xyz"]
    z, y, x = np.meshgrid(centres[2], centres[1], centres[0], indexing="ij")
    limit = dose_frac * reference.max()
    chosen = (reference > 0.1 * reference.max()) & (truth["density"] > 0.1)
    points = np.column_stack([x[chosen], y[chosen], z[chosen]])
    wanted = reference[chosen]
    n = 10
    steps = np.arange(-n, n + 1) * dta_cm / n
    offsets = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.linalg.norm(offsets, axis=1)
    offsets, distance = offsets[distance <= dta_cm], distance[distance <= dta_cm]
    open_points = np.arange(len(points))
    for number in np.argsort(distance, kind="stable"):
        at = points[open_points] + offsets[number]
        difference = (computed.at(at[:, 0], at[:, 2], at[:, 1]) - wanted[open_points]) / limit
        open_points = open_points[difference**2 + (distance[number] / dta_cm) ** 2 > 1]
        if not len(open_points):
            break
    return 100.0 * (1 - len(open_points) / len(points)), len(points)


def depth_of(depth: np.ndarray, dose: np.ndarray, share: float) -> float:
    """Depth beyond the maximum where dose falls to a share of its maximum."""
    top = int(np.argmax(dose))
    level = share * dose[top]
    below = np.flatnonzero(dose[top:] < level)
    if not len(below):
        return float("nan")
    i = top + int(below[0])
    return float(depth[i - 1] + (dose[i - 1] - level) / (dose[i - 1] - dose[i]) * (depth[i] - depth[i - 1]))


def compare(case: dict[str, Any], truth: dict[str, Any], computed: Computed) -> dict[str, Any]:
    """The figures of one case."""
    gamma3, count = gamma_pass_pct(truth, computed, 0.03, 0.3)
    gamma2, _ = gamma_pass_pct(truth, computed, 0.02, 0.2)
    edges = tuple(truth[a] for a in "xyz")
    mean = computed.mean_on(edges)
    figures: dict[str, Any] = {"gamma_3_3_pct": gamma3, "gamma_2_2_pct": gamma2, "points": count}
    high = truth["dose"] > 0.5 * truth["dose"].max()
    figures["mean_difference_pct"] = 100 * float((mean - truth["dose"])[high].mean() / truth["dose"].max())
    derived = case.get("derived")
    if derived is None:
        return figures
    width = edges[0][len(edges[0]) // 2 + 1]
    axis_edges = (np.array([-width, width]), np.array([-width, width]))
    depth_edges = np.arange(0.0, edges[2][-1] + 1e-9, 0.05)
    line = computed.mean_on((*axis_edges, depth_edges))[:, 0, 0]
    depth = (depth_edges[:-1] + depth_edges[1:]) / 2
    output = float(np.interp(derived["zmax_cm"], depth, line))
    figures["output_reference"] = derived["output_cGy_per_MU_at_zmax"]
    figures["output_ratio"] = output / derived["output_cGy_per_MU_at_zmax"]
    figures["maximum_ratio"] = float(line.max()) / derived["output_cGy_per_MU_at_zmax"]
    for name, share in (("R50", 0.5), ("R90", 0.9)):
        figures[f"{name}_reference_cm"] = derived[f"{name}_cm"]
        figures[f"{name}_difference_mm"] = 10 * (depth_of(depth, line, share) - derived[f"{name}_cm"])
    return figures


def run_case(reference: Path, case: dict[str, Any], machine: Path, grid_cm: float, keep: Path | None) -> dict[str, Any]:
    """Write, compute, compare one case."""
    truth = load_case(reference, case)
    phantom = make_phantom(case, truth)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (keep / case["name"]) if keep is not None else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        write_study(folder, case, phantom)
        summary = run_ert(folder, machine, grid_cm)
        row: dict[str, Any] = {"case": case["name"], "kind": case["kind"]}
        if "refused" in summary:
            return {**row, **summary}
        row |= compare(case, truth, Computed(folder / "out" / "rtdose_plan.dcm", phantom))
    beam = summary["beams"][0]
    return {**row, "ssd_cm": beam["SSD_cm"], "dose_seconds": beam["seconds"], "wall_seconds": summary["wall_seconds"]}


COLUMNS = (
    ("gamma_3_3_pct", "γ 3 %/3 mm (%)", "{:.1f}"), ("gamma_2_2_pct", "γ 2 %/2 mm (%)", "{:.1f}"),
    ("output_reference", "MC output (cGy/MU)", "{:.4f}"), ("output_ratio", "output / MC", "{:.3f}"),
    ("R50_difference_mm", "ΔR50 (mm)", "{:+.2f}"), ("R90_difference_mm", "ΔR90 (mm)", "{:+.2f}"),
    ("mean_difference_pct", "mean Δ > 50 % (% of max)", "{:+.2f}"), ("dose_seconds", "s", "{:.2f}"),
)  # fmt: skip


def markdown(rows: list[dict[str, Any]]) -> str:
    """The figures as a table."""
    lines = ["| case | " + " | ".join(name for _, name, _ in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in rows:
        if "refused" in row:
            lines.append(f"| {row['case']} | {row['refused']} |" + " |" * (len(COLUMNS) - 1))
            continue
        cells = [form.format(row[key]) if key in row else "–" for key, _, form in COLUMNS]
        lines.append(f"| {row['case']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the chosen cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True, help="folder with cases.json")
    parser.add_argument("--machine", type=Path, required=True, help="machine package fitted from its beam data")
    parser.add_argument("--cases", default="*", help="glob of case names")
    parser.add_argument("--grid-cm", type=float, default=0.25)
    parser.add_argument("--out", type=Path, help="folder for validation.json and validation.md")
    parser.add_argument("--keep", type=Path, help="keep the DICOM studies and doses here")
    chosen = parser.parse_args()
    cases = json.loads((chosen.reference / "cases.json").read_text(encoding="utf-8"))["cases"]
    rows = []
    for case in sorted(cases, key=lambda c: (c["kind"] != "water", c["energy_MeV"], c["name"])):
        if fnmatch.fnmatch(case["name"], chosen.cases):
            rows.append(run_case(chosen.reference, case, chosen.machine, chosen.grid_cm, chosen.keep))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(markdown(rows))
    if chosen.out is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "validation.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
        (chosen.out / "validation.md").write_text(markdown(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
