"""From arrays to Qt's images and paths, without a Python loop over points or pixels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray, QDataStream, QIODevice, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPainterPath

_ELEMENT = np.dtype([("kind", ">i4"), ("x", ">f8"), ("y", ">f8")])
_MOVE, _LINE = 0, 1
_HU_COUNT = 65536
_PLATE_PAD = 4.5
PLATE = QColor(0, 0, 0, 165)
_MOST_SIZES = 1000
_text_sizes: dict[tuple[str, str], tuple[float, float]] = {}


def path_of(lines: Iterable[NDArray[np.float64]], *, is_closed: bool = False) -> QPainterPath:
    """One painter path of many polylines (n, 2)."""
    chosen = [np.vstack([n, n[:1]]) if is_closed else n for n in lines if len(n) >= 2]  # noqa: PLR2004
    if not chosen:
        return QPainterPath()
    return path_of_points(np.concatenate(chosen), np.cumsum([0, *(len(n) for n in chosen)]))


def path_of_points(points: NDArray[np.float64], starts: NDArray[np.integer]) -> QPainterPath:
    """One painter path of many polylines in one array, written in QPainterPath's stream format (Qt 6, QDataStream).

    Parameters
    ----------
    points : (n, 2), one line after the other.
    starts : (lines + 1,) where each begins, then n.
    """
    path = QPainterPath()
    count = len(points)
    if count:
        elements = np.empty(count, dtype=_ELEMENT)  # filled in place: numpy's joins would turn the bytes around
        elements["kind"] = _LINE
        elements["kind"][starts[:-1]] = _MOVE
        elements["x"], elements["y"] = points[:, 0], points[:, 1]
        head = np.array([count], dtype=">i4").tobytes()
        tail = np.array([starts[-2], 0], dtype=">i4").tobytes()
        data = QByteArray(head + elements.tobytes() + tail)
        stream = QDataStream(data, QIODevice.OpenModeFlag.ReadOnly)
        stream >> path
    return path


def window_table(window_hu: float, level_hu: float) -> NDArray[np.uint32]:
    """Opaque grey for each CT number, linear as DICOM PS3.3 C.11.2.1.3.2; index = the number's 16 bits as unsigned.

    Returns
    -------
    ndarray
        uint32 (65536,), 0xffRRGGBB.
    """
    hu = np.arange(_HU_COUNT, dtype=np.uint16).view(np.int16).astype(np.float64)
    grey = np.clip((hu - level_hu) / window_hu + 0.5, 0.0, 1.0) * 255.0
    level = grey.round().astype(np.uint32)
    return np.uint32(0xFF000000) | (level << np.uint32(16)) | (level << np.uint32(8)) | level


def grey_image(hu: NDArray[np.int16], table: NDArray[np.uint32]) -> QImage:
    """A slice as an opaque picture through a `window_table`."""
    pixels = table[np.ascontiguousarray(hu).view(np.uint16)]
    rows, columns = pixels.shape
    # copy(): QImage does not own the array
    return QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_RGB32).copy()


def wash_image(gy: NDArray[np.float32], table: NDArray[np.uint8], *, top_gy: float, opacity_frac: float) -> QImage:
    """A dose plane as a translucent picture; ``table`` has 256 colours from 0 to ``top_gy``."""
    alpha = (table[:, 3].astype(np.float64) * opacity_frac).round()
    colour = (table[:, :3] * (alpha[:, None] / 255.0)).round().astype(np.uint32)
    packed = (alpha.astype(np.uint32) << np.uint32(24)) | (colour[:, 0] << np.uint32(16))
    packed |= (colour[:, 1] << np.uint32(8)) | colour[:, 2]
    step = np.clip(gy * np.float32(255.0 / top_gy), 0, 255).astype(np.uint8)
    pixels = packed[step]
    rows, columns = pixels.shape
    return QImage(pixels.data, columns, rows, columns * 4, QImage.Format.Format_ARGB32_Premultiplied).copy()


def draw_plate(
    painter: QPainter,
    text: str,
    anchor: QPointF,
    *,
    align: Qt.AlignmentFlag,
    colour: QColor,
    font: QFont | None = None,
    plate: QColor = PLATE,
) -> QRectF:
    """Text on a translucent plate; ``align`` says which corner or side of the plate ``anchor`` is.

    Returns
    -------
    QRectF
        The plate, so that callers can keep plates apart.
    """
    rect = plate_rect(text, anchor, align=align, font=font or painter.font())
    painter.save()
    if font is not None:
        painter.setFont(font)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(plate)
    painter.drawRoundedRect(rect, 3.0, 3.0)
    painter.setPen(colour)
    across = Qt.AlignmentFlag.AlignLeft if align & Qt.AlignmentFlag.AlignLeft else Qt.AlignmentFlag.AlignHCenter
    inner = rect.adjusted(_PLATE_PAD, 0.0, -_PLATE_PAD, 0.0)
    painter.drawText(inner, int(across | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip), text)
    painter.restore()
    return rect


def _text_size(text: str, font: QFont) -> tuple[float, float]:
    """Width and height of a plate; measuring costs more than drawing, and the same few texts are drawn again."""
    key = (text, font.key())
    size = _text_sizes.get(key)
    if size is None:
        metrics = QFontMetricsF(font)
        lines = text.split("\n")
        width = max(metrics.horizontalAdvance(line) for line in lines) + 2 * _PLATE_PAD
        size = (width, metrics.height() * len(lines) + 3.0)
        if len(_text_sizes) >= _MOST_SIZES:
            _text_sizes.clear()
        _text_sizes[key] = size
    return size


def plate_rect(text: str, anchor: QPointF, *, align: Qt.AlignmentFlag, font: QFont) -> QRectF:
    """Where `draw_plate` would put its plate."""
    width, height = _text_size(text, font)
    x, y = anchor.x() - width / 2, anchor.y() - height / 2
    if align & Qt.AlignmentFlag.AlignLeft:
        x = anchor.x()
    elif align & Qt.AlignmentFlag.AlignRight:
        x = anchor.x() - width
    if align & Qt.AlignmentFlag.AlignTop:
        y = anchor.y()
    elif align & Qt.AlignmentFlag.AlignBottom:
        y = anchor.y() - height
    return QRectF(x, y, width, height)
