"""Two records of one person: put them together, or take them apart again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from ert.app.jobs import JobContext
from ert.app.session import SiteSession
from ert.domain.administration import PatientRecord
from ert.domain.patient import Patient
from ert.errors import Refused
from ert.ui.page_header import birth_text
from ert.ui.prescription_panel import combo
from ert.ui.record_dialogs import RecordDialog, described
from ert.ui.studio_tables import FactTable
from ert.ui.theme import WARN
from ert.ui.widgets import text_label

_HEAD = ("Name", "Record number", "Issued by", "Born", "Sex")
_ABOUT = (
    "This record becomes part of the one you choose: its courses are listed there, under the chosen identity. Its "
    "plans and doses stay bit for bit, and the merge can be taken apart again."
)


class MergeDialog(RecordDialog):
    """Choose the record that stays, with what speaks against it."""

    def __init__(
        self,
        session: SiteSession,
        record: PatientRecord,
        others: Sequence[PatientRecord],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Merge with another record", "Merge", session, _ABOUT, parent)
        self.resize(760, 520)
        self._record = record
        self._others = [r for r in others if r.patient.id != record.patient.id and not r.merged_into]
        self._shown: list[PatientRecord] = []
        self.search = QLineEdit()
        self.search.setAccessibleName("Search the record that stays")
        self.search.setPlaceholderText("Search name or record number of the record that stays")
        self.table = FactTable("Records", _HEAD)
        self.against = text_label()
        self.against.setWordWrap(True)
        self.against.setStyleSheet(f"color: {WARN};")
        self.accept_differences = QCheckBox("It is certain that they are one person in spite of this")
        self.search.textChanged.connect(self._filter)
        self.table.itemSelectionChanged.connect(self.check)
        self.accept_differences.toggled.connect(self.check)
        middle = QVBoxLayout()
        for widget in (
            text_label(described(record.patient)),
            self.search,
            self.table,
            self.against,
            self.accept_differences,
        ):
            middle.addWidget(widget)
        self._filter("")
        self.build(middle)

    @property
    def chosen(self) -> PatientRecord | None:
        """The record that stays."""
        rows = self.table.selectionModel().selectedRows()
        return self._shown[rows[0].row()] if rows and rows[0].row() < len(self._shown) else None

    def _filter(self, text: str) -> None:
        wanted = text.casefold().strip()
        self._shown = [r for r in self._others if wanted in described(r.patient).casefold()]
        self.table.clearSelection()
        self.table.show_rows([_row(r.patient) for r in self._shown])
        self.check()

    def is_ready(self) -> bool:
        """A record is chosen, and what speaks against it was accepted."""
        into = self.chosen
        findings = () if into is None else self.session.administration.merge_findings(self._record, into)
        self.against.setText(" ".join(f.sentence for f in findings))
        self.against.setVisible(bool(findings))
        self.accept_differences.setVisible(bool(findings))
        return into is not None and (not findings or self.accept_differences.isChecked())

    def work(self) -> tuple[Callable[[JobContext], object], str]:
        """Merge."""
        record, into, reason = self._record, self.chosen, self.reason.text()
        if into is None:
            raise Refused("Choose the record that stays.")
        is_sure, administration = self.accept_differences.isChecked(), self.session.administration
        return (
            lambda _ctx: administration.merge(record, into, reason=reason, accept_differences=is_sure),
            f"{described(record.patient)} is now part of {described(into.patient)}.",
        )


class UnmergeDialog(RecordDialog):
    """Choose which merged record stands for itself again."""

    def __init__(
        self,
        session: SiteSession,
        into: Patient,
        merged: Sequence[PatientRecord],
        parent: QWidget | None = None,
    ) -> None:
        about = "The record gets its own courses back and its own identity. Plans and doses stay as they are."
        super().__init__("Take a merge apart", "Take apart", session, about, parent)
        self._merged = {r.patient.id: r for r in merged}
        self.choice = combo("Merged record", [(r.patient.id, described(r.patient)) for r in merged])
        form = QFormLayout()
        form.addRow("Stays", text_label(described(into)))
        form.addRow("Taken out", self.choice)
        self.build(form)

    def work(self) -> tuple[Callable[[JobContext], object], str]:
        """Take it apart."""
        record, reason = self._merged[self.choice.currentData()], self.reason.text()
        administration = self.session.administration
        return (
            lambda _ctx: administration.unmerge(record, reason=reason),
            f"{described(record.patient)} stands for itself again.",
        )


def _row(patient: Patient) -> tuple[str, ...]:
    return (
        patient.display_name,
        patient.medical_record_number,
        patient.issuer,
        birth_text(patient),
        patient.sex.value or "–",
    )
