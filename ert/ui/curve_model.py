"""The points of a CT curve as a table that is checked while it is edited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor

from ert.domain.ct_curve import COLUMN_NAMES, CurveProblem, ProblemLevel, curve_problems
from ert.domain.image import CtCurve, CtCurvePoint
from ert.errors import Refused
from ert.ui.numbers import parse_number
from ert.ui.tables import ROOT, Index, RowsModel

NoChoicesRole = Qt.ItemDataRole.UserRole + 1
_HEADS = ("CT number\nHU", "Density\ng/cm³", "Stopping\nto water", "Scattering\nto water")
_FIELDS = tuple(COLUMN_NAMES)
_REFUSED_COLOUR, _SUSPICIOUS_COLOUR = QColor("#5a2823"), QColor("#4d3d17")
_STEP_HU = 100.0


class CurveTableModel(RowsModel):
    """Rows of a draft; a cell that is no number keeps its text and says so.

    Attributes
    ----------
    problems : what is refused or suspicious now.

    Signals
    -------
    edited : points or problems changed by hand.
    """

    edited = Signal()

    def __init__(self, usual: CtCurve) -> None:
        super().__init__(_HEADS, lambda: self._rows)
        self._usual = usual
        self._rows: list[list[str]] = []
        self._is_open = True
        self.problems: tuple[CurveProblem, ...] = ()

    def set_points(self, points: Sequence[CtCurvePoint], *, is_open: bool) -> None:
        """Show points; ``is_open`` tells whether they may be edited."""
        self.beginResetModel()
        self._rows = [[_plain(getattr(point, field)) for field in _FIELDS] for point in points]
        self._is_open = is_open
        self._check()
        self.endResetModel()

    def points(self) -> tuple[CtCurvePoint, ...]:
        """The points as typed.

        Raises
        ------
        Refused
            If a cell is no number.
        """
        return tuple(self._point(row) for row in range(len(self._rows)))

    def readable_points(self) -> tuple[CtCurvePoint, ...]:
        """The rows whose cells all are numbers, in order of CT number: what can be drawn."""
        found = []
        for row in range(len(self._rows)):
            try:
                found.append(self._point(row))
            except Refused:
                continue
        return tuple(sorted(found, key=lambda p: p.hu))

    def _point(self, row: int) -> CtCurvePoint:
        return CtCurvePoint(**{field: self._number(row, column) for column, field in enumerate(_FIELDS)})

    def _number(self, row: int, column: int) -> float:
        return parse_number(
            self._rows[row][column], what=f"Point {row + 1}: the {COLUMN_NAMES[_FIELDS[column]]}", unit=""
        )

    def _check(self) -> None:
        unreadable = []
        for row in range(len(self._rows)):
            for column, field in enumerate(_FIELDS):
                try:
                    self._number(row, column)
                except Refused as error:
                    unreadable.append(
                        CurveProblem(level=ProblemLevel.REFUSED, row=row, column=field, sentence=str(error))
                    )
        self.problems = tuple(unreadable) or curve_problems(self.points(), usual=self._usual)

    # ---- Qt ------------------------------------------------------------------------------------------------------

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Text as typed; what is wrong with a cell is its colour and its tip."""
        if not index.isValid():
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        found = self.problems_at(index.row(), index.column())
        if role == Qt.ItemDataRole.ToolTipRole and found:
            return "\n".join(p.sentence for p in found)
        if role == Qt.ItemDataRole.BackgroundRole and found:
            return _REFUSED_COLOUR if found[0].level is ProblemLevel.REFUSED else _SUSPICIOUS_COLOUR
        return None

    def problems_at(self, row: int, column: int) -> list[CurveProblem]:
        """What is wrong with one cell, refusals first."""
        return [p for p in self.problems if p.row == row and p.column == _FIELDS[column]]

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Editable while the curve may be changed."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if self._is_open and index.isValid() else flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: ANN401
        """Take what was typed, whatever it is; the check marks it."""
        text = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or not self._is_open or text == self._rows[index.row()][index.column()]:
            return False
        self._rows[index.row()][index.column()] = text
        self._changed()
        return True

    def add_row(self, after: int) -> None:
        """Add a point behind a row: half way to the next one, or beyond the last."""
        points = self.readable_points()
        at = min(max(after + 1, 0), len(self._rows))
        new = ["", "", "", ""]
        if len(points) == len(self._rows) and points:
            new = [_plain(getattr(self._between(points, at), field)) for field in _FIELDS]
        self.beginInsertRows(ROOT, at, at)
        self._rows.insert(at, new)
        self.endInsertRows()
        self._changed()

    @staticmethod
    def _between(points: Sequence[CtCurvePoint], at: int) -> CtCurvePoint:
        if at >= len(points):
            last = points[-1]
            return CtCurvePoint(
                hu=last.hu + _STEP_HU,
                density_g_cm3=last.density_g_cm3,
                relative_stopping=last.relative_stopping,
                relative_scattering=last.relative_scattering,
            )
        low, high = points[max(at - 1, 0)], points[at]
        return CtCurvePoint(**{f: round((getattr(low, f) + getattr(high, f)) / 2, 4) for f in _FIELDS})

    def remove_row(self, row: int) -> None:
        """Take a point away."""
        if not 0 <= row < len(self._rows):
            return
        self.beginRemoveRows(ROOT, row, row)
        del self._rows[row]
        self.endRemoveRows()
        self._changed()

    def _changed(self) -> None:
        self._check()
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(_FIELDS) - 1))
        self.edited.emit()


def _plain(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
