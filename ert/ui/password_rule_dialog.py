"""What the site asks of passwords and of who approves: an administrator chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import attrs
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.domain.approval_rule import ApprovalRule
from ert.domain.password import LONGEST_ONE_TIME_HOURS, PasswordPolicy, PasswordRule
from ert.ui.confirm_password import ConfirmPasswordDialog
from ert.ui.failures import sentence_of
from ert.ui.widgets import MessageStrip, dim_label, push_button, section_title

T = TypeVar("T")
_SAVE_TIP = "Have the rules count from now on"
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


_ANOTHER = "The approver of a plan must be another person than who edited it last"
_ABOUT_ANOTHER = "What an approval needs names who that was. Marking a plan ready for review edits nothing."


@attrs.frozen(kw_only=True)
class _Rules:
    passwords: PasswordRule
    approval: ApprovalRule


class PasswordRuleDialog(QDialog):
    """Reads the rules, and keeps them as chosen.

    Attributes
    ----------
    choices, hours : what passwords are made of; how long a one-time password is good for.
    another : whether the approver must be another person than who edited last.
    """

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Rules of this site")
        self._session = session
        self._kept: _Rules | None = None
        self.choices = {policy: QRadioButton(title) for policy, (title, _) in _CHOICES.items()}
        self.hours = QSpinBox()
        self.hours.setRange(1, LONGEST_ONE_TIME_HOURS)
        self.hours.setSuffix(" hours")
        self.hours.setMaximumWidth(110)
        self.hours.setAccessibleName("One-time passwords are good for")
        self.another = QCheckBox(_ANOTHER)
        self.message = MessageStrip()
        self.save = push_button("Save", "save", _SAVE_TIP, is_default=True)
        self.cancel = push_button("Cancel", "cancel", "Leave the rules as they are")
        self.cancel.setAutoDefault(False)
        self._build()
        self._run("Reading the rules", self._read, self._show)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        layout.setSpacing(6)
        layout.addWidget(section_title("Passwords"))
        for policy, button in self.choices.items():
            layout.addWidget(button)
            layout.addWidget(_about(_CHOICES[policy][1]))
            button.toggled.connect(lambda _is_on: self._enable())
        form = QFormLayout()
        form.addRow("One-time passwords are good for", self.hours)
        layout.addWidget(dim_label(_BOTH))
        layout.addSpacing(6)
        layout.addLayout(form)
        layout.addSpacing(10)
        layout.addWidget(section_title("Approval"))
        layout.addWidget(self.another)
        layout.addWidget(_about(_ABOUT_ANOTHER))
        layout.addWidget(self.message)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.save)
        layout.addLayout(buttons)
        self.hours.valueChanged.connect(lambda _hours: self._enable())
        self.another.toggled.connect(lambda _is_on: self._enable())
        self.save.clicked.connect(self.submit)
        self.cancel.clicked.connect(self.reject)
        self._enable()

    def rules(self) -> _Rules:
        """What is chosen."""
        policy = next((p for p, button in self.choices.items() if button.isChecked()), PasswordPolicy.COMPOSITION)
        return _Rules(
            passwords=PasswordRule(policy=policy, one_time_hours=self.hours.value()),
            approval=ApprovalRule(needs_another_person=self.another.isChecked()),
        )

    def submit(self) -> None:
        """Keep it, after asking for the password again if it was given too long ago."""
        rules, kept, accounts = self.rules(), self._kept, self._session.accounts
        if accounts.needs_confirmation:
            ConfirmPasswordDialog(self._session, self.submit, self).open()
            return

        def change() -> None:
            if kept is None or rules.passwords != kept.passwords:
                accounts.set_password_rule(rules.passwords)
            if kept is None or rules.approval != kept.approval:
                accounts.set_approval_rule(rules.approval)

        self._run("Changing the rules", change, lambda _none: self.accept())

    def _read(self) -> _Rules:
        accounts = self._session.accounts
        return _Rules(passwords=accounts.password_rule(), approval=accounts.approval_rule())

    def _show(self, rules: _Rules) -> None:
        self._kept = rules
        self.choices[rules.passwords.policy].setChecked(True)
        self.hours.setValue(rules.passwords.one_time_hours)
        self.another.setChecked(rules.approval.needs_another_person)
        self._enable()

    def _enable(self) -> None:
        self.save.setEnabled(self._kept is not None and self.rules() != self._kept)
        self.save.setToolTip(_SAVE_TIP if self.save.isEnabled() else "Nothing was changed")

    def _run(self, title: str, work: Callable[[], T], on_done: Callable[[T], None]) -> None:
        self.save.setEnabled(False)
        self._session.jobs.submit(
            Lane.IO, lambda _ctx: work(), title=title, can_stop=False, on_done=on_done, on_failed=self._failed
        )

    def _failed(self, error: BaseException) -> None:
        self._enable()
        self.message.show_error(sentence_of(error))


def _about(text: str) -> QLabel:
    label = dim_label(text)
    label.setContentsMargins(24, 0, 0, 6)
    label.setMinimumWidth(640)
    return label
