"""What the site asks of passwords: an administrator chooses a rule, and how long a one-time password is good for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QRadioButton, QSpinBox, QVBoxLayout, QWidget

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.domain.password import LONGEST_ONE_TIME_HOURS, PasswordPolicy, PasswordRule
from ert.ui.confirm_password import ConfirmPasswordDialog
from ert.ui.failures import sentence_of
from ert.ui.widgets import MessageStrip, dim_label, push_button

T = TypeVar("T")
_CHOICES = {
    PasswordPolicy.COMPOSITION: (
        "Made of four kinds of characters",
        "10 to 128 characters; lower-case and upper-case letters, a digit, and one of !@#$%^&*.",
    ),
    PasswordPolicy.NIST: (
        "Long, of any characters (NIST SP 800-63B-4)",
        "15 to 128 characters of any kind: several words are remembered more easily and guessed less.",
    ),
}
_BOTH = (
    "Either way common words, rows of keys, and the names of the site and of the user are refused. The rule counts for "
    "passwords set from now on; those in use stay until they are changed."
)


class PasswordRuleDialog(QDialog):
    """Reads the rule, and keeps it as chosen."""

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Password rule")
        self._session = session
        self._kept: PasswordRule | None = None
        self.choices = {policy: QRadioButton(title) for policy, (title, _) in _CHOICES.items()}
        self.hours = QSpinBox()
        self.hours.setRange(1, LONGEST_ONE_TIME_HOURS)
        self.hours.setSuffix(" hours")
        self.hours.setMaximumWidth(110)
        self.hours.setAccessibleName("One-time passwords are good for")
        self.message = MessageStrip()
        self.save = push_button("Save", "save", "Have the rule count from now on", is_default=True)
        self.cancel = push_button("Cancel", "cancel", "Leave the rule as it is")
        self.cancel.setAutoDefault(False)
        self._build()
        self._run("Reading the password rule", session.accounts.password_rule, self._show)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        layout.setSpacing(6)
        for policy, button in self.choices.items():
            about = dim_label(_CHOICES[policy][1])
            about.setContentsMargins(24, 0, 0, 6)
            about.setMinimumWidth(640)
            layout.addWidget(button)
            layout.addWidget(about)
            button.toggled.connect(lambda _is_on: self._enable())
        form = QFormLayout()
        form.addRow("One-time passwords are good for", self.hours)
        layout.addWidget(dim_label(_BOTH))
        layout.addSpacing(6)
        layout.addLayout(form)
        layout.addWidget(self.message)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.save)
        layout.addLayout(buttons)
        self.hours.valueChanged.connect(lambda _hours: self._enable())
        self.save.clicked.connect(self.submit)
        self.cancel.clicked.connect(self.reject)
        self._enable()

    def rule(self) -> PasswordRule:
        """What is chosen."""
        policy = next((p for p, button in self.choices.items() if button.isChecked()), PasswordPolicy.COMPOSITION)
        return PasswordRule(policy=policy, one_time_hours=self.hours.value())

    def submit(self) -> None:
        """Keep it, after asking for the password again if it was given too long ago."""
        rule, accounts = self.rule(), self._session.accounts
        if accounts.needs_confirmation:
            ConfirmPasswordDialog(self._session, self.submit, self).open()
            return
        self._run("Changing the password rule", lambda: accounts.set_password_rule(rule), lambda _none: self.accept())

    def _show(self, rule: PasswordRule) -> None:
        self._kept = rule
        self.choices[rule.policy].setChecked(True)
        self.hours.setValue(rule.one_time_hours)
        self._enable()

    def _enable(self) -> None:
        self.save.setEnabled(self._kept is not None and self.rule() != self._kept)
        self.save.setToolTip("Have the rule count from now on" if self.save.isEnabled() else "Nothing was changed")

    def _run(self, title: str, work: Callable[[], T], on_done: Callable[[T], None]) -> None:
        self.save.setEnabled(False)
        self._session.jobs.submit(
            Lane.IO, lambda _ctx: work(), title=title, can_stop=False, on_done=on_done, on_failed=self._failed
        )

    def _failed(self, error: BaseException) -> None:
        self._enable()
        self.message.show_error(sentence_of(error))
