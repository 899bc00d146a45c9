"""The material library: what ERT ships, with sources, and what the site defined itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.app.tissue_library import TissueLibrary
from ert.domain.image import Material
from ert.domain.library import LibraryEntry, SiteMaterial, check_material
from ert.domain.materials import shipped_materials
from ert.errors import Refused
from ert.ui.failures import sentence_of
from ert.ui.number_edit import NumberEdit
from ert.ui.theme import TEXT_DIM
from ert.ui.widgets import MessageStrip, push_button, section_title

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_HEADS = ("Material", "Density\ng/cm³", "Stopping\nto water", "Scattering\nto water", "Of", "Source or note")


@attrs.frozen(kw_only=True)
class MaterialRow:
    """One row; ``entry`` is None for a shipped material."""

    material: Material
    origin: str
    text: str
    entry: LibraryEntry[SiteMaterial] | None = None


def material_rows(library: TissueLibrary) -> list[MaterialRow]:
    """The site's own materials first, then the shipped ones."""
    own = [
        MaterialRow(
            material=entry.value.material,
            origin=f"site, v{entry.revision}" + ("" if entry.is_in_use else ", withdrawn"),
            text=entry.value.note,
            entry=entry,
        )
        for entry in library.materials
    ]
    shipped = [
        MaterialRow(material=s.material, origin="ERT", text=f"{s.note}. {s.source}" if s.note else s.source)
        for s in shipped_materials().values()
    ]
    return [*own, *shipped]


