"""Pictures of a plan as PNG files: the same drawings as in the report."""

from __future__ import annotations

import io

import pypdfium2
from PIL import Image
from reportlab.lib.colors import HexColor, white
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepInFrame

from ert.reports.page import BOLD, DEMO_MARK, FONT, NOT_CLEARED, printable
from ert.reports.plan_content import PlanReport, dose_maximum, slice_content
from ert.reports.plan_report import slice_row
from ert.reports.plot import LinePlot, Series, on_paper
from ert.reports.slices import IsodoseLegend

_WIDTH, _HEIGHT = 32.0 * cm, 18.0 * cm
_PIXELS_PER_POINT = 1920 / _WIDTH


def _render(drawings: list[Flowable], report: PlanReport, title: str) -> bytes:
    """The drawings under a title line, as a PNG 1920 pixels wide."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(_WIDTH, _HEIGHT), invariant=1)
    canvas.setFillColor(white)
    canvas.rect(0, 0, _WIDTH, _HEIGHT, stroke=0, fill=1)
    canvas.setFillColor(HexColor("#000000"))
    canvas.setFont(BOLD, 10)
    who = f"{report.patient.display_name}  ·  {report.patient.medical_record_number}"
    what = f"{report.plan.name} r{report.revision}  ·  {title}"
    canvas.drawString(0.6 * cm, _HEIGHT - 0.8 * cm, printable(f"{who}  ·  {what}"))
    canvas.setFont(FONT, 7)
    canvas.drawString(0.6 * cm, 0.4 * cm, printable(f"{report.software}. {report.engine}. {NOT_CLEARED}"))
    if report.is_demo:
        canvas.setFillColor(HexColor("#b00020"))
        canvas.setFont(BOLD, 9)
        canvas.drawRightString(_WIDTH - 0.6 * cm, 0.4 * cm, DEMO_MARK)
        canvas.setFillColor(HexColor("#000000"))
    frame = KeepInFrame(_WIDTH - 1.2 * cm, _HEIGHT - 2.0 * cm, drawings, mode="shrink")
    _, used = frame.wrapOn(canvas, _WIDTH - 1.2 * cm, _HEIGHT - 2.0 * cm)
    frame.drawOn(canvas, 0.6 * cm, _HEIGHT - 1.2 * cm - used)
    canvas.showPage()
    canvas.save()
    return _rasterise(buffer.getvalue())


def _rasterise(pdf: bytes) -> bytes:
    document = pypdfium2.PdfDocument(pdf)
    try:
        page = document[0]
        picture: Image.Image = page.render(scale=_PIXELS_PER_POINT).to_pil()
        page.close()
    finally:
        document.close()
    out = io.BytesIO()
    picture.convert("RGB").save(out, format="PNG")
    return out.getvalue()


def plan_pictures(report: PlanReport) -> dict[str, bytes]:
    """File name → PNG bytes: slices through isocentre and dose maximum, and the DVH."""
    content = slice_content(report)
    maximum_gy, maximum_cm = dose_maximum(report.dose_grid, report.dose_gy)
    width_pt, phrase = _WIDTH - 1.4 * cm, report.plan.dose_to.phrase
    legend = IsodoseLegend(content.isodoses, width_pt=width_pt)
    pictures = {}
    for name, title, point in (
        ("slices_isocentre.png", f"slices through the isocentre, {phrase}", report.beams[0].beam.isocentre_cm),
        ("slices_maximum.png", f"slices through the dose maximum {maximum_gy:.2f} Gy, {phrase}", maximum_cm),
    ):
        row = slice_row(content, point, width_pt=width_pt, height_pt=_HEIGHT - 3.2 * cm)
        pictures[name] = _render([legend, row], report, title)
    if report.dvhs:
        curves = [
            Series(name=f"{d.name} ({d.volume_cc:.1f} cc)", x=d.dose_gy, y=d.volume_pct, colour=on_paper(d.colour))
            for d in report.dvhs
        ]
        plot = LinePlot(
            curves, width_pt=width_pt, height_pt=_HEIGHT - 2.4 * cm,
            x_label=f"{report.plan.dose_to.phrase} (Gy)", y_label="volume (%)", y_range=(0, 102), legend="beside",
        )  # fmt: skip
        pictures["dvh.png"] = _render([plot], report, "dose\N{EN DASH}volume histogram")
    return pictures
