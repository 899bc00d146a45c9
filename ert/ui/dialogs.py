"""Questions and messages that must be answered before work goes on."""

from __future__ import annotations

import enum
import html
from collections.abc import Sequence
from importlib import metadata

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QMessageBox, QVBoxLayout, QWidget

from ert import logs
from ert.domain.record import Finding, Severity
from ert.ui.findings_panel import FindingsList, count_text
from ert.ui.page_header import NOT_CLEARED
from ert.ui.widgets import text_label

_READ = (
    "The opening and the structure of the database were",
    "Every page of the database was",
    "Database, records, history and keys were",
    "Database, history and the SHA-256 of every file were",
    "Database, history and every file were read, decrypted and",
)


class UnsavedAnswer(enum.Enum):
    """What to do with unsaved edits."""

    SAVE = "save"
    DISCARD = "discard"
    CANCEL = "cancel"


def ask_unsaved(parent: QWidget, plan_name: str) -> UnsavedAnswer:
    """Ask what becomes of a plan's unsaved edits."""
    box = QMessageBox(parent)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("Unsaved changes")
    box.setText(f"Plan '{plan_name}' has changes that are not saved.")
    box.setInformativeText("Discarded changes cannot be brought back.")
    save = box.addButton("Save", QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
    box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(save)
    box.exec()
    if box.clickedButton() is save:
        return UnsavedAnswer.SAVE
    return UnsavedAnswer.DISCARD if box.clickedButton() is discard else UnsavedAnswer.CANCEL


class FindingsDialog(QDialog):
    """A list of findings, with what they say together."""

    def __init__(self, title: str, summary: str, findings: Sequence[Finding], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.resize(680, 380)
        head = text_label(summary)
        head.setWordWrap(True)
        self.list = FindingsList(title)
        self.list.empty_text = "Nothing to report"
        self.list.show_findings(findings)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(head)
        layout.addWidget(self.list, 1)
        layout.addWidget(buttons)


def check_summary(findings: Sequence[Finding], level: int) -> str:
    """One sentence on a check of the site, saying what was read."""
    counts = ", ".join(count_text(findings, s) for s in Severity)
    if any(f.severity is Severity.BLOCKER for f in findings):
        return f"The site is damaged ({counts}). Change nothing, and call physics."
    return f"{_READ[level]} verified (level {level} of {len(_READ) - 1}): nothing is damaged ({counts})."


class AboutDialog(QDialog):
    """What this program is, and what it is not."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About ERT")
        title = text_label(f"ERT {metadata.version('ert')}")
        title.setObjectName("pageTitle")
        text = QLabel(
            "<p>Electron radiotherapy treatment planning.</p>"
            f"<p><b>{NOT_CLEARED}</b> Its results must not be used to treat anybody unless a qualified medical "
            "physicist has verified and released them under the law of the place.</p>"
            "<p>Licence: Apache License 2.0, without warranty of any kind. Parts by others and their licences are "
            "listed in THIRD_PARTY_LICENSES. Qt is used under the LGPL 3.</p>"
            f"<p>Log files: {html.escape(str(logs.log_folder()))}</p>"
            "<p>F1 lists keys and mouse · Ctrl+K finds any action by name</p>"
        )
        text.setWordWrap(True)
        text.setMinimumWidth(460)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        layout.addWidget(title)
        layout.addWidget(text)
        layout.addWidget(buttons)


class FaultDialog(QMessageBox):
    """An internal fault: its code, what still stands, what to do."""

    def __init__(self, code: str, kind: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setIcon(QMessageBox.Icon.Critical)
        self.setWindowTitle("Internal fault")
        self.setText(f"Internal fault {code} ({kind}).")
        self.setInformativeText(
            "What you did last may not have happened; do not use a result of it. The open plan is still here: save it, "
            "then start ERT again. Please report the code with its lines in "
            f"{logs.log_folder() / 'ert.log'}; they hold no patient data."
        )
        self.setStandardButtons(QMessageBox.StandardButton.Ok)
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
