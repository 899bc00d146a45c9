"""Fields for a new password: the rule is shown while it is typed, each part ticked as it is met.

The store enforces the rule; what is shown here only spares the user a refusal.
"""

from __future__ import annotations

import unicodedata

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from ert.ui.icons import icon
from ert.ui.theme import GOOD, TEXT_DIM

SPECIAL_CHARACTERS = "!@#$%^&*"
MINIMUM_LENGTH = 10
MAXIMUM_LENGTH = 128


def rule_state(password: str) -> tuple[tuple[str, bool], ...]:
    """Every part of the rule and whether the password meets it."""
    text = unicodedata.normalize("NFKC", password)
    return (
        (f"{MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters", MINIMUM_LENGTH <= len(text) <= MAXIMUM_LENGTH),
        ("a lower-case letter", any(c.islower() for c in text)),
        ("an upper-case letter", any(c.isupper() for c in text)),
        ("a digit", any(c.isdecimal() for c in text)),
        (f"one of {SPECIAL_CHARACTERS}", any(c in SPECIAL_CHARACTERS for c in text)),
    )


def secret_line(name: str) -> QLineEdit:
    """A line that shows dots, with a button that shows what was typed."""
    line = QLineEdit()
    line.setEchoMode(QLineEdit.EchoMode.Password)
    line.setAccessibleName(name)
    action = line.addAction(icon("eye", TEXT_DIM), QLineEdit.ActionPosition.TrailingPosition)
    action.setToolTip("Show or hide the password")

    def turn() -> None:
        is_hidden = line.echoMode() is QLineEdit.EchoMode.Password
        line.setEchoMode(QLineEdit.EchoMode.Normal if is_hidden else QLineEdit.EchoMode.Password)
        action.setIcon(icon("eye-off" if is_hidden else "eye", TEXT_DIM))

    action.triggered.connect(turn)
    return line


class NewPassword(QWidget):
    """A new password, typed twice, with its rule below.

    Signals
    -------
    changed() : something was typed.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.first, self.second = secret_line("New password"), secret_line("New password again")
        self.first.setPlaceholderText("Password")
        self.second.setPlaceholderText("Password again")
        self._signs: list[tuple[QLabel, QLabel]] = []
        rules = QGridLayout()
        rules.setHorizontalSpacing(6)
        rules.setVerticalSpacing(2)
        for index in range(len(rule_state("")) + 1):
            sign, text = QLabel(), QLabel()
            text.setTextFormat(Qt.TextFormat.PlainText)
            self._signs.append((sign, text))
            rules.addWidget(sign, index // 2, 2 * (index % 2))
            rules.addWidget(text, index // 2, 2 * (index % 2) + 1)
        rules.setColumnStretch(1, 1)
        rules.setColumnStretch(3, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.first)
        layout.addWidget(self.second)
        layout.addLayout(rules)
        for line in (self.first, self.second):
            line.textChanged.connect(self._show_rule)
        self._show_rule()

    @property
    def text(self) -> str:
        """The password."""
        return self.first.text()

    @property
    def is_good(self) -> bool:
        """True if the whole rule is met and both entries agree."""
        return all(is_met for _, is_met in self._state())

    @property
    def missing(self) -> str:
        """What is still missing, for a tip."""
        return ", ".join(name for name, is_met in self._state() if not is_met)

    def clear(self) -> None:
        """Forget what was typed."""
        self.first.clear()
        self.second.clear()

    def _state(self) -> tuple[tuple[str, bool], ...]:
        return (*rule_state(self.text), ("typed twice alike", bool(self.text) and self.text == self.second.text()))

    def _show_rule(self) -> None:
        for (sign, label), (name, is_met) in zip(self._signs, self._state(), strict=True):
            sign.setPixmap(icon("ok" if is_met else "remove", GOOD if is_met else TEXT_DIM).pixmap(14, 14))
            label.setText(name)
            label.setStyleSheet(f"color: {GOOD if is_met else TEXT_DIM};")
            label.setAccessibleDescription("met" if is_met else "not met")
        self.changed.emit()


