"""Patients, their courses and plans as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QColor

from ert.app.session import CourseRow, PatientRow
from ert.domain.record import PlanHead
from ert.ui.icons import icon
from ert.ui.numbers import format_number
from ert.ui.page_header import birth_text
from ert.ui.theme import TEXT_DIM
from ert.ui.widgets import plain_tip

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_ICONS: dict[type, str] = {PatientRow: "patient", CourseRow: "course", PlanHead: "plan"}
_COLUMNS = ("Patient / course / plan", "ID", "Born", "Details", "Last change")
RowRole = Qt.ItemDataRole.UserRole + 1
_SearchRole = Qt.ItemDataRole.UserRole + 2


@attrs.define(eq=False)
class Node:
    """One row: a patient, a course or a plan."""

    row: PatientRow | CourseRow | PlanHead
    parent: Node | None
    position: int
    children: list[Node] = attrs.field(factory=list)

    @property
    def patient_row(self) -> PatientRow:
        """The patient this row belongs to."""
        node: Node = self
        while node.parent is not None:
            node = node.parent
        assert isinstance(node.row, PatientRow)  # noqa: S101 - the tree's roots are patients
        return node.row


def build_nodes(rows: Sequence[PatientRow]) -> list[Node]:
    """The tree of all rows."""
    roots = []
    for n, patient in enumerate(rows):
        root = Node(patient, None, n)
        for m, course in enumerate(patient.courses):
            branch = Node(course, root, m)
            branch.children = [Node(plan, branch, k) for k, plan in enumerate(course.plans)]
            root.children.append(branch)
        roots.append(root)
    return roots


def _patient_text(row: PatientRow, column: int) -> str:
    patient = row.patient
    count = sum(len(c.plans) for c in row.courses)
    details = f"{len(row.courses)} course{'s' * (len(row.courses) != 1)}, {count} plan{'s' * (count != 1)}"
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
        f"{row.image.description or 'CT'}: {nx} × {ny} × {nz}, {spacing} cm; structures {row.structure_label or '–'}"
    )
    return (row.course.name, "", "", details, "")[column]


def _plan_text(row: PlanHead, column: int) -> str:
    when = f"{row.saved_at.astimezone():%Y-%m-%d %H:%M:%S}  {row.saved_by}"
    return (row.name, "", "", f"{row.status.value.lower()}, revision {row.revision}", when)[column]


def row_text(row: PatientRow | CourseRow | PlanHead, column: int) -> str:
    """What a column says of a row."""
    if isinstance(row, PatientRow):
        return _patient_text(row, column)
    if isinstance(row, CourseRow):
        return _course_text(row, column)
    return _plan_text(row, column)


def _search_text(row: PatientRow | CourseRow | PlanHead) -> str:
    """What a search looks through: name, number, birth date; the names and numbers of merged records too."""
    former = row.merged if isinstance(row, PatientRow) else ()
    texts = [row_text(row, column) for column in range(3)]
    return " ".join([*texts, *(f"{p.display_name} {p.medical_record_number}" for p in former)])


class PatientTreeModel(QAbstractItemModel):
    """The tree; filled with `show_rows`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._roots: list[Node] = []

    def show_rows(self, rows: Sequence[PatientRow]) -> None:
        """Replace everything."""
        self.beginResetModel()
        self._roots = build_nodes(rows)
        self.endResetModel()

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
        node = self.node(index)
        if node is None:
            return None
        if role == RowRole:
            return node.row
        if role == _SearchRole:
            return _search_text(node.row)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            text = row_text(node.row, index.column())
            return text if role == Qt.ItemDataRole.DisplayRole else plain_tip(text)
        if role == Qt.ItemDataRole.ForegroundRole:
            return None if node.patient_row.is_active else QColor(TEXT_DIM)
        is_icon = role == Qt.ItemDataRole.DecorationRole and index.column() == 0
        return icon(_ICONS[type(node.row)]) if is_icon else None


class PatientFilter(QSortFilterProxyModel):
    """Finds patients, courses and plans by name or number; a match keeps its parents and children in view."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setRecursiveFilteringEnabled(True)
        self.setAutoAcceptChildRows(True)
        self.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setFilterRole(_SearchRole)
        self.setFilterKeyColumn(0)
