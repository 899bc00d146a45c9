"""The cutout, drawn 1:1."""

from __future__ import annotations

from collections.abc import Sequence

from reportlab.lib.colors import HexColor, black
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from ert.domain.device import Outline
from ert.reports.page import BOLD, FONT, printable

_OPENING, _FRAME = HexColor("#fff3b0"), HexColor("#777777")
_PAD = 1.1 * cm


class CutoutDrawing(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A cutout at true size in beam's eye view, seen from the source.

    Parameters
    ----------
    outline_cm : opening, points (x, y) on the plane drawn.
    frame_cm : full widths (x, y) of the applicator's opening on the same plane.
    title : which plane, which beam.
    scale : 1.0 is true size; smaller where the page is too small, and said so under the drawing.
    """

    def __init__(
        self,
        outline_cm: Outline,
        *,
        frame_cm: tuple[float, float],
        title: str,
        max_width_pt: float,
        max_height_pt: float,
    ) -> None:
        super().__init__()
        self.outline_cm, self.frame_cm, self.title = outline_cm, frame_cm, title
        need_x = max(frame_cm[0], 2 * max(abs(x) for x, _ in outline_cm)) * cm + 2 * _PAD
        need_y = max(frame_cm[1], 2 * max(abs(y) for _, y in outline_cm)) * cm + 2 * _PAD + 24
        self.scale = min(1.0, max_width_pt / need_x, max_height_pt / need_y)
        self.width, self.height = need_x * self.scale, need_y * self.scale

    def wrap(self, *_available: float) -> tuple[float, float]:
        """Size on the page."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw onto the page."""
        canvas: Canvas = self.canv
        unit = cm * self.scale
        middle_x, middle_y = self.width / 2, self.height / 2 + 6
        canvas.saveState()
        canvas.translate(middle_x, middle_y)
        half_x, half_y = self.frame_cm[0] / 2 * unit, self.frame_cm[1] / 2 * unit
        canvas.setStrokeColor(_FRAME)
        canvas.setDash(4, 2)
        canvas.rect(-half_x, -half_y, 2 * half_x, 2 * half_y)
        canvas.setDash([])
        self._draw_opening(canvas, unit)
        self._draw_marks(canvas, half_x, half_y)
        canvas.restoreState()
        self._draw_scale(canvas, unit)

    def _draw_opening(self, canvas: Canvas, unit: float) -> None:
        path = canvas.beginPath()
        for number, (x, y) in enumerate(self.outline_cm):
            (path.lineTo if number else path.moveTo)(x * unit, y * unit)
        path.close()
        canvas.setFillColor(_OPENING)
        canvas.setStrokeColor(black)
        canvas.setLineWidth(0.8)
        canvas.drawPath(path, fill=1, stroke=1)
        canvas.setLineWidth(0.3)
        canvas.line(-10, 0, 10, 0)
        canvas.line(0, -10, 0, 10)

    @staticmethod
    def _draw_marks(canvas: Canvas, half_x: float, half_y: float) -> None:
        canvas.setFillColor(black)
        canvas.setFont(BOLD, 7)
        canvas.drawCentredString(0, half_y + 5, "+Y  GANTRY (collimator 0)")
        canvas.drawCentredString(0, -half_y - 11, "\N{EN DASH}Y")
        canvas.drawString(half_x + 4, -3, "+X")
        canvas.drawRightString(-half_x - 4, -3, "\N{EN DASH}X")

    def _draw_scale(self, canvas: Canvas, unit: float) -> None:
        canvas.setFont(FONT, 6)
        size = "true size" if self.scale == 1.0 else f"REDUCED to {100 * self.scale:.0f} %: do not trace"
        canvas.drawString(2, 2, printable(f"{self.title}, seen from the source, {size}"))
        canvas.setLineWidth(1.0)
        y = 14.0
        canvas.line(4, y, 4 + 5 * unit, y)
        for tick in range(6):
            canvas.line(4 + tick * unit, y - 2, 4 + tick * unit, y + 2)
        canvas.drawString(8 + 5 * unit, y - 2, "5 cm")


def scaled(outline_cm: Sequence[tuple[float, float]], factor: float) -> Outline:
    """An outline on another plane: every coordinate times the ratio of the planes' distances from the source."""
    return tuple((x * factor, y * factor) for x, y in outline_cm)
