"""Layers of a slice that stay while its dose changes: drawn once, then only put into the picture.

Outlines have soft edges and take longer than all the rest; a Monte Carlo brings a new dose every second or two.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPixmap


class KeptPixmap:
    """A pixmap that is drawn again only when what it shows changes."""

    def __init__(self) -> None:
        self._key: object = None
        self._pixmap: QPixmap | None = None

    def shown(
        self,
        key: object,
        draw: Callable[[QPainter], None],
        *,
        size: QSize,
        ratio: float,
        ground: Qt.GlobalColor = Qt.GlobalColor.transparent,
    ) -> QPixmap:
        """The pixmap of a key.

        Parameters
        ----------
        key : everything the drawing depends on, compared by value.
        draw : draws it, if the key is another than before.
        size, ratio : of the view in its own pixels, and how many of the screen's each of them is.
        ground : what it is filled with before.
        """
        whole = (key, size.width(), size.height(), ratio)
        if self._pixmap is None or whole != self._key:
            self._pixmap, self._key = drawn_pixmap(draw, size=size, ratio=ratio, ground=ground), whole
        return self._pixmap


def drawn_pixmap(
    draw: Callable[[QPainter], None],
    *,
    size: QSize,
    ratio: float,
    ground: QColor | Qt.GlobalColor | QPixmap,
    font: QFont | None = None,
) -> QPixmap:
    """A pixmap of a view's size with something drawn on a colour, or on a copy of another pixmap of that size."""
    pixmap = QPixmap(ground) if isinstance(ground, QPixmap) else QPixmap(size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    if not isinstance(ground, QPixmap):
        pixmap.fill(ground)
    painter = QPainter(pixmap)
    try:
        if font is not None:
            painter.setFont(font)
        draw(painter)
    finally:
        painter.end()
    return pixmap
