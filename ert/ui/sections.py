"""Outlines of structures on the slices of the views, computed once for each slice and kept."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from ert.domain.image import CtImage
from ert.domain.structure import Structure, StructureSet
from ert.errors import ErtError
from ert.geometry.contours import ContourStack, stack_on_grid
from ert.geometry.outline import structure_outlines
from ert.ui.slice_geometry import SliceGeometry

Lines = list[NDArray[np.float64]]
_AXIS_NAMES = {0: "sagittal", 1: "coronal", 2: "axial"}
_KEPT = 6000


class Sections:
    """Sections of one structure set through one image; shared by all views of a plan.

    Attributes
    ----------
    refusals : why a structure cannot be cut, by structure number.
    """

    def __init__(self, image: CtImage, structures: StructureSet) -> None:
        self._image, self._structures = image, structures
        self._stacks: dict[int, ContourStack | None] = {}
        self._kept: OrderedDict[tuple[int, int, int], Lines] = OrderedDict()
        self.refusals: dict[int, str] = {}

    def outlines(self, number: int, axis: int, index: int) -> Lines:
        """Outlines (n, 2) of a structure on a slice, in fractional grid indices of the plane's column and row axis."""
        key = (number, axis, index)
        lines = self._kept.get(key)
        if lines is None:
            stack = self._stack(number)
            grid = self._image.grid
            lines = [] if stack is None else structure_outlines(stack, grid, _AXIS_NAMES[axis], index)
            self._kept[key] = lines
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return lines

    def shown(self, number: int, geometry: SliceGeometry, index: int) -> Lines:
        """The same in a view's columns and rows."""
        shown = []
        for line in self.outlines(number, geometry.axis, index):
            at = np.zeros((len(line), 3))
            at[:, geometry.column_axis], at[:, geometry.row_axis] = line[:, 0], line[:, 1]
            shown.append(geometry.to_display(at))
        return shown

    def structures_at(self, point_cm: tuple[float, float, float]) -> list[Structure]:
        """The structures a patient point lies in, by the contours of the nearest acquired plane."""
        i, j, k = self._image.grid.index_xyz(point_cm)
        index = round(float(k))
        if not 0 <= index < self._image.grid.shape_zyx[0]:
            return []
        return [
            s
            for s in self._structures.structures
            if not s.is_empty and _is_inside(self.outlines(s.number, 2, index), float(i), float(j))
        ]

    def _stack(self, number: int) -> ContourStack | None:
        if number not in self._stacks:
            structure = self._structures.structure(number)
            try:
                self._stacks[number] = None if structure.is_empty else stack_on_grid(structure, self._image.grid)
            except ErtError as error:
                self.refusals[number] = str(error)
                self._stacks[number] = None
        return self._stacks[number]


def _is_inside(outlines: Lines, x: float, y: float) -> bool:
    """Even-odd rule over all outlines of a plane: contours on one plane combine by exclusive or."""
    crossings = 0
    for line in outlines:
        x0, y0 = line[:, 0], line[:, 1]
        x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
        spans = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = x0 + (y - y0) / (y1 - y0) * (x1 - x0)
        crossings += int(np.count_nonzero(spans & (at > x)))
    return crossings % 2 == 1
