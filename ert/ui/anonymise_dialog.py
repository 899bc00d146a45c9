"""An anonymised copy: its identity, what becomes of dates and names."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QWidget

from ert.app.jobs import JobContext
from ert.app.session import SiteSession
from ert.domain.administration import PatientRecord
from ert.domain.anonymisation import Anonymisation, DateRule
from ert.ui.number_edit import NumberEdit
from ert.ui.prescription_panel import combo
from ert.ui.record_dialogs import RecordDialog, described
from ert.ui.widgets import text_label

_ABOUT = (
    "All courses with the newest revision of each plan are copied within this site, under another identity and other "
    "UIDs. Of the CT files only pixels and their geometry are kept. Check yourself that a face cannot be recognised."
)
_RULES: list[tuple[object, str]] = [
    (DateRule.REMOVE, "Remove"),
    (DateRule.SHIFT, "Shift by the same number of days"),
    (DateRule.KEEP, "Keep"),
]
_DAYS = 36_525


class AnonymiseDialog(RecordDialog):
    """Asks how the copy is made."""

    def __init__(self, session: SiteSession, record: PatientRecord, parent: QWidget | None = None) -> None:
        super().__init__("Anonymised copy", "Copy", session, _ABOUT, parent)
        self._record = record
        self.number, self.name = QLineEdit(), QLineEdit("Anonymous")
        self.number.setAccessibleName("Record number of the copy")
        self.number.setPlaceholderText("For example STUDY-007")
        self.name.setAccessibleName("Name of the copy")
        self.dates = combo("Dates", _RULES)
        self.days = NumberEdit("The shift", "days", decimals=0, minimum=-_DAYS, maximum=_DAYS)
        self.names = QCheckBox("Keep names of courses, plans, beams, structures and points")
        self.dates.currentIndexChanged.connect(self._dates_chosen)
        self.number.textChanged.connect(self.check)
        self.name.textChanged.connect(self.check)
        form = QFormLayout()
        form.addRow("Copy of", text_label(described(record.patient)))
        form.addRow("Record number", self.number)
        form.addRow("Name", self.name)
        form.addRow("Dates", self.dates)
        form.addRow("Shift (days)", self.days)
        form.addRow("", self.names)
        form.setRowVisible(self.days, False)
        self._form = form
        self.build(form)

    def _dates_chosen(self) -> None:
        self._form.setRowVisible(self.days, DateRule(self.dates.currentData()) is DateRule.SHIFT)
        self.check()

    def is_ready(self) -> bool:
        """The copy has an identity."""
        return bool(self.number.text().strip() and self.name.text().strip())

    def how(self) -> Anonymisation:
        """How the copy is made; raises `Refused`."""
        rule = DateRule(self.dates.currentData())
        return Anonymisation(
            number=self.number.text(),
            family_name=self.name.text(),
            dates=rule,
            shift_days=int(self.days.read()) if rule is DateRule.SHIFT else 0,
            keeps_names=self.names.isChecked(),
        )

    def work(self) -> tuple[Callable[[JobContext], object], str]:
        """Copy."""
        how, reason, patient_id = self.how(), self.reason.text(), self._record.patient.id
        administration = self.session.administration

        def copy(ctx: JobContext) -> object:
            return administration.anonymised_copy(patient_id, how, ctx, reason=reason)

        return copy, f"The anonymised copy has the record number {how.number.strip()}."
