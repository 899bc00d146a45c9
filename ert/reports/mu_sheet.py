"""Monitor units on paper, one page a beam: every factor, the formula with its numbers, a line to sign on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from reportlab.lib.units import cm
from reportlab.platypus import Flowable, PageBreak, Spacer

from ert.domain.monitor_units import BeamMuCheck, Factor, MuWorksheet, Verdict
from ert.reports.page import (
    ALARM,
    BODY,
    HEADING,
    NOT_CLEARED,
    TITLE,
    PageMarks,
    build_pdf,
    facts,
    paragraph,
    table,
)

_DASH = "\N{EN DASH}"
_WORDS = {
    Verdict.AGREES: "AGREES within the action levels",
    Verdict.INVESTIGATE: "TO BE INVESTIGATED",
    Verdict.ACTION: "ABOVE THE ACTION LEVEL: do not treat before the reason is found",
    Verdict.NOT_CHECKED: "NOT CHECKED BY HAND",
}


def mu_sheet_pdf(
    checks: Sequence[BeamMuCheck],
    *,
    identity: str,
    subject: str,
    software: str,
    printed_at: dt.datetime,
    is_demo: bool,
) -> bytes:
    """The sheets of all beams as one PDF; equal checks give equal bytes.

    Parameters
    ----------
    identity, subject : at the top of each page: whose, and which plan or field.
    """
    marks = PageMarks(
        identity=identity,
        subject=subject,
        software=f"{software}, printed {printed_at:%Y-%m-%d %H:%M}.",
        is_demo=is_demo,
    )
    story: list[Flowable] = []
    for number, check in enumerate(checks):
        story += [PageBreak()] if number else []
        story += sheet_story(check)
    return build_pdf(story, title="Monitor units checked by hand", marks=marks)


def sheet_story(check: BeamMuCheck) -> list[Flowable]:
    """One beam's page."""
    sheet = check.worksheet
    story = [
        paragraph(f"Monitor units of beam {check.beam_number} '{check.beam_name}'", TITLE),
        paragraph(NOT_CLEARED, ALARM),
        facts(
            [
                (
                    "Field",
                    f"{check.machine_name}, {check.energy_mev:g} MeV electrons, applicator {check.applicator_id}",
                ),
                (
                    "Opening",
                    f"equivalent ellipse {check.width_cm:.2f} × {check.length_cm:.2f} cm at the isocentre plane "
                    "(largest circle inside, same area)",
                ),
                ("SSD", f"{check.ssd_cm:.1f} cm"),
                ("Dose", check.dose_basis),
            ]
        ),
        *_result(check),
    ]
    if sheet is None:
        story += [paragraph("Why there is no hand check", HEADING), paragraph(check.refusal, ALARM)]
    else:
        story += _calculation(sheet)
    return [*story, *_engine(check), *_ways(check), *_signature()]


def _result(check: BeamMuCheck) -> list[Flowable]:
    sheet = check.worksheet
    difference = _DASH
    if check.difference_mu is not None and check.difference_pct is not None:
        difference = f"{check.difference_mu:+.1f} MU ({check.difference_pct:+.1f} %)"
    by_hand = _DASH if sheet is None else f"{sheet.tg71_mu:.2f} ± {100 * sheet.relative_sigma:.1f} %"
    row = (f"{check.engine_mu:g}", by_hand, difference, _WORDS[check.verdict])
    head = ("Plan, dose engine, MU", "By hand (TG-71), MU", "Engine minus hand", "Verdict")
    is_bad = check.verdict is not Verdict.AGREES
    return [
        paragraph("Result", HEADING),
        table(head, [row], widths=(1, 1.2, 1.2, 2), alarm_rows=[0] if is_bad else []),
        paragraph(check.levels.text),
    ]


def _calculation(sheet: MuWorksheet) -> list[Flowable]:
    rows = [_row(f) for f in sheet.factors]
    if sheet.other_distance is not None:
        rows.append(_row(sheet.other_distance))
    at = f"{sheet.depth_cm:.2f} cm; normalised at {sheet.depth_of_normalisation_cm:.2f} cm, where PDD is 100"
    return [
        paragraph("By hand: AAPM TG-71, MU = D × 100 / (D'0 × PDD × AF × CF × DF)", HEADING),
        table(("", "Factor", "Value", "1 SD", "Source", "From", "What it is"), rows, widths=_WIDTHS),
        Spacer(1, 4),
        paragraph(f"D = {sheet.dose_cgy:.2f} cGy in one fraction, at a depth of {at}."),
        paragraph(sheet.formula, HEADING),
        *(paragraph(f"\N{BULLET} {note}") for note in sheet.assumptions),
        *(paragraph(f"\N{BULLET} {note}", ALARM) for note in sheet.notes),
    ]


_WIDTHS = (0.5, 1.1, 1.15, 0.6, 0.95, 2.4, 2.1)


def _row(factor: Factor) -> tuple[str, ...]:
    return (
        factor.symbol,
        factor.name,
        factor.text,
        _sigma(factor),
        factor.source.value,
        factor.detail,
        factor.meaning,
    )


def _sigma(factor: Factor) -> str:
    return f"{100 * factor.relative_sigma:.1f} %" if factor.relative_sigma > 0 else _DASH


def _difference(factor: Factor, base: Factor) -> str:
    """Difference of a factor from another in per cent, without a minus before nothing."""
    percent = round(100 * (factor.value / base.value - 1), 2)
    return f"{percent:+.2f} %" if percent else "0.00 %"


def _engine(check: BeamMuCheck) -> list[Flowable]:
    if check.worksheet is None:
        by_hand: dict[str, Factor] = {}
    else:
        by_hand = {f.symbol: f for f in check.worksheet.factors}
    rows = []
    for factor in check.engine_factors:
        own = by_hand.get(factor.symbol)
        difference = _DASH if own is None else _difference(factor, own)
        rows.append((factor.name, factor.text, _DASH if own is None else own.text, difference))
    head = ("Factor", "Dose engine", "By hand", "Engine over hand")
    return [paragraph("The dose engine's own factors, in water", HEADING), table(head, rows)]


def _ways(check: BeamMuCheck) -> list[Flowable]:
    first = next((w.factor for w in check.ways if w.factor is not None), None)
    rows = []
    for way in check.ways:
        if way.factor is None:
            rows.append((way.name, _DASH, _DASH, _DASH, way.refusal))
        else:
            difference = _DASH if first is None or way.factor is first else _difference(way.factor, first)
            rows.append((way.name, way.factor.text, _sigma(way.factor), difference, way.factor.detail))
    head = ("Way", "Factor", "1 SD", "From the first", "From")
    return [paragraph("Cutout factor three ways", HEADING), table(head, rows, widths=(1.3, 0.6, 0.6, 0.8, 3.5))]


def _signature() -> list[Flowable]:
    line = "_" * 34
    return [
        Spacer(1, 0.8 * cm),
        paragraph(f"Checked by (physicist) {line}     Signature {line}     Date ______________", BODY),
    ]
