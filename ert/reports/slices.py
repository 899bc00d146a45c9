"""CT slices with contours and isodose lines, as drawings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import attrs
import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from reportlab.lib.colors import black, white
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from ert.domain.image import CtImage
from ert.domain.structure import Structure
from ert.geometry.grid import Float3, VoxelGrid
from ert.reports.page import BOLD, FONT, printable
from ert.reports.plot import Rgb, rgb

Orientation = Literal["axial", "coronal", "sagittal"]
Box = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
_PLANES: dict[str, tuple[int, int, int]] = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))
_WINDOW_HU, _LEVEL_HU = 800.0, 0.0
_MASK_STEP_CM = 0.05


@attrs.frozen(kw_only=True)
class Isodose:
    """One isodose level: Gy, what to print for it, and its colour."""

    dose_gy: float
    label: str
    colour: Rgb


@attrs.frozen(kw_only=True)
class SliceContent:
    """What a slice drawing shows; grids of image and dose share their axes.

    Attributes
    ----------
    image, dose_grid, dose_gy : the CT and the dose (float32 [z, y, x], Gy).
    structures : drawn in their colours.
    isodoses : drawn in order.
    box_cm : part shown, along the CT axes from voxel 0: (low, high) for x, y, z.
    """

    image: CtImage
    dose_grid: VoxelGrid
    dose_gy: NDArray[np.float32] = attrs.field(eq=False, repr=False)
    structures: tuple[Structure, ...]
    isodoses: tuple[Isodose, ...]
    box_cm: Box

    def along_cm(self, point_cm: ArrayLike) -> NDArray[np.float64]:
        """Patient points, shape (..., 3), as distances along the CT axes from voxel 0."""
        along: NDArray[np.float64] = self.image.grid.index_xyz(point_cm) * np.asarray(self.image.grid.spacing_cm)
        return along


def letter(axis: ArrayLike) -> str:
    """The patient's side a direction points to: L R A P S I, by its largest component."""
    vector = np.asarray(axis, dtype=float)
    main = int(np.argmax(np.abs(vector)))
    return _LETTERS[main][0 if vector[main] > 0 else 1]


def _plane(volume: NDArray[np.generic], normal: int, index: float) -> NDArray[np.float64]:
    """The plane [vertical, horizontal] at a fractional index along an axis, linear between neighbours."""
    axis = 2 - normal
    last = volume.shape[axis] - 1
    low = int(np.clip(np.floor(index), 0, last))
    high = min(low + 1, last)
    share = float(np.clip(index - low, 0.0, 1.0))
    first = np.take(volume, low, axis=axis).astype(np.float64)
    mixed: NDArray[np.float64] = (1 - share) * first + share * np.take(volume, high, axis=axis)
    return first if share == 0 else mixed


def crossings(points: NDArray[np.float64], *, along: int, across: int, position_cm: float) -> NDArray[np.float64]:
    """Where a closed polygon crosses the line ``across = position``: sorted coordinates along the other axis."""
    a, b = points, np.roll(points, -1, axis=0)
    below_a, below_b = a[:, across] < position_cm, b[:, across] < position_cm
    is_crossing = below_a != below_b
    a, b = a[is_crossing], b[is_crossing]
    share = (position_cm - a[:, across]) / (b[:, across] - a[:, across])
    return np.sort(a[:, along] + share * (b[:, along] - a[:, along]))


def level_lines(
    across: NDArray[np.float64], up: NDArray[np.float64], plane: NDArray[np.float64], level: float
) -> list[NDArray[np.float64]]:
    """Contour lines (n, 2) of a plane [up, across] at a level."""
    generator = contour_generator(across, up, plane, line_type=LineType.Separate)
    return cast(list[NDArray[np.float64]], generator.lines(level))


def cut_outlines(
    structure: Structure, content: SliceContent, orientation: Orientation, position_cm: float
) -> list[NDArray[np.float64]]:
    """Outlines (n, 2) of a structure in a plane, along the CT axes, horizontal and vertical.

    In axial planes these are the contours drawn on the nearest slice. In the others every contoured slice is cut along
    the line where the planes meet (even–odd), and the slabs, half a slice distance to each side, are outlined.
    """
    horizontal, vertical, normal = _PLANES[orientation]
    spacing_z_cm = content.image.grid.spacing_cm[2]
    contours = [content.along_cm(c.points_cm) for c in structure.contours]
    if orientation == "axial":
        near = [c for c in contours if abs(float(c[:, 2].mean()) - position_cm) <= spacing_z_cm / 2]
        return [np.vstack([c[:, [horizontal, vertical]], c[:1, [horizontal, vertical]]]) for c in near]
    (h0, h1), (v0, v1) = content.box_cm[horizontal], content.box_cm[vertical]
    h = np.arange(h0 - _MASK_STEP_CM, h1 + 2 * _MASK_STEP_CM, _MASK_STEP_CM)
    v = np.arange(v0 - _MASK_STEP_CM, v1 + 2 * _MASK_STEP_CM, _MASK_STEP_CM)
    inside = np.zeros((len(v), len(h)), dtype=bool)
    for contour in contours:
        z = float(contour[:, 2].mean())
        rows = np.abs(v - z) <= spacing_z_cm / 2
        edges = crossings(contour, along=horizontal, across=normal, position_cm=position_cm)
        inside[rows] ^= (np.searchsorted(edges, h) % 2 == 1)[None, :]
    return level_lines(h, v, inside.astype(float), 0.5)


