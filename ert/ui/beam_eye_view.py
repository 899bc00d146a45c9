"""Beam's eye view: target projection and aperture as the source sees them, with an aperture that can be edited.

Drawn at the isocentre plane (IEC 61217 beam limiting device frame): x to the right, y up, as seen from the source.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
from PySide6.QtCore import QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QMouseEvent, QPainter, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QFrame, QGraphicsPathItem, QGraphicsScene, QGraphicsView, QWidget

from ert.app.beam_tools import PROJECTED_ROLES
from ert.domain.beam import Beam
from ert.domain.device import ApertureSource
from ert.domain.plan import Plan, with_beam
from ert.errors import ErtError
from ert.ui import beam_eye_scene as parts
from ert.ui.numbers import format_number, format_quantity
from ert.ui.painting import draw_plate
from ert.ui.view_state import ViewState
from ert.ui.widgets import plain_tip

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

_HIT_PX = 9.0
_MIN_POINTS = 3
_MAX_HANDLES = 160
_MANY_HANDLES = 28
_NARROW_PX = 400
_HOW_TO_EDIT = "Drag a point · double-click an edge to add one · Del removes the chosen one"


class BeamEyeView(QGraphicsView):
    """Shows the chosen beam; drags edit its aperture.

    Parameters
    ----------
    workspace, state : the open plan and what its views share.

    Signals
    -------
    maximise_requested : double-click away from the aperture.
    refused(sentence) : an edit was refused.
    """

    maximise_requested = Signal()
    refused = Signal(str)

    def __init__(self, workspace: PlanWorkspace, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setScene(QGraphicsScene(self))
        self._workspace, self._state = workspace, state
        self._outline: parts.Outline = []
        self._aperture: parts.ApertureItem | None = None
        self._shade: QGraphicsPathItem | None = None
        self._applicator = QRectF()
        self._shown_key: object = None
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setBackgroundBrush(QColor("#000000"))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setAccessibleName("Beam's eye view")
        self.setMinimumSize(120, 100)
        self.setToolTip(plain_tip(workspace.why_read_only or _HOW_TO_EDIT))
        state.beam_changed.connect(self.rebuild)
        self.rebuild()

    @property
    def beam(self) -> Beam | None:
        """The beam shown."""
        number = self._state.beam_number
        return next((b for b in self._workspace.plan.beams if b.number == number), None)

    @property
    def outline_cm(self) -> parts.Outline:
        """The outline as drawn, cm at the isocentre plane."""
        return list(self._outline)

    @property
    def _can_edit(self) -> bool:
        """What cannot be changed offers nothing to take hold of."""
        return not self._workspace.is_read_only

    # ---- content -------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """The plan changed: draw again what depends on the beam."""
        self.rebuild()

    def rebuild(self) -> None:
        """Fill the scene from the beam."""
        beam = self.beam
        key = None if beam is None else attrs.evolve(beam, mu=None, weight=1.0, reasons=())
        if key is not None and key == self._shown_key:
            return
        was_empty = self._shown_key is None
        self._shown_key = key
        scene = self.scene()
        scene.clear()
        self._aperture = self._shade = None
        if beam is None:
            self.viewport().update()
            return
        try:
            machine = self._workspace.models.package(beam.machine_name).machine
            applicator = machine.applicator(beam.applicator_id)
            self._add_projections(beam)
        except ErtError as error:
            self.refused.emit(str(error))
            return
        half_x, half_y = applicator.opening_x_cm / 2, applicator.opening_y_cm / 2
        new_area = QRectF(-half_x, -half_y, 2 * half_x, 2 * half_y)
        is_new_size = new_area != self._applicator
        self._applicator = new_area
        self._outline = [(x, y) for x, y in beam.aperture.outline_cm]
        scene.addItem(parts.applicator_item(half_x, half_y))
        scene.addItem(parts.cross_item(max(half_x, half_y) + 1.0))
        self._aperture = parts.ApertureItem()
        scene.addItem(self._aperture)
        self._show_outline()
        if self._can_edit and len(self._outline) <= _MAX_HANDLES:
            for index, (x, y) in enumerate(self._outline):
                handle = parts.VertexHandle(
                    index, self._moved, self._released, is_small=len(self._outline) > _MANY_HANDLES
                )
                handle.setPos(x, y)
                scene.addItem(handle)
        if was_empty or is_new_size:
            self.fit()

    def _add_projections(self, beam: Beam) -> None:
        for structure in self._workspace.structures.structures:
            if structure.is_empty or structure.role not in PROJECTED_ROLES:
                continue
            outlines = list(self._workspace.tools.project_structure(beam, structure.number))
            if outlines:
                is_target = structure.number == beam.target_number
                item = parts.projection_item(outlines, QColor(*structure.colour), is_target=is_target)
                self.scene().addItem(item)

    def _show_outline(self) -> None:
        if self._aperture is None:
            return
        self._aperture.set_outline(self._outline)
        if self._shade is not None:
            self.scene().removeItem(self._shade)
        self._shade = parts.shade_item(self._applicator, self._outline)
        self.scene().addItem(self._shade)
        self.viewport().update()

    def fit(self) -> None:
        """Show the whole applicator."""
        if self._applicator.isEmpty():
            return
        reach = self._applicator.adjusted(-2.2, -2.2, 2.2, 2.2)
        self.setSceneRect(reach.adjusted(-30, -30, 30, 30))
        self.resetTransform()
        scale = min(self.viewport().width() / reach.width(), self.viewport().height() / reach.height())
        self.scale(scale, -scale)
        self.centerOn(reach.center())

    # ---- editing -------------------------------------------------------------------------------------------------

    def _moved(self, index: int, position: QPointF) -> None:
        self._outline[index] = (position.x(), position.y())
        self._show_outline()
        beam = self.beam
        if beam is not None:
            self._workspace.sketch(self._edit_of(beam))

    def _released(self, _index: int) -> None:
        # later: the edit rebuilds the scene, and this is called from inside an item of it
        QTimer.singleShot(0, self, lambda: self._commit("Move aperture point"))

    def insert_point(self, x_cm: float, y_cm: float) -> None:
        """Add a point on the edge nearest to a position."""
        index, _ = parts.nearest_edge(self._outline, x_cm, y_cm)
        self._outline.insert(index, (x_cm, y_cm))
        self._commit("Add aperture point")

    def delete_selected(self) -> None:
        """Remove the chosen point; three must remain."""
        chosen = [i for i in self.scene().selectedItems() if isinstance(i, parts.VertexHandle)]
        if not chosen:
            return
        if len(self._outline) <= _MIN_POINTS:
            self.refused.emit("An aperture needs at least three points.")
            return
        del self._outline[chosen[0].index]
        self._commit("Remove aperture point")

    def _commit(self, label: str) -> None:
        beam = self.beam
        if beam is None:
            return
        if tuple(self._outline) != beam.aperture.outline_cm:
            self._try(lambda: self._workspace.apply(label, self._edit_of(beam)))
        self._workspace.end_sketch()

    def _edit_of(self, beam: Beam) -> Callable[[Plan], Plan]:
        """The edit that gives the beam the outline as drawn."""
        outline = tuple(self._outline)

        def edit(plan: Plan) -> Plan:
            now = plan.beam(beam.number)
            aperture = attrs.evolve(now.aperture, outline_cm=outline, source=ApertureSource.EDITED, margin_cm=None)
            return with_beam(plan, attrs.evolve(now, aperture=aperture))

        return edit

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except ErtError as error:
            self.refused.emit(str(error))
            self._shown_key = None
            self.rebuild()

    # ---- hands ---------------------------------------------------------------------------------------------------

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """On an edge: new point; elsewhere: maximise."""
        at = self.mapToScene(event.position().toPoint())
        if self._outline and self._can_edit:
            _, distance_cm = parts.nearest_edge(self._outline, at.x(), at.y())
            if distance_cm * abs(self.transform().m11()) <= _HIT_PX:
                self.insert_point(at.x(), at.y())
                return
        self.maximise_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Del removes a point, F fits."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_selected()
        elif event.key() == Qt.Key.Key_F:
            self.fit()
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the pointer."""
        factor = 1.15 if event.angleDelta().y() > 0 else 1 / 1.15
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.AnchorUnderMouse)
        self.scale(factor, factor)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the applicator in view."""
        super().resizeEvent(event)
        self.fit()

    # ---- texts ---------------------------------------------------------------------------------------------------

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """Title, orientation, scale and area, in widget coordinates."""
        painter.save()
        painter.resetTransform()
        painter.setFont(self.font())
        area = QRectF(self.viewport().rect())
        bold = QFont(self.font())
        bold.setBold(True)
        text = QColor("#e8ecef")
        left_top = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        beam = self.beam
        name = "Beam's eye view" if area.width() >= _NARROW_PX or beam is None else "BEV"
        title = name if beam is None else f"{name}  {beam.name}"
        first = draw_plate(painter, title, QPointF(6, 6), align=left_top, colour=text, font=bold)
        if beam is None:
            draw_plate(
                painter, "No beam. Use “Add beam”.", area.center(), align=Qt.AlignmentFlag.AlignCenter, colour=text
            )
        else:
            line = f"Coll {format_number(beam.collimator_deg, 1)}° IEC\nAppl. {beam.applicator_id}"
            draw_plate(painter, line, QPointF(6, first.bottom() + 2), align=left_top, colour=text)
            self._draw_figures(painter, area, text)
        painter.restore()

    def _draw_figures(self, painter: QPainter, area: QRectF, text: QColor) -> None:
        if len(self._outline) < _MIN_POINTS:
            return
        size = parts.area_cm2(self._outline)
        line = f"Area {format_quantity(size, 1, 'cm²')}\nEq. square {format_quantity(math.sqrt(size), 1, 'cm')}"
        corner = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        draw_plate(painter, line, QPointF(6, area.bottom() - 6), align=corner, colour=text)
        letter = QColor("#ffe08a")
        x_at = self.mapFromScene(QPointF(self._applicator.right() + 1.0, 0.0))
        y_at = self.mapFromScene(QPointF(0.0, self._applicator.bottom() + 1.0))
        centre = Qt.AlignmentFlag.AlignCenter
        draw_plate(painter, "+X", QPointF(x_at) + QPointF(12, 12), align=centre, colour=letter)
        draw_plate(painter, "+Y", QPointF(y_at) + QPointF(18, 4), align=centre, colour=letter)
        length_px = 5 * abs(self.transform().m11())
        right, y = area.right() - 10, area.bottom() - 12
        painter.setPen(text)
        painter.drawLine(QPointF(right - length_px, y), QPointF(right, y))
        for x in (right - length_px, right):
            painter.drawLine(QPointF(x, y - 4), QPointF(x, y + 4))
        above = Qt.AlignmentFlag.AlignBottom
        draw_plate(painter, "5 cm", QPointF(right - length_px / 2, y - 5), align=above, colour=text)
