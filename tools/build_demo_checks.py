"""Write the phantom checks of the demo machine's beam data: ``python tools/build_demo_checks.py REFERENCE``.

REFERENCE is the folder of Monte Carlo reference doses of the demo head. Of its phantom cases (a bone bar in water, a
slab of water on half of the field) lines are taken as a tank or film measurement would give them: averaged over a strip
of 1 cm across the line, where phantom and field do not change. They become ``[[check]]`` tables at the end of
``beam_data.toml``; the fit never sees them. An earlier run's tables are replaced.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.settings import resources_dir

MARK = "# Phantom checks, written by tools/build_demo_checks.py; the fit does not use them.\n"
HALF_STRIP_CM = 0.5
AIR_BELOW_G_CM3 = 0.05
Float = NDArray[np.float64]


@attrs.frozen
class Line:
    """One line of a case: name of its file, the running axis, the two fixed coordinates, cm."""

    name: str
    along: str
    at_cm: dict[str, float]


@attrs.frozen
class Check:
    """One case of the reference as a check."""

    case: str
    name: str
    kind: str
    blocks: str
    lines: tuple[Line, ...]


CHECKS = (
    Check(
        "B1_12MeV_10x10_bonebar", "Bone bar", "heterogeneous",
        '[[check.block]]\nmaterial = "compact bone"\nx_cm = [-1.0, 1.0]\ny_cm = [-5.0, 5.0]\ndepth_cm = [1.0, 3.0]\n',
        (
            Line("bone_bar_depth", "depth", {"x": 0.0, "y": 0.0}),
            Line("bone_bar_depth_beside", "depth", {"x": 1.875, "y": 0.0}),
            Line("bone_bar_x_behind", "x", {"y": 0.0, "depth": 3.5}),
        ),
    ),
    Check(
        "B6_6MeV_10x10_halfbolus", "Bolus on half of the field", "oblique",
        '[[check.block]]\nmaterial = "water"\nx_cm = [0.0, 20.0]\ny_cm = [-20.0, 20.0]\ndepth_cm = [-1.0, 0.0]\n',
        (
            Line("half_bolus_x_shallow", "x", {"y": 0.0, "depth": 0.5}),
            Line("half_bolus_x_deep", "x", {"y": 0.0, "depth": 1.5}),
            Line("half_bolus_depth_under", "depth", {"x": 2.55, "y": 0.0}),
        ),
    ),
)  # fmt: skip


def main() -> None:
    """Write the lines and the tables."""
    reference = Path(sys.argv[1])
    home = resources_dir() / "demo_machine" / "beam_data"
    cases = {c["name"]: c for c in json.loads((reference / "cases.json").read_text(encoding="utf-8"))["cases"]}
    tables = []
    for check in CHECKS:
        case = cases[check.case]
        folder = f"{case['energy_MeV']:02d}MeV"
        volume = load(reference, case)
        for line in check.lines:
            write_line(home / folder / f"check_{line.name}.csv", line, volume)
        tables.append(table(check, case, folder))
    index = home / "beam_data.toml"
    text = index.read_text(encoding="utf-8").split(MARK)[0].rstrip("\n")
    index.write_text(f"{text}\n\n{MARK}\n" + "\n".join(tables), encoding="utf-8")


def load(reference: Path, case: dict[str, Any]) -> dict[str, Float]:
    """Dose, its standard deviation (cGy/MU) and density [depth, y, x] with their voxel centres, unfolded."""
    with np.load(reference / case["file"]) as file:
        found = {"dose": file["dose"].astype(float), "density": file["density"].astype(float)}
        found["sigma"] = found["dose"] * file["rel_sigma"].astype(float)
        edges = {"x": file["x_edges"], "y": file["y_edges"], "depth": file["z_edges"]}
        symmetry = json.loads(str(file["meta"]))["symmetry"]
    for axis, number, is_folded in (("x", 2, symmetry["fold_x"]), ("y", 1, symmetry["fold_y"])):
        if is_folded:
            found = {k: np.concatenate([np.flip(v, number), v], number) for k, v in found.items()}
            edges[axis] = np.concatenate([-edges[axis][:0:-1], edges[axis]])
    return found | {axis: 0.5 * (e[1:] + e[:-1]).astype(float) for axis, e in edges.items()}


def write_line(path: Path, line: Line, volume: dict[str, Float]) -> None:
    """One CSV file; points in air are left out."""
    order = ("depth", "y", "x")
    chosen, place = [], {}
    for axis in order:
        centres = volume[axis]
        if axis == line.along:
            chosen.append(np.arange(len(centres)))
            continue
        middle = int(np.argmin(np.abs(centres - line.at_cm[axis])))
        # Along y phantom and field are the same over the strip; across x and in depth they are not.
        strip = np.abs(centres) < HALF_STRIP_CM if axis == "y" else np.arange(len(centres)) == middle
        chosen.append(np.flatnonzero(strip))
        place[axis] = 0.0 if axis == "y" else float(centres[middle])
    cells = np.ix_(*chosen)
    across = tuple(n for n, axis in enumerate(order) if axis != line.along)
    dose = volume["dose"][cells].mean(axis=across)
    count = volume["dose"][cells].size / len(dose)
    # Voxels on both sides of a plane of symmetry are copies of each other: half of them count.
    sigma = np.sqrt((volume["sigma"][cells] ** 2).mean(axis=across) / max(count / 2.0, 1.0))
    is_matter = volume["density"][cells].min(axis=across) > AIR_BELOW_G_CM3
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("x_cm", "y_cm", "depth_cm", "dose_cgy_per_mu", "sigma_cgy_per_mu"))
        for at, d, s in zip(volume[line.along][is_matter], dose[is_matter], sigma[is_matter], strict=True):
            point = place | {line.along: at}
            row = [f"{point[axis]:.6g}" for axis in ("x", "y", "depth")]
            writer.writerow((*row, f"{d:.5g}", f"{s:.2g}"))


def table(check: Check, case: dict[str, Any], folder: str) -> str:
    """The tables of one check."""
    lines = ", ".join(f'"{folder}/check_{line.name}.csv"' for line in check.lines)
    return (
        f'[[check]]\nname = "{check.name}"\nkind = "{check.kind}"\nenergy_mev = {case["energy_MeV"]}\n'
        f'applicator = "A{case["applicator_cm"]:02d}"\ncutout = "open"\nssd_cm = {case["ssd_cm"]}\n'
        f"incidence_deg = {case['gantry_deg']}\nlines = [{lines}]\n{check.blocks}"
    )


if __name__ == "__main__":
    main()
