"""Materials of structures: assign, order (the last wins), see overlaps, remove. Every step can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ert.domain.overrides import with_override, with_override_moved, without_override
from ert.domain.plan import Plan
from ert.domain.structure import StructureRole
from ert.domain.tissue import TissueReview
from ert.errors import ErtError
from ert.ui.delegates import CellDelegate, SwatchDelegate
from ert.ui.numbers import format_number
from ert.ui.override_model import MATERIAL, STRUCTURE, SWATCH, ChoicesRole, OverrideTableModel, material_choices
from ert.ui.prescription_panel import combo
from ert.ui.view_state import ViewState
from ert.ui.widgets import MessageStrip, dim_label, push_button, section_title

if TYPE_CHECKING:
    from ert.app.workspace import PlanWorkspace

# What usually needs a material comes first, the whole patient last.
_RANK = {StructureRole.BOLUS: 0, StructureRole.SUPPORT: 0, StructureRole.EXTERNAL: 2}
_HINT = "Applied from top to bottom: where structures overlap, the lower row wins."


class OverridePanel(QWidget):
    """Which structures are taken to be which material.

    Signals
    -------
    materials_wanted : the user wants to see or define materials.
    """

    materials_wanted = Signal()

    def __init__(self, workspace: PlanWorkspace, state: ViewState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workspace, self._state = workspace, state
        self.message = MessageStrip()
        drawn = [
            (s.number, s.name)
            for s in sorted(workspace.structures.structures, key=lambda s: _RANK.get(s.role, 1))
            if not s.is_empty
        ]
        self.structure = combo("Structure", list(drawn))
        self.material = combo("Material", [])
        self.model = OverrideTableModel(workspace)
        self.table = QTableView()
        self.overlaps = QListWidget()
        self.assign = push_button("Assign", "add", "Take the structure to be this material")
        self.library = push_button("Materials…", "structures", "See all materials and define the site's own")
        self.earlier = push_button("Up", "up", "Apply earlier: loses where it overlaps with those below")
        self.later = push_button("Down", "down", "Apply later: wins where it overlaps with those above")
        self.remove = push_button("Remove", "remove", "Read the structure through the CT curve again")
        self._build()
        self.refresh()

    def _build(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setItemDelegate(CellDelegate(ChoicesRole, table))
        table.setItemDelegateForColumn(SWATCH, SwatchDelegate(table))
        table.setAccessibleName("Material overrides")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setAlternatingRowColors(True)
        table.verticalHeader().setDefaultSectionSize(23)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(STRUCTURE, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(MATERIAL, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(SWATCH, QHeaderView.ResizeMode.Fixed)
        table.setColumnWidth(SWATCH, 26)
        self.overlaps.setAccessibleName("Overlaps and metal")
        self.overlaps.setWordWrap(True)
        self.overlaps.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.assign.clicked.connect(self._assign)
        self.library.clicked.connect(self.materials_wanted)
        self.earlier.clicked.connect(lambda: self._move(-1))
        self.later.clicked.connect(lambda: self._move(1))
        self.remove.clicked.connect(self._remove)
        self.model.refused.connect(self.message.show_error)
        self.overlaps.itemClicked.connect(self._go_to)
        table.selectionModel().currentRowChanged.connect(lambda _now, _before: self._enable())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.message)
        layout.addLayout(_row(self.structure, self.material))
        layout.addLayout(_row(self.assign, self.library))
        layout.addWidget(table, 3)
        layout.addLayout(_row(self.earlier, self.later, self.remove))
        layout.addWidget(dim_label(_HINT))
        layout.addWidget(section_title("Overlaps and metal (click to go there)"))
        layout.addWidget(self.overlaps, 1)

    def refresh(self) -> None:
        """The plan, the library or what is known of the overrides changed."""
        chosen = self._chosen_number()
        self._fill_materials()
        self.model.refresh()
        self._fill_overlaps()
        self._choose(chosen)
        self._enable()

    def _fill_materials(self) -> None:
        wanted = list(material_choices(self._workspace))
        if [self.material.itemData(n) for n in range(self.material.count())] == wanted:
            return
        name = self.material.currentText()
        self.material.clear()
        for material in wanted:
            self.material.addItem(material.name, material)
            tip = f"{material.density_g_cm3:g} g/cm³"
            self.material.setItemData(self.material.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.material.setCurrentIndex(max(self.material.findText(name), 0))

    def _fill_overlaps(self) -> None:
        self.overlaps.clear()
        reviews = self._workspace.tissue_reviews
        review: TissueReview | None = reviews.review
        if review is None:
            self.overlaps.addItem(reviews.failure or "Being computed …")
            return
        names = {s.number: s.name for s in self._workspace.structures.structures}
        for overlap in review.overlaps:
            text = (
                f"{names[overlap.loser_number]} and {names[overlap.winner_number]}: "
                f"{format_number(overlap.volume_cc, 2)} cm³, {names[overlap.winner_number]} wins"
            )
            self._add_place(text, overlap.point_cm)
        if review.metal is not None:
            text = f"Metal without a material: {format_number(review.metal.volume_cc, 2)} cm³"
            self._add_place(text, review.metal.point_cm)
        if self.overlaps.count() == 0:
            self.overlaps.addItem("No overlap between these structures, no metal without a material.")

    def _add_place(self, text: str, point_cm: tuple[float, float, float]) -> None:
        item = QListWidgetItem(text)
        item.setData(Qt.ItemDataRole.UserRole, point_cm)
        self.overlaps.addItem(item)

    def _go_to(self, item: QListWidgetItem) -> None:
        point_cm = item.data(Qt.ItemDataRole.UserRole)
        if point_cm is not None:
            self._state.set_crosshair(tuple(point_cm))

    # ---- edits ---------------------------------------------------------------------------------------------------

    def _assign(self) -> None:
        number, material = self.structure.currentData(), self.material.currentData()
        if number is None or material is None:
            return
        if self._apply(f"Material of {self.structure.currentText()}", lambda p: with_override(p, number, material)):
            self._choose(number)

    def _move(self, steps: int) -> None:
        number = self._chosen_number()
        if number is not None and self._apply(
            "Order of materials", lambda plan: with_override_moved(plan, number, steps)
        ):
            self._choose(number)

    def _remove(self) -> None:
        number = self._chosen_number()
        if number is not None:
            self._apply("Remove material", lambda plan: without_override(plan, number))

    def _apply(self, label: str, edit: Callable[[Plan], Plan]) -> bool:
        try:
            self._workspace.apply(label, edit)
        except ErtError as error:
            self.message.show_error(str(error))
            return False
        self.message.clear()
        self.refresh()
        return True

    def _chosen_number(self) -> int | None:
        row = self.table.currentIndex().row()
        return self.model.overrides[row].structure_number if 0 <= row < len(self.model.overrides) else None

    def _choose(self, number: int | None) -> None:
        for row, override in enumerate(self.model.overrides):
            if override.structure_number == number:
                self.table.selectRow(row)

    def _enable(self) -> None:
        row, count = self.table.currentIndex().row(), len(self.model.overrides)
        self.remove.setEnabled(0 <= row < count)
        self.earlier.setEnabled(0 < row < count)
        self.later.setEnabled(0 <= row < count - 1)


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, 1)
    return row
