"""Small widgets every page uses. Text from files or from the keyboard is shown as it is, never as markup."""

from __future__ import annotations

import html

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QToolButton, QWidget

from ert.domain.record import Severity
from ert.ui.icons import icon
from ert.ui.theme import BAD, TEXT_DIM, WARN

SEVERITY_LOOKS = {
    Severity.BLOCKER: ("stop", BAD, "Stop"),
    Severity.WARNING: ("warning", WARN, "Warning"),
    Severity.NOTE: ("note", TEXT_DIM, "Note"),
}
_ICON = QSize(16, 16)


def severity_pixmap(severity: Severity, side: int = 16) -> QPixmap:
    """The icon of a finding; shape and colour both tell."""
    name, colour, _ = SEVERITY_LOOKS[severity]
    return icon(name, colour).pixmap(side, side)


def text_label(text: str = "") -> QLabel:
    """A label that shows any text literally: Qt would render ``<b>`` in a patient's name as bold type."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def set_style(widget: QWidget, style: str) -> None:
    """Set a style sheet if it is another: Qt lays a widget's surroundings out anew even for the same one."""
    if widget.styleSheet() != style:
        widget.setStyleSheet(style)


def plain_tip(text: str) -> str:
    """A tool tip that shows any text literally; tips know no plain format, so what looks like markup is escaped."""
    if "<" not in text and "&" not in text:
        return text
    return f"<qt>{html.escape(text)}</qt>".replace("\n", "<br>")


def push_button(text: str, icon_name: str, tip: str, *, is_default: bool = False) -> QPushButton:
    """A button with an icon, a tip and an accessible name."""
    button = QPushButton(icon(icon_name), text)
    button.setIconSize(_ICON)
    button.setToolTip(tip)
    button.setAccessibleName(text)
    button.setDefault(is_default)
    return button


def tool_button(icon_name: str, tip: str, *, text: str = "", is_checkable: bool = False) -> QToolButton:
    """A flat button."""
    button = QToolButton()
    button.setIcon(icon(icon_name))
    button.setIconSize(_ICON)
    button.setToolTip(tip)
    button.setAccessibleName(text or tip)
    button.setCheckable(is_checkable)
    if text:
        button.setText(text)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return button


def section_title(text: str) -> QLabel:
    """A quiet heading."""
    label = text_label(text)
    label.setObjectName("sectionTitle")
    return label


def dim_label(text: str = "") -> QLabel:
    """Secondary text."""
    label = text_label(text)
    label.setObjectName("dim")
    label.setWordWrap(True)
    return label


def password_line(name: str) -> QLineEdit:
    """A field that hides what is typed."""
    line = QLineEdit()
    line.setEchoMode(QLineEdit.EchoMode.Password)
    line.setAccessibleName(name)
    return line


def mark_invalid(line: QLineEdit, *, is_invalid: bool) -> None:
    """Frame a field in red, or not."""
    if bool(line.property("invalid")) != is_invalid:
        line.setProperty("invalid", is_invalid)
        line.style().unpolish(line)
        line.style().polish(line)


class MessageStrip(QFrame):
    """One sentence beside what it is about; hidden while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._severity = Severity.NOTE
        self._icon = text_label()
        self._text = text_label()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton()
        close.setIcon(icon("close"))
        close.setToolTip("Dismiss")
        close.setAccessibleName("Dismiss message")
        close.clicked.connect(self.clear)
        self._icon.setMinimumHeight(close.sizeHint().height())  # beside the middle of a single line
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 3, 2, 3)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._text, 1)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.setObjectName("card")
        self.hide()

    @property
    def text(self) -> str:
        """What is said; empty while hidden."""
        return self._text.text() if not self.isHidden() else ""

    def show_error(self, sentence: str) -> None:
        """Say what was refused."""
        self._show(Severity.BLOCKER, sentence)

    def show_warning(self, sentence: str) -> None:
        """Say what to look at."""
        self._show(Severity.WARNING, sentence)

    def show_note(self, sentence: str) -> None:
        """Say what happened."""
        self._show(Severity.NOTE, sentence)

    def clear(self) -> None:
        """Nothing to say."""
        self._text.clear()
        self.hide()

    def clear_note(self) -> None:
        """What merely happened is old news; errors and warnings stay until they are dismissed."""
        if self._severity is Severity.NOTE:
            self.clear()

    def _show(self, severity: Severity, sentence: str) -> None:
        self._severity = severity
        self._icon.setPixmap(severity_pixmap(severity))
        self._text.setText(sentence)
        self.show()
