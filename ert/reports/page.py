"""Pages of every report: fonts, styles, who and what on each page, page x of y; same content, same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import reportlab
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import cm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Table, TableStyle

NOT_CLEARED = "Research software, not a cleared medical device."
DEMO_MARK = "DEMO MACHINE \N{EN DASH} NOT FOR CLINICAL USE"
MARGIN = 1.5 * cm
TEXT_WIDTH = A4[0] - 2 * MARGIN
FONT, BOLD = "Vera", "VeraBd"
_ALARM = colors.HexColor("#b00020")
_GREY = colors.HexColor("#555555")
Row = Sequence[str]


def _register() -> None:
    folder = Path(reportlab.__file__).parent / "fonts"
    for name in (FONT, BOLD):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))


_register()
BODY = ParagraphStyle("body", fontName=FONT, fontSize=7.5, leading=10)
CELL = ParagraphStyle("cell", parent=BODY, fontSize=6.8, leading=8.6)
HEAD_CELL = ParagraphStyle("head", parent=CELL, fontName=BOLD)
TITLE = ParagraphStyle("title", parent=BODY, fontName=BOLD, fontSize=14, leading=18)
HEADING = ParagraphStyle("heading", parent=BODY, fontName=BOLD, fontSize=10, leading=13, spaceBefore=8, spaceAfter=3)
ALARM = ParagraphStyle("alarm", parent=BODY, fontName=BOLD, fontSize=9, leading=12, textColor=_ALARM)


def printable(text: str) -> str:
    """The text with characters the embedded font lacks written as ``[U+XXXX]``: never dropped, never guessed."""
    known = pdfmetrics.getFont(FONT).face.charToGlyph
    return "".join(c if ord(c) in known or c == "\n" else f"[U+{ord(c):04X}]" for c in text)


def paragraph(text: str, style: ParagraphStyle = BODY) -> Paragraph:
    """A paragraph of plain text: markup characters in names stay what they are."""
    safe = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br/>")
    return Paragraph(safe, style)


def table(
    head: Row, rows: Sequence[Row], *, widths: Sequence[float] | None = None, alarm_rows: Sequence[int] = ()
) -> Table:
    """A ruled table of text; ``widths`` are shares of the text width; ``alarm_rows`` are set in red."""
    shares = list(widths) if widths is not None else [1.0] * len(head)
    total = sum(shares)
    alarm = ParagraphStyle("alarm-cell", parent=CELL, textColor=_ALARM)
    cells = [[paragraph(text, HEAD_CELL) for text in head]]
    cells += [[paragraph(t, alarm if n in alarm_rows else CELL) for t in row] for n, row in enumerate(rows)]
    made = Table(cells, colWidths=[TEXT_WIDTH * s / total for s in shares], repeatRows=1)
    made.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, 0), 0.7, colors.black),
                ("LINEBELOW", (0, 1), (-1, -1), 0.2, colors.lightgrey),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("RIGHTPADDING", (0, 0), (-1, -1), 2),
            ]
        )
    )
    return made


def facts(rows: Sequence[tuple[str, str]]) -> Table:
    """Two columns: what, and its value."""
    made = Table(
        [[paragraph(name, HEAD_CELL), paragraph(value, CELL)] for name, value in rows],
        colWidths=[0.24 * TEXT_WIDTH, 0.76 * TEXT_WIDTH],
    )
    made.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 1),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
            ]
        )
    )
    return made


@attrs.frozen(kw_only=True)
class PageMarks:
    """What stands on each page.

    Attributes
    ----------
    identity : left top: patient's name, id, birth date; or the machine.
    subject : right top: plan and revision; or the model.
    software : left bottom: program version and time of printing.
    is_demo : a demo machine was used: a red mark on each page.
    """

    identity: str
    subject: str
    software: str
    is_demo: bool


def _draw_marks(canvas: Canvas, marks: PageMarks, page: int, pages: int) -> None:
    width, height = A4
    canvas.saveState()
    canvas.setFont(BOLD, 8)
    canvas.drawString(MARGIN, height - 1.0 * cm, printable(marks.identity))
    canvas.drawRightString(width - MARGIN, height - 1.0 * cm, printable(marks.subject))
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, height - 1.15 * cm, width - MARGIN, height - 1.15 * cm)
    canvas.setFont(FONT, 6.5)
    canvas.setFillColor(_GREY)
    canvas.drawString(MARGIN, 0.8 * cm, printable(f"{marks.software}  {NOT_CLEARED}"))
    canvas.drawRightString(width - MARGIN, 0.8 * cm, f"page {page} of {pages}")
    if marks.is_demo:
        canvas.setFillColor(_ALARM)
        canvas.setFont(BOLD, 8)
        canvas.drawCentredString(width / 2, 1.15 * cm, DEMO_MARK)
    canvas.restoreState()


def _canvas_class(marks: PageMarks) -> Callable[..., Canvas]:
    """A canvas that knows how many pages there are before it writes the marks."""

    class MarkedCanvas(Canvas):  # type: ignore[misc]  # reportlab has no types
        def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the base class's
            super().__init__(*args, **{**kwargs, "invariant": 1})
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - the base class's name
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, state in enumerate(self._kept, start=1):
                self.__dict__.update(state)
                _draw_marks(self, marks, number, len(self._kept))
                super().showPage()
            super().save()

    return MarkedCanvas


def build_pdf(story: Sequence[Flowable], *, title: str, marks: PageMarks) -> bytes:
    """The finished document. Nothing in it depends on the clock: equal content gives equal bytes."""
    buffer = io.BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=1.5 * cm,
        bottomMargin=1.6 * cm,
        title=printable(title),
        author="ERT",
        subject=NOT_CLEARED,
    )
    document.build(list(story), canvasmaker=_canvas_class(marks))
    return buffer.getvalue()