class MaterialTableModel(QAbstractTableModel):
    """Materials with their values as the tables state them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[MaterialRow] = []

    def set_rows(self, rows: list[MaterialRow]) -> None:
        """Show materials."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Materials."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Name, values, origin, source."""
        return 0 if parent.isValid() else len(_HEADS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Names with units."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _HEADS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401
        """Values."""
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        m = row.material
        texts = (m.name, f"{m.density_g_cm3:g}", f"{m.relative_stopping:.4f}", f"{m.relative_scattering:.4f}",
                 row.origin, row.text)  # fmt: skip
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return texts[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() in (1, 2, 3):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ForegroundRole and row.entry is not None and not row.entry.is_in_use:
            return QColor(TEXT_DIM)
        return None


class MaterialsDialog(QDialog):
    """Table above, the site's own material below.

    Signals
    -------
    library_changed : a material was stored or withdrawn.
    """

    library_changed = Signal()

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Materials")
        self.resize(960, 640)
        self._session, self._library = session, session.library
        self._entry: LibraryEntry[SiteMaterial] | None = None
        self.model = MaterialTableModel()
        self.table = QTableView()
        self.name, self.note = QLineEdit(), QLineEdit()
        self.density = NumberEdit("The density", "g/cm³", decimals=4)
        self.stopping = NumberEdit("The relative stopping power", "", decimals=4)
        self.scattering = NumberEdit("The relative scattering power", "", decimals=4)
        self.message = MessageStrip()
        self.title = section_title("")
        self.new = push_button("New", "new", "Define a material of the site")
        self.save = push_button("Save", "save", "Store the material")
        self.withdraw = push_button("Withdraw…", "stop", "Keep this material from being chosen")
        self.close_button = push_button("Close", "close", "Leave the materials")
        self._build()
        self._fill()

    def _build(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setAccessibleName("Materials")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setAlternatingRowColors(True)
        table.setShowGrid(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(22)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        table.selectionModel().currentRowChanged.connect(lambda now, _before: self._chosen(now.row()))
        for line, name in ((self.name, "Name"), (self.note, "Note")):
            line.setAccessibleName(name)
        self.note.setPlaceholderText("batch, how it was measured")
        form = QFormLayout()
        for label, widget in (("Name", self.name), ("Density", self.density), ("Stopping", self.stopping),
                              ("Scattering", self.scattering), ("Note", self.note)):  # fmt: skip
            form.addRow(label, widget)
        buttons = QHBoxLayout()
        slots: tuple[tuple[Any, Callable[[], object]], ...] = (
            (self.new, self.begin_new),
            (self.withdraw, self._ask_withdraw),
            (self.save, self.submit),
            (self.close_button, self.reject),
        )
        for button, slot in slots:
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, slot=slot: slot())
            buttons.addWidget(button)
        buttons.insertStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(table, 1)
        layout.addWidget(self.title)
        layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addLayout(buttons)

    def _fill(self, select_id: str = "") -> None:
        self.model.set_rows(material_rows(self._library))
        for row, shown in enumerate(self.model.rows):
            if shown.entry is not None and shown.entry.value.id == select_id:
                self.table.selectRow(row)
                return
        self.begin_new()

    def _chosen(self, row: int) -> None:
        """The site's own can be edited; a shipped one is the start of a new one."""
        if row < 0:
            return
        shown = self.model.rows[row]
        self._entry = shown.entry
        material = shown.material
        self._show(material.name if shown.entry is not None else f"{material.name} (own)", material, shown.text)
        if shown.entry is None:
            self.note.clear()

    def begin_new(self) -> None:
        """Empty fields for a material of the site."""
        self._entry = None
        self.table.clearSelection()
        self._show("", None, "")
        self.name.setFocus()

    def _show(self, name: str, material: Material | None, note: str) -> None:
        entry = self._entry
        self.name.setText(name)
        self.name.setReadOnly(entry is not None)
        self.density.set_value(None if material is None else material.density_g_cm3)
        self.stopping.set_value(None if material is None else material.relative_stopping)
        self.scattering.set_value(None if material is None else material.relative_scattering)
        self.note.setText(note)
        self.save.setText("Save" if entry is None else "Save as new version")
        self.save.setEnabled(True)
        self.withdraw.setEnabled(entry is not None and entry.is_in_use)
        self.title.setText("New material of the site" if entry is None else f"Material of the site: {entry.value.name}")

    def draft(self) -> SiteMaterial:
        """What was entered, checked.

        Raises
        ------
        Refused
            If a value is missing or not plausible.
        """
        material = Material(
            name=self.name.text().strip(),
            density_g_cm3=self.density.read(),
            relative_stopping=self.stopping.read(),
            relative_scattering=self.scattering.read(),
        )
        check_material(material)
        value = SiteMaterial(material=material, note=self.note.text().strip())
        return value if self._entry is None else attrs.evolve(value, id=self._entry.value.id)

    def submit(self) -> None:
        """Store what was entered."""
        try:
            value = self.draft()
        except Refused as error:
            self.message.show_error(str(error))
            return
        library, base = self._library, 0 if self._entry is None else self._entry.revision
        self._run(lambda: library.save_material(value, base_revision=base), "Storing the material")

    def _ask_withdraw(self) -> None:
        if self._entry is None:
            return
        name = self._entry.value.name
        reason, is_given = QInputDialog.getText(self, "Withdraw a material", f"Why must '{name}' go?")
        if is_given:
            self.withdraw_chosen(reason)

    def withdraw_chosen(self, reason: str) -> None:
        """Withdraw the material shown."""
        entry, library = self._entry, self._library
        if entry is not None:
            self._run(lambda: library.withdraw_material(entry.value.id, reason), "Withdrawing the material")

    def _run(self, work: Callable[[], LibraryEntry[SiteMaterial]], title: str) -> None:
        self.message.clear()
        self.save.setEnabled(False)
        self._session.jobs.submit(
            Lane.IO, lambda _ctx: work(), title=title, on_done=self._stored, on_failed=self._failed
        )

    def _stored(self, entry: LibraryEntry[SiteMaterial]) -> None:
        self._fill(entry.value.id)
        verb = "is stored" if entry.is_in_use else "is withdrawn"
        self.message.show_note(f"Material '{entry.value.name}', version {entry.revision}, {verb}.")
        self.library_changed.emit()

    def _failed(self, error: BaseException) -> None:
        self.save.setEnabled(True)
        self.message.show_error(sentence_of(error))
