"""``ert compare-machines``: what changes when one machine package replaces another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
import typer

from ert.cli.output import print_json, print_line, print_table


def compare_machines(
    old: Annotated[Path, typer.Argument(help="Machine package in use.")],
    new: Annotated[Path, typer.Argument(help="Machine package that may replace it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Compare two machine packages: parameters, computed doses of open fields, ranges of validity."""
    from ert.commissioning.difference import compare_packages
    from ert.commissioning.package import read_package

    found = compare_packages(read_package(old), read_package(new))
    if as_json:
        print_json(attrs.asdict(found))
        return
    for text in found.remarks:
        print_line(text)
    for model in found.models:
        name = f"{model.energy_mev:g} MeV"
        if model.is_same:
            print_line(f"{name}: the same model, {model.new_digest[:12]}.")
            continue
        for text in model.remarks:
            print_line(f"{name}: {text}")
        rows = [
            (f.name, f"{f.output_pct:+.2f}", f"{f.r50_mm:+.2f}", f"{f.largest_pct:+.2f}", f"{f.largest_at_cm:.2f}")
            for f in model.fields
        ]
        print_table(name, ("Field", "Output %", "R50 mm", "Largest %", "at cm"), rows)
        changes = [
            (p.name, f"{p.old_value:.5g}", f"{p.new_value:.5g}",
             "" if p.in_uncertainties is None else f"{p.in_uncertainties:+.1f}")
            for p in model.parameters
        ]  # fmt: skip
        print_table(f"{name}: fitted parameters", ("Parameter", "Old", "New", "Change / uncertainty"), changes)
