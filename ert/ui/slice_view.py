"""One 2D view of the plan: image, wash, isodose lines, structures and beams on a slice, with crosshair and texts.

What changes with the slice is drawn once into a pixmap; crosshair and texts are drawn over it. While the hand moves,
lines are thin; the fine picture follows when it rests.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from ert.ui import slice_layers as layers
from ert.ui import slice_overlay as overlay
from ert.ui.dose_ahead import DoseAhead, DoseQuestion
from ert.ui.focus import may_take_focus
from ert.ui.kept_layers import KeptPixmap, drawn_pixmap
from ert.ui.numbers import format_number
from ert.ui.painting import window_table
from ert.ui.sections import Sections
from ert.ui.slice_geometry import SliceGeometry
from ert.ui.theme import ACCENT
from ert.ui.view_state import WINDOW_PRESETS, ViewState

if TYPE_CHECKING:
    from ert.ui.shown_plan import ShownPlan

_FINAL_DELAY_MS = 130
_ZOOM_STEP = 1.15
_MAX_ZOOM = 40.0
_FAST_STEP = 5


class SliceView(QWidget):
    """A slice view of a workspace.

    Parameters
    ----------
    workspace : ShownPlan
        The open plan, or a sum of plans.
    state : ViewState
        Shared with the other views.
    axis : int
        Grid axis held constant: 2 gives the acquired planes, 1 and 0 the two others.
    sections : Sections
        Shared by the views of a plan.

    Signals
    -------
    maximise_requested : the user double-clicked.
    pointed_at(point) : patient point under the pointer, or None when it left.
    """

    maximise_requested = Signal()
    pointed_at = Signal(object)

    def __init__(
        self,
        workspace: ShownPlan,
        state: ViewState,
        axis: int,
        *,
        sections: Sections | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._state = workspace, state
        self._sections = sections or Sections(workspace.image, workspace.structures)
        self.geometry_ = SliceGeometry(grid=workspace.image.grid, axis=axis)
        self._table = window_table(state.window_hu, state.level_hu)
        self._zoom = 1.0
        self._home = layers.home_rect(workspace, self.geometry_)
        self._centre = self._home.center()
        self._base: QPixmap | None = None
        self.ahead, self._drawn_of = DoseAhead(), workspace.dose
        self._kept_image, self._kept_outlines = KeptPixmap(), KeptPixmap()
        self._is_final = False
        self._drag_from: QPointF | None = None
        self._drag_start: tuple[float, float] = (0.0, 0.0)
        self._slice = self.slice_index
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_FINAL_DELAY_MS)
        self._rest.timeout.connect(self._draw_final)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"{self.geometry_.name} view")
        self.setMinimumSize(120, 100)
        self.setCursor(Qt.CursorShape.CrossCursor)
        state.crosshair_changed.connect(self._follow_crosshair)
        state.window_changed.connect(self._follow_window)
        state.dose_display_changed.connect(self.refresh)
        state.visibility_changed.connect(self.refresh)
        state.turns.granted.connect(self._take_turn)

    # ---- what is shown -------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Roomy."""
        return QSize(500, 420)

    @property
    def slice_index(self) -> int:
        """The slice shown: the one nearest to the crosshair."""
        nearest = round(self.geometry_.slice_of(self._state.crosshair_cm))
        return min(max(nearest, 0), self.geometry_.slice_count - 1)

    @property
    def is_dose_stale(self) -> bool:
        """True if a dose is drawn that is not this plan's current one."""
        return self._workspace.dose.is_outdated

    def refresh(self) -> None:
        """Draw everything again, in a turn of its own: plan, dose or settings changed."""
        self._base, self._is_final = None, False
        self._state.turns.ask(self)

    def refresh_picture(self) -> None:
        """Draw again because a preview has a better picture, nothing else: what is drawn finely stays so."""
        self._base = None
        self._state.turns.ask(self)

    def dose_question(self) -> DoseQuestion:
        """Which dose is to be seen here now."""
        return DoseQuestion.of(self._workspace, self.geometry_, self.slice_index, self._state.dose_display)

    def step(self, count: int) -> None:
        """Move by slices; stops at the first and the last."""
        self.show_slice(self.slice_index + count)

    def show_slice(self, index: int) -> None:
        """Show a slice by moving the crosshair onto it."""
        index = min(max(index, 0), self.geometry_.slice_count - 1)
        column, row = self.geometry_.display_of(self._state.crosshair_cm)
        self._state.set_crosshair(self.geometry_.point_cm(float(column), float(row), index))

    def fit(self) -> None:
        """Show the whole patient."""
        self._zoom, self._centre = 1.0, self._home.center()
        self.refresh()

    def to_view(self) -> QTransform:
        """From columns and rows to the widget."""
        width_cm, height_cm = self.geometry_.pixel_cm
        home = self._home
        fit = min(self.width() / (home.width() * width_cm), self.height() / (home.height() * height_cm))
        scale = fit * self._zoom
        transform = QTransform()
        transform.translate(self.width() / 2, self.height() / 2)
        transform.scale(scale * width_cm, scale * height_cm)
        transform.translate(-self._centre.x(), -self._centre.y())
        return transform

    def patient_point(self, position: QPointF) -> tuple[float, float, float]:
        """The patient point under a widget position, on the slice shown."""
        inverse, _ = self.to_view().inverted()
        at = inverse.map(position)
        return self.geometry_.point_cm(at.x(), at.y(), self.slice_index)

    # ---- painting ------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Cached slice, then crosshair and texts."""
        if self._base is None:
            self._base = self._draw_base(is_final=self._is_final)
            if not self._is_final:
                self._rest.start()
        painter = QPainter(self)
        try:
            painter.drawPixmap(0, 0, self._base)
            self._draw_overlay(painter)
        finally:
            painter.end()

    def _draw_final(self) -> None:
        self._is_final = True
        self._base = None
        self._state.turns.ask(self)

    def _take_turn(self, view: object) -> None:
        if view is self:
            self.setUpdatesEnabled(True)  # which asks for a painting
            self.update()

    def _draw_base(self, *, is_final: bool) -> QPixmap:
        size, ratio = self.size(), self.devicePixelRatioF()
        key = (self.slice_index, self.to_view(), self._state.window_hu, self._state.level_hu)
        ground = self._kept_image.shown(key, self._draw_image, size=size, ratio=ratio, ground=Qt.GlobalColor.black)

        draw = partial(self._draw_layers, is_final=is_final)
        return drawn_pixmap(draw, size=size, ratio=ratio, ground=ground, font=self.font())

    def _draw_image(self, painter: QPainter) -> None:
        rows, columns = self.geometry_.shape
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=True)
        picture = layers.image_layer(self._workspace, self.geometry_, self.slice_index, self._table)
        painter.drawImage(self.to_view().mapRect(QRectF(-0.5, -0.5, columns, rows)), picture)

    def _draw_layers(self, painter: QPainter, *, is_final: bool) -> None:
        workspace, geometry, index, to_view = self._workspace, self.geometry_, self.slice_index, self.to_view()
        seen, self._drawn_of = self._state.visibility, workspace.dose
        if seen.is_bare:
            return
        dose = self.ahead.layer(self.dose_question())
        if dose is not None:
            layers.draw_dose(painter, dose, to_view, is_final=is_final)
        if seen.has_structures:
            painter.drawPixmap(0, 0, self._outlines(seen.hidden_structures, is_final=is_final))
        if seen.has_beams:
            layers.draw_beams(painter, layers.beam_layer(workspace, geometry, index), to_view)
        if dose is not None:
            self._draw_level_names(painter, dose, to_view)
        if self.is_dose_stale:
            layers.draw_stale_hatch(painter, QRectF(self.rect()))

    def _outlines(self, hidden: frozenset[int], *, is_final: bool) -> QPixmap:
        """Outlines of the structures on nothing, as thick as the hand's rest allows."""
        geometry, index, to_view = self.geometry_, self.slice_index, self.to_view()

        def draw(painter: QPainter) -> None:
            paths = layers.structure_paths(self._workspace, self._sections, geometry, index, hidden)
            layers.draw_structures(painter, paths, to_view, is_final=is_final)

        key = (index, to_view, hidden, is_final)
        return self._kept_outlines.shown(key, draw, size=self.size(), ratio=self.devicePixelRatioF())

    def _draw_level_names(self, painter: QPainter, dose: layers.DoseLayer, to_view: QTransform) -> None:
        names = overlay.level_names(self._state.dose_display, self._workspace.plan.prescription.dose_gy)
        rect = QRectF(self.rect())
        taken = overlay.written_on(rect)
        overlay.draw_level_names(painter, dose.lines, to_view, rect, is_stale=dose.is_stale, name_of=names, taken=taken)

    def _draw_overlay(self, painter: QPainter) -> None:
        rect, state = QRectF(self.rect()), self._state
        if not state.visibility.is_bare:
            column, row = self.geometry_.display_of(state.crosshair_cm)
            overlay.draw_crosshair(painter, rect, self.to_view().map(QPointF(column, row)))
            here = layers.points_here(self._workspace, self.geometry_, self.slice_index, self.to_view())
            overlay.draw_points(painter, here)
        self._draw_colours(painter, rect)
        geometry, index = self.geometry_, self.slice_index
        position = format_number(geometry.position_cm(index), 2)
        place = f"{geometry.position_name} {position} cm   {index + 1}/{geometry.slice_count}"
        overlay.draw_corner_texts(painter, rect, title=geometry.name, place=place, state=state)
        if state.visibility.has_structures and not state.visibility.is_bare:
            is_short = rect.width() < overlay.NARROW_PX
            legend = layers.override_legend(self._workspace, self._sections, geometry, index, is_short=is_short)
            overlay.draw_override_legend(painter, rect, legend)
        state_plate = overlay.draw_state_plate(painter, rect, self._workspace.dose, drawn_of=self._drawn_of)
        overlay.draw_letters(painter, rect, geometry.edge_names(), beside=state_plate)
        if self.hasFocus():
            painter.setPen(QPen(QColor(ACCENT), 1.0))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _draw_colours(self, painter: QPainter, rect: QRectF) -> None:
        """What the colours mean."""
        dose, display = self._workspace.dose, self._state.dose_display
        if dose.picture is None or self._state.visibility.is_bare:
            return
        if display.has_uncertainty and dose.is_current and dose.uncertainty is not None:
            overlay.draw_uncertainty_bar(painter, rect)
            return
        prescribed_gy = self._workspace.plan.prescription.dose_gy
        overlay.draw_colour_bar(painter, rect, display, prescribed_gy, is_stale=self.is_dose_stale)

    # ---- following -----------------------------------------------------------------------------------------------

    def _follow_crosshair(self) -> None:
        if self.slice_index != self._slice:
            self._slice = self.slice_index
            self._base, self._is_final = None, False
        self.update()

    def _follow_window(self) -> None:
        self._table = window_table(self._state.window_hu, self._state.level_hu)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw at the new size."""
        self._base, self._is_final = None, False
        super().resizeEvent(event)

    # ---- hands ---------------------------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Wheel: slices; Shift: five at a time; Ctrl: zoom at the pointer."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        if delta == 0:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom_at(event.position(), _ZOOM_STEP if delta > 0 else 1 / _ZOOM_STEP)
        else:
            is_fast = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.step((1 if delta > 0 else -1) * (_FAST_STEP if is_fast else 1))
        event.accept()

    def _zoom_at(self, position: QPointF, factor: float) -> None:
        inverse, _ = self.to_view().inverted()
        fixed = inverse.map(position)
        zoom = min(max(self._zoom * factor, 0.3), _MAX_ZOOM)
        self._centre = fixed + (self._centre - fixed) * (self._zoom / zoom)
        self._zoom = zoom
        self.refresh()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag; the left button sets the crosshair."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._drag_from = event.position()
        self._drag_start = (self._state.window_hu, self._state.level_hu)
        if event.button() == Qt.MouseButton.LeftButton:
            self._state.set_crosshair(self.patient_point(event.position()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Left or Shift: crosshair; right: window and level; middle: pan."""
        buttons = event.buttons()
        self.pointed_at.emit(self.patient_point(event.position()))
        if buttons & Qt.MouseButton.LeftButton or (
            buttons == Qt.MouseButton.NoButton and event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        ):
            self._state.set_crosshair(self.patient_point(event.position()))
        elif buttons & Qt.MouseButton.RightButton and self._drag_from is not None:
            moved = event.position() - self._drag_from
            window, level = self._drag_start
            self._state.set_window(window + 2.0 * moved.x(), level - 2.0 * moved.y())
        elif buttons & Qt.MouseButton.MiddleButton and self._drag_from is not None:
            inverse, _ = self.to_view().inverted()
            self._centre += inverse.map(self._drag_from) - inverse.map(event.position())
            self._drag_from = event.position()
            self.refresh()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End of a drag."""
        self._drag_from = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fill the page with this view, or go back."""
        self.maximise_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Slices, window presets, fit and reset."""
        key = event.key()
        steps = {
            Qt.Key.Key_Up: 1,
            Qt.Key.Key_PageUp: 1,
            Qt.Key.Key_Down: -1,
            Qt.Key.Key_PageDown: -1,
            Qt.Key.Key_Home: -self.geometry_.slice_count,
            Qt.Key.Key_End: self.geometry_.slice_count,
        }
        if key in steps:
            self.step(steps[Qt.Key(key)])
        elif Qt.Key.Key_1 <= key <= Qt.Key.Key_5:
            _, window, level = WINDOW_PRESETS[key - Qt.Key.Key_1]
            self._state.set_window(window, level)
        elif key == Qt.Key.Key_6:
            self._auto_window()
        elif key == Qt.Key.Key_F:
            self.fit()
        elif key == Qt.Key.Key_R:
            self._state.set_window(400.0, 40.0)
            self.fit()
        else:
            super().keyPressEvent(event)

    def _auto_window(self) -> None:
        """Window from the 2nd to the 98th percentile of what is not air on this slice."""
        plane = self.geometry_.plane_of(self._workspace.image.hu, self.slice_index)
        tissue = plane[plane > -900]  # noqa: PLR2004
        if tissue.size:
            low, high = np.percentile(tissue, (2, 98))
            self._state.set_window(float(high - low), float(high + low) / 2)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Take the keys, unless somebody is typing."""
        if may_take_focus():
            self.setFocus(Qt.FocusReason.MouseFocusReason)

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer is no longer over the image."""
        self.pointed_at.emit(None)
