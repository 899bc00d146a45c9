"""The preview of an import as a tree: patients, studies, CT series, RT objects, each with its worst finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QBrush, QColor, QIcon
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

from ert.domain.record import Severity
from ert.ui.icons import icon
from ert.ui.numbers import format_number
from ert.ui.theme import BAD
from ert.ui.widgets import plain_tip, severity_pixmap

if TYPE_CHECKING:
    from ert.app.patient_service import CtSeries, ImportPreview, ScannedStudy, StructureSetHeader

_UID_ROLE = Qt.ItemDataRole.UserRole


def person_name(name: str) -> str:
    """A DICOM person name as a person writes it."""
    return ", ".join(part for part in name.split("^") if part) or "(no name)"


def date_text(date: str) -> str:
    """A DICOM date (yyyymmdd) as yyyy-mm-dd; anything else as it is."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else date  # noqa: PLR2004


def series_text(series: CtSeries) -> str:
    """Description, size and spacing of a series."""
    name = series.description or "CT"
    if series.grid is None:
        return f"{name}  ·  {len(series.slices)} slice{'s' * (len(series.slices) != 1)}"
    nz, ny, nx = series.grid.shape_zyx
    spacing = " × ".join(format_number(s, 2) for s in series.grid.spacing_cm)
    return f"{name}  ·  {nx} × {ny} × {nz}  ·  {spacing} cm  ·  {series.patient_position or 'position unknown'}"


def structure_set_text(header: StructureSetHeader) -> str:
    """Label, date and number of structures."""
    label, date = header.label or "RT Structure Set", date_text(header.date) or "no date"
    return f"{label}  ·  {date}  ·  {len(header.roi_names)} structures"


class PreviewTree(QTreeWidget):
    """What a scan found.

    Signals
    -------
    series_chosen(uid) : the user clicked a series that can be imported.
    """

    series_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setColumnCount(2)
        self.setHeaderLabels(["Found", ""])
        self.setAccessibleName("Found in the files")
        self.setAlternatingRowColors(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.itemClicked.connect(self._clicked)

    def show_preview(self, preview: ImportPreview | None) -> None:
        """Fill the tree; None empties it."""
        self.clear()
        for patient in () if preview is None else preview.patients:
            person = patient.person
            born = person.birth_date.isoformat() if person.birth_date else "unknown"
            name = person_name(person.name)
            root = QTreeWidgetItem(self, [f"{name}   ID {person.patient_id or '–'}   born {born}", ""])
            root.setIcon(0, icon("patient"))
            for study in patient.studies:
                self._add_study(root, study)
        self.expandAll()

    def _add_study(self, root: QTreeWidgetItem, study: ScannedStudy) -> None:
        branch = QTreeWidgetItem(root, [f"Study {date_text(study.date)} {study.description}".strip(), ""])
        branch.setIcon(0, icon("course"))
        for series in study.series:
            item = QTreeWidgetItem(branch, [series_text(series), ""])
            item.setIcon(0, icon("series"))
            item.setToolTip(0, plain_tip("\n".join([series_text(series), *(f.sentence for f in series.findings)])))
            self._mark(item, series)
            if series.is_importable:
                item.setData(0, _UID_ROLE, series.uid)
        for header in study.structure_sets:
            item = QTreeWidgetItem(branch, [structure_set_text(header), "structures"])
            item.setIcon(0, icon("structures"))
            item.setToolTip(0, plain_tip(", ".join(header.roi_names)))
        for plan in study.plans:
            QTreeWidgetItem(branch, [f"RT Plan {plan.label}", "not imported"]).setIcon(0, icon("plan"))
        for dose in study.doses:
            QTreeWidgetItem(branch, [f"RT Dose {dose.summation_type}", "not imported"]).setIcon(0, icon("isodose"))

    @staticmethod
    def _mark(item: QTreeWidgetItem, series: CtSeries) -> None:
        severities = {f.severity for f in series.findings}
        if not series.is_importable:
            item.setIcon(1, QIcon(severity_pixmap(Severity.BLOCKER)))
            item.setText(1, "cannot be imported")
            for column in range(item.columnCount()):
                item.setForeground(column, QBrush(QColor(BAD)))
        elif Severity.WARNING in severities:
            item.setIcon(1, QIcon(severity_pixmap(Severity.WARNING)))
            item.setText(1, "see findings")
        else:
            item.setText(1, "ready")

    def _clicked(self, item: QTreeWidgetItem, _column: int) -> None:
        uid = item.data(0, _UID_ROLE)
        if uid:
            self.series_chosen.emit(str(uid))
