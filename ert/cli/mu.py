"""``ert mu``: monitor units by hand (AAPM TG-71) beside the dose engine's, of a typed field or of a DICOM plan."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ert.cli.output import print_error, print_json, print_line, print_table
from ert.errors import Refused

if TYPE_CHECKING:
    from ert.app.mu_service import MuChecks, TypedField
    from ert.domain.device import Outline
    from ert.domain.monitor_units import BeamMuCheck, Factor

_SIZE = re.compile(r"^(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)$")


def mu(
    *,
    machine: Annotated[Path, typer.Option("--machine", help="Machine package made by ert commission.")],
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Electron RT Plan file; instead of a typed field.")
    ] = None,
    energy_mev: Annotated[float | None, typer.Option("--energy", help="Nominal energy, MeV.")] = None,
    applicator: Annotated[str | None, typer.Option("--applicator", help="Applicator as the package names it.")] = None,
    cutout: Annotated[
        str | None, typer.Option("--cutout", help="Opening at the isocentre plane, 'open' or cm: 4x6.")
    ] = None,
    outline: Annotated[
        Path | None, typer.Option("--outline", help="CSV x_cm,y_cm of an opening at the isocentre plane.")
    ] = None,
    ssd_cm: Annotated[float | None, typer.Option("--ssd", help="Source to surface distance, cm.")] = None,
    depth_cm: Annotated[
        float | None, typer.Option("--depth", help="Depth of the dose, cm; the field's maximum if not given.")
    ] = None,
    dose_cgy: Annotated[float | None, typer.Option("--dose", help="Dose of one fraction at that depth, cGy.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="PDF with a sheet a beam, to be signed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Check monitor units by hand: every factor of AAPM TG-71 beside the dose engine's."""
    from ert.app.mu_json import checks_as_json
    from ert.app.mu_service import check_dicom_plan, check_typed, write_sheets

    if plan is not None:
        given = {
            "--energy": energy_mev,
            "--applicator": applicator,
            "--cutout": cutout,
            "--outline": outline,
            "--depth": depth_cm,
            "--dose": dose_cgy,
        }
        typed = [name for name, value in given.items() if value is not None]
        if typed:
            raise Refused(f"{', '.join(typed)} cannot be given with --plan.", hint="The plan says them.")
        made = check_dicom_plan(machine, plan, ssd_cm=ssd_cm)
    else:
        field = _typed(
            energy_mev=energy_mev,
            applicator=applicator,
            opening=_opening(cutout, outline),
            ssd_cm=ssd_cm,
            depth_cm=depth_cm,
            dose_cgy=dose_cgy,
        )
        made = check_typed(machine, field)
    if report is not None:
        write_sheets(made, report)
    if as_json:
        print_json(checks_as_json(made))
    else:
        _print(made)
        if report is not None:
            print_line(f"Written: {report}")


def _typed(
    *,
    energy_mev: float | None,
    applicator: str | None,
    opening: Outline | None,
    ssd_cm: float | None,
    depth_cm: float | None,
    dose_cgy: float | None,
) -> TypedField:
    from ert.app.mu_service import TypedField

    if energy_mev is None or applicator is None or dose_cgy is None or ssd_cm is None:
        raise Refused("A typed field needs --energy, --applicator, --ssd and --dose; or give --plan.")
    return TypedField(
        energy_mev=energy_mev,
        applicator_id=applicator,
        outline_cm=opening,
        ssd_cm=ssd_cm,
        depth_cm=depth_cm,
        dose_cgy=dose_cgy,
    )


def _opening(cutout: str | None, file: Path | None) -> Outline | None:
    """The opening's outline; None for the open applicator."""
    from ert.app.mu_service import read_outline
    from ert.dose.output import rectangle_cm

    if (cutout is None) == (file is None):
        raise Refused("Give the opening by either --cutout or --outline.", hint="For example --cutout 4x6.")
    if file is not None:
        return read_outline(file)
    if cutout == "open":
        return None
    match = _SIZE.match(cutout or "")
    if match is None or min(float(match[1]), float(match[2])) <= 0:
        raise Refused(f"The cutout '{cutout}' is not understood.", hint="Write 'open' or width x height in cm: 4x6.")
    return rectangle_cm(float(match[1]), float(match[2]))


def _print(made: MuChecks) -> None:
    for check in made.checks:
        _print_check(check)
    for note in made.notes:
        print_error(f"note: {note}")


def _print_check(check: BeamMuCheck) -> None:
    sheet = check.worksheet
    title = f"Beam {check.beam_number} '{check.beam_name}': {check.energy_mev:g} MeV, {check.applicator_id}"
    hand = {} if sheet is None else {f.symbol: f for f in sheet.factors}
    own = {f.symbol: f for f in check.engine_factors}
    rows = [_row(hand.get(symbol), own.get(symbol)) for symbol in dict.fromkeys([*own, *hand])]
    print_table(title, ("Factor", "By hand", "Engine", "Source", "From"), rows)
    ways = [
        (w.name, "-" if w.factor is None else w.factor.text, w.refusal if w.factor is None else w.factor.detail)
        for w in check.ways
    ]
    print_table("Cutout factor three ways", ("Way", "Factor", "From"), ways)
    print_line(f"Dose: {check.dose_basis}")
    if sheet is None or check.difference_pct is None:
        print_error(f"ert: beam {check.beam_number} is not checked by hand. {check.refusal}")
        print_line(f"Engine {check.engine_mu:g} MU, {check.verdict.value}")
        return
    print_line(f"{sheet.formula} ± {100 * sheet.relative_sigma:.1f} %")
    print_line(f"Engine {check.engine_mu:g} MU, difference {check.difference_pct:+.1f} %: {check.verdict.value}")
    for note in (*sheet.assumptions, *sheet.notes):
        print_error(f"warning: {note}")


def _row(hand: Factor | None, engine: Factor | None) -> tuple[str, ...]:
    named = hand or engine
    return (
        "" if named is None else named.name,
        "-" if hand is None else hand.text,
        "-" if engine is None else engine.text,
        "-" if hand is None else hand.source.value,
        "-" if hand is None else hand.detail,
    )
