"""Two fields for a new password, with the rule shown part by part while somebody types."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QSizePolicy, QVBoxLayout, QWidget

from ert.domain.password import is_good_password, password_parts
from ert.ui.theme import GOOD, TEXT_DIM
from ert.ui.widgets import mark_invalid, password_line, text_label


class NewPassword(QWidget):
    """The fields; rows for a form.

    Signals
    -------
    changed : something was typed.
    entered : the return key was pressed.
    """

    changed = Signal()
    entered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.password, self.again = password_line("New password"), password_line("New password again")
        self.rules = [text_label() for _ in password_parts("")]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        for label in self.rules:
            layout.addWidget(label)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)  # a squeezed rule cannot be read
        for line in (self.password, self.again):
            line.textChanged.connect(self._check)
            line.returnPressed.connect(self.entered)
        self._check()

    def add_rows(self, form: QFormLayout) -> None:
        """Put the fields and the rule into a form."""
        form.addRow("New password", self.password)
        form.addRow("Again", self.again)
        form.addRow("", self)

    @property
    def is_good(self) -> bool:
        """Whether the rule is met and both fields agree."""
        return is_good_password(self.password.text()) and self.again.text() == self.password.text()

    @property
    def text(self) -> str:
        """What was typed."""
        return self.password.text()

    def forget(self) -> None:
        """Empty both fields."""
        self.password.clear()
        self.again.clear()

    def _check(self) -> None:
        password = self.password.text()
        for label, (name, is_met) in zip(self.rules, password_parts(password), strict=True):
            label.setText(f"{'✓' if is_met else '○'}  {name}")
            label.setStyleSheet(f"color: {GOOD if is_met else TEXT_DIM};")
        differs = bool(self.again.text()) and self.again.text() != password
        mark_invalid(self.again, is_invalid=differs)
        self.again.setToolTip("The two passwords differ." if differs else "")
        self.changed.emit()
