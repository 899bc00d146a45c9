"""What is written over a slice: title, letters, crosshair, colour bar, level names. Placed so that nothing collides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen, QTransform

from ert.ui.dose_words import preview_text
from ert.ui.isodose import GREY, uncertainty_table, wash_table
from ert.ui.numbers import format_number, format_quantity
from ert.ui.painting import draw_plate, plate_rect
from ert.ui.slice_layers import MAP_TOP_PCT, IsodoseLine
from ert.ui.view_state import WINDOW_PRESETS, DoseDisplay, ViewState

if TYPE_CHECKING:
    from ert.app.dose_state import DoseState

LETTER = QColor("#ffe08a")
TEXT = QColor("#e8ecef")
CROSSHAIR = QColor(120, 230, 255, 170)
STALE_PLATE = QColor(110, 66, 0, 225)
PREVIEW_PLATE = QColor(38, 62, 92, 230)
MARGIN = 6.0
_EDGE_GAP = 30.0  # crosshair lines end before the letters at the view's edge
_BAR_WIDTH = 12.0
_BAR_MIN_VIEW_HEIGHT = 260.0
NARROW_PX = 400.0
_TALL_PLATE_LINES = 2
_WIDE_PX = 640.0
_LEGEND_MIN_VIEW_HEIGHT = 180.0
_LEGEND_GAP_PX = 26.0
_NAME_PLATE = QColor(0, 0, 0, 170)
_NAME_GAP_PX = 7.0


def draw_crosshair(painter: QPainter, rect: QRectF, centre: QPointF) -> None:
    """Two thin lines that leave the point itself and the view's edges free."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
    painter.setPen(QPen(CROSSHAIR, 1.0))
    hole = 7.0
    x, y = centre.x(), centre.y()
    left, right = rect.left() + _EDGE_GAP, rect.right() - _EDGE_GAP
    top, bottom = rect.top() + _EDGE_GAP, rect.bottom() - _EDGE_GAP
    if top <= y <= bottom:
        painter.drawLine(QPointF(left, y), QPointF(min(x - hole, right), y))
        painter.drawLine(QPointF(max(x + hole, left), y), QPointF(right, y))
    if left <= x <= right:
        painter.drawLine(QPointF(x, top), QPointF(x, min(y - hole, bottom)))
        painter.drawLine(QPointF(x, max(y + hole, top)), QPointF(x, bottom))


def draw_points(painter: QPainter, points: Iterable[tuple[str, QPointF]]) -> None:
    """Reference points of the plan: a diagonal cross and the name."""
    font = QFont(painter.font())
    font.setPointSizeF(max(font.pointSizeF() - 1.5, 6.5))
    for name, at in points:
        painter.setPen(QPen(LETTER, 1.6))
        for dx, dy in ((5.0, 5.0), (5.0, -5.0)):
            painter.drawLine(at - QPointF(dx, dy), at + QPointF(dx, dy))
        align = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        draw_plate(painter, name, at + QPointF(7.0, 3.0), align=align, colour=LETTER, font=font, plate=_NAME_PLATE)


def draw_letters(
    painter: QPainter, rect: QRectF, names: tuple[str, str, str, str], *, beside: QRectF | None = None
) -> list[QRectF]:
    """Direction names at the middle of the edges, upright with serifs, so that no letter reads as a bar.

    The upper one stands below the plate ``beside`` where that reaches to it in a narrow view.
    """
    font = QFont(painter.font())
    font.setFamilies(["DejaVu Serif", "Georgia", "Times New Roman", "serif"])
    font.setBold(True)
    font.setPointSizeF(font.pointSizeF() + 1.0)
    left, right, top, bottom = names
    middle_x, middle_y = rect.center().x(), rect.center().y()
    top_at = QPointF(middle_x, rect.top() + MARGIN)
    top_plate = plate_rect(top, top_at, align=Qt.AlignmentFlag.AlignTop, font=font)
    if beside is not None and beside.intersects(top_plate):
        top_at.setY(beside.bottom() + 2.0)
    places = (
        (left, QPointF(rect.left() + MARGIN, middle_y), Qt.AlignmentFlag.AlignLeft),
        (right, QPointF(rect.right() - MARGIN, middle_y), Qt.AlignmentFlag.AlignRight),
        (top, top_at, Qt.AlignmentFlag.AlignTop),
        (bottom, QPointF(middle_x, rect.bottom() - MARGIN), Qt.AlignmentFlag.AlignBottom),
    )
    return [draw_plate(painter, text, at, align=align, colour=LETTER, font=font) for text, at, align in places]


