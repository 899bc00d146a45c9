"""The commissioning report: every measured curve over the computed one, outputs, fitted parameters, limits."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from reportlab.lib.units import cm
from reportlab.platypus import Flowable, PageBreak, Spacer, Table

from ert.domain.acceptance import Verdict
from ert.domain.beam_model import measured_text
from ert.domain.commissioning import CommissioningReport, CurveComparison, EnergyReport
from ert.reports.model_figures import SHIFT_CM, check_top_cgy, worst_after_shift_pct, worst_points
from ert.reports.page import (
    ALARM,
    DEMO_MARK,
    HEADING,
    NOT_CLEARED,
    TEXT_WIDTH,
    TITLE,
    PageMarks,
    build_pdf,
    facts,
    paragraph,
    table,
)
from ert.reports.plot import LinePlot, Rgb, Series

_PASS_PCT = 95.0
_PLOT_WIDTH, _PLOT_HEIGHT = TEXT_WIDTH / 2 - 4, 6.2 * cm
_COMPUTED: tuple[Rgb, ...] = ((200, 0, 0), (0, 90, 200), (0, 130, 60), (160, 0, 160), (200, 120, 0), (90, 90, 90))


def model_report_pdf(report: CommissioningReport, *, software: str, printed_at: dt.datetime) -> bytes:
    """The report as a PDF; equal reports give equal bytes."""
    marks = PageMarks(
        identity=f"Machine {report.machine_name}",
        subject=f"Commissioning  ·  package {report.package_digest[:12]}",
        software=f"{software}, printed {printed_at:%Y-%m-%d %H:%M}.",
        is_demo=report.is_demo,
    )
    story = _opening(report, software)
    for energy in report.energies:
        story += [PageBreak(), *_energy(energy, "pencil beam")]
        if energy.redefinition is not None:
            story += [PageBreak(), *_energy(energy.redefinition, "pencil beam redefinition (PBRA)")]
    story += _signatures()
    return build_pdf(story, title=f"Commissioning of {report.machine_name}", marks=marks)


def _opening(report: CommissioningReport, software: str) -> list[Flowable]:
    story = [paragraph(f"Commissioning of {report.machine_name}", TITLE), paragraph(NOT_CLEARED, ALARM)]
    if report.is_demo:
        story.append(paragraph(DEMO_MARK, ALARM))
    rows = [
        ("Beam data", report.origin or "\N{EN DASH}"),
        ("Digest of the package", report.package_digest),
        *((f"Digest of {e.energy_mev:g} MeV", e.model_digest) for e in report.energies),
        ("Software", software),
    ]
    head = (
        "Energy",
        "R50 meas. / comp. cm",
        "Worst gamma 3 %/3 mm",
        "Worst gamma 2 %/2 mm",
        "Worst output",
        "Self-test",
    )
    summary = []
    for energy in report.energies:
        r50 = next(d for d in energy.depths if d.name == "R50")
        worst = max((o.difference_pct for o in energy.outputs), key=abs, default=math.nan)
        summary.append(
            (
                f"{energy.energy_mev:g} MeV",
                f"{r50.measured_cm:.3f} / {r50.computed_cm:.3f}",
                _percent(min((c.gamma_3_3_pct for c in energy.curves), default=math.nan)),
                _percent(min((c.gamma_2_2_pct for c in energy.curves), default=math.nan)),
                f"{worst:+.2f} %",
                f"{energy.identity_error_pct:.3f} %",
            )
        )
    return [*story, facts(rows), paragraph("Summary", HEADING), table(head, summary), *_explanation()]


def _explanation() -> list[Flowable]:
    return [
        Spacer(1, 6),
        paragraph(
            "Dots are measured, lines are computed, in cGy per MU: no curve is scaled to another. Gamma (Low 1998) is "
            "taken along each curve on points above 10 % of its maximum, with the dose criterion in per cent of the "
            "field's maximum (global). The self-test is the largest difference between the dose engine and the "
            "reference depth dose that the model reproduces by construction."
        ),
    ]


def _percent(value: float) -> str:
    return f"{value:.1f} %"


def _energy(energy: EnergyReport, engine: str) -> list[Flowable]:
    limits = [paragraph(f"\N{BULLET} {text}.") for text in energy.limits] or [paragraph("Nothing is missing.")]
    valid = (
        f"Usable for SSD {energy.ssd_min_cm:g} to {energy.ssd_max_cm:g} cm and openings equivalent to squares of "
        f"{energy.min_side_cm:g} cm and larger; {measured_text(energy.measured_range)}."
    )
    depths = [
        (d.name, f"{d.measured_cm:.3f}", f"{d.computed_cm:.3f}", f"{10 * (d.computed_cm - d.measured_cm):+.2f}")
        for d in energy.depths
    ]
    story = [
        paragraph(f"{energy.energy_mev:g} MeV, {engine}", TITLE),
        paragraph(valid),
        paragraph("Not measured", HEADING),
        *limits,
        paragraph("Depths of the reference field", HEADING),
        table(("", "Measured cm", "Computed cm", "Difference mm"), depths),
        *_acceptance(energy),
        *_outputs(energy),
    ]
    own = [*_plots(energy.curves), *_profiles(energy), *_points(energy), *_checks(energy)]
    return [*story, *own, *_parameters(energy)]


def _acceptance(energy: EnergyReport) -> list[Flowable]:
    if not energy.acceptance:
        return []
    rows = [(t.number, t.description, t.tolerance, t.found, t.where, t.verdict.value) for t in energy.acceptance]
    bad = [n for n, t in enumerate(energy.acceptance) if t.verdict is Verdict.FAILED]
    head = ("Test", "What", "Tolerance", "Worst", "Where", "Verdict")
    note = (
        "Numbers 8.1 to 8.4: AAPM MPPG 5.b (2022), Table 10; the others are this program's own goals. What was not "
        "measured is not passed: measure it before the model is used so."
    )
    widths = (0.8, 2.0, 1.3, 0.8, 2.2, 0.9)
    return [paragraph("Acceptance", HEADING), table(head, rows, widths=widths, alarm_rows=bad), paragraph(note)]


def _outputs(energy: EnergyReport) -> list[Flowable]:
    rows = [
        (
            o.name,
            f"{o.measured_cgy_per_mu:.4f} ± {100 * o.relative_sigma:.2f} %",
            f"{o.computed_cgy_per_mu:.4f}",
            f"{o.difference_pct:+.2f} %",
            f"{o.correction:.4f}",
        )
        for o in energy.outputs
    ]
    head = ("Field", "Measured cGy/MU", "Computed cGy/MU", "Difference", "of which fitted correction")
    bad = [n for n, o in enumerate(energy.outputs) if abs(o.difference_pct) > 2]  # noqa: PLR2004 - %, MPPG 5.b
    return [paragraph("Outputs", HEADING), table(head, rows, widths=(1.6, 1.4, 1, 1, 1), alarm_rows=bad)]


def _plots(curves: Sequence[CurveComparison]) -> list[Flowable]:
    """A depth dose and the profiles of each field side by side."""
    fields = dict.fromkeys((c.applicator_id, c.cutout, c.ssd_cm) for c in curves)
    drawings: list[LinePlot] = []
    for field in fields:
        own = [c for c in curves if (c.applicator_id, c.cutout, c.ssd_cm) == field]
        name = f"{field[0]} {field[1]} SSD {field[2]:g}"
        depth = [c for c in own if c.kind == "depth_dose"]
        profiles = [c for c in own if c.kind != "depth_dose"]
        for kind, chosen, label in (("depth dose", depth, "depth (cm)"), ("profiles", profiles, "position (cm)")):
            if chosen:
                drawings.append(_plot(f"{name}, {kind}", chosen, label))
    return [paragraph("Measured and computed", HEADING), _pairs(drawings)] if drawings else []


def _pairs(drawings: Sequence[Flowable]) -> Table:
    """Drawings, two beside each other."""
    rows = [[*drawings[n : n + 2], ""][:2] for n in range(0, len(drawings), 2)]
    return Table(rows, colWidths=[TEXT_WIDTH / 2] * 2)


def _plot(title: str, curves: Sequence[CurveComparison], x_label: str) -> LinePlot:
    series = []
    for number, curve in enumerate(curves):
        colour = _COMPUTED[number % len(_COMPUTED)]
        at = "" if math.isnan(curve.depth_cm) else f"{curve.axis} {curve.depth_cm:g} cm, "
        label = f"{at}gamma 3/3 {curve.gamma_3_3_pct:.0f} %, 2/2 {curve.gamma_2_2_pct:.0f} %"
        series.append(Series(name="", x=curve.position_cm, y=curve.measured_cgy_per_mu, colour=(0, 0, 0), style="dots"))
        series.append(Series(name=label, x=curve.position_cm, y=curve.computed_cgy_per_mu, colour=colour))
    return LinePlot(
        series,
        width_pt=_PLOT_WIDTH,
        height_pt=_PLOT_HEIGHT,
        x_label=x_label,
        y_label="cGy/MU",
        title=title,
        legend="below",
    )


def _checks(energy: EnergyReport) -> list[Flowable]:
    """Phantom checks: what was irradiated, every line over the computed one, the worst point of each."""
    story: list[Flowable] = []
    for check in energy.checks:
        story += [paragraph(f"Check: {check.name} ({check.kind})", HEADING), paragraph(f"{check.phantom}.")]
        if check.refusal:
            story.append(paragraph(f"Refused by the engine: {check.refusal}", ALARM))
            continue
        drawings = [_plot(c.name, [c], f"{c.axis} (cm)") for c in check.curves]
        top = check_top_cgy(check)
        rows = [
            (c.name, _percent(c.gamma_3_3_pct), _percent(c.gamma_2_2_pct), f"{worst_after_shift_pct(c, top):+.2f} %")
            for c in check.curves
        ]
        head = ("Line", "Gamma 3 %/3 mm", "Gamma 2 %/2 mm", f"Worst, {10 * SHIFT_CM:g} mm allowed")
        story += [_pairs(drawings), table(head, rows, widths=(3, 1, 1, 1.2))]
    return story


def _profiles(energy: EnergyReport) -> list[Flowable]:
    rows: list[tuple[str, ...]] = []
    bad: list[int] = []
    for curve in energy.curves:
        measured, computed = curve.measured_edges, curve.computed_edges
        edges = ("", "")
        if measured is not None and computed is not None:
            edges = (_pair(measured.width_cm, computed.width_cm), _pair(measured.penumbra_cm, computed.penumbra_cm))
        if curve.gamma_3_3_pct < _PASS_PCT:
            bad.append(len(rows))
        rows.append((curve.name, _percent(curve.gamma_3_3_pct), _percent(curve.gamma_2_2_pct), *edges))
    head = ("Curve", "Gamma 3 %/3 mm", "Gamma 2 %/2 mm", "Width 50 % cm meas. / comp.", "Penumbra 80\N{EN DASH}20 cm")
    return [paragraph("Curves", HEADING), table(head, rows, widths=(2.4, 0.9, 0.9, 1.2, 1.2), alarm_rows=bad)]


def _pair(measured_cm: float, computed_cm: float) -> str:
    """Both figures; a dash for a curve too low or too short to have them."""
    return " / ".join("\N{EN DASH}" if math.isnan(v) else f"{v:.2f}" for v in (measured_cm, computed_cm))


def _points(energy: EnergyReport) -> list[Flowable]:
    rows = [
        (
            p.curve,
            f"{p.position_cm:.2f}",
            f"{p.measured_cgy_per_mu:.4f}",
            f"{p.computed_cgy_per_mu:.4f}",
            f"{p.difference_pct:+.2f} %",
        )
        for p in worst_points(energy.curves)
    ]
    head = ("Ten worst points", "Position cm", "Measured cGy/MU", "Computed cGy/MU", "of the curve's maximum")
    return [paragraph("Largest differences", HEADING), table(head, rows, widths=(2.4, 1, 1, 1, 1))]


def _parameters(energy: EnergyReport) -> list[Flowable]:
    rows = [
        (p.name, f"{p.value:.6g}", f"{p.uncertainty:.2g}" if p.uncertainty else "\N{EN DASH}", p.source)
        for p in energy.parameters
    ]
    quality = (
        f"Mean squared residual of the fit {energy.fit_chi2:.2f}, of the smoothed reference depth dose "
        f"{energy.smoothing_chi2:.2f}, in units of the measurements' variances."
    )
    head = ("Parameter", "Value", "Std. uncertainty", "From")
    return [paragraph("Fitted parameters", HEADING), table(head, rows, widths=(1.6, 1, 0.9, 2.4)), paragraph(quality)]


def _signatures() -> list[Flowable]:
    rows = [(who, "", "") for who in ("Medical physicist", "Independent check")]
    return [
        paragraph("Release", HEADING),
        paragraph("The models may be used for the fields, distances and openings named above and for nothing else."),
        table(("", "Name", "Date, signature"), rows),
    ]
