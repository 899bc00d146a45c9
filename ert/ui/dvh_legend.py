"""The legend of the dose–volume histograms: lies over the plot, where electron histograms leave room.

On a small plot they leave none. There is no legend then: the table beside the plot names the same colours, and so does
the read-out at the pointer.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from ert.domain.dvh import Dvh
from ert.ui.theme import BASE, BORDER, TEXT

_LINE_PX, _GAP_PX, _PAD_PX = 18, 6, 4
_WIDEST_PX = 130
_PLATE_OPACITY = 0.9  # of 1: names stay legible on bright curves, which still show where they run
_SMALLER_PT = 1.5
_MOST_COVERED_FRAC = 0.25


class DvhLegend(QWidget):
    """Names beside pieces of their curves; too many for the height end in a count."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: tuple[tuple[str, QColor | None], ...] = ()
        self._dvhs: tuple[Dvh, ...] = ()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        font = self.font()
        font.setPointSizeF(font.pointSizeF() - _SMALLER_PT)
        self.setFont(font)

    @property
    def names(self) -> tuple[str, ...]:
        """What is written, from above."""
        return tuple(text for text, _ in self._rows)

    def show_names(self, dvhs: Sequence[Dvh]) -> None:
        """Name these histograms; call `place` afterwards."""
        self._dvhs = tuple(dvhs)

    def place(self, area: QRectF, right_frac: float) -> None:
        """Fit into the upper part of the plot's area, right edge at a part of its width; hide where it covers much."""
        metrics, before = QFontMetrics(self.font()), self._rows
        room = max(int((area.height() - 2 * _PAD_PX) / metrics.height()), 1)
        shown = self._dvhs if len(self._dvhs) <= room else self._dvhs[: room - 1]
        elide = Qt.TextElideMode.ElideMiddle
        rows = [(metrics.elidedText(d.name, elide, _WIDEST_PX), QColor(*d.colour)) for d in shown]
        self._rows = tuple(rows)
        if len(shown) < len(self._dvhs):
            self._rows += ((f"+ {len(self._dvhs) - len(shown)} in the table", None),)
        if not self._rows:
            self.hide()
            return
        width = _LINE_PX + _GAP_PX + max(metrics.horizontalAdvance(text) for text, _ in self._rows) + 2 * _PAD_PX
        height = metrics.height() * len(self._rows) + 2 * _PAD_PX
        if width * height > _MOST_COVERED_FRAC * area.width() * area.height():
            self.hide()
            return
        right = area.left() + area.width() * right_frac - _GAP_PX
        place = QRect(int(max(right - width, area.left())), int(area.top()) + 1, width, height)
        if self._rows == before and not self.isHidden() and place == self.geometry():
            return  # it lies over the plot, which would be drawn again with it
        self.setGeometry(place)
        self.show()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A nearly opaque plate with an edge; what remains of the curves below does not disturb the names."""
        painter = QPainter(self)
        try:
            plate = QColor(BASE)
            plate.setAlphaF(_PLATE_OPACITY)
            painter.fillRect(self.rect(), plate)
            painter.setPen(QPen(QColor(BORDER), 1.0))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
            line_px = painter.fontMetrics().height()
            for number, (text, colour) in enumerate(self._rows):
                top = _PAD_PX + number * line_px
                if colour is not None:
                    painter.setPen(QPen(colour, 2.0))
                    middle = top + line_px // 2
                    painter.drawLine(_PAD_PX, middle, _PAD_PX + _LINE_PX, middle)
                painter.setPen(QColor(TEXT))
                left = _PAD_PX + _LINE_PX + _GAP_PX
                rest = QRectF(left, top, self.width() - left, line_px)
                painter.drawText(rest, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)
        finally:
            painter.end()
