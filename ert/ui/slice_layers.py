"""The layers of a slice view that change with the slice: picture, dose, structures, beams. Built once a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPainterPath, QPen, QTransform

from ert.domain.structure import Structure
from ert.errors import ErtError
from ert.ui.beam_shapes import beam_shape, cut_by_plane
from ert.ui.dose_plane import DosePlane, dose_plane
from ert.ui.isodose import GREY, IsodoseLevel, uncertainty_table, wash_table
from ert.ui.painting import grey_image, path_of, path_of_points, wash_image
from ert.ui.sections import Sections
from ert.ui.slice_geometry import SliceGeometry
from ert.ui.view_state import DoseDisplay

if TYPE_CHECKING:
    from ert.app.dose_state import DoseState
    from ert.ui.shown_plan import ShownPlan

MAP_FROM_FRAC = 0.1
MAP_TOP_PCT = 6.0  # twice the largest uncertainty a plan may ask for
MAP_OPACITY_FRAC = 0.55
BAND_ALPHA = 105  # of 255
_MOST_FINE_POINTS = 3000  # of a slice's lines: the noise of a Monte Carlo that has just begun has no fine lines


@attrs.frozen(kw_only=True, eq=False)
class IsodoseLine:
    """One level's lines on one slice, in columns and rows.

    Attributes
    ----------
    label_at : places for its name, best first.
    band : of a Monte Carlo dose, where the dose is the level within one standard error; empty for others.
    """

    level: IsodoseLevel
    path: QPainterPath
    label_at: tuple[tuple[float, float], ...]
    band: QPainterPath


@attrs.frozen(kw_only=True, eq=False)
class DoseLayer:
    """Dose on one slice; stale dose is grey; one that improves by itself is soon drawn again, so its lines are thin."""

    wash: QImage | None
    wash_rect: QRectF
    lines: tuple[IsodoseLine, ...]
    is_stale: bool
    is_improving: bool


@attrs.frozen(kw_only=True, eq=False)
class BeamLines:
    """One beam on one slice."""

    colour: tuple[int, int, int]
    edges: QPainterPath
    axis: QPainterPath
    isocentre: tuple[float, float] | None
    name: str


def home_rect(workspace: ShownPlan, geometry: SliceGeometry) -> QRectF:
    """Columns and rows that hold the external contour with a margin, else the whole image."""
    rows, columns = geometry.shape
    whole = QRectF(-0.5, -0.5, columns, rows)
    external = workspace.structures.external
    if external is None:
        return whole
    shown = geometry.display_of(np.concatenate([c.points_cm for c in external.contours]))
    low, high = shown.min(axis=0), shown.max(axis=0)
    margin = 1.5 / np.asarray(geometry.pixel_cm)
    body = QRectF(*(low - margin), *(high - low + 2 * margin))
    return body.intersected(whole) if body.intersects(whole) else whole


def image_layer(workspace: ShownPlan, geometry: SliceGeometry, index: int, table: NDArray[np.uint32]) -> QImage:
    """The CT slice through a window table."""
    return grey_image(geometry.plane_of(workspace.image.hu, index), table)


def structure_paths(
    workspace: ShownPlan, sections: Sections, geometry: SliceGeometry, index: int, hidden: frozenset[int]
) -> list[tuple[Structure, QPainterPath]]:
    """Outlines of the visible structures on a slice."""
    found = []
    for structure in workspace.structures.structures:
        if structure.number in hidden or structure.is_empty:
            continue
        lines = sections.shown(structure.number, geometry, index)
        if lines:
            found.append((structure, path_of(lines, is_closed=True)))
    return found


def override_legend(
    workspace: ShownPlan, sections: Sections, geometry: SliceGeometry, index: int, *, is_short: bool = False
) -> list[tuple[tuple[int, int, int], str]]:
    """Colour and text of every overridden structure that a slice cuts, in the order they apply."""
    found = []
    for override in workspace.plan.overrides:
        structure = workspace.structures.structure(override.structure_number)
        if not structure.is_empty and sections.shown(structure.number, geometry, index):
            material = override.material
            text = f"{structure.name} = {material.name}"
            if not is_short:
                text += f", {material.density_g_cm3:g} g/cm³"
            found.append((structure.colour, text))
    return found


def dose_layer(workspace: ShownPlan, geometry: SliceGeometry, index: int, display: DoseDisplay) -> DoseLayer | None:
    """`layer_of` what is open."""
    return layer_of(workspace.dose, workspace.plan.prescription.dose_gy, geometry, index, display)


def layer_of(
    dose: DoseState, prescribed_gy: float, geometry: SliceGeometry, index: int, display: DoseDisplay
) -> DoseLayer | None:
    """Wash, or map of standard errors, and isodose lines on a slice; None where there is nothing to show."""
    has_map = display.has_uncertainty and dose.is_current and dose.uncertainty is not None
    if dose.picture is None or not (display.has_lines or display.has_wash or has_map):
        return None
    plane = dose_plane(*dose.picture, geometry, index)
    if plane is None:
        return None
    is_stale = dose.is_outdated
    if has_map:
        wash = uncertainty_map(dose, plane, geometry, index)
    else:
        wash = _wash(plane, display, prescribed_gy, is_stale=is_stale) if display.has_wash else None
    rows, columns = plane.gy.shape
    is_improving = dose.final_run is not None
    rect = QRectF(
        plane.origin[0] - plane.step[0] / 2, plane.origin[1] - plane.step[1] / 2,
        columns * plane.step[0], rows * plane.step[1],
    )  # fmt: skip
    has_bands = display.has_lines and display.has_bands and not has_map
    sigma = _sigma_plane(dose, geometry, index) if has_bands else None
    lines = _isodose_lines(plane, display, prescribed_gy, sigma) if display.has_lines else ()
    return DoseLayer(wash=wash, wash_rect=rect, lines=lines, is_stale=is_stale, is_improving=is_improving)


def uncertainty_map(dose: DoseState, plane: DosePlane, geometry: SliceGeometry, index: int) -> QImage | None:
    """Standard error over dose on a slice, where the dose is above a tenth of its maximum."""
    sigma = _sigma_plane(dose, geometry, index)
    if sigma is None:
        return None
    is_dosed = plane.gy > MAP_FROM_FRAC * dose.max_gy
    lowest_shown = np.float32(MAP_TOP_PCT / 255.0)  # step 0 of the colours is transparent
    percent = np.maximum(100.0 * sigma / np.maximum(plane.gy, np.float32(1e-6)), lowest_shown)
    shown = np.where(is_dosed, percent, 0.0).astype(np.float32)
    return wash_image(shown, uncertainty_table(), top_gy=MAP_TOP_PCT, opacity_frac=MAP_OPACITY_FRAC)


def _sigma_plane(dose: DoseState, geometry: SliceGeometry, index: int) -> NDArray[np.float32] | None:
    """Standard errors on a slice; None unless the dose is the plan's and has some."""
    if dose.uncertainty is None or dose.grid is None or not dose.is_current:
        return None
    plane = dose_plane(dose.uncertainty.sigma_gy, dose.grid, geometry, index)
    return None if plane is None else plane.gy


