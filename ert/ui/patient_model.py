"""Patients, courses and plans as a tree, and the search through it."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QIcon

from ert.domain.patient import Patient
from ert.domain.record import PlanHead
from ert.ui.icons import icon
from ert.ui.page_header import birth_text

if TYPE_CHECKING:
    from ert.app.session import CourseRow, PatientRow

KIND_ROLE = Qt.ItemDataRole.UserRole + 1
ID_ROLE = Qt.ItemDataRole.UserRole + 2
COLUMNS = ("Name", "Record number", "Born", "Content", "Last saved")
_Index = QModelIndex | QPersistentModelIndex


class NodeKind(enum.Enum):
    """What a line of the tree is."""

    PATIENT = "patient"
    COURSE = "course"
    PLAN = "plan"


@attrs.define(eq=False, kw_only=True)
class Node:
    """A line: whose it is, what it shows."""

    kind: NodeKind
    record_id: str
    texts: tuple[str, ...]
    patient: Patient
    course: CourseRow | None = None
    plan: PlanHead | None = None
    parent: Node | None = None
    row: int = 0
    children: list[Node] = attrs.field(factory=list)

    def add(self, child: Node) -> None:
        """Put a line below this one."""
        child.parent, child.row = self, len(self.children)
        self.children.append(child)


def patient_node(row: PatientRow) -> Node:
    """A patient with courses and plans below."""
    patient = row.patient
    plans = sum(len(c.plans) for c in row.courses)
    content = f"{_count(len(row.courses), 'course')}, {_count(plans, 'plan')}"
    texts = (patient.display_name, patient.medical_record_number, birth_text(patient), content, "")
    node = Node(kind=NodeKind.PATIENT, record_id=patient.id, texts=texts, patient=patient)
    for course in row.courses:
        node.add(_course_node(patient, course))
    return node


def _course_node(patient: Patient, row: CourseRow) -> Node:
    image = row.image
    spacing = " × ".join(f"{s * 10:.3g}" for s in image.spacing_cm)
    content = f"CT {image.description or 'without description'}, {image.shape_zyx[0]} slices, {spacing} mm; "
    content += f"structures {row.structure_label or 'without label'}"
    node = Node(
        kind=NodeKind.COURSE,
        record_id=row.course.id,
        texts=(row.course.name, "", "", content, ""),
        patient=patient,
        course=row,
    )
    for head in row.plans:
        saved = f"{head.saved_at.astimezone():%Y-%m-%d %H:%M} by {head.saved_by}"
        texts = (head.name, "", "", f"{head.status.value.capitalize()}, revision {head.revision}", saved)
        node.add(
            Node(kind=NodeKind.PLAN, record_id=head.plan_id, texts=texts, patient=patient, course=row, plan=head)
        )
    return node


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


class PatientModel(QAbstractItemModel):
    """The tree."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._patients: list[Node] = []
        self._nodes: list[Node] = []
        self._search_texts: list[str] = []

    def show_rows(self, rows: Sequence[PatientRow]) -> None:
        """Show these patients."""
        self.beginResetModel()
        self._patients = [patient_node(row) for row in rows]
        self._nodes = []
        self._search_texts = []
        for number, patient in enumerate(self._patients):
            patient.row = number
            below = [patient, *patient.children, *(p for c in patient.children for p in c.children)]
            self._nodes.extend(below)
            words = [*patient.texts[:3], *(node.texts[0] for node in below[1:])]
            self._search_texts.append(" ".join(words).casefold())
        self._ids = {id(node): number for number, node in enumerate(self._nodes)}
        self.endResetModel()

    @property
    def patients(self) -> tuple[Node, ...]:
        """The patients' lines."""
        return tuple(self._patients)

    def search_text(self, row: int) -> str:
        """What a search looks through for a patient: name, number, birth date, names of courses and plans."""
        return self._search_texts[row]

    def node(self, index: _Index) -> Node | None:
        """The line at an index."""
        return self._nodes[index.internalId()] if index.isValid() else None

    def index_of(self, record_id: str) -> QModelIndex:
        """Where a patient, course or plan stands; invalid if it is not there."""
        for node in self._nodes:
            if node.record_id == record_id:
                return self.createIndex(node.row, 0, self._ids[id(node)])
        return QModelIndex()

    # ---- QAbstractItemModel --------------------------------------------------------------------------------------

    def index(self, row: int, column: int, parent: _Index = QModelIndex()) -> QModelIndex:  # noqa: B008 - Qt's signature
        """The index of a child."""
        above = self.node(parent)
        children = self._patients if above is None else above.children
        if not (0 <= row < len(children) and 0 <= column < len(COLUMNS)):
            return QModelIndex()
        return self.createIndex(row, column, self._ids[id(children[row])])

    def parent(self, index: _Index = QModelIndex()) -> Any:  # type: ignore[override]  # noqa: ANN401, B008 - Qt overloads it
        """The index above; without an argument the owner of the model, as in every `QObject`."""
        node = self.node(index)
        if node is None or node.parent is None:
            return QModelIndex()
        return self.createIndex(node.parent.row, 0, self._ids[id(node.parent)])

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        """Number of lines below."""
        if parent.column() > 0:
            return 0
        above = self.node(parent)
        return len(self._patients if above is None else above.children)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: ARG002, B008
        """Number of columns."""
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Titles of the columns."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Text, sign, kind and record id."""
        node = self.node(index)
        if node is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return node.texts[index.column()]
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return _icon(node.kind)
        if role == KIND_ROLE:
            return node.kind
        if role == ID_ROLE:
            return node.record_id
        return None


def _icon(kind: NodeKind) -> QIcon:
    return icon(kind.value)


class PatientFilter(QSortFilterProxyModel):
    """Patients in whom every typed word is found; what belongs to them stays with them."""

    def __init__(self, model: PatientModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._words: tuple[str, ...] = ()
        self.setSourceModel(model)

    def set_search(self, text: str) -> None:
        """Look for these words."""
        self.beginFilterChange()
        self._words = tuple(text.casefold().split())
        self.endFilterChange()

    def filterAcceptsRow(self, source_row: int, source_parent: _Index) -> bool:
        """Whether a line is shown."""
        if not self._words or source_parent.isValid():
            return True
        text = self._model.search_text(source_row)
        return all(word in text for word in self._words)
