"""Compare ``ert dose --algorithm monte-carlo`` with the Monte Carlo reference doses, case by case, through DICOM.

The case's phantom is written as CT, RT Structure Set and electron RT Plan of 100 MU by `phantom_study` (plain pydicom,
nothing of ert), the command line runs in a process of its own, and its RT Dose is read back with pydicom, as means over
the reference's voxels. Figures are those of `validate_monte_carlo`, by the same functions. What stands between the two
is what a user's plan goes through: CT numbers, contours, plan, dose grid, scaling of the dose file.

The command states one uncertainty and no standard error of each voxel: it stands for all of them, less as a reference's
voxel is larger than a voxel of the dose grid. Cases already in the JSON are not computed again.

    python benchmarks/validate_through_cli.py --reference ../shared/reference --json FILE [--cases '12MeV*']
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from validate_monte_carlo import HEAD, chosen, figures, line, measured_before
from validate_pencil_beam import load_case
from validate_reference import Computed, make_phantom, run_ert, write_study
from validation_record import write_record

from ert.commissioning.package import read_package
from ert.settings import resources_dir

MU, CGY_PER_GY = 100.0, 100.0


def checked_beam(summary: dict[str, Any], folder: Path, digest: str) -> dict[str, Any]:
    """The one beam of a summary.

    Raises
    ------
    ValueError
        It is not of this machine, algorithm and monitor units, or the dose files do not say dose in Gy of plan and beam
        that are one and the same.
    """
    (beam,) = summary["beams"]
    told = (summary["machine_digest"], beam["algorithm"], beam["MU"], summary["fractions"], summary["dose_to"])
    if told != (digest, "monte-carlo", MU, 1, "medium"):
        raise ValueError(f"{folder}: the summary is of {told}")
    plan, alone = (pydicom.dcmread(folder / f"rtdose_{name}.dcm") for name in ("plan", "beam_1"))
    for data, kind in ((plan, "PLAN"), (alone, "BEAM")):
        if (data.DoseUnits, data.DoseType, data.DoseSummationType) != ("GY", "PHYSICAL", kind):
            raise ValueError(f"{folder}: {data.DoseUnits} {data.DoseType} {data.DoseSummationType}")
    doses = [d.pixel_array * float(d.DoseGridScaling) for d in (plan, alone)]
    if not np.allclose(*doses, rtol=0.0, atol=1e-5 * doses[0].max()):
        raise ValueError(f"{folder}: the plan's dose is not its only beam's")
    return dict(beam)


def evaluate(
    case: dict[str, Any], reference: Path, machine: Path, folder: Path, *, grid_cm: float, options: list[str]
) -> dict[str, Any]:
    """Write, compute and compare one case."""
    truth = load_case(reference, case)
    phantom = make_phantom(case, truth)
    write_study(folder, case, phantom)
    summary = run_ert(folder, machine, grid_cm, ["--algorithm", "monte-carlo", *options])
    if "refused" in summary:
        raise SystemExit(f"{case['name']}: {summary['refused']}")
    beam = checked_beam(summary, folder / "out", read_package(machine).digest)
    computed = Computed(folder / "out" / "rtdose_plan.dcm", phantom)
    ours = computed.mean_on((truth["x"], truth["y"], truth["z"])) * CGY_PER_GY / MU
    voxel_cm3 = float(np.prod([truth[k][1] - truth[k][0] for k in "xyz"]))
    relative = 0.01 * beam["uncertainty_pct"] * min(1.0, (grid_cm**3 / voxel_cm3) ** 0.5)
    row = figures(case, truth, ours, np.full_like(ours, relative))
    return row | {"uncertainty_pct": beam["uncertainty_pct"], "histories": beam["histories"], "ssd_cm": beam["SSD_cm"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True, help="folder with cases.json")
    parser.add_argument("--machine", type=Path, default=resources_dir() / "demo_machine" / "package")
    parser.add_argument("--cases", nargs="*", default=["*"])
    parser.add_argument("--uncertainty", type=float, default=2.0, help="of a voxel of the dose grid, percent")
    parser.add_argument("--grid-cm", type=float, default=0.2)
    parser.add_argument("--json", type=Path, required=True, help="record; cases in it are not computed again")
    parser.add_argument("--keep", type=Path, help="keep the DICOM studies and doses here")
    arguments = parser.parse_args()
    package = read_package(arguments.machine)
    cases = json.loads((arguments.reference / "cases.json").read_text(encoding="utf-8"))["cases"]
    settings = {"asked_uncertainty_pct": arguments.uncertainty, "dose_grid_cm": arguments.grid_cm}
    rows = {row["case"]: row for row in measured_before(arguments.json, package, settings)}
    print(HEAD)
    for case in chosen(cases, arguments.cases):
        if case["name"] in rows:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = (arguments.keep / case["name"]) if arguments.keep is not None else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            row = evaluate(
                case, arguments.reference, arguments.machine, folder, grid_cm=arguments.grid_cm,
                options=["--uncertainty", str(arguments.uncertainty)],
            )  # fmt: skip
        print(line(row), flush=True)
        rows[row["case"]] = row
        write_record(
            arguments.json, engine="monte-carlo-by-command", package=package, rows=list(rows.values()),
            settings=settings,
        )  # fmt: skip


if __name__ == "__main__":
    main()
