"""The 3D view's widget: content, camera, two qualities. Pictures are made beside the window (`patient_scene`)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs
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

from ert.app.jobs import Jobs, Lane
from ert.domain.beam import Beam
from ert.domain.structure import Structure, StructureRole
from ert.errors import ErtError
from ert.geometry.grid import Float3
from ert.ui.beam_shapes import BeamShape, beam_shape
from ert.ui.focus import may_take_focus
from ert.ui.painting import draw_plate
from ert.ui.patient_scene import Camera, Colour, PatientScene, SceneContent, ShownSurface
from ert.ui.view_state import ViewState

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

_FINAL_DELAY_MS = 150
_SHOWN_ROLES = (StructureRole.EXTERNAL, StructureRole.PTV, StructureRole.CTV, StructureRole.GTV)
_EXTERNAL_OPACITY = 0.4
_BODY_COLOUR: Colour = (0.98, 0.86, 0.76)
_RADIUS_CM = 30.0
_IS_IN_WINDOW_THREAD = sys.platform == "darwin"  # there only the main thread may make what VTK draws into


class View3D(QWidget):
    """External contour, targets, beams and crosshair in three dimensions.

    Left drag turns, middle drag or Shift+left drag pans, the wheel zooms, F resets.

    Signals
    -------
    maximise_requested : the user double-clicked.
    """

    maximise_requested = Signal()

    def __init__(self, workspace: PlanWorkspace, state: ViewState, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self._state = workspace, state
        self._jobs = jobs
        self._scene = PatientScene(workspace.tools.surface)
        self._failure = ""
        self._image: QImage | None = None
        self._shown_beams: tuple[tuple[Beam, ...], dict[int, tuple[BeamShape, Colour]]] = ((), {})
        self._camera = Camera()
        self._centre_cm, self._radius_cm = _extent(workspace.structures.external)
        self._is_drawing, self._is_closed, self._next_part = False, False, 0.0
        self._last = QPointF()
        self._is_moving = False
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_FINAL_DELAY_MS)
        self._rest.timeout.connect(self._draw_final)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("3D view")
        self.setMinimumSize(120, 100)
        state.crosshair_changed.connect(self.refresh)
        state.visibility_changed.connect(self.refresh)

    # ---- content -------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Draw the scene once the rest of the page is on screen."""
        super().showEvent(event)
        self._draw_soon()

    def refresh(self) -> None:
        """Plan or visibility changed: draw again."""
        self._draw_soon()

    def _content(self, width_px: int, height_px: int) -> SceneContent:
        """What the next picture shows."""
        return SceneContent(
            surfaces=self._surfaces(), beams=self._beams(), crosshair_cm=self._state.crosshair_cm,
            centre_cm=self._centre_cm, radius_cm=self._radius_cm, camera=self._camera,
            width_px=width_px, height_px=height_px,
        )  # fmt: skip

    def _surfaces(self) -> tuple[ShownSurface, ...]:
        seen = self._state.visibility
        if not seen.has_structures:
            return ()
        shown = [
            s
            for s in self._workspace.structures.structures
            if s.role in _SHOWN_ROLES and not s.is_empty and s.number not in seen.hidden_structures
        ]
        return tuple(_surface_of(s) for s in sorted(shown, key=lambda s: s.role is StructureRole.EXTERNAL))

    def _beams(self) -> dict[int, tuple[BeamShape, Colour]]:
        beams = self._workspace.plan.beams if self._state.visibility.has_beams else ()
        if beams == self._shown_beams[0]:
            return self._shown_beams[1]
        shapes: dict[int, tuple[BeamShape, Colour]] = {}
        for beam in beams:
            try:
                machine = self._workspace.models.package(beam.machine_name).machine
                frame = beam.frame(patient_position=self._workspace.image.patient_position, sad_cm=machine.sad_cm)
                shapes[beam.number] = beam_shape(beam, machine, frame, beyond_cm=6.0), _colour_of(beam.colour)
            except ErtError:
                continue  # named in the checks panel
        self._shown_beams = beams, shapes
        return shapes

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
        """Have the picture made beside the window; what is asked for meanwhile is one more, of the last state."""
        if self._is_closed or self._failure or self.width() < 2 or self.height() < 2:  # noqa: PLR2004
            return
        if self._is_drawing:
            self._next_part = part
            return
        self._is_drawing = True
        ratio = self.devicePixelRatioF() * part
        content = self._content(max(int(self.width() * ratio), 2), max(int(self.height() * ratio), 2))
        if _IS_IN_WINDOW_THREAD:
            try:
                self._show(self._scene.picture(content))
            except ImportError as error:
                self._fail(error)
            return
        self._jobs.submit(
            Lane.PICTURE,
            lambda _ctx: self._scene.picture(content),
            title="Drawing in 3D",
            can_stop=False,
            on_done=self._show,
            on_failed=self._fail,
        )

    def _show(self, pixels: NDArray[np.uint8]) -> None:
        self._is_drawing = False
        if self._is_closed:
            return
        height, width, _ = pixels.shape
        self._image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        self.update()
        part, self._next_part = self._next_part, 0.0
        if part:
            self._render(part)

    def _fail(self, error: BaseException) -> None:
        """No picture rather than one of before; what is no missing library is a fault of the program, told as one."""
        self._is_drawing, self._image = False, None
        self._failure = f"No 3D view: {error}"
        if not self._is_closed:
            self.update()
        if not isinstance(error, ImportError):  # VTK is not installed, or its libraries are missing
            raise error

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
        camera = self._camera
        if event.buttons() & Qt.MouseButton.MiddleButton or (
            event.buttons() & Qt.MouseButton.LeftButton and is_shifted
        ):
            step = self._cm_per_px()
            right_cm, up_cm = camera.pan_cm
            self._camera = attrs.evolve(camera, pan_cm=(right_cm + moved.x() * step, up_cm - moved.y() * step))
        elif event.buttons() & Qt.MouseButton.LeftButton:
            elevation_deg = min(max(camera.elevation_deg + 0.5 * moved.y(), -89.0), 89.0)
            azimuth_deg = camera.azimuth_deg - 0.5 * moved.x()
            self._camera = attrs.evolve(camera, azimuth_deg=azimuth_deg, elevation_deg=elevation_deg)
        else:
            return
        self._draw_moving()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom."""
        zoom_factor = self._camera.zoom_factor * (1.12 if event.angleDelta().y() > 0 else 1 / 1.12)
        self._camera = attrs.evolve(self._camera, zoom_factor=min(max(zoom_factor, 0.2), 20.0))
        self._draw_moving()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fill the page with this view, or go back."""
        self.maximise_requested.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F and R look from the front again."""
        if event.key() in (Qt.Key.Key_F, Qt.Key.Key_R):
            self._camera = Camera()
            self._draw_moving()
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Take the keys, unless somebody is typing."""
        if may_take_focus():
            self.setFocus(Qt.FocusReason.MouseFocusReason)

    def _cm_per_px(self) -> float:
        return 2 * self._radius_cm / self._camera.zoom_factor / max(self.height(), 1)

    def close_scene(self) -> None:
        """Free the graphics memory, after a picture under way; called when the plan is closed."""
        self._rest.stop()
        if self._is_closed:
            return
        self._is_closed = True
        if _IS_IN_WINDOW_THREAD:
            self._scene.close()
        else:
            self._jobs.call(Lane.PICTURE, self._scene.close)


def _surface_of(structure: Structure) -> ShownSurface:
    if structure.role is StructureRole.EXTERNAL:
        return ShownSurface(number=structure.number, colour=_BODY_COLOUR, opacity_frac=_EXTERNAL_OPACITY)
    return ShownSurface(number=structure.number, colour=_colour_of(structure.colour), opacity_frac=0.85)


def _colour_of(rgb: tuple[int, int, int]) -> Colour:
    red, green, blue = (c / 255 for c in rgb)
    return red, green, blue


def _extent(external: Structure | None) -> tuple[Float3, float]:
    """Middle of the external contour and half of its diagonal, cm."""
    if external is None:
        return (0.0, 0.0, 0.0), _RADIUS_CM
    points = np.concatenate([c.points_cm for c in external.contours])
    low, high = points.min(axis=0), points.max(axis=0)
    x, y, z = ((low + high) / 2).tolist()
    return (x, y, z), float(np.linalg.norm(high - low)) / 2