def window_text(window_hu: float, level_hu: float, *, is_short: bool = False) -> str:
    """Window and level, with the preset's name where it is one."""
    text = f"W {format_number(window_hu, 0)}  L {format_number(level_hu, 0)} HU"
    if is_short:
        return text
    name = next((n for n, w, level in WINDOW_PRESETS if (w, level) == (window_hu, level_hu)), "")
    return f"{text}  {name}" if name else text


def draw_level_names(
    painter: QPainter,
    lines: Iterable[IsodoseLine],
    to_view: QTransform,
    rect: QRectF,
    *,
    is_stale: bool,
    name_of: dict[float, str],
    taken: list[QRectF],
) -> None:
    """Each level's value on its line; a name that would cover another, or leave the view, is left out."""
    font = QFont(painter.font())
    font.setPointSizeF(max(font.pointSizeF() - 2.0, 6.5))
    placed = list(taken)
    gap = _NAME_GAP_PX
    inner = rect.adjusted(2, 2, -2, -2)
    for line in lines:
        text = name_of[line.level.percent]
        colour = readable(QColor(*(GREY if is_stale else line.level.colour)))
        for place in line.label_at:
            at = to_view.map(QPointF(*place))
            wanted = plate_rect(text, at, align=Qt.AlignmentFlag.AlignCenter, font=font)
            free = wanted.adjusted(-gap, -gap, gap, gap)
            if inner.contains(wanted) and not any(free.intersects(other) for other in placed):
                centre = Qt.AlignmentFlag.AlignCenter
                draw_plate(painter, text, at, align=centre, colour=colour, font=font, plate=_NAME_PLATE)
                placed.append(wanted)
                break


def written_on(rect: QRectF) -> list[QRectF]:
    """Where corner texts and direction letters stand: level names keep away from there."""
    width, height, x, y = rect.width(), rect.height(), rect.center().x(), rect.center().y()
    letter = 28.0
    return [
        QRectF(0.0, 0.0, min(165.0, width), 46.0),
        QRectF(0.0, height - 28.0, min(110.0 if width < NARROW_PX else 190.0, width), 28.0),
        QRectF(width - 125.0, 0.0, 125.0, 26.0),
        *(QRectF(x - letter, at, 2 * letter, letter) for at in (0.0, height - letter)),
        *(QRectF(at, y - letter / 2, letter, letter) for at in (0.0, width - letter)),
    ]


def readable(colour: QColor) -> QColor:
    """The colour, lightened until it can be read on a black plate."""
    if colour.lightness() >= 185:  # noqa: PLR2004
        return colour
    return QColor.fromHsl(colour.hslHue(), colour.hslSaturation(), 190)


def draw_colour_bar(
    painter: QPainter, rect: QRectF, display: DoseDisplay, prescribed_gy: float, *, is_stale: bool
) -> None:
    """Dose colours with their values and unit, at the lower right, clear of the letter at the edge's middle."""
    if not display.levels:
        return
    top_percent = max(level.percent for level in display.levels)
    table = wash_table(display.levels, top_percent=top_percent, threshold_percent=0.0)
    if is_stale:
        table[:, :3] = table[:, :3].mean(axis=1, keepdims=True).astype(table.dtype)
    scale, decimals = (prescribed_gy / 100.0, 1) if display.is_absolute else (1.0, 0)
    marks = [
        (level.percent / top_percent, format_number(scale * level.percent, decimals))
        for level in sorted(display.levels, key=lambda item: -item.percent)
    ]
    _draw_bar(painter, rect, table, unit="Gy" if display.is_absolute else "%", marks=marks)


def draw_uncertainty_bar(painter: QPainter, rect: QRectF) -> None:
    """Colours of the map of standard errors, in percent of the local dose."""
    marks = [
        (pct / MAP_TOP_PCT, f"{'≥ ' if pct == MAP_TOP_PCT else ''}{pct:g}") for pct in (MAP_TOP_PCT, 4.0, 2.0, 0.0)
    ]
    _draw_bar(painter, rect, uncertainty_table(), unit="1 σ, %", marks=marks)