def _wash(plane: DosePlane, display: DoseDisplay, prescribed_gy: float, *, is_stale: bool) -> QImage | None:
    if not display.levels or float(plane.gy.max()) <= 0:
        return None
    top_percent = max(level.percent for level in display.levels)
    table = wash_table(display.levels, top_percent=top_percent, threshold_percent=display.threshold_percent)
    if is_stale:
        table[:, :3] = np.linspace(70, 190, 256).astype(np.uint8)[:, None]
    return wash_image(plane.gy, table, top_gy=prescribed_gy * top_percent / 100.0, opacity_frac=display.opacity_frac)


def _isodose_lines(
    plane: DosePlane, display: DoseDisplay, prescribed_gy: float, sigma_gy: NDArray[np.float32] | None
) -> tuple[IsodoseLine, ...]:
    made = []
    visible = [level for level in display.levels if level.is_visible]
    found = plane.lines_at([prescribed_gy * level.percent / 100.0 for level in visible])
    for level, lines in zip(visible, found, strict=True):
        longest = lines.longest
        if len(longest) == 0:
            continue
        # extreme points first: there the lines of neighbouring levels are furthest apart
        u, v = longest[:, 0], longest[:, 1]
        wanted = [v.argmax(), u.argmin(), u.argmax(), v.argmin(), *np.linspace(0, len(u) - 1, 9).astype(int)[1:-1]]
        places = tuple((float(u[n]), float(v[n])) for n in wanted)
        uncertain = [] if sigma_gy is None else plane.band(prescribed_gy * level.percent / 100.0, sigma_gy)
        path, band = path_of_points(lines.points, lines.starts), path_of(uncertain, is_closed=True)
        made.append(IsodoseLine(level=level, path=path, label_at=places, band=band))
    return tuple(made)


