"""The plots of the reports as SVG: the part of reportlab's canvas that `ert.reports.plot` draws with."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color, black
from reportlab.pdfbase import pdfmetrics
from reportlab.platypus import Flowable

from ert.reports.page import BOLD

_FAMILY = "'Bitstream Vera Sans','DejaVu Sans',sans-serif"


def drawing(plots: Sequence[Sequence[Flowable]], *, gap_pt: float = 6.0) -> str:
    """Plots in rows, the first row on top, as one SVG on white; equal plots give equal text."""
    widths = [sum(p.width + gap_pt for p in row) - gap_pt for row in plots if row]
    heights = [max(p.height for p in row) for row in plots if row]
    width, height = max(widths), sum(heights) + gap_pt * (len(heights) - 1)
    canvas = _SvgCanvas(width, height)
    top = height
    for row, high in zip((r for r in plots if r), heights, strict=True):
        left = 0.0
        for plot in row:
            plot.drawOn(canvas, left, top - high)
            left += plot.width + gap_pt
        top -= high + gap_pt
    return canvas.text()


class _Path:
    """What `beginPath` gives: moves, lines and rectangles, y upwards."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def moveTo(self, x: float, y: float) -> None:
        self.parts.append(f"M{_number(x)} {_number(-y)}")

    def lineTo(self, x: float, y: float) -> None:
        self.parts.append(f"L{_number(x)} {_number(-y)}")

    def rect(self, x: float, y: float, width: float, height: float) -> None:
        self.parts.append(_rectangle(x, y, width, height))


class _SvgCanvas:
    """Draws what `LinePlot` asks of a reportlab canvas; lengths in points, y upwards from the lower edge."""

    def __init__(self, width_pt: float, height_pt: float) -> None:
        self._size = (width_pt, height_pt)
        self._lines: list[str] = []
        self._groups = [0]
        self._clips = 0
        self._fill, self._stroke, self._line_width, self._dash = black, black, 1.0, ""
        self._font, self._font_size = "", 0.0
        self._dots: list[str] = []

    def text(self) -> str:
        """The whole file."""
        self._flush()
        width, height = (_number(v) for v in self._size)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
            f'viewBox="0 0 {width} {height}" font-family="{_FAMILY}">'
        )
        body = [f'<rect width="{width}" height="{height}" fill="#fff"/>', f'<g transform="translate(0 {height})">']
        return "\n".join([head, *body, *self._lines, "</g>", "</svg>", ""])

    # ---- state ---------------------------------------------------------------------------------------------------

    def saveState(self) -> None:
        self._groups.append(0)

    def restoreState(self) -> None:
        self._flush()
        self._lines += ["</g>"] * self._groups.pop()

    def _open(self, attributes: str) -> None:
        self._flush()
        self._lines.append(f"<g {attributes}>")
        self._groups[-1] += 1

    def translate(self, x: float, y: float) -> None:
        self._open(f'transform="translate({_number(x)} {_number(-y)})"')

    def rotate(self, degrees: float) -> None:
        self._open(f'transform="rotate({_number(-degrees)})"')

    def clipPath(self, path: _Path, *, stroke: int) -> None:
        if stroke:
            raise ValueError("A clip is not stroked.")
        self._clips += 1
        name = f"c{self._clips}"
        self._flush()
        self._lines.append(f'<defs><clipPath id="{name}"><path d="{"".join(path.parts)}"/></clipPath></defs>')
        self._open(f'clip-path="url(#{name})"')

    def setFont(self, name: str, size: float) -> None:
        self._font, self._font_size = name, size

    def setLineWidth(self, width: float) -> None:
        self._line_width = width

    def setDash(self, *lengths: float | list[float]) -> None:
        self._dash = "" if lengths == ([],) else " ".join(f"{v:g}" for v in lengths)

    def setStrokeColor(self, colour: Color) -> None:
        self._stroke = colour

    def setFillColor(self, colour: Color) -> None:
        self._flush()
        self._fill = colour

    # ---- drawing -------------------------------------------------------------------------------------------------

    def beginPath(self) -> _Path:
        return _Path()

    def drawPath(self, path: _Path) -> None:
        self._flush()
        self._lines.append(f'<path d="{"".join(path.parts)}" fill="none"{self._pen()}/>')

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        path = _Path()
        path.moveTo(x0, y0)
        path.lineTo(x1, y1)
        self.drawPath(path)

    def rect(self, x: float, y: float, width: float, height: float, *, stroke: int = 1, fill: int = 0) -> None:
        path = _rectangle(x, y, width, height)
        if fill and not stroke:
            # Dots come in hundreds: those of one colour become one path.
            self._dots.append(path)
            return
        self._flush()
        colour = f' fill="{_hex(self._fill)}"' if fill else ' fill="none"'
        self._lines.append(f'<path d="{path}"{colour}{self._pen() if stroke else ""}/>')

    def drawString(self, x: float, y: float, text: str) -> None:
        self._write(x, y, text, "start")

    def drawCentredString(self, x: float, y: float, text: str) -> None:
        self._write(x, y, text, "middle")

    def drawRightString(self, x: float, y: float, text: str) -> None:
        self._write(x, y, text, "end")

    @staticmethod
    def stringWidth(text: str, font: str, size: float) -> float:
        return float(pdfmetrics.stringWidth(text, font, size))

    def _write(self, x: float, y: float, text: str, anchor: str) -> None:
        if not text:
            return
        self._flush()
        weight = ' font-weight="bold"' if self._font == BOLD else ""
        at = "" if anchor == "start" else f' text-anchor="{anchor}"'
        colour = "" if self._fill == black else f' fill="{_hex(self._fill)}"'
        self._lines.append(
            f'<text x="{_number(x)}" y="{_number(-y)}" font-size="{self._font_size:g}"{weight}{at}{colour}>'
            f"{escape(text)}</text>"
        )

    def _pen(self) -> str:
        dash = f' stroke-dasharray="{self._dash}"' if self._dash else ""
        return f' stroke="{_hex(self._stroke)}" stroke-width="{self._line_width:g}"{dash}'

    def _flush(self) -> None:
        if self._dots:
            self._lines.append(f'<path d="{"".join(self._dots)}" fill="{_hex(self._fill)}"/>')
            self._dots = []


def _rectangle(x: float, y: float, width: float, height: float) -> str:
    return f"M{_number(x)} {_number(-y)}h{_number(width)}v{_number(-height)}h{_number(-width)}z"


def _number(value: float) -> str:
    """Two decimals are a seventieth of a millimetre; no negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _hex(colour: Color) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in (colour.red, colour.green, colour.blue))
