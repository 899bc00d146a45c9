"""The machines of a site: what they are, their configuration as versions, packages in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Lane
from ert.domain.beam_model import DEMO_LABEL, MachinePackage
from ert.domain.machine_configuration import MachineConfiguration
from ert.errors import Refused
from ert.ui.beam_model_table import MODEL_COLUMNS, MODEL_TEXT, model_row
from ert.ui.failures import sentence_of
from ert.ui.machine_form import MachineForm
from ert.ui.machine_tables import ApplicatorTable, Column, ConfigurationTable, JawTable, MaterialTable
from ert.ui.mu_levels_form import MuLevelsForm
from ert.ui.release_dialog import ReleaseDialog
from ert.ui.widgets import MessageStrip, dim_label, push_button, text_label

if TYPE_CHECKING:
    from ert.app.session import SiteSession

_VERSION_COLUMNS = (
    Column(head="Configuration", is_open=False),
    Column(head="Scale", is_open=False),
    Column(head="Digest of the machine", is_open=False),
    Column(head="Digest of the package", is_open=False),
    Column(head="Release", is_open=False),
)
_JAW_TEXT = "IEC 61217 positions at the isocentre plane, as they go into RT Plan: X1 and Y1 usually negative."
_BOX_TEXT = (
    "The outer box is what clearance is judged with: full width along beam's-eye x, full height along y, distance of "
    "its lowest face from the source. Where it is empty a frame 3 cm wide at the insert is assumed, and the plan "
    "checks say so. Energies: those the applicator is used with, empty for all."
)
_VERSION_TEXT = (
    "Beams keep the version they were planned with; the plan checks say where a newer one exists. “Release…” opens the "
    "version chosen here."
)


class MachinesDialog(QDialog):
    """Lists machines and edits their configuration; beam models are shown only.

    Signals
    -------
    machines_changed(sentence) : a machine was added or configured.
    """

    machines_changed = Signal(str)

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Machines")
        self.resize(1240, 700)
        self._session = session
        self._package: MachinePackage | None = None
        self.machines = QListWidget()
        self.head, self.facts = text_label(), dim_label()
        self.message = MessageStrip()
        self.form, self.mu_levels = MachineForm(), MuLevelsForm()
        self.applicators, self.jaws, self.materials = ApplicatorTable(), JawTable(), MaterialTable()
        self.models = ConfigurationTable("Beam models", MODEL_COLUMNS)
        self.versions = ConfigurationTable("Versions", _VERSION_COLUMNS)
        self.tabs = QTabWidget()
        self.import_button = push_button("Add package…", "import", "Take a machine package into the site")
        self.export_button = push_button("Export package…", "export", "Write this machine as a package")
        self.release_button = push_button("Release…", "ok", "See, sign or withdraw the release of this package")
        self.revert_button = push_button("Discard changes", "undo", "Show the saved configuration again")
        self.save_button = push_button("Save as new version", "save", "Keep this configuration as the next version")
        self.close_button = push_button("Close", "close", "Close; unsaved changes are asked about")
        self._build()
        self._connect()
        self.refresh()

    # ---- layout --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.machines.setAccessibleName("Machines")
        self.machines.setFixedWidth(210)
        self.head.setObjectName("pageTitle")
        scroll = QScrollArea()
        scroll.setWidget(self.form)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Parts of the machine")
        pages: tuple[tuple[QWidget, str], ...] = (
            (scroll, "General"),
            (_page(_BOX_TEXT, self.applicators), "Applicators"),
            (_page(_JAW_TEXT, self.jaws, self._row_buttons(self.jaws)), "Jaws"),
            (_page("What cutouts are made of.", self.materials, self._row_buttons(self.materials)), "Cutouts"),
            (self.mu_levels, "MU check"),
            (_page(MODEL_TEXT, self.models), "Beam models"),
            (_page(_VERSION_TEXT, self.versions), "Versions"),
        )
        for page, name in pages:
            self.tabs.addTab(page, name)
        buttons = QHBoxLayout()
        for button in (self.import_button, self.export_button, self.release_button):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch(1)
        for button in (self.revert_button, self.save_button, self.close_button):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        right = QVBoxLayout()
        for widget in (self.head, self.facts, self.message):
            right.addWidget(widget)
        right.addWidget(self.tabs, 1)
        middle = QHBoxLayout()
        middle.addWidget(self.machines)
        middle.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(middle, 1)
        layout.addLayout(buttons)

    def _row_buttons(self, table: ConfigurationTable) -> QHBoxLayout:
        add = push_button("Add row", "add", "Add an empty row")
        remove = push_button("Remove row", "remove", "Remove the chosen row")
        add.clicked.connect(lambda: self._add_row(table))
        remove.clicked.connect(lambda: self._remove_row(table))
        row = QHBoxLayout()
        for button in (add, remove):
            button.setAutoDefault(False)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _add_row(self, table: ConfigurationTable) -> None:
        table.add_row([""] * table.columnCount())
        table.setCurrentCell(table.rowCount() - 1, 0)
        self._edited()

    def _remove_row(self, table: ConfigurationTable) -> None:
        if table.currentRow() >= 0:
            table.removeRow(table.currentRow())
            self._edited()

    def _connect(self) -> None:
        self.machines.currentRowChanged.connect(self._choose)
        self.form.changed.connect(self._edited)
        self.mu_levels.changed.connect(self._edited)
        for table in (self.applicators, self.jaws, self.materials):
            table.itemChanged.connect(self._edited)
        self.import_button.clicked.connect(self._choose_package)
        self.export_button.clicked.connect(self._choose_folder)
        self.release_button.clicked.connect(self.open_release)
        self.revert_button.clicked.connect(self._show_chosen)
        self.save_button.clicked.connect(self.save)
        self.close_button.clicked.connect(self.reject)

    # ---- what is shown -------------------------------------------------------------------------------------------

    def refresh(self, choose: str = "") -> None:
        """Show the site's machines anew."""
        models = self._session.models
        names = list(dict.fromkeys(p.machine.name for p in models.packages))
        self.machines.blockSignals(True)  # noqa: FBT003 - Qt's own signature
        self.machines.clear()
        for name in names:
            package = models.package(name)
            mark = "\nDEMO" if package.is_demo else ""
            item = QListWidgetItem(f"{name}, configuration {package.machine.configuration.revision}{mark}")
            item.setData(Qt.ItemDataRole.UserRole, name)
            self.machines.addItem(item)
        self.machines.blockSignals(False)  # noqa: FBT003 - Qt's own signature
        if names:
            self.machines.setCurrentRow(names.index(choose) if choose in names else 0)
        self._show_chosen()

    @property
    def package(self) -> MachinePackage | None:
        """The machine that is shown, as saved."""
        return self._package

    def _choose(self, row: int) -> None:
        if row >= 0:
            self._show_chosen()

    def _show_chosen(self) -> None:
        item = self.machines.currentItem()
        has_machine = item is not None
        for widget in (self.tabs, self.export_button, self.release_button):
            widget.setEnabled(has_machine)
        if not has_machine:
            self._package = None
            self.head.setText("No machine yet")
            self.facts.setText("Add a package made by “ert commission”.")
            self._set_dirty(is_dirty=False)
            return
        package = self._session.models.package(item.data(Qt.ItemDataRole.UserRole))
        self._package = package
        machine = package.machine
        self.head.setText(f"{machine.name}  ({DEMO_LABEL})" if package.is_demo else machine.name)
        releases = self._session.releases
        self.facts.setText(
            f"Release: {releases.standing(package).text} · SAD {machine.sad_cm:g} cm · insert "
            f"{machine.insert_thickness_cm:g} cm {machine.insert_material}, ends at {machine.insert_distance_cm:g} cm"
            f" · {package.origin or 'origin not stated'}"
        )
        for table in (self.form, self.mu_levels, self.applicators, self.jaws, self.materials):
            table.show_machine(machine)
        self.models.show_rows([model_row(model) for model in package.models])
        versions = self._session.models.versions(machine.name)
        self.versions.show_rows([(*_version_row(p), releases.standing(p).text) for p in versions])
        self.message.clear()
        self._set_dirty(is_dirty=False)

    @property
    def is_dirty(self) -> bool:
        """Whether something was changed since it was shown."""
        return self.save_button.isEnabled()

    def _edited(self, *_: object) -> None:
        self._set_dirty(is_dirty=True)

    def _set_dirty(self, *, is_dirty: bool) -> None:
        """While there are changes the list is closed, so that nobody leaves them behind unseen."""
        for button in (self.save_button, self.revert_button):
            button.setEnabled(is_dirty)
        for widget in (self.machines, self.import_button, self.release_button):
            widget.setEnabled(not is_dirty)
        self.close_button.setText("Close")

    def configuration(self) -> MachineConfiguration:
        """What the fields hold; raises `Refused`."""
        if self._package is None:
            raise Refused("There is no machine.")
        tables = MachineConfiguration(
            applicators=self.applicators.settings(),
            jaws=self.jaws.settings(),
            block_materials=self.materials.settings(),
        )
        return self.mu_levels.into(self.form.into(tables))

    # ---- what is done --------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Keep what the fields hold as the next version, in the background."""
        package = self._package
        if package is None:
            return
        try:
            configuration = self.configuration()
        except Refused as error:
            self.message.show_error(str(error))
            return
        session = self._session
        self._run("Saving the machine", lambda: session.configure_machine(package, configuration), "saved")

    def open_release(self) -> ReleaseDialog | None:
        """Look at the release of the package that is shown, or of the version chosen on the page of versions."""
        package = self._package
        if package is None:
            return None
        row = self.versions.currentRow()
        if self.versions.isVisibleTo(self) and row >= 0:
            package = self._session.models.versions(package.machine.name)[row]
        dialog = ReleaseDialog(self._session, package, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.changed.connect(self._released)
        dialog.open()
        return dialog

    def _released(self, sentence: str) -> None:
        if self._package is not None:
            self.refresh(self._package.machine.name)
        self.message.show_note(sentence)
        self.machines_changed.emit(sentence)

    def add_package(self, path: Path) -> None:
        """Take a package into the site, in the background."""
        self._run("Adding the machine", lambda: self._session.add_machine(path), "added")

    def _run(self, title: str, work: Callable[[], MachinePackage], done: str) -> None:
        for widget in (self.save_button, self.tabs):  # nothing is typed into what is being replaced
            widget.setEnabled(False)
        self._session.jobs.submit(
            Lane.IO,
            lambda _ctx: work(),
            title=title,
            on_done=lambda package: self._done(package, done),
            on_failed=self._failed,
        )

    def _done(self, package: MachinePackage, done: str) -> None:
        machine = package.machine
        self.refresh(machine.name)
        sentence = f"Machine '{machine.name}', configuration {machine.configuration.revision}, was {done}."
        self.message.show_note(f"{sentence} Plans opened from now on can use it.")
        self.machines_changed.emit(sentence)

    def _failed(self, error: BaseException) -> None:
        self.tabs.setEnabled(self._package is not None)
        self.save_button.setEnabled(self.revert_button.isEnabled())
        self.message.show_error(sentence_of(error))

    def export_package(self, path: Path) -> None:
        """Write the machine as saved into a new folder, in the background."""
        package, session = self._package, self._session
        if package is None:
            return
        session.jobs.submit(
            Lane.IO,
            lambda _ctx: session.export_machine(package, path),
            title="Writing the machine package",
            on_done=lambda _none: self.message.show_note(f"Written: {path}"),
            on_failed=self._failed,
        )

    def _choose_package(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Machine package (folder made by ert commission)")
        if chosen:
            self.add_package(Path(chosen))

    def _choose_folder(self) -> None:
        if self._package is None:
            return
        chosen, _ = QFileDialog.getSaveFileName(self, "New folder for the package", self._package.machine.name)
        if chosen:
            self.export_package(Path(chosen))

    def reject(self) -> None:
        """Close, after asking once about unsaved changes."""
        if self.is_dirty and self.close_button.text() == "Close":
            self.message.show_warning("The changes are not saved. Save them, or close again to lose them.")
            self.close_button.setText("Close without saving")
            return
        super().reject()


def _page(text: str, table: QWidget, below: QHBoxLayout | None = None) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(8, 8, 8, 8)
    layout.addWidget(dim_label(text))
    layout.addWidget(table, 1)
    if below is not None:
        layout.addLayout(below)
    return page


def _version_row(package: MachinePackage) -> Sequence[str]:
    machine = package.machine
    scale = machine.configuration.scale.value
    return str(machine.configuration.revision), scale, machine.digest[:16], package.digest[:16]