def points_here(
    workspace: ShownPlan, geometry: SliceGeometry, index: int, to_view: QTransform
) -> list[tuple[str, QPointF]]:
    """Reference points that lie within a slice's thickness, in view coordinates."""
    here = []
    for point in workspace.plan.points:
        if abs(geometry.slice_of(point.position_cm) - index) <= 0.5 + 1e-6:  # noqa: PLR2004
            column, row = geometry.display_of(point.position_cm)
            here.append((point.name, to_view.map(QPointF(float(column), float(row)))))
    return here


def beam_layer(workspace: ShownPlan, geometry: SliceGeometry, index: int) -> list[BeamLines]:
    """Field edges where they cross the slice; axis and isocentre where they lie within half a slice of it."""
    grid = geometry.grid
    normal = np.asarray(grid.axes[geometry.axis])
    point = np.asarray(geometry.point_cm(0.0, 0.0, index))
    near_cm = max(grid.spacing_cm[geometry.axis], 0.1) * 0.75
    found = []
    preview = workspace.dose.preview
    sketched = () if preview is None else preview.sketched_beams
    for beam in sketched or workspace.plan.beams:
        try:
            machine = workspace.models.package(beam.machine_name).machine
            frame = beam.frame(patient_position=workspace.image.patient_position, sad_cm=machine.sad_cm)
            shape = beam_shape(beam, machine, frame)
        except ErtError:
            continue  # a beam that cannot be drawn is named in the checks panel
        segments = cut_by_plane(shape, point, normal)
        is_near = abs(float((shape.isocentre - point) @ normal)) <= near_cm
        in_plane = bool(np.all(np.abs((shape.axis - point) @ normal) <= near_cm))
        u, v = geometry.display_of(shape.isocentre)
        found.append(
            BeamLines(
                colour=beam.colour,
                edges=path_of(list(geometry.display_of(segments))),
                axis=path_of([geometry.display_of(shape.axis)] if in_plane else []),
                isocentre=(float(u), float(v)) if is_near else None,
                name=beam.name,
            )
        )
    return found


def draw_dose(painter: QPainter, layer: DoseLayer, to_view: QTransform, *, is_final: bool) -> None:
    """Wash below, lines above, in view coordinates; grey and dashed when the dose is out of date."""
    if layer.wash is not None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, on=True)
        painter.drawImage(to_view.mapRect(layer.wash_rect), layer.wash)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
    for line in layer.lines:
        if not line.band.isEmpty():
            painter.fillPath(to_view.map(line.band), QColor(*line.level.colour, BAND_ALPHA))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    is_fine = (
        is_final
        and not layer.is_improving
        and sum(line.path.elementCount() for line in layer.lines) < _MOST_FINE_POINTS
    )
    for line in layer.lines:
        colour = GREY if layer.is_stale else line.level.colour
        pen = QPen(QColor(*colour), line.level.width_px if is_fine else 1.0)
        if line.level.is_dashed or layer.is_stale:
            pen.setStyle(Qt.PenStyle.CustomDashLine)
            pen.setDashPattern([5.0, 3.0])
        painter.setPen(pen)
        painter.drawPath(to_view.map(line.path))


def draw_structures(
    painter: QPainter, paths: list[tuple[Structure, QPainterPath]], to_view: QTransform, *, is_final: bool
) -> None:
    """Outlines; targets drawn heavier."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for structure, path in paths:
        width = (2.2 if structure.role.is_target else 1.4) if is_final else 1.0
        pen = QPen(QColor(*structure.colour), width)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.drawPath(to_view.map(path))


def draw_beams(painter: QPainter, beams: list[BeamLines], to_view: QTransform) -> None:
    """Field edges thin and solid, axis dash-dotted, isocentre a circle with a cross."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=True)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for beam in beams:
        colour = QColor(*beam.colour)
        painter.setPen(QPen(colour, 1.0))
        painter.drawPath(to_view.map(beam.edges))
        painter.setPen(QPen(colour, 1.0, Qt.PenStyle.DashDotLine))
        painter.drawPath(to_view.map(beam.axis))
        if beam.isocentre is not None:
            centre = to_view.map(QPointF(*beam.isocentre))
            painter.setPen(QPen(colour, 1.4))
            painter.drawEllipse(centre, 5.0, 5.0)
            for dx, dy in ((8.0, 0.0), (0.0, 8.0)):
                painter.drawLine(centre - QPointF(dx, dy), centre + QPointF(dx, dy))


def draw_stale_hatch(painter: QPainter, rect: QRectF) -> None:
    """Diagonal hatch over everything: no dose seen here belongs to this plan."""
    painter.fillRect(rect, QBrush(QColor(235, 190, 90, 60), Qt.BrushStyle.BDiagPattern))
