"""Icons: our own line drawings, tinted when they are asked for, so that they show on every palette."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from ert.settings import resources_dir
from ert.ui.theme import TEXT

_DISABLED = "#5c646b"
_SIDES = (16, 24, 32, 48)


@lru_cache(maxsize=256)
def icon(name: str, colour: str = TEXT) -> QIcon:
    """The icon of that name in a colour; a disabled look is included.

    Raises
    ------
    FileNotFoundError
        If there is no such drawing.
    """
    source = (resources_dir() / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    made = QIcon()
    for mode, tint in ((QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, _DISABLED)):
        renderer = QSvgRenderer(QByteArray(source.replace("currentColor", tint).encode()))
        for side in _SIDES:
            pixmap = QPixmap(side, side)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            renderer.render(painter)
            painter.end()
            made.addPixmap(pixmap, mode)
    return made
