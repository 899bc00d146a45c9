"""Line plots as vector drawings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from reportlab.lib.colors import Color, black, lightgrey, white
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from ert.reports.page import BOLD, FONT, printable

Rgb = tuple[int, int, int]
_LEFT, _BOTTOM, _TOP, _RIGHT = 32.0, 24.0, 14.0, 6.0
_LEGEND_ROW, _SAMPLE = 7.5, 15.0
_SMALL = 5.5
_DOT = 1.3
_LIGHTEST = 0.6


def rgb(colour: Rgb) -> Color:
    """0–255 red, green, blue as a reportlab colour."""
    return Color(*(c / 255 for c in colour))


def on_paper(colour: Rgb) -> Rgb:
    """The colour, darkened where it would vanish on white: luminance (ITU-R BT.709 weights) at most 0.6."""
    luminance = (0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]) / 255
    if luminance <= _LIGHTEST:
        return colour
    red, green, blue = (round(c * _LIGHTEST / luminance) for c in colour)
    return red, green, blue


def _floats(value: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(value, dtype=np.float64).ravel()


@attrs.frozen(kw_only=True)
class Series:
    """One curve: a line, dashes, or dots."""

    name: str
    x: NDArray[np.float64] = attrs.field(converter=_floats, eq=False)
    y: NDArray[np.float64] = attrs.field(converter=_floats, eq=False)
    colour: Rgb = (0, 0, 0)
    style: str = "line"
    width_pt: float = 0.9


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers between two ends, about ``count`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


class LinePlot(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A plot with axes, grid, title and a legend of its series; sizes in points.

    A legend "inside" lies in the upper right of the plot; "below" and "beside" it covers no curve.
    """

    def __init__(
        self,
        series: Sequence[Series],
        *,
        width_pt: float,
        height_pt: float,
        x_label: str,
        y_label: str,
        title: str = "",
        x_range: tuple[float, float] | None = None,
        y_range: tuple[float, float] | None = None,
        legend: Literal["inside", "below", "beside"] = "inside",
    ) -> None:
        super().__init__()
        self.series = [s for s in series if len(s.x)]
        self.width, self.height = width_pt, height_pt
        self.x_label, self.y_label, self.title = x_label, y_label, title
        self.x_range = x_range or self._extent([s.x for s in self.series])
        low, high = self._extent([s.y for s in self.series])
        self.y_range = y_range or (min(low, 0.0), high * 1.05 if high > 0 else 1.0)
        self.legend = legend
        self.named = [s for s in self.series if s.name]
        self.bottom = _BOTTOM + (_LEGEND_ROW * len(self.named) if legend == "below" else 0.0)
        widest = max((stringWidth(printable(s.name), FONT, _SMALL) for s in self.named), default=0.0)
        self.right = self.width - _RIGHT - (widest + _SAMPLE + 14 if legend == "beside" else 0.0)

    @staticmethod
    def _extent(arrays: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
        if not arrays:
            return 0.0, 1.0
        low, high = min(float(a.min()) for a in arrays), max(float(a.max()) for a in arrays)
        return (low, high) if high > low else (low, low + 1.0)

    def wrap(self, *_available: float) -> tuple[float, float]:
        """Size on the page."""
        return self.width, self.height

    def _place(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        across = _LEFT + (x - x0) / (x1 - x0) * (self.right - _LEFT)
        up = self.bottom + (y - y0) / (y1 - y0) * (self.height - self.bottom - _TOP)
        return across, up

    def draw(self) -> None:
        """Draw onto the page."""
        canvas: Canvas = self.canv
        self._draw_axes(canvas)
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(_LEFT, self.bottom, self.right - _LEFT, self.height - self.bottom - _TOP)
        canvas.clipPath(frame, stroke=0)
        for series in self.series:
            self._draw_series(canvas, series)
        canvas.restoreState()
        if self.legend in ("inside", "beside"):
            self._draw_legend(canvas, self.height - _TOP - 14, has_box=self.legend == "inside")
        else:
            self._draw_legend(canvas, _LEGEND_ROW * (len(self.named) - 1) + 2, has_box=False)

    def _draw_axes(self, canvas: Canvas) -> None:
        right, top = self.right, self.height - _TOP
        canvas.setFont(FONT, _SMALL)
        canvas.setLineWidth(0.25)
        for value in ticks(*self.x_range):
            x, _ = self._place(np.array(value), np.array(0.0))
            canvas.setStrokeColor(lightgrey)
            canvas.line(float(x), self.bottom, float(x), top)
            canvas.drawCentredString(float(x), self.bottom - 8, f"{value:g}")
        for value in ticks(*self.y_range):
            _, y = self._place(np.array(0.0), np.array(value))
            canvas.setStrokeColor(lightgrey)
            canvas.line(_LEFT, float(y), right, float(y))
            canvas.drawRightString(_LEFT - 3, float(y) - 2, f"{value:g}")
        canvas.setStrokeColor(black)
        canvas.setLineWidth(0.6)
        canvas.rect(_LEFT, self.bottom, right - _LEFT, top - self.bottom)
        canvas.drawCentredString((_LEFT + right) / 2, self.bottom - 18, printable(self.x_label))
        canvas.saveState()
        canvas.translate(7, (self.bottom + top) / 2)
        canvas.rotate(90)
        canvas.drawCentredString(0, 0, printable(self.y_label))
        canvas.restoreState()
        canvas.setFont(BOLD, 6.5)
        canvas.drawString(_LEFT, top + 4, printable(self.title))

    def _draw_series(self, canvas: Canvas, series: Series) -> None:
        across, up = self._place(series.x, series.y)
        colour = rgb(series.colour)
        canvas.setStrokeColor(colour)
        canvas.setFillColor(colour)
        if series.style == "dots":
            for x, y in zip(across.tolist(), up.tolist(), strict=True):
                canvas.rect(x - _DOT / 2, y - _DOT / 2, _DOT, _DOT, stroke=0, fill=1)
            return
        canvas.setLineWidth(series.width_pt)
        canvas.setDash(*((3, 2) if series.style == "dashed" else ([],)))
        path = canvas.beginPath()
        for number, (x, y) in enumerate(zip(across.tolist(), up.tolist(), strict=True)):
            (path.lineTo if number else path.moveTo)(x, y)
        canvas.drawPath(path)
        canvas.setDash([])

    def _draw_legend(self, canvas: Canvas, first: float, *, has_box: bool) -> None:
        if not self.named:
            return
        canvas.setFont(FONT, _SMALL)
        widest = max(canvas.stringWidth(printable(s.name), FONT, _SMALL) for s in self.named)
        x = self.width - _RIGHT - 7
        if has_box:
            canvas.setFillColor(white)
            canvas.setStrokeColor(lightgrey)
            canvas.setLineWidth(0.4)
            height = _LEGEND_ROW * len(self.named)
            canvas.rect(x - widest - 18, first - height + 4, widest + 21, height + 3, fill=1)
        for row, series in enumerate(self.named):
            y = first - _LEGEND_ROW * row
            canvas.setFillColor(black)
            canvas.drawString(x - widest, y, printable(series.name))
            self._draw_sample(canvas, series, x - widest, y + 2)
        canvas.setFillColor(black)

    @staticmethod
    def _draw_sample(canvas: Canvas, series: Series, x: float, y: float) -> None:
        canvas.setStrokeColor(rgb(series.colour))
        canvas.setFillColor(rgb(series.colour))
        if series.style == "dots":
            canvas.rect(x - 9, y - _DOT / 2, _DOT, _DOT, stroke=0, fill=1)
            return
        canvas.setLineWidth(1.2)
        canvas.setDash(*((3, 2) if series.style == "dashed" else ([],)))
        canvas.line(x - _SAMPLE, y, x - 3, y)
        canvas.setDash([])
