"""Patients, their courses and plans as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from ert.app.patient_rows import CourseRow, PatientRow
from ert.domain.record import PlanHead, PlanStatus
from ert.ui.icons import icon
from ert.ui.numbers import format_number
from ert.ui.page_header import birth_text
from ert.ui.theme import BAD, GOOD, TEXT_DIM
from ert.ui.widgets import plain_tip

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_ICONS: dict[type, str] = {PatientRow: "patient", CourseRow: "course", PlanHead: "plan"}
_FIRST, _DETAILS = 500, 3
_COLUMNS = ("Patient / course / plan", "ID", "Born", "Details", "Last change")
RowRole = Qt.ItemDataRole.UserRole + 1
_ROLES = frozenset(
    int(role)
    for role in (
        RowRole,
        Qt.ItemDataRole.DisplayRole,
        Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.ForegroundRole,
        Qt.ItemDataRole.DecorationRole,
    )
)


@attrs.define(eq=False)
class Node:
    """One row: a patient, a course or a plan. Rows below it are made when somebody asks for them.

    While somebody searches, only those are below it that match, or hold or belong to a match.
    """

    row: PatientRow | CourseRow | PlanHead
    parent: Node | None
    position: int
    wanted: str = ""
    _children: list[Node] | None = None

    @property
    def children(self) -> list[Node]:
        """Rows below this one."""
        if self._children is None:
            # All that is below a match belongs to it.
            wanted = "" if self.wanted in _search_text(self.row).casefold() else self.wanted
            below = (row for row in _rows_below(self.row) if wanted in _subtree_text(row).casefold())
            self._children = [Node(row, self, n, wanted) for n, row in enumerate(below)]
        return self._children

    @property
    def patient_row(self) -> PatientRow:
        """The patient this row belongs to."""
        node: Node = self
        while node.parent is not None:
            node = node.parent
        assert isinstance(node.row, PatientRow)  # noqa: S101 - the tree's roots are patients
        return node.row

    @property
    def course_row(self) -> CourseRow | None:
        """The course this row is, or belongs to; of a patient the only one."""
        if isinstance(self.row, PatientRow):
            return self.row.courses[0] if len(self.row.courses) == 1 else None
        if isinstance(self.row, CourseRow):
            return self.row
        return None if self.parent is None else self.parent.course_row


def _rows_below(row: PatientRow | CourseRow | PlanHead) -> Sequence[CourseRow | PlanHead]:
    if isinstance(row, PatientRow):
        return row.courses
    return row.plans if isinstance(row, CourseRow) else ()


def search_texts(rows: Sequence[PatientRow]) -> list[str]:
    """What a search looks through for each patient, folded: everything that stands in the rows below, too."""
    return [_subtree_text(row).casefold() for row in rows]


def _subtree_text(row: PatientRow | CourseRow | PlanHead) -> str:
    return "\n".join([_search_text(row), *(_subtree_text(below) for below in _rows_below(row))])


def _patient_text(row: PatientRow, column: int) -> str:
    patient = row.patient
    count = sum(len(c.plans) for c in row.courses)
    details = f"{len(row.courses)} course{'s' * (len(row.courses) != 1)}, {count} plan{'s' * (count != 1)}"
    if not row.is_complete:
        details = "reading courses…"
    if row.merged:
        details += "; also " + ", ".join(f"{p.display_name} ({p.medical_record_number})" for p in row.merged)
    texts = (
        patient.display_name if row.is_active else f"{patient.display_name}  (inactive)",
        patient.medical_record_number,
        birth_text(patient),
        details,
        "",
    )
    return texts[column]


def _course_text(row: CourseRow, column: int) -> str:
    nz, ny, nx = row.image.shape_zyx
    spacing = " × ".join(format_number(s, 2) for s in row.image.spacing_cm)
    details = (
        f"{row.image.description or 'CT'}; structures {row.structure_label or '–'}; "
        f"{nx} × {ny} × {nz} voxels of {spacing} cm"
    )
    return (row.course.name, "", "", details, "")[column]


def _plan_text(row: PlanHead, column: int) -> str:
    when = f"{row.saved_at.astimezone():%Y-%m-%d %H:%M:%S}  {row.saved_by}"
    return (row.name, "", "", f"{row.status.phrase}, revision {row.revision}", when)[column]


def row_text(row: PatientRow | CourseRow | PlanHead, column: int) -> str:
    """What a column says of a row."""
    if isinstance(row, PatientRow):
        return _patient_text(row, column)
    if isinstance(row, CourseRow):
        return _course_text(row, column)
    return _plan_text(row, column)


def _search_text(row: PatientRow | CourseRow | PlanHead) -> str:
    """What a search looks through: name, number, birth date; the names and numbers of merged records too."""
    if isinstance(row, PatientRow):
        patient = row.patient
        own = f"{patient.display_name} {patient.medical_record_number} {birth_text(patient)}"
        return " ".join([own, *(f"{p.display_name} {p.medical_record_number}" for p in row.merged)])
    return row.course.name if isinstance(row, CourseRow) else row.name


class PatientTreeModel(QAbstractItemModel):
    """The tree; filled with `show_rows`, narrowed with `search`.

    The first `_FIRST` of the patients found are in view at once, the others with `take_rest`: a view looks at every
    row that it is given, and a letter typed must not wait for ten thousand. Qt's own way, `fetchMore`, is of no use: a
    tree's view calls it whenever it is laid out.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[tuple[PatientRow, str]] = []
        self._wanted = ""
        self._found: list[PatientRow] = []
        self._roots: list[Node] = []

    def show_rows(self, rows: Sequence[PatientRow], texts: Sequence[str] | None = None) -> None:
        """Replace everything; ``texts`` are the rows' `search_texts`, if they were made elsewhere."""
        self._all = list(zip(rows, search_texts(rows) if texts is None else texts, strict=True))
        self.search(self._wanted)

    def search(self, text: str) -> None:
        """Keep in view what a text occurs in, with what belongs to it; an empty one shows everything."""
        self._wanted = text.casefold()
        self.beginResetModel()
        self._found = [row for row, found in self._all if self._wanted in found]
        self._roots = self._nodes(0, min(_FIRST, len(self._found)))
        self.endResetModel()

    @property
    def found_count(self) -> int:
        """How many patients the search found, in view or still to be fetched."""
        return len(self._found)

    @property
    def has_more(self) -> bool:
        """Whether patients that were found are not in view yet."""
        return len(self._roots) < len(self._found)

    def take_rest(self) -> None:
        """Take all patients that were found into view."""
        if self.has_more:
            start, end = len(self._roots), len(self._found)
            self.beginInsertRows(_ROOT, start, end - 1)
            self._roots += self._nodes(start, end)
            self.endInsertRows()

    def _nodes(self, start: int, end: int) -> list[Node]:
        return [Node(self._found[n], None, n, self._wanted) for n in range(start, end)]

    def position(self, *, patient_id: str = "", course_id: str = "", plan_id: str = "") -> int:
        """Where a patient stands among those found, by its own id or that of a course or plan; -1 if it does not."""
        if not (patient_id or course_id or plan_id):
            return -1
        return next((n for n, row in enumerate(self._found) if _holds(row, patient_id, course_id, plan_id)), -1)

    def find(self, *, patient_id: str = "", course_id: str = "", plan_id: str = "") -> QModelIndex:
        """The row of a plan, else of a course, else of a patient; invalid if it is not among what was found."""
        position = self.position(patient_id=patient_id, course_id=course_id, plan_id=plan_id)
        if position < 0:
            return QModelIndex()
        if position >= len(self._roots):
            self.take_rest()
        root = self._roots[position]
        for node in (*root.children, *(plan for course in root.children for plan in course.children)):
            is_plan = isinstance(node.row, PlanHead) and node.row.plan_id == plan_id
            is_course = isinstance(node.row, CourseRow) and node.row.course.id == course_id and not plan_id
            if is_plan or is_course:
                return self.createIndex(node.position, 0, node)
        return self.createIndex(position, 0, root)

    def node(self, index: Index) -> Node | None:
        """What lies behind an index."""
        found = index.internalPointer() if index.isValid() else None
        return found if isinstance(found, Node) else None

    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        """Index of a child."""
        node = self.node(parent)
        siblings = self._roots if node is None else node.children
        if not 0 <= row < len(siblings):
            return QModelIndex()
        return self.createIndex(row, column, siblings[row])

    def parent(self, index: Index = _ROOT) -> QModelIndex:  # type: ignore[override]
        """Index of the parent."""
        node = self.node(index)
        if node is None or node.parent is None:
            return QModelIndex()
        return self.createIndex(node.parent.position, 0, node.parent)

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Number of children."""
        if parent.column() > 0:
            return 0
        node = self.node(parent)
        return len(self._roots) if node is None else len(node.children)

    def hasChildren(self, parent: Index = _ROOT) -> bool:
        """Whether there are rows below; of a row it is known without making them, for something below it matched."""
        node = self.node(parent)
        return bool(self._roots) if node is None else parent.column() == 0 and bool(_rows_below(node.row))

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Columns."""
        return len(_COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Column names."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Text, icon, and the row itself."""
        if role not in _ROLES:  # a view asks seven times of every cell that it paints
            return None
        node = self.node(index)
        if node is None:
            return None
        if role == RowRole:
            return node.row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            text = row_text(node.row, index.column())
            return text if role == Qt.ItemDataRole.DisplayRole else plain_tip(text)
        if role == Qt.ItemDataRole.ForegroundRole:
            colour = _colour(node) if index.column() != _DETAILS else _status_colour(node.row) or _colour(node)
            return None if colour is None else QColor(colour)
        is_icon = role == Qt.ItemDataRole.DecorationRole and index.column() == 0
        return icon(_ICONS[type(node.row)]) if is_icon else None


def _colour(node: Node) -> str | None:
    return None if node.patient_row.is_active else TEXT_DIM


def _status_colour(row: PatientRow | CourseRow | PlanHead) -> str | None:
    """Of a plan that was approved: whether it may be treated."""
    if not isinstance(row, PlanHead) or not row.status.is_locked:
        return None
    return GOOD if row.status is PlanStatus.APPROVED else BAD


def _holds(row: PatientRow, patient_id: str, course_id: str, plan_id: str) -> bool:
    if plan_id:
        return any(plan.plan_id == plan_id for course in row.courses for plan in course.plans)
    if course_id:
        return any(course.course.id == course_id for course in row.courses)
    return row.patient.id == patient_id
