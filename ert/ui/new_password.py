"""Two fields for a new password, with the rule shown part by part while somebody types."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QSizePolicy, QVBoxLayout, QWidget

from ert.domain.password import DEFAULT_RULE, PasswordPolicy, PasswordRule, is_good_password, password_parts
from ert.ui.theme import GOOD, TEXT_DIM
from ert.ui.widgets import mark_invalid, password_line, text_label


class NewPassword(QWidget):
    """The fields; rows for a form.

    Until a site says what it asks, the rule most have is shown, and a password that meets another one may be tried.

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
        self._rule: PasswordRule | None = None
        self._names: tuple[str, ...] = ()
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

    def set_rule(self, rule: PasswordRule, names: tuple[str, ...]) -> None:
        """Show what a site asks; `names` of the site and the user are refused."""
        self._rule, self._names = rule, names
        self._check()

    @property
    def is_good(self) -> bool:
        """Whether the rule is met and both fields agree."""
        rules = [PasswordRule(policy=policy) for policy in PasswordPolicy] if self._rule is None else [self._rule]
        password = self.password.text()
        is_met = any(is_good_password(password, rule, names=self._names) for rule in rules)
        return is_met and self.again.text() == password

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
        parts = password_parts(password, self._rule or DEFAULT_RULE, names=self._names)
        for label in self.rules[len(parts) :]:
            label.hide()
        for label, (name, is_met) in zip(self.rules, parts, strict=False):
            label.setText(f"{'✓' if is_met else '○'}  {name}")
            label.setStyleSheet(f"color: {GOOD if is_met else TEXT_DIM};")
        differs = bool(self.again.text()) and self.again.text() != password
        mark_invalid(self.again, is_invalid=differs)
        self.again.setToolTip("The two passwords differ." if differs else "")
        self.changed.emit()
