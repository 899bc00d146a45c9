"""What the checks have to say: one list, three levels, each with its own sign."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QListView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from ert.domain.record import Finding, Severity
from ert.ui.delegates import WrappedDelegate
from ert.ui.theme import TEXT_DIM
from ert.ui.widgets import SEVERITY_LOOKS, plain_tip, section_title, severity_pixmap, text_label

_NOUNS = {
    Severity.BLOCKER: ("stop", "stops"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.NOTE: ("note", "notes"),
}


def count_text(findings: Sequence[Finding], severity: Severity) -> str:
    """For example ``2 warnings``."""
    count = sum(f.severity is severity for f in findings)
    return f"{count} {_NOUNS[severity][count != 1]}"


class FindingsList(QListWidget):
    """Findings as wrapped lines with icons."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setItemDelegate(WrappedDelegate(self))
        self.setIconSize(QSize(16, 16))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._shown: tuple[Finding, ...] = ()
        self.empty_text = ""

    def paintEvent(self, event: QPaintEvent) -> None:
        """An empty list says that it is empty."""
        super().paintEvent(event)
        if self.count() == 0 and self.empty_text:
            painter = QPainter(self.viewport())
            painter.setPen(QColor(TEXT_DIM))
            painter.drawText(self.viewport().rect(), int(Qt.AlignmentFlag.AlignCenter), self.empty_text)
            painter.end()

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show findings in the order given."""
        if tuple(findings) == self._shown:
            return
        self._shown = tuple(findings)
        self.clear()
        for finding in findings:
            item = QListWidgetItem(QIcon(severity_pixmap(finding.severity)), finding.sentence)
            item.setToolTip(plain_tip(f"{SEVERITY_LOOKS[finding.severity][2]} · {finding.code}\n{finding.sentence}"))
            self.addItem(item)


class FindingsPanel(QWidget):
    """Counts above, findings below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = FindingsList("Checks")
        self._counts = {severity: text_label() for severity in Severity}
        head = QHBoxLayout()
        head.addWidget(section_title("Checks"))
        head.addStretch(1)
        for severity, label in self._counts.items():
            sign = text_label()
            sign.setPixmap(severity_pixmap(severity))
            head.addWidget(sign)
            head.addWidget(label)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self.list, 1)

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show findings with their counts."""
        for severity, label in self._counts.items():
            label.setText(count_text(findings, severity))
        self.list.show_findings(findings)
