"""``ert beam-data``: what a water-tank scanner wrote becomes a beam data folder for ``ert commission``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ert.cli.output import print_json, print_line, print_table


def beam_data(
    scans: Annotated[list[Path], typer.Argument(help="Scanner files, or folders of them: W2CAD, RFA300, mcc, CSV.")],
    *,
    machine: Annotated[Path, typer.Option("--machine", help="TOML with machine, outputs and what the files lack.")],
    out: Annotated[Path, typer.Option("--out", help="Beam data folder to write; must not exist yet.")],
    ionisation: Annotated[
        bool, typer.Option("--ionisation", help="Depth scans are ionisation: convert them to dose.")
    ] = False,
    smooth: Annotated[bool, typer.Option("--smooth", help="Smooth curves (Savitzky-Golay, 7 points, cubic).")] = False,
    symmetrise: Annotated[bool, typer.Option("--symmetrise", help="Average the two halves of profiles.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Assemble scans of a water tank into a beam data folder."""
    from ert.app.beam_data_service import build_beam_data

    summary = build_beam_data(
        scans,
        machine=machine,
        out=out,
        is_ionisation=ionisation,
        is_smoothed=smooth,
        is_symmetrised=symmetrise,
        show=None if as_json else _show,
    )
    if as_json:
        print_json(summary)
        return
    print_line(f"Written: {summary['folder']}")


def _show(summary: dict[str, Any]) -> None:
    """Tables of what was recognised, refused and missing."""
    rows = [
        (
            f"{c['file']} {c['curve']}",
            c["kind"],
            f"{c['energy_mev']:g} MeV",
            f"{c['applicator']} {c['cutout']}",
            f"{c['ssd_cm']:g}",
            "" if c["depth_cm"] is None else f"{c['depth_cm']:g}",
            str(c["points"]),
        )
        for c in summary["recognised"]
    ]
    print_table(
        f"Recognised for '{summary['machine']}'",
        ("File", "Curve", "Energy", "Field", "SSD cm", "Depth cm", "Points"),
        rows,
    )
    for energy in summary["energies"]:
        print_line(f"{energy['energy_mev']:g} MeV: R50 of the reference field {energy['reference_r50_cm']:.3f} cm")
    for warning in summary["warnings"]:
        print_line(f"Note: {warning}")
    if summary["refused"]:
        print_table("Refused", ("Reason", "What to do"), [(r["reason"], r["todo"]) for r in summary["refused"]])
    left_out = [
        (f"{e['energy_mev']:g} MeV", "left out, lacks " + what) for e in summary["left_out"] for what in e["lacks"]
    ]
    missing = [(f"{e['energy_mev']:g} MeV", what) for e in summary["missing"] for what in e["missing"]]
    if left_out or missing:
        print_table("Missing for commissioning", ("Energy", "What"), [*left_out, *missing])
