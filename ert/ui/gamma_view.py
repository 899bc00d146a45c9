"""Gamma of two doses on the axial slices of the image: what agrees is left grey, what does not glows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QTransform, QWheelEvent
from PySide6.QtWidgets import QWidget

from ert.geometry.grid import VoxelGrid
from ert.ui.dose_plane import dose_plane
from ert.ui.numbers import format_number
from ert.ui.painting import draw_plate, grey_image, wash_image, window_table
from ert.ui.slice_geometry import SliceGeometry
from ert.ui.view_state import ViewState

if TYPE_CHECKING:
    from ert.domain.image import CtImage

_TEXT = QColor("#e8ecef")
_AXIAL = 2
_TOP = 2.0
_COLOURS = ((0.0, (60, 110, 170)), (1.0, (235, 235, 235)), (1.01, (255, 200, 40)), (2.0, (225, 40, 40)))
_MARGIN = 6.0


def gamma_table() -> NDArray[np.uint8]:
    """256 colours from gamma 0 to 2: blue to white where it passes, then yellow to red; the first is transparent.

    Returns
    -------
    ndarray
        uint8 (256, 4).
    """
    table = np.full((256, 4), 255, dtype=np.uint8)
    steps = np.linspace(0.0, _TOP, 256)
    at = [value for value, _ in _COLOURS]
    for channel in range(3):
        table[:, channel] = np.interp(steps, at, [colour[channel] for _, colour in _COLOURS]).round()
    table[0, 3] = 0
    return table


class GammaView(QWidget):
    """An axial slice through the crosshair of a shared view state; the wheel steps.

    Parameters
    ----------
    image : the CT both doses were computed on.
    state : shared with the slices beside it.
    """

    def __init__(self, image: CtImage, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image, self._state = image, state
        self._geometry = SliceGeometry(grid=image.grid, axis=_AXIAL)
        self._gamma: NDArray[np.float32] | None = None
        self._grid: VoxelGrid | None = None
        self._table = gamma_table()
        self.setAccessibleName("Gamma map")
        self.setMinimumSize(120, 100)
        state.crosshair_changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Roomy."""
        return QSize(400, 320)

    def show_gamma(self, gamma: NDArray[np.float32], grid: VoxelGrid) -> None:
        """Show a map; NaN where nothing was compared."""
        lowest_shown = np.float32(_TOP / 255.0)  # step 0 of the colours is transparent
        shown = np.where(np.isfinite(gamma), np.maximum(gamma, lowest_shown), 0.0)
        self._gamma, self._grid = np.asarray(shown, dtype=np.float32), grid
        self.update()

    def slice_picture(self) -> tuple[QImage, QRectF] | None:
        """The map on the slice shown, and where it lies in columns and rows."""
        if self._gamma is None or self._grid is None:
            return None
        plane = dose_plane(self._gamma, self._grid, self._geometry, self._slice)
        if plane is None:
            return None
        rows, columns = plane.gy.shape
        place = QRectF(
            plane.origin[0] - plane.step[0] / 2, plane.origin[1] - plane.step[1] / 2,
            columns * plane.step[0], rows * plane.step[1],
        )  # fmt: skip
        return wash_image(plane.gy, self._table, top_gy=_TOP, opacity_frac=0.75), place

    @property
    def _slice(self) -> int:
        nearest = round(self._geometry.slice_of(self._state.crosshair_cm))
        return min(max(nearest, 0), self._geometry.slice_count - 1)

    def _to_view(self) -> QTransform:
        rows, columns = self._geometry.shape
        width_cm, height_cm = self._geometry.pixel_cm
        scale = min(self.width() / (columns * width_cm), self.height() / (rows * height_cm))
        transform = QTransform()
        transform.translate(self.width() / 2, self.height() / 2)
        transform.scale(scale * width_cm, scale * height_cm)
        transform.translate(-(columns - 1) / 2, -(rows - 1) / 2)
        return transform

    def paintEvent(self, event: QPaintEvent) -> None:
        """CT, map, what the colours mean."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        rows, columns = self._geometry.shape
        table = window_table(self._state.window_hu, self._state.level_hu)
        picture = grey_image(self._geometry.plane_of(self._image.hu, self._slice), table)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=True)
        to_view = self._to_view()
        painter.drawImage(to_view.mapRect(QRectF(-0.5, -0.5, columns, rows)), picture)
        found = self.slice_picture()
        if found is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=False)
            painter.drawImage(to_view.mapRect(found[1]), found[0])
        left_top = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        position = format_number(self._geometry.position_cm(self._slice), 2)
        title = f"Gamma   {self._geometry.position_name} {position} cm"
        draw_plate(painter, title, QPointF(_MARGIN, _MARGIN), align=left_top, colour=_TEXT)
        words = "blue to white: passes    yellow to red: 1 to 2 and more"
        left_bottom = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        draw_plate(painter, words, QPointF(_MARGIN, self.height() - _MARGIN), align=left_bottom, colour=_TEXT)
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """One slice a notch."""
        if event.angleDelta().y():
            step = 1 if event.angleDelta().y() > 0 else -1
            index = min(max(self._slice + step, 0), self._geometry.slice_count - 1)
            column, row = self._geometry.display_of(self._state.crosshair_cm)
            self._state.set_crosshair(self._geometry.point_cm(float(column), float(row), index))
        event.accept()
