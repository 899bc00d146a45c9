"""One CT curve under the hand: where it comes from, its points as a table, and the plot that follows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from ert.app.curve_files import read_curve_file, write_curve_file
from ert.domain.ct_curve import MAX_KVP, MIN_KVP, ProblemLevel, SiteCtCurve, check_site_curve
from ert.domain.image import CtCurve
from ert.domain.materials import default_ct_curve
from ert.domain.record import Finding, Severity
from ert.errors import ErtError, Refused
from ert.ui.curve_model import CurveTableModel, NoChoicesRole
from ert.ui.delegates import CellDelegate
from ert.ui.file_names import file_name
from ert.ui.findings_panel import FindingsList
from ert.ui.number_edit import NumberEdit
from ert.ui.plots import CurvePlot
from ert.ui.widgets import MessageStrip, dim_label, push_button

_LEVELS = {ProblemLevel.REFUSED: Severity.BLOCKER, ProblemLevel.SUSPICIOUS: Severity.WARNING}
_CSV = "CT curve (*.csv)"


class CurveEditor(QSplitter):
    """Form and table on the left, plot and problems on the right.

    Signals
    -------
    edited : something was changed by hand.
    """

    edited = Signal()

    def __init__(self, message: MessageStrip, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.message = message
        self.version = QComboBox()
        self.name, self.scanner, self.author, self.note = (QLineEdit() for _ in range(4))
        self.kvp = NumberEdit("The tube voltage", "kV", decimals=0, minimum=MIN_KVP, maximum=MAX_KVP)
        self.measured_on = QLineEdit()
        self.model = CurveTableModel(default_ct_curve())
        self.table = QTableView()
        self.plot = CurvePlot()
        self.problems = FindingsList("Problems of the curve")
        self.import_button = push_button("Import CSV…", "import", "Take the points of a CSV file")
        self.export_button = push_button("Export CSV…", "export", "Write the points shown as CSV")
        self.add_point = push_button("Add point", "add", "Add a point behind the chosen one")
        self.remove_point = push_button("Remove point", "remove", "Remove the chosen point")
        self._build()
        self.model.edited.connect(self._edited)
        for line in (self.name, self.scanner, self.author, self.note, self.measured_on, self.kvp):
            line.textEdited.connect(lambda _text: self._edited())
        self.kvp.refused.connect(self.message.show_error)

    def _build(self) -> None:
        pairs: tuple[tuple[Any, Callable[[], object]], ...] = (
            (self.import_button, self._choose_import),
            (self.export_button, self._choose_export),
            (self.add_point, lambda: self.model.add_row(self.table.currentIndex().row())),
            (self.remove_point, lambda: self.model.remove_row(self.table.currentIndex().row())),
        )
        for button, slot in pairs:
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, slot=slot: slot())
        self.version.setAccessibleName("Version")
        for line, name, hint in (
            (self.name, "Name", "for example Big bore 120 kV"),
            (self.scanner, "Scanner", "maker, model, room"),
            (self.measured_on, "Measured on", "YYYY-MM-DD"),
            (self.author, "Author", "who answers for the values"),
            (self.note, "Note", "phantom, method"),
        ):
            line.setAccessibleName(name)
            line.setPlaceholderText(hint)
        self.table.setModel(self.model)
        self.table.setItemDelegate(CellDelegate(NoChoicesRole, self.table))
        self.table.setAccessibleName("Points of the CT curve")
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.verticalHeader().setDefaultSectionSize(23)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.problems.setMinimumHeight(56)
        for widget, weight in ((self._middle(), 2), (self._right(), 3)):
            self.addWidget(widget)
            self.setStretchFactor(self.count() - 1, weight)
        self.setSizes([430, 520])
        self.setChildrenCollapsible(False)

    def _middle(self) -> QWidget:
        whole = QWidget()
        form = QFormLayout()
        for label, widget in (
            ("Version", self.version),
            ("Name", self.name),
            ("Scanner", self.scanner),
            ("Voltage", self.kvp),
            ("Measured on", self.measured_on),
            ("Author", self.author),
            ("Note", self.note),
        ):
            form.addRow(label, widget)
        points = QHBoxLayout()
        for button in (self.add_point, self.remove_point):
            points.addWidget(button)
        points.addStretch(1)
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(self.table, 1)
        column.addLayout(points)
        return whole

    def _right(self) -> QWidget:
        whole = QWidget()
        files = QHBoxLayout()
        files.addWidget(dim_label("Dashed: the default curve. Dotted: metal is warned of above."), 1)
        files.addWidget(self.import_button)
        files.addWidget(self.export_button)
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.plot, 3)
        column.addWidget(self.problems, 1)
        column.addLayout(files)
        return whole

    def show_curve(self, value: SiteCtCurve, *, is_open: bool, is_new: bool) -> None:
        """Show a curve; ``is_open`` lets it be edited, ``is_new`` its name too."""
        self.name.setText(value.name)
        self.scanner.setText(value.scanner)
        self.kvp.set_value(float(value.kvp))
        self.measured_on.setText(value.measured_on.isoformat())
        self.author.setText(value.author)
        self.note.setText(value.note)
        self.name.setReadOnly(not is_new)
        for line in (self.scanner, self.kvp, self.measured_on, self.author, self.note):
            line.setReadOnly(not is_open)
        for button in (self.add_point, self.remove_point, self.import_button):
            button.setEnabled(is_open)
        self.model.set_points(value.curve.points, is_open=is_open)
        self._show_points()

    def _edited(self) -> None:
        self._show_points()
        self.edited.emit()

    def _show_points(self) -> None:
        self.plot.show_curve(self.model.readable_points(), default_ct_curve().points)
        self.problems.show_findings(
            [Finding(severity=_LEVELS[p.level], code="ct-curve", sentence=p.sentence) for p in self.model.problems]
            or [Finding(severity=Severity.NOTE, code="ct-curve", sentence="Nothing to say against these points.")]
        )

    def draft(self, curve_id: str) -> SiteCtCurve:
        """What was entered, checked, as the curve of that record id.

        Raises
        ------
        Refused
            If something is missing or not plausible.
        """
        points = self.model.points()
        problem = next((p for p in self.model.problems if p.level is ProblemLevel.REFUSED), None)
        if problem is not None:
            raise Refused(problem.sentence)
        name = self.name.text().strip()
        value = SiteCtCurve(
            id=curve_id,
            curve=CtCurve(name=name, points=points),
            scanner=self.scanner.text().strip(),
            kvp=int(self.kvp.read()),
            measured_on=_date(self.measured_on.text()),
            author=self.author.text().strip(),
            note=self.note.text().strip(),
        )
        check_site_curve(value)
        return value

    def choose_refused_cell(self) -> None:
        """Bring the first refused cell under the cursor."""
        for row in range(self.model.rowCount()):
            for column in range(self.model.columnCount()):
                if any(p.level is ProblemLevel.REFUSED for p in self.model.problems_at(row, column)):
                    self.table.setCurrentIndex(self.model.index(row, column))
                    return

    def _choose_import(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "CT curve", "", _CSV)
        if chosen:
            self.import_points(Path(chosen))

    def import_points(self, path: Path) -> None:
        """Take the points of a CSV file into the curve shown."""
        try:
            curve = read_curve_file(path, name=path.stem)
        except ErtError as error:
            self.message.show_error(str(error))
            return
        self.message.clear()
        if not self.name.isReadOnly() and not self.name.text().strip():
            self.name.setText(path.stem)
        self.model.set_points(curve.points, is_open=True)
        self._edited()

    def _choose_export(self) -> None:
        name = file_name(self.name.text().strip() or "ct_curve", ".csv")
        chosen, _ = QFileDialog.getSaveFileName(self, "CT curve", name, _CSV)
        if chosen:
            self.export_points(Path(chosen))

    def export_points(self, path: Path) -> None:
        """Write the points shown as CSV; a file of that name was agreed to be replaced."""
        try:
            write_curve_file(path, CtCurve(name=self.name.text(), points=self.model.points()), may_replace=True)
        except ErtError as error:
            self.message.show_error(str(error))
            return
        self.message.show_note(f"The points were written to {path}.")


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError:
        raise Refused(f"'{text.strip()}' is no date.", hint="Write it as YYYY-MM-DD.") from None