class SliceDrawing(Flowable):  # type: ignore[misc]  # reportlab has no types
    """One slice through a point, to scale, with orientation letters, contours, isodoses and their legend."""

    def __init__(
        self,
        content: SliceContent,
        orientation: Orientation,
        point_cm: Float3,
        *,
        title: str,
        max_width_pt: float,
        max_height_pt: float,
    ) -> None:
        super().__init__()
        self.content, self.orientation, self.title = content, orientation, title
        self.horizontal, self.vertical, self.normal = _PLANES[orientation]
        self.along = content.along_cm(point_cm)
        (h0, h1), (v0, v1) = content.box_cm[self.horizontal], content.box_cm[self.vertical]
        self.unit = min((max_width_pt - 4) / (h1 - h0), (max_height_pt - 14) / (v1 - v0))
        self.width, self.height = (h1 - h0) * self.unit + 4, (v1 - v0) * self.unit + 14

    def wrap(self, *_available: float) -> tuple[float, float]:
        """Size on the page."""
        return self.width, self.height

    def _place(self, points_cm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 2) along the CT axes on the page; axial slices have y (posterior) pointing down."""
        (h0, _), (v0, v1) = self.content.box_cm[self.horizontal], self.content.box_cm[self.vertical]
        across = (points_cm[:, 0] - h0) * self.unit + 2
        up = (v1 - points_cm[:, 1]) if self.orientation == "axial" else (points_cm[:, 1] - v0)
        return np.column_stack([across, up * self.unit + 2])

    def draw(self) -> None:
        """Draw onto the page."""
        canvas: Canvas = self.canv
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(2, 2, self.width - 4, self.height - 14)
        canvas.clipPath(frame, stroke=0)
        self._draw_image(canvas)
        position_cm = float(self.along[self.normal])
        for structure in self.content.structures:
            for line in cut_outlines(structure, self.content, self.orientation, position_cm):
                self._stroke(canvas, line, structure.colour, 0.7)
        self._draw_isodoses(canvas)
        self._draw_letters(canvas)
        canvas.restoreState()
        canvas.setFont(BOLD, 6.5)
        canvas.setFillColor(black)
        canvas.drawString(2, self.height - 9, printable(self.title))

    def _draw_image(self, canvas: Canvas) -> None:
        image = self.content.image
        spacing = image.grid.spacing_cm
        plane = _plane(image.hu, self.normal, float(self.along[self.normal]) / spacing[self.normal])
        grey = np.clip((plane - _LEVEL_HU) / _WINDOW_HU + 0.5, 0, 1) * 255
        pixels = grey.astype(np.uint8)
        rows, columns = pixels.shape
        if self.orientation != "axial":
            pixels = pixels[::-1]
        low = np.array([[-0.5 * spacing[self.horizontal], -0.5 * spacing[self.vertical]]])
        high = np.array([[(columns - 0.5) * spacing[self.horizontal], (rows - 0.5) * spacing[self.vertical]]])
        (x0, y0), (x1, y1) = self._place(low)[0], self._place(high)[0]
        canvas.drawImage(ImageReader(Image.fromarray(pixels)), x0, min(y0, y1), width=x1 - x0, height=abs(y1 - y0))

    def _draw_isodoses(self, canvas: Canvas) -> None:
        grid = self.content.dose_grid
        corner = self.content.along_cm(grid.origin_cm)
        index = (self.along[self.normal] - corner[self.normal]) / grid.spacing_cm[self.normal]
        if not -0.5 <= index <= grid.shape_zyx[2 - self.normal] - 0.5:
            return
        plane = _plane(self.content.dose_gy, self.normal, float(index))
        h = corner[self.horizontal] + np.arange(plane.shape[1]) * grid.spacing_cm[self.horizontal]
        v = corner[self.vertical] + np.arange(plane.shape[0]) * grid.spacing_cm[self.vertical]
        if min(plane.shape) < 2:  # noqa: PLR2004 - contouring needs two rows and columns
            return
        for level in self.content.isodoses:
            for line in level_lines(h, v, plane, level.dose_gy):
                self._stroke(canvas, line, level.colour, 1.0)

    def _stroke(self, canvas: Canvas, line_cm: NDArray[np.float64], colour: Rgb, width: float) -> None:
        points = self._place(line_cm)
        path = canvas.beginPath()
        for number, (x, y) in enumerate(points.tolist()):
            (path.lineTo if number else path.moveTo)(x, y)
        canvas.setStrokeColor(rgb(colour))
        canvas.setLineWidth(width)
        canvas.drawPath(path)

    def _draw_letters(self, canvas: Canvas) -> None:
        axes = np.asarray(self.content.image.grid.axes)
        right, up = axes[self.horizontal], axes[self.vertical] * (-1 if self.orientation == "axial" else 1)
        canvas.setFont(BOLD, 7)
        canvas.setFillColor(white)
        middle_x, middle_y = self.width / 2, self.height / 2 - 6
        canvas.drawRightString(self.width - 5, middle_y, letter(right))
        canvas.drawString(5, middle_y, letter(-right))
        canvas.drawCentredString(middle_x, self.height - 20, letter(up))
        canvas.drawCentredString(middle_x, 5, letter(-up))
        canvas.setFillColor(black)


class IsodoseLegend(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A row of the isodose levels with their colours, % and Gy."""

    def __init__(self, isodoses: Sequence[Isodose], *, width_pt: float) -> None:
        super().__init__()
        self.isodoses = list(isodoses)
        self.width, self.height = width_pt, 12.0

    def wrap(self, *_available: float) -> tuple[float, float]:
        """Size on the page."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw onto the page."""
        canvas: Canvas = self.canv
        canvas.setFont(FONT, 6.5)
        x = 2.0
        for level in self.isodoses:
            canvas.setStrokeColor(rgb(level.colour))
            canvas.setLineWidth(2)
            canvas.line(x, 5, x + 12, 5)
            canvas.drawString(x + 15, 3, printable(level.label))
            x += 22 + canvas.stringWidth(printable(level.label), FONT, 6.5)
