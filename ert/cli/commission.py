"""``ert commission``: a beam data folder becomes a machine package and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ert.cli.output import print_json, print_line, print_table, progress_bar
from ert.errors import Refused


def commission(
    beam_data_dir: Annotated[Path, typer.Argument(help="Folder with beam_data.toml and its CSV files.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="Machine package to write; must not exist yet.")],
    energies: Annotated[
        str | None, typer.Option("--energies", help="Energies to fit, MeV, separated by commas; all if not given.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="PDF with each measured curve over the computed one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Fit beam models to measurements and write a machine package."""
    wanted = None if energies is None else parse_energies(energies)
    from ert.app.commissioning_service import commission_machine

    with progress_bar() as progress:
        summary = commission_machine(beam_data_dir, out=out, energies_mev=wanted, report=report, progress=progress)
    if as_json:
        print_json(summary)
        return
    rows = [
        (f"{e['energy_mev']:g} MeV", name, f"{depth['measured']:.3f}", f"{depth['computed']:.3f}")
        for e in summary["energies"]
        for name, depth in e["depths_cm"].items()
    ]
    print_table(f"Machine '{summary['machine']}'", ("Energy", "Depth", "Measured cm", "Computed cm"), rows)
    print_line(f"Written: {summary['package']}")


def parse_energies(text: str) -> tuple[float, ...]:
    """Comma-separated energies in MeV, rising.

    Raises
    ------
    Refused
        If one is not a positive number.
    """
    try:
        values = sorted({float(part) for part in text.split(",")})
    except ValueError:
        values = []
    if not values or not all(0 < v < 100 for v in values):  # noqa: PLR2004
        raise Refused(f"'{text}' is no list of energies.", hint="Write them in MeV, separated by commas: 6,12")
    return tuple(values)
