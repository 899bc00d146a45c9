"""Dialogs that change a patient's record: each shows what is stored, asks for a reason, and says why not if refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import attrs
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLayout, QLineEdit, QVBoxLayout, QWidget

from ert.app.jobs import JobContext, Lane
from ert.app.session import SiteSession
from ert.domain.administration import PatientRecord
from ert.domain.patient import Patient, Sex
from ert.errors import Refused
from ert.ui.failures import sentence_of
from ert.ui.page_header import birth_text
from ert.ui.prescription_panel import combo
from ert.ui.widgets import MessageStrip, dim_label, text_label

_SEXES: list[tuple[object, str]] = [(Sex.UNKNOWN, "unknown"), (Sex.FEMALE, "F"), (Sex.MALE, "M"), (Sex.OTHER, "O")]


def described(patient: Patient) -> str:
    """Name, number and birth date in one line."""
    issuer = f" ({patient.issuer})" if patient.issuer else ""
    return f"{patient.display_name} · ID {patient.medical_record_number}{issuer} · born {birth_text(patient)}"


class RecordDialog(QDialog):
    """What all of them share: whose record it is, a reason, one job.

    Signals
    -------
    changed(sentence) : the record was changed; what to say of it.
    """

    changed = Signal(str)

    def __init__(self, title: str, verb: str, session: SiteSession, about: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setMinimumWidth(620)
        self.session = session
        self.message = MessageStrip()
        self.reason = QLineEdit()
        self.reason.setAccessibleName("Reason")
        self.reason.setPlaceholderText("Goes into the history of the record")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.ok.setText(verb)
        self.buttons.accepted.connect(self.submit)
        self.buttons.rejected.connect(self.reject)
        self.reason.textChanged.connect(self.check)
        self._about = about
        self._is_running = False

    def build(self, *parts: QLayout | QWidget) -> None:
        """Put the parts between head and reason."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        layout.setSpacing(10)
        layout.addWidget(dim_label(self._about))
        for part in parts:
            if isinstance(part, QLayout):
                layout.addLayout(part)
            else:
                layout.addWidget(part)
        form = parts[-1] if parts and isinstance(parts[-1], QFormLayout) else QFormLayout()
        form.addRow("Reason", self.reason)
        if form not in parts:
            layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addWidget(self.buttons)
        self.check()

    def check(self) -> None:
        """Offer the change once it can be made."""
        is_ready = bool(self.reason.text().strip()) and self.is_ready() and not self._is_running
        self.ok.setEnabled(is_ready)
        self.ok.setToolTip("" if is_ready else "Fill in what is missing, and say why")

    def is_ready(self) -> bool:
        """Whether all but the reason is there."""
        return True

    def submit(self) -> None:
        """Make the change in the background."""
        try:
            work, sentence = self.work()
        except Refused as error:
            self.message.show_error(sentence_of(error))
            return
        self._is_running = True
        self.check()
        self.session.jobs.submit(
            Lane.IO,
            work,
            title=self.windowTitle(),
            on_done=lambda _done: self._done(sentence),
            on_failed=self._failed,
            on_cancelled=lambda: self._failed(Refused("Stopped.")),
        )

    def work(self) -> tuple[Callable[[JobContext], object], str]:
        """The change, and what to say when it is made; raises `Refused`."""
        raise NotImplementedError

    def _done(self, sentence: str) -> None:
        self.accept()
        self.changed.emit(sentence)

    def _failed(self, error: BaseException) -> None:
        self._is_running = False
        self.message.show_error(sentence_of(error))
        self.check()


class CorrectDialog(RecordDialog):
    """Name, number, birth date, sex: as stored, and as they should be."""

    def __init__(self, session: SiteSession, record: PatientRecord, parent: QWidget | None = None) -> None:
        super().__init__(
            "Correct the identity",
            "Correct",
            session,
            "Plans, doses and images stay as they are under the corrected identity; what is exported carries it.",
            parent,
        )
        self._record = record
        patient = record.patient
        self.lines: dict[str, QLineEdit] = {}
        born = "" if patient.birth_date is None else patient.birth_date.isoformat()
        texts = {
            "family_name": "Family name",
            "given_name": "Given name",
            "middle_name": "Middle name",
            "prefix": "Prefix",
            "suffix": "Suffix",
            "medical_record_number": "Record number",
            "issuer": "Issued by",
        }
        form = QFormLayout()
        form.addRow("Stored", text_label(described(patient)))
        for name, label in texts.items():
            self.lines[name] = self._line(label, getattr(patient, name))
            form.addRow(label, self.lines[name])
        self.birth = self._line("Birth date", born)
        self.birth.setPlaceholderText("YYYY-MM-DD; empty if unknown")
        form.addRow("Birth date", self.birth)
        self.sex = combo("Sex", _SEXES)
        self.sex.setCurrentIndex([sex for sex, _ in _SEXES].index(patient.sex))
        form.addRow("Sex", self.sex)
        self.build(form)

    def _line(self, label: str, text: str) -> QLineEdit:
        line = QLineEdit(text)
        line.setAccessibleName(label)
        return line

    def corrected(self) -> Patient:
        """The identity as typed; raises `Refused`."""
        typed = {name: line.text().strip() for name, line in self.lines.items()}
        text = self.birth.text().strip()
        try:
            born = dt.date.fromisoformat(text) if text else None
        except ValueError as exc:
            raise Refused(f"'{text}' is no date.", hint="Write it as YYYY-MM-DD, for example 1954-08-31.") from exc
        return attrs.evolve(self._record.patient, **typed, birth_date=born, sex=Sex(self.sex.currentData()))

    def work(self) -> tuple[Callable[[JobContext], object], str]:
        """Give the record the typed identity."""
        patient, record, reason = self.corrected(), self._record, self.reason.text()
        administration = self.session.administration
        return (
            lambda _ctx: administration.correct(record, patient, reason=reason),
            f"The record is now of {described(patient)}.",
        )


class StateDialog(RecordDialog):
    """Put a record aside, or show it again."""

    def __init__(self, session: SiteSession, record: PatientRecord, parent: QWidget | None = None) -> None:
        is_active = record.is_active
        super().__init__(
            "Make inactive" if is_active else "Make active",
            "Make inactive" if is_active else "Make active",
            session,
            "An inactive patient is hidden unless 'Show inactive' is ticked, and takes no import. Nothing is removed."
            if is_active
            else "The patient is listed again and takes imports.",
            parent,
        )
        self._record = record
        self.build(text_label(described(record.patient)))

    def work(self) -> tuple[Callable[[JobContext], object], str]:
        """Change the state."""
        record, reason, is_active = self._record, self.reason.text(), not self._record.is_active
        administration = self.session.administration
        state = "active again" if is_active else "inactive"
        return (
            lambda _ctx: administration.set_active(record, is_active=is_active, reason=reason),
            f"{record.patient.display_name} is {state}.",
        )
