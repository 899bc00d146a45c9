"""The beams: table, add, duplicate, remove, and why the program proposed what it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QScrollArea,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ert.app.machine_service import room_jaws_text
from ert.domain.beam import Beam
from ert.domain.plan import Plan, without_beam
from ert.errors import ErtError
from ert.ui import beam_edits
from ert.ui.beam_table import ROWS, BeamTableModel, ChoicesRole, StepRole, machine_of
from ert.ui.delegates import TurnDelegate
from ert.ui.failures import sentence_of
from ert.ui.icons import icon
from ert.ui.view_state import ViewState
from ert.ui.widgets import MessageStrip, dim_label, push_button, text_label

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace


class BeamPanel(QWidget):
    """Table of the plan's beams with their actions.

    Parameters
    ----------
    workspace, state : the open plan and what its views share.
    propose : callable
        Starts proposing a beam for a target in the background and hands it to `add_proposed`.
    """

    def __init__(
        self,
        workspace: PlanWorkspace,
        state: ViewState,
        propose: Callable[[int], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._workspace, self._state, self._propose = workspace, state, propose
        self.model = BeamTableModel(workspace)
        self.table = QTableView()
        self.message = MessageStrip()
        self._reasons, self._reasons_place = text_label(), QScrollArea()
        self._setup = dim_label()
        self._build()
        self.model.refused.connect(self.message.show_error)
        state.beam_changed.connect(self._follow_beam)
        self.refresh()

    def _build(self) -> None:
        table = self.table
        table.setModel(self.model)
        delegate = TurnDelegate(ChoicesRole, StepRole, table)
        delegate.turned.connect(self._sketch)
        delegate.left.connect(self._workspace.end_sketch)
        table.setItemDelegate(delegate)
        table.setAccessibleName("Beam table")
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.SelectedClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(21)
        table.verticalHeader().setStyleSheet("QHeaderView::section { padding: 0 6px; }")  # or descenders are cut
        table.horizontalHeader().setMinimumSectionSize(92)
        table.horizontalHeader().setStretchLastSection(True)
        table.selectionModel().currentChanged.connect(self._current_changed)
        self.add_button = push_button(
            "Add beam", "add", "Propose a beam for the target: angle, energy, applicator, aperture"
        )
        self.copy_button = push_button("Duplicate", "copy", "Copy the chosen beam")
        self.remove_button = push_button("Remove", "remove", "Remove the chosen beam")
        self.add_button.clicked.connect(self._add)
        self.copy_button.clicked.connect(self._duplicate)
        self.remove_button.clicked.connect(self._remove)
        buttons = QHBoxLayout()
        for button in (self.add_button, self.copy_button, self.remove_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self._reasons.setWordWrap(True)
        self._reasons.setObjectName("dim")
        self._reasons.setAlignment(Qt.AlignmentFlag.AlignTop)
        place = self._reasons_place
        place.setWidget(self._reasons)
        place.setWidgetResizable(True)
        place.setFrameShape(QFrame.Shape.NoFrame)
        place.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        place.setAccessibleName("Reasons of the proposal")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(buttons)
        layout.addWidget(self.message)
        table.setSizeAdjustPolicy(QAbstractItemView.SizeAdjustPolicy.AdjustToContents)
        table.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Maximum)  # every row, if there is room
        self._reasons_place.setMinimumHeight(50)
        layout.addWidget(table)
        layout.addWidget(self._setup)
        layout.addWidget(self._reasons_place, 1)
        self.setWindowIcon(icon("beam"))

    def _sketch(self, index: QModelIndex | QPersistentModelIndex, text: str) -> None:
        """Preview what a number that is being turned would come to."""
        row, beam = ROWS[index.row()], self.model.beams[index.column()]
        change = row.change
        if change is not None:
            edit = beam_edits.change_beam(
                self._workspace, beam.number, lambda b: change(self._workspace, b, text), field=row.field
            )
            self._workspace.sketch(edit)

    # ---- following -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """The plan changed."""
        self.model.refresh()
        numbers = [b.number for b in self._workspace.plan.beams]
        if self._state.beam_number not in numbers:
            self._state.set_beam(numbers[0] if numbers else None)
        self._follow_beam()

    def _follow_beam(self) -> None:
        beam = self.current_beam
        for button in (self.copy_button, self.remove_button):
            button.setEnabled(beam is not None)
        if beam is not None:
            column = [b.number for b in self.model.beams].index(beam.number)
            current = self.table.currentIndex()
            if current.column() != column:
                row = max(current.row(), 0)
                self.table.selectionModel().setCurrentIndex(
                    self.model.index(row, column), QItemSelectionModel.SelectionFlag.ClearAndSelect
                )
        self._show_reasons(beam)
        self._show_setup(beam)

    def _show_setup(self, beam: Beam | None) -> None:
        """Scale of the room and jaws of the chosen beam."""
        machine = None if beam is None else machine_of(self._workspace, beam)
        self._setup.setVisible(machine is not None)
        if beam is None or machine is None:
            return
        jaws = room_jaws_text(machine, beam.applicator_id, beam.energy_mev)
        self._setup.setText(f"Room: {machine.configuration.scale.value} scale. Jaws, cm: {jaws}.")

    def _show_reasons(self, beam: Beam | None) -> None:
        if beam is None:
            self._reasons.setText(
                "No beam yet. “Add beam” proposes angle, energy, applicator and aperture, with reasons."
            )
        elif beam.reasons:
            names = {row.field: row.name for row in reversed(ROWS)}
            lines = [f"{names.get(field, field)}: {text}" for field, text in beam.reasons]
            self._reasons.setText("Proposed because\n" + "\n".join(f"• {line}" for line in lines))
        else:
            self._reasons.setText("Every value of this beam was entered by hand.")

    @property
    def current_beam(self) -> Beam | None:
        """The chosen beam."""
        return next((b for b in self.model.beams if b.number == self._state.beam_number), None)

    def _current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self._state.set_beam(self.model.beams[current.column()].number)

    # ---- actions -------------------------------------------------------------------------------------------------

    def _add(self) -> None:
        self.message.clear()
        self.add_button.setEnabled(False)
        self._propose(self._workspace.plan.prescription.target_number)

    def add_proposed(self, proposed: Beam) -> None:
        """Take a proposed beam into the plan."""
        self.add_button.setEnabled(True)
        self._apply("Add beam", lambda plan: beam_edits.added(plan, proposed))

    def proposal_failed(self, error: BaseException) -> None:
        """Say why there is no proposal."""
        self.add_button.setEnabled(True)
        self.message.show_error(sentence_of(error))

    def _duplicate(self) -> None:
        beam = self.current_beam
        if beam is not None:
            self._apply(f"Duplicate {beam.name}", lambda plan: beam_edits.duplicated(plan, beam.number))

    def _remove(self) -> None:
        beam = self.current_beam
        if beam is not None:
            self._apply(f"Remove {beam.name}", lambda plan: (without_beam(plan, beam.number), None))

    def _apply(self, label: str, edit: Callable[[Plan], tuple[Plan, Beam | None]]) -> None:
        made: list[Beam | None] = []

        def run(plan: Plan) -> Plan:
            after, beam = edit(plan)
            made.append(beam)
            return after

        try:
            self._workspace.apply(label, run)
        except ErtError as error:
            self.message.show_error(str(error))
            return
        self.message.clear()
        if made and made[-1] is not None:
            self._state.set_beam(made[-1].number)