def _draw_bar(
    painter: QPainter, rect: QRectF, table: NDArray[np.uint8], *, unit: str, marks: Sequence[tuple[float, str]]
) -> None:
    """A column of 256 colours; ``marks`` are heights (0 below, 1 above) and texts, from above."""
    if rect.height() < _BAR_MIN_VIEW_HEIGHT:
        return
    bar = QRectF(
        rect.right() - MARGIN - _BAR_WIDTH, rect.center().y() + 40.0, _BAR_WIDTH, rect.height() / 2 - 40.0 - 30.0
    )
    column = table[::-1, :].copy()
    picture = QImage(column.data, 1, 256, 4, QImage.Format.Format_RGBA8888).copy()
    painter.drawImage(bar, picture)
    painter.setPen(QPen(QColor(0, 0, 0, 160), 1.0))
    painter.drawRect(bar)
    font = QFont(painter.font())
    font.setPointSizeF(max(font.pointSizeF() - 1.5, 6.5))
    right_bottom = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
    draw_plate(painter, unit, QPointF(bar.right(), bar.top() - 4), align=right_bottom, colour=TEXT, font=font)
    last_y = -1e9
    for height_frac, text in marks:
        y = bar.bottom() - bar.height() * height_frac
        if y - last_y < 14.0:  # noqa: PLR2004
            continue
        last_y = y
        draw_plate(painter, text, QPointF(bar.left() - 2, y), align=Qt.AlignmentFlag.AlignRight, colour=TEXT, font=font)


def level_names(display: DoseDisplay, prescribed_gy: float) -> dict[float, str]:
    """What stands on each level's line: ``90 %`` or ``45.00 Gy``."""
    if display.is_absolute:
        return {v.percent: format_quantity(prescribed_gy * v.percent / 100.0, 2, "Gy") for v in display.levels}
    return {v.percent: f"{v.percent:g} %" for v in display.levels}


def draw_corner_texts(painter: QPainter, rect: QRectF, *, title: str, place: str, state: ViewState) -> list[QRectF]:
    """Plane and slice at the upper left, window at the lower left."""
    bold = QFont(painter.font())
    bold.setBold(True)
    left_top = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
    left_bottom = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
    first = draw_plate(
        painter, title, QPointF(rect.left() + MARGIN, rect.top() + MARGIN), align=left_top, colour=TEXT, font=bold
    )
    second = draw_plate(painter, place, QPointF(rect.left() + MARGIN, first.bottom() + 2), align=left_top, colour=TEXT)
    corner = QPointF(rect.left() + MARGIN, rect.bottom() - MARGIN)
    third = draw_plate(
        painter,
        window_text(state.window_hu, state.level_hu, is_short=rect.width() < NARROW_PX),
        corner,
        align=left_bottom,
        colour=TEXT,
    )
    return [first, second, third]


def draw_override_legend(painter: QPainter, rect: QRectF, entries: Sequence[tuple[tuple[int, int, int], str]]) -> None:
    """Structures on this slice that are taken to be a material, in their colours, above the window's text."""
    if rect.height() < _LEGEND_MIN_VIEW_HEIGHT:
        return
    font = QFont(painter.font())
    font.setPointSizeF(max(font.pointSizeF() - 1.0, 6.5))
    left_bottom = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
    bottom = rect.bottom() - MARGIN - _LEGEND_GAP_PX
    for colour, text in reversed(entries):
        at = QPointF(rect.left() + MARGIN, bottom)
        shown = readable(QColor(*colour))
        drawn = draw_plate(painter, f"■ {text}", at, align=left_bottom, colour=shown, font=font)
        bottom = drawn.top() - 2


def draw_state_plate(painter: QPainter, rect: QRectF, dose: DoseState, *, drawn_of: DoseState) -> QRectF | None:
    """The words that keep an old dose, or a preview, from being taken for the plan's; none over the plan's own.

    A slice that follows its run's pictures later names the one that it was drawn of. Returns where the words stand.
    """
    if dose.status == drawn_of.status == "preview":
        dose = drawn_of
    if dose.is_outdated:
        text, plate = "OUT OF DATE", STALE_PLATE
    elif dose.status == "preview" and dose.preview is not None:
        text, plate = preview_text(dose.preview, is_short=rect.width() < _WIDE_PX), PREVIEW_PLATE
    else:
        return None
    font = QFont(painter.font())
    font.setBold(True)
    font.setPointSizeF(font.pointSizeF() + (0.5 if text.count("\n") < _TALL_PLATE_LINES else -1.5))
    at = QPointF(rect.right() - MARGIN, rect.top() + MARGIN)
    align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
    return draw_plate(painter, text, at, align=align, colour=QColor("#ffdf9a"), font=font, plate=plate)
