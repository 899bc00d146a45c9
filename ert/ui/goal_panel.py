"""The clinical goals with their verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ert.app.goal_status import GoalStatus, judge
from ert.domain.plan import Goal, Plan
from ert.errors import ErtError
from ert.ui.goal_dialog import GoalDialog
from ert.ui.numbers import format_number
from ert.ui.tables import result_table
from ert.ui.theme import BAD, GOOD, TEXT_DIM
from ert.ui.widgets import MessageStrip, plain_tip, push_button, section_title, tool_button

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


class GoalTableModel(QAbstractTableModel):
    """Goals with their values and verdicts; a verdict is a word and a sign as well as a colour."""

    def __init__(self, workspace: PlanWorkspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.rows: list[GoalStatus] = []

    def refresh(self) -> None:
        """Judge the goals anew."""
        rows = [judge(self._workspace, goal) for goal in self._workspace.plan.goals]
        if rows != self.rows:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Goals."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Structure, goal, value, verdict."""
        return 0 if parent.isValid() else 4

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Column names."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Goal for", "Goal", "Reached", "")[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Texts and colours."""
        if not index.isValid():
            return None
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(row.problem or row.structure_name)
        if role == Qt.ItemDataRole.TextAlignmentRole and column == 2:  # noqa: PLR2004
            return _RIGHT
        if role == Qt.ItemDataRole.ForegroundRole and column == 3:  # noqa: PLR2004
            return QColor(TEXT_DIM if row.is_met is None else GOOD if row.is_met else BAD)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        goal = row.goal
        value = "–" if row.value is None else f"{format_number(row.value, 2)} {goal.unit}"
        verdict = "–" if row.is_met is None else "✓ met" if row.is_met else "✗ missed"
        return (row.structure_name, goal.text, value, verdict)[column]


class GoalPanel(QWidget):
    """Table of goals with the buttons that change it."""

    def __init__(self, workspace: PlanWorkspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self.model = GoalTableModel(workspace)
        self.message = MessageStrip()
        self.table = result_table(self.model, "Clinical goals", stretch=0)
        self.table.verticalHeader().setDefaultSectionSize(20)
        self.table.horizontalHeader().hide()  # rows read as sentences, and room is short
        add = push_button("Add goal", "add", "Write a clinical goal")
        remove = tool_button("remove", "Remove the chosen goal")  # words for both take room the metrics need
        add.clicked.connect(self._add)
        remove.clicked.connect(self._remove)
        heads = QHBoxLayout()
        self.title = section_title("")
        heads.addWidget(self.title)
        heads.addStretch(1)
        heads.addWidget(add)
        heads.addWidget(remove)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 2)
        layout.setSpacing(3)
        layout.addLayout(heads)
        layout.addWidget(self.message)
        layout.addWidget(self.table, 1)
        self.refresh()

    def refresh(self) -> None:
        """Plan, dose or histograms changed."""
        self.title.setText(f"Goals  ·  {self._workspace.plan.dose_to.phrase}")
        self.model.refresh()

    def _add(self) -> None:
        dialog = GoalDialog(self._workspace.structures, self)
        if not dialog.exec() or dialog.goal is None:
            return
        goal = dialog.goal
        self._apply("Add goal", lambda plan: attrs.evolve(plan, goals=(*plan.goals, goal)))

    def _remove(self) -> None:
        row = self.table.currentIndex().row()
        if row >= 0:
            self._apply("Remove goal", lambda plan: attrs.evolve(plan, goals=_without(plan, row)))

    def _apply(self, label: str, edit: Any) -> None:  # noqa: ANN401
        self.message.clear()
        try:
            self._workspace.apply(label, edit)
        except ErtError as error:
            self.message.show_error(str(error))


def _without(plan: Plan, row: int) -> tuple[Goal, ...]:
    return tuple(goal for n, goal in enumerate(plan.goals) if n != row)
