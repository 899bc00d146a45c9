"""Import in three looks: choose where, see what is there with all findings, take one consistent set or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Job, Lane
from ert.app.session import SiteSession
from ert.domain.record import Finding, Severity
from ert.errors import Cancelled
from ert.geometry.frames import PATIENT_POSITIONS
from ert.ui.failures import sentence_of
from ert.ui.findings_panel import FindingsPanel
from ert.ui.import_preview import PreviewTree, person_name, series_text, structure_set_text
from ert.ui.prescription_panel import combo
from ert.ui.widgets import MessageStrip, push_button, text_label

if TYPE_CHECKING:
    from ert.app.patient_service import ImportOutcome, ImportPreview, Selection


class ImportDialog(QDialog):
    """Imports one course into a site.

    Signals
    -------
    imported(outcome) : a course was stored.
    """

    imported = Signal(object)

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from ert.app.patient_service import ImportService

        self._session = session
        self._service = ImportService(session)
        self._preview: ImportPreview | None = None
        self._job: Job[Any] | None = None
        self.setWindowTitle("Import CT and structures")
        self.resize(1040, 660)
        self.source = QLineEdit()
        self.source.setReadOnly(True)
        self.source.setAccessibleName("Source")
        self.source.setPlaceholderText("Choose a folder of DICOM files; folders below it are searched, too")
        self.tree = PreviewTree()
        self.findings = FindingsPanel()
        self.series = combo("CT series", [])
        self.structure_set = combo("Structure set", [])
        self.record_number = QLineEdit()
        self.record_number.setAccessibleName("Medical record number")
        self.position = combo("Patient position", [(name, name) for name in PATIENT_POSITIONS])
        self.progress = QProgressBar()
        self.progress_text = text_label()
        self.stop = push_button("Stop", "cancel", "Stop; nothing is imported")
        self.message = MessageStrip()
        self.import_button = push_button("Import", "import", "Choose what to import first", is_default=True)
        self._build()

    def _build(self) -> None:
        folder = push_button("Folder…", "folder", "Choose a folder")
        files = push_button("Files…", "file", "Choose single files")
        folder.clicked.connect(self._choose_folder)
        files.clicked.connect(self._choose_files)
        top = QHBoxLayout()
        for widget in (self.source, folder, files):
            top.addWidget(widget, 1 if widget is self.source else 0)
        middle = QSplitter()
        middle.addWidget(self.tree)
        middle.addWidget(self.findings)
        middle.setSizes([640, 340])
        self._form = QFormLayout()
        self._form.addRow("CT series", self.series)
        self._form.addRow("Structures", self.structure_set)
        self._form.addRow("Record number", self.record_number)
        self._form.addRow("Position", self.position)
        running = QHBoxLayout()
        running.addWidget(self.progress, 1)
        running.addWidget(self.progress_text, 2)
        running.addWidget(self.stop)
        cancel = push_button("Close", "close", "Import nothing")
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.import_button)
        layout = QVBoxLayout(self)
        layout.addLayout(top)
        layout.addLayout(running)
        layout.addWidget(middle, 1)
        layout.addLayout(self._form)
        layout.addWidget(self.message)
        layout.addLayout(buttons)
        cancel.clicked.connect(self.reject)
        self.stop.clicked.connect(self._stop)
        self.import_button.clicked.connect(self.start_import)
        self.series.currentIndexChanged.connect(self._series_chosen)
        self.tree.series_chosen.connect(lambda uid: self.series.setCurrentIndex(self.series.findData(uid)))
        self._show_running(is_running=False)
        self._series_chosen()

    # ---- scanning ------------------------------------------------------------------------------------------------

    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder with DICOM files")
        if chosen:
            self.start_scan([Path(chosen)])

    def _choose_files(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self, "DICOM files")
        if chosen:
            self.start_scan([Path(name) for name in chosen])

    def start_scan(self, paths: Sequence[Path]) -> None:
        """Look at everything below the paths; nothing is stored."""
        self.source.setText(", ".join(str(p) for p in paths))
        self.message.clear()
        self._preview = None
        self._fill()
        self._run(lambda ctx: self._service.scan(paths, ctx), "Looking at the files", self._scanned)

    def _scanned(self, preview: ImportPreview) -> None:
        self._show_running(is_running=False)
        self._preview = preview
        self._fill()
        if not preview.series:
            self.message.show_error(f"No CT series was found among {preview.file_count} files.")

    def _fill(self) -> None:
        preview = self._preview
        self.tree.show_preview(preview)
        self.findings.list.empty_text = "" if preview is None else "Nothing to report"
        self.findings.show_findings(() if preview is None else _sorted_findings(preview))
        self.series.blockSignals(True)
        self.series.clear()
        for series in () if preview is None else preview.series:
            if series.is_importable:
                self.series.addItem(series_text(series), series.uid)
        best = self._best_series()
        if best is not None:
            self.series.setCurrentIndex(self.series.findData(best))
        self.series.blockSignals(False)
        self._series_chosen()

    def _best_series(self) -> str | None:
        """The series with structures drawn on it, else the one with the most slices."""
        preview = self._preview
        usable = [] if preview is None else [s for s in preview.series if s.is_importable]
        if preview is None or not usable:
            return None
        return max(usable, key=lambda s: (bool(preview.structure_sets_for(s)), len(s.slices))).uid

    def _series_chosen(self) -> None:
        preview, uid = self._preview, self.series.currentData()
        chosen = next((s for s in preview.series if s.uid == uid), None) if preview is not None else None
        self.structure_set.clear()
        if preview is not None and chosen is not None:
            for header in preview.structure_sets_for(chosen):
                self.structure_set.addItem(structure_set_text(header), header.header.sop_instance_uid)
            self.structure_set.addItem("None: import the CT alone", None)
        self._form.setRowVisible(self.record_number, chosen is not None and not chosen.person.patient_id)
        self._form.setRowVisible(self.position, chosen is not None and not chosen.patient_position)
        self.import_button.setEnabled(chosen is not None and self._job is None)
        self.import_button.setToolTip("Import what is chosen" if chosen is not None else "No usable CT series yet")

    # ---- importing -----------------------------------------------------------------------------------------------

    def _selection(self) -> Selection:
        from ert.app.patient_service import Selection

        extra: dict[str, str] = {}
        if self._form.isRowVisible(self.position):
            extra["patient_position"] = self.position.currentData()
        return Selection(
            series_uid=self.series.currentData(),
            structure_set_uid=self.structure_set.currentData(),
            medical_record_number=self.record_number.text().strip(),
            **extra,
        )

    def start_import(self) -> None:
        """Store what is chosen: all of it or nothing."""
        preview = self._preview
        if preview is None:
            return
        selection = self._selection()
        self.message.clear()
        self._run(lambda ctx: self._service.import_selection(preview, selection, ctx), "Importing", self._imported)

    def _imported(self, outcome: ImportOutcome) -> None:
        self._show_running(is_running=False)
        self.accept()
        self.imported.emit(outcome)

    # ---- running -------------------------------------------------------------------------------------------------

    def _run(self, work: Any, title: str, on_done: Any) -> None:  # noqa: ANN401
        self._job = self._session.jobs.submit(
            Lane.IO,
            work,
            title=title,
            supersedes="import",
            on_done=on_done,
            on_failed=self._failed,
            on_cancelled=self._cancelled,
            on_progress=self._progressed,
        )
        self._show_running(is_running=True)

    def _show_running(self, *, is_running: bool) -> None:
        if not is_running:
            self._job = None
        self.progress.setRange(0, 1000)
        self.progress.setValue(0)
        self.progress_text.clear()
        self.stop.setEnabled(True)
        for widget in (self.progress, self.progress_text, self.stop):
            widget.setVisible(is_running)
        self.tree.setEnabled(not is_running)
        self.import_button.setEnabled(not is_running and self.series.currentData() is not None)

    def _progressed(self, fraction: float, text: str) -> None:
        self.progress.setValue(round(1000 * fraction))
        self.progress_text.setText(text)
        self.stop.setEnabled(self._job is not None and self._job.is_stoppable)

    def _stop(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _cancelled(self) -> None:
        self._show_running(is_running=False)
        self.message.show_note("Stopped. Nothing was imported.")

    def _failed(self, error: BaseException) -> None:
        self._show_running(is_running=False)
        if isinstance(error, Cancelled):
            return
        self.message.show_error(f"{sentence_of(error)} Nothing was imported.")

    def reject(self) -> None:
        """Close; a running scan or import is stopped."""
        self._stop()
        super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        """The same."""
        self._stop()
        super().closeEvent(event)


def _sorted_findings(preview: ImportPreview) -> list[Finding]:
    """Worst first; what concerns one series of several names it."""
    found = list(preview.findings)
    for series in preview.series:
        whose = f"{person_name(series.person.name)}, {series.description or 'CT'}: " if len(preview.series) > 1 else ""
        found += [attrs.evolve(f, sentence=f"{whose}{f.sentence}") for f in series.findings]
    order = {Severity.BLOCKER: 0, Severity.WARNING: 1, Severity.NOTE: 2}
    return sorted(found, key=lambda f: order[f.severity])
