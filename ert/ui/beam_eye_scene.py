"""Items of the beam's eye view scene: aperture with handles, applicator, projections, scale. Scene units: cm, y up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import (
    QGraphicsItem,
    QGraphicsPathItem,
    QGraphicsRectItem,
    QGraphicsSceneHoverEvent,
    QGraphicsSceneMouseEvent,
    QStyleOptionGraphicsItem,
    QWidget,
)

from ert.ui.painting import path_of

Outline = list[tuple[float, float]]
_HANDLE_PX = 4.5
APERTURE = QColor("#ffd24a")
APPLICATOR = QColor("#9fb2c4")


def cosmetic_pen(colour: QColor, width_px: float, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """A pen whose width does not scale with the view."""
    pen = QPen(colour, width_px, style)
    pen.setCosmetic(True)
    return pen


class VertexHandle(QGraphicsItem):
    """A point of the aperture that can be dragged.

    Parameters
    ----------
    index : int
        Of the point.
    on_move, on_release : callable
        Told the index and new position while dragging, and the index when the button is released.
    """

    def __init__(
        self,
        index: int,
        on_move: Callable[[int, QPointF], None],
        on_release: Callable[[int], None],
        *,
        is_small: bool = False,
    ) -> None:
        super().__init__()
        self._reach = _HANDLE_PX - (2.5 if is_small else 1.5)
        self.index = index
        self._on_move, self._on_release = on_move, on_release
        self._is_hot = False
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemIgnoresTransformations)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemIsSelectable)
        self.setAcceptHoverEvents(True)
        self.setCursor(Qt.CursorShape.SizeAllCursor)
        self.setZValue(10)

    def boundingRect(self) -> QRectF:
        """A little more than what is drawn, so that it is easy to hit."""
        reach = _HANDLE_PX + 3
        return QRectF(-reach, -reach, 2 * reach, 2 * reach)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        """A small square; filled when chosen or under the pointer."""
        is_strong = self._is_hot or self.isSelected()
        painter.setPen(QPen(QColor("#000000"), 1.0))
        painter.setBrush(QBrush(QColor("#ffffff") if is_strong else APERTURE))
        reach = _HANDLE_PX if is_strong else self._reach
        painter.drawRect(QRectF(-reach, -reach, 2 * reach, 2 * reach))

    def hoverEnterEvent(self, event: QGraphicsSceneHoverEvent) -> None:
        """Light up."""
        self._is_hot = True
        self.update()

    def hoverLeaveEvent(self, event: QGraphicsSceneHoverEvent) -> None:
        """Go back."""
        self._is_hot = False
        self.update()

    def mousePressEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        """Choose this point."""
        scene = self.scene()
        if scene is not None:
            scene.clearSelection()
        self.setSelected(True)
        event.accept()

    def mouseMoveEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        """Drag."""
        self.setPos(event.scenePos())
        self._on_move(self.index, event.scenePos())

    def mouseReleaseEvent(self, event: QGraphicsSceneMouseEvent) -> None:
        """Hand the new outline over."""
        self._on_release(self.index)


class ApertureItem(QGraphicsPathItem):
    """The opening; everything around it within the applicator is shaded as cutout."""

    def __init__(self) -> None:
        super().__init__()
        self.setPen(cosmetic_pen(APERTURE, 2.0))
        self.setZValue(5)

    def set_outline(self, outline: Outline) -> None:
        """Show an outline."""
        path = QPainterPath()
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in outline]))
        path.closeSubpath()
        self.setPath(path)


def shade_item(applicator: QRectF, outline: Outline) -> QGraphicsPathItem:
    """The cutout's material: applicator opening without the aperture."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.OddEvenFill)
    path.addRect(applicator)
    path.addPolygon(QPolygonF([QPointF(x, y) for x, y in [*outline, outline[0]]]))
    item = QGraphicsPathItem(path)
    item.setPen(QPen(Qt.PenStyle.NoPen))
    item.setBrush(QBrush(QColor(120, 128, 138, 70)))
    item.setZValue(3)
    return item


def applicator_item(half_x_cm: float, half_y_cm: float) -> QGraphicsRectItem:
    """The applicator's opening."""
    item = QGraphicsRectItem(-half_x_cm, -half_y_cm, 2 * half_x_cm, 2 * half_y_cm)
    item.setPen(cosmetic_pen(APPLICATOR, 1.6))
    item.setZValue(4)
    return item


def projection_item(outlines: list[NDArray[np.float64]], colour: QColor, *, is_target: bool) -> QGraphicsPathItem:
    """A structure's projection; targets filled lightly."""
    path = path_of(outlines, is_closed=True)
    path.setFillRule(Qt.FillRule.OddEvenFill)
    item = QGraphicsPathItem(path)
    item.setPen(cosmetic_pen(colour, 2.0 if is_target else 1.2))
    if is_target:
        fill = QColor(colour)
        fill.setAlpha(60)
        item.setBrush(QBrush(fill))
    item.setZValue(2 if is_target else 1)
    return item


def cross_item(reach_cm: float) -> QGraphicsPathItem:
    """Cross hair of the collimator with a tick each centimetre, longer each five."""
    path = QPainterPath()
    for vector in ((1.0, 0.0), (0.0, 1.0)):
        ux, uy = vector
        path.moveTo(-reach_cm * ux, -reach_cm * uy)
        path.lineTo(reach_cm * ux, reach_cm * uy)
        for at in range(-int(reach_cm), int(reach_cm) + 1):
            tick = 0.3 if at % 5 == 0 else 0.14
            path.moveTo(at * ux - tick * uy, at * uy - tick * ux)
            path.lineTo(at * ux + tick * uy, at * uy + tick * ux)
    item = QGraphicsPathItem(path)
    item.setPen(cosmetic_pen(QColor(170, 215, 235, 130), 1.0))
    item.setZValue(4)
    return item


def area_cm2(outline: Outline) -> float:
    """Enclosed area (shoelace)."""
    x, y = np.asarray(outline).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def nearest_edge(outline: Outline, x_cm: float, y_cm: float) -> tuple[int, float]:
    """Index at which a new point would be inserted, and the distance of (x, y) from that edge, cm."""
    points = np.asarray(outline)
    following = np.roll(points, -1, axis=0)
    along = following - points
    length2 = np.maximum(np.sum(along**2, axis=1), 1e-12)
    part = np.clip(np.sum((np.array([x_cm, y_cm]) - points) * along, axis=1) / length2, 0, 1)
    distance = np.linalg.norm(points + part[:, None] * along - (x_cm, y_cm), axis=1)
    nearest = int(np.argmin(distance))
    return nearest + 1, float(distance[nearest])
