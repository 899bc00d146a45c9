"""The 3D view's widget: content, camera handling, two qualities. The picture itself is made in `view3d`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from ert.domain.structure import Structure, StructureRole
from ert.errors import ErtError
from ert.ui.beam_shapes import BeamShape, beam_shape
from ert.ui.focus import may_take_focus
from ert.ui.painting import draw_plate
from ert.ui.view3d import Scene3D
from ert.ui.view_state import ViewState

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

_FINAL_DELAY_MS = 150
_SHOWN_ROLES = (StructureRole.EXTERNAL, StructureRole.PTV, StructureRole.CTV, StructureRole.GTV)
_EXTERNAL_OPACITY = 0.4
_BODY_COLOUR = (0.98, 0.86, 0.76)


class View3D(QWidget):
    """External contour, targets, beams and crosshair in three dimensions.

    Left drag turns, middle drag or Shift+left drag pans, the wheel zooms, F resets.

    Signals
    -------
    maximise_requested : the user double-clicked.
    """

    maximise_requested = Signal()

    def __init__(self, workspace: PlanWorkspace, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self._state = workspace, state
        self._scene: Scene3D | None = None
        self._failure = ""
        self._image: QImage | None = None
        self._beams_key: object = None
        self._hidden_key: object = None
        self._azimuth_deg, self._elevation_deg, self._zoom = 25.0, 12.0, 1.15
        self._pan_cm = (0.0, 0.0)
        self._last = QPointF()
        self._is_moving = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_FINAL_DELAY_MS)
        self._rest.timeout.connect(self._draw_final)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("3D view")
        self.setMinimumSize(120, 100)
        state.crosshair_changed.connect(self._follow_crosshair)
        state.visibility_changed.connect(self.refresh)

    # ---- content -------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Build the scene once the rest of the page is on screen."""
        super().showEvent(event)
        if self._scene is None:
            QTimer.singleShot(50, self, self._build)

    def _build(self) -> None:
        if self._scene is not None or self._failure:
            return
        try:
            self._scene = Scene3D()
        except ImportError as error:  # VTK is not installed, or its libraries are missing
            self._failure = f"No 3D view: {error}"
            self.update()
            return
        self._add_body()
        self.refresh()

    def _add_body(self) -> None:
        external = self._workspace.structures.external
        if self._scene is None or external is None:
            return
        points = np.concatenate([c.points_cm for c in external.contours])
        low, high = points.min(axis=0), points.max(axis=0)
        self._scene.centre = (low + high) / 2
        self._scene.radius_cm = float(np.linalg.norm(high - low)) / 2

    def refresh(self) -> None:
        """Bring surfaces and beams up to date with the plan, then draw."""
        if self._scene is None:
            return
        self._refresh_surfaces()
        beams_key = (self._workspace.plan.beams, self._state.visibility.has_beams)
        if beams_key != self._beams_key:
            self._beams_key = beams_key
            self._refresh_beams()
        self._follow_crosshair()

    def _refresh_surfaces(self) -> None:
        seen = self._state.visibility
        key = (seen.hidden_structures, seen.has_structures)
        if key == self._hidden_key or self._scene is None:
            return
        self._hidden_key = key
        self._scene.remove("structure")
        shown = [s for s in self._workspace.structures.structures if s.role in _SHOWN_ROLES and not s.is_empty]
        for structure in sorted(shown, key=lambda s: s.role is StructureRole.EXTERNAL):  # translucent last
            if seen.has_structures and structure.number not in seen.hidden_structures:
                self._add_structure(structure)

    def _add_structure(self, structure: Structure) -> None:
        if self._scene is None:
            return
        try:
            vertices, triangles = self._workspace.tools.surface(structure.number)
        except ErtError:
            return  # contours that make no surface; the structures panel says so
        is_body = structure.role is StructureRole.EXTERNAL
        red, green, blue = (c / 255 for c in structure.colour)
        colour = _BODY_COLOUR if is_body else (red, green, blue)
        opacity_frac = _EXTERNAL_OPACITY if is_body else 0.85
        self._scene.add_surface(f"structure{structure.number}", vertices, triangles, colour, opacity_frac=opacity_frac)

    def _refresh_beams(self) -> None:
        if self._scene is None:
            return
        self._scene.remove("beam")
        if not self._state.visibility.has_beams:
            return
        for beam in self._workspace.plan.beams:
            try:
                machine = self._workspace.models.package(beam.machine_name).machine
                frame = beam.frame(patient_position=self._workspace.image.patient_position, sad_cm=machine.sad_cm)
                shape = beam_shape(beam, machine, frame, beyond_cm=6.0)
            except ErtError:
                continue  # named in the checks panel
            red, green, blue = (c / 255 for c in beam.colour)
            self._add_beam(f"beam{beam.number}", shape, (red, green, blue))

    def _add_beam(self, key: str, shape: BeamShape, colour: tuple[float, float, float]) -> None:
        if self._scene is None:
            return
        every = max(len(shape.insert_outline) // 12, 1)
        rays = [np.stack(pair) for pair in zip(shape.insert_outline[::every], shape.far_outline[::every], strict=True)]
        rings = [_closed(shape.insert_outline), _closed(shape.isocentre_outline), _closed(shape.far_outline)]
        self._scene.add_lines(f"{key}-rays", rays, colour, width_px=1.0)
        self._scene.add_lines(f"{key}-rings", [*rings, shape.axis], colour, width_px=2.0)
        vertices, triangles = _frame_mesh(shape)
        self._scene.add_surface(f"{key}-frame", vertices, triangles, (0.62, 0.70, 0.78), opacity_frac=0.6)
        self._scene.add_lines(f"{key}-edge", [_closed(shape.frame_inner), _closed(shape.frame_outer)], (0.8, 0.85, 0.9))

    def _follow_crosshair(self) -> None:
        if self._scene is None:
            return
        at = np.asarray(self._state.crosshair_cm)
        lines = [np.stack([at - 2.0 * axis, at + 2.0 * axis]) for axis in np.eye(3)]
        self._scene.add_lines("crosshair", lines, (0.45, 0.9, 1.0), width_px=2.0)
        self._draw_soon()

    # ---- drawing -------------------------------------------------------------------------------------------------

    def _draw_soon(self) -> None:
        self._rest.start()

    def _draw_moving(self) -> None:
        self._is_moving = True
        self._render(0.5)
        self._rest.start()

    def _draw_final(self) -> None:
        self._is_moving = False
        if self.isVisible():
            self._render(1.0)

    def _render(self, part: float) -> None:
        if self._scene is None or self.width() < 2 or self.height() < 2:  # noqa: PLR2004
            return
        ratio = self.devicePixelRatioF() * part
        width, height = max(int(self.width() * ratio), 2), max(int(self.height() * ratio), 2)
        self._scene.set_camera(
            azimuth_deg=self._azimuth_deg,
            elevation_deg=self._elevation_deg,
            zoom_factor=self._zoom,
            pan_cm=self._pan_cm,
        )
        pixels = self._scene.render(width, height)
        self._image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The last picture, and a title."""
        painter = QPainter(self)
        try:
            painter.fillRect(self.rect(), Qt.GlobalColor.black)
            if self._image is not None:
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=self._is_moving)
                painter.drawImage(QRectF(self.rect()), self._image)
            corner = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
            text = self._failure or "3D"
            draw_plate(painter, text, QPointF(6, 6), align=corner, colour=QColor("#e8ecef"))
        finally:
            painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Draw at the new size when it has settled."""
        super().resizeEvent(event)
        self._draw_soon()

    # ---- hands ---------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag."""
        self._last = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Turn or pan."""
        moved = event.position() - self._last
        self._last = event.position()
        is_shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.buttons() & Qt.MouseButton.MiddleButton or (
            event.buttons() & Qt.MouseButton.LeftButton and is_shifted
        ):
            step = self._cm_per_px()
            self._pan_cm = (self._pan_cm[0] + moved.x() * step, self._pan_cm[1] - moved.y() * step)
        elif event.buttons() & Qt.MouseButton.LeftButton:
            self._azimuth_deg -= 0.5 * moved.x()
            self._elevation_deg = min(max(self._elevation_deg + 0.5 * moved.y(), -89.0), 89.0)
        else:
            return
        self._draw_moving()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom."""
        self._zoom = min(max(self._zoom * (1.12 if event.angleDelta().y() > 0 else 1 / 1.12), 0.2), 20.0)
        self._draw_moving()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fill the page with this view, or go back."""
        self.maximise_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F and R look from the front again."""
        if event.key() in (Qt.Key.Key_F, Qt.Key.Key_R):
            self._azimuth_deg, self._elevation_deg, self._zoom, self._pan_cm = 25.0, 12.0, 1.15, (0.0, 0.0)
            self._draw_moving()
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Take the keys, unless somebody is typing."""
        if may_take_focus():
            self.setFocus(Qt.FocusReason.MouseFocusReason)

    def _cm_per_px(self) -> float:
        radius_cm = self._scene.radius_cm if self._scene is not None else 30.0
        return 2 * radius_cm / self._zoom / max(self.height(), 1)

    def close_scene(self) -> None:
        """Free the graphics memory; called when the plan is closed."""
        self._rest.stop()
        if self._scene is not None:
            self._scene.close()
            self._scene = None


def _closed(outline: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.vstack([outline, outline[:1]])


def _frame_mesh(shape: BeamShape) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The applicator's end frame as a flat ring."""
    vertices = np.concatenate([shape.frame_inner, shape.frame_outer]).astype(np.float32)
    triangles = []
    for n in range(4):
        m = (n + 1) % 4
        triangles += [(n, m, 4 + m), (n, 4 + m, 4 + n)]
    return vertices, np.array(triangles, dtype=np.int32)
