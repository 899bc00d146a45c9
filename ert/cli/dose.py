"""``ert dose``: CT, structures and plan as DICOM in, dose as DICOM out."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any

import typer

from ert.cli.output import print_error, print_json, print_line, print_table, progress_bar
from ert.domain.plan import DoseTo


class AlgorithmName(enum.StrEnum):
    """What may be asked for on the command line."""

    PENCIL_BEAM = "pencil-beam"
    PBRA = "pbra"
    MONTE_CARLO = "monte-carlo"


class DoseToName(enum.StrEnum):
    """What the dose is stated to, on the command line."""

    MEDIUM = "medium"
    WATER = "water"


def dose(
    *,
    ct: Annotated[Path, typer.Option("--ct", help="Folder with the planning CT.")],
    structures: Annotated[Path, typer.Option("--structures", help="RT Structure Set file.")],
    plan: Annotated[Path, typer.Option("--plan", help="Electron RT Plan file of any vendor.")],
    machine: Annotated[Path, typer.Option("--machine", help="Machine package made by ert commission.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    algorithm: Annotated[
        AlgorithmName | None,
        typer.Option("--algorithm", help="Dose engine; pbra, or pencil-beam where the machine knows no pbra."),
    ] = None,
    grid_cm: Annotated[float, typer.Option("--grid-cm", help="Dose grid spacing, cm.")] = 0.25,
    ct_curve: Annotated[Path | None, typer.Option("--ct-curve", help="CT curve as CSV.")] = None,
    overrides: Annotated[Path | None, typer.Option("--overrides", help="Material overrides as JSON.")] = None,
    dose_to: Annotated[DoseToName, typer.Option("--dose-to", help="Medium the dose is stated to.")] = DoseToName.MEDIUM,
    uncertainty: Annotated[
        float, typer.Option("--uncertainty", help="Monte Carlo: mean standard error above half maximum, %.")
    ] = 2.0,
    max_histories: Annotated[int, typer.Option("--max-histories", help="Monte Carlo: stop there.")] = 400_000_000,
    seed: Annotated[int, typer.Option("--seed", help="Monte Carlo: seed; each beam has its own.")] = 20_240_601,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", help="Monte Carlo: folder for checkpoints, not encrypted; a run goes on from those in it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Compute the dose of an electron RT Plan and write RT Dose, DVH and summary."""
    from ert.app.dicom_dose import compute_dicom_dose
    from ert.app.dicom_dose_read import DicomDoseJob
    from ert.app.jobs import JobContext
    from ert.domain.monte_carlo_model import MonteCarloSettings

    job = DicomDoseJob(
        ct_folder=ct,
        structures_file=structures,
        plan_file=plan,
        machine_package=machine,
        out_folder=out,
        algorithm=None if algorithm is None else algorithm.value,
        grid_cm=grid_cm,
        ct_curve_file=ct_curve,
        overrides_file=overrides,
        dose_to=DoseTo[dose_to.name],
        monte_carlo=MonteCarloSettings(uncertainty_pct=uncertainty, max_histories=max_histories, seed=seed),
        resume_folder=resume,
    )
    with progress_bar() as progress:
        summary = compute_dicom_dose(job, JobContext(progress))
    if as_json:
        print_json(summary)
    else:
        _print_summary(summary, out)


def _print_summary(summary: dict[str, Any], out: Path) -> None:
    beams = [
        (str(b["number"]), b["name"], f"{b['energy_mev']:g}", f"{b['MU']:.1f}", f"{b['SSD_cm']:.2f}",
         f"{b['depth_of_maximum_cm']:.2f}", f"{b['dose_of_maximum_gy']:.3f}", f"{b['seconds']:.2f}")
        for b in summary["beams"]
    ]  # fmt: skip
    head = ("Beam", "Name", "MeV", "MU", "SSD cm", "Depth of max. cm", "Max. Gy", "s")
    medium = f"dose to {summary['dose_to']}"
    print_table(f"Plan '{summary['plan']}', {summary['fractions']} fractions, {medium}", head, beams)
    rows = [
        (s["name"], f"{s['volume_cc']:.1f}", *(f"{s[k]:.3f}" for k in _STRUCTURE_KEYS)) for s in summary["structures"]
    ]
    print_table(
        f"Structures (Gy, {medium}, whole course)", ("Structure", "cc", "Min", "Mean", "Max", "D95", "D50", "D2"), rows
    )
    for text in summary["warnings"]:
        print_error(f"warning: {text}")
    print_line(f"Written: {out}")


_STRUCTURE_KEYS = ("min", "mean", "max", "D95", "D50", "D2")
