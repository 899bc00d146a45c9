"""The end of an approval: withdrawn or superseded, with a reason, signed with the password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Lane
from ert.domain.record import PlanStatus
from ert.ui.failures import sentence_of
from ert.ui.widgets import MessageStrip, dim_label, password_line, plain_tip, push_button

if TYPE_CHECKING:
    from ert.app.session import SiteSession
    from ert.app.workspace import PlanWorkspace

_ABOUT = (
    "An approval that ended is never valid again, and the plan stays as it is: it can be looked at and copied, not "
    "edited, exported or treated. Who ended it, when and why stand with it for good."
)


class EndApprovalDialog(QDialog):
    """Asks why, and for the password.

    Signals
    -------
    ended : the approval ended.
    """

    ended = Signal()

    def __init__(self, session: SiteSession, workspace: PlanWorkspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("End approval")
        self._session, self._plan_id = session, workspace.plan.id
        self._is_signing = False
        self.withdrawn = QRadioButton("Withdrawn: this plan must not be treated")
        self.superseded = QRadioButton("Superseded: another plan takes its place")
        self.reason, self.password = QLineEdit(), password_line("Your password")
        self.message = MessageStrip()
        self.end_button = push_button("End approval", "stop", "End the approval in your name")
        self.cancel_button = push_button("Cancel", "cancel", "The approval stays valid")
        self._build("" if workspace.approval is None else workspace.approval.text)
        self._refresh()

    def _build(self, state: str) -> None:
        self.resize(620, 300)
        about = dim_label(f"{state}. {_ABOUT}")
        about.setWordWrap(True)
        group = QButtonGroup(self)
        for button in (self.withdrawn, self.superseded):
            group.addButton(button)
        self.withdrawn.setChecked(True)
        self.reason.setAccessibleName("Reason")
        self.reason.setPlaceholderText("Why, in at least ten characters")
        form = QFormLayout()
        form.addRow("Reason", self.reason)
        form.addRow("Your password", self.password)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        for action in (self.end_button, self.cancel_button):
            action.setAutoDefault(False)
            buttons.addWidget(action)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        for widget in (about, self.withdrawn, self.superseded):
            layout.addWidget(widget)
        layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addStretch(1)
        layout.addLayout(buttons)
        self.reason.textChanged.connect(self._refresh)
        self.password.textChanged.connect(self._refresh)
        self.end_button.clicked.connect(self.submit)
        self.cancel_button.clicked.connect(self.reject)

    def _refresh(self) -> None:
        is_said = bool(self.reason.text().strip() and self.password.text())
        self.end_button.setEnabled(is_said and not self._is_signing)
        tip = "End the approval in your name" if is_said else "A reason and your password are missing"
        self.end_button.setToolTip(plain_tip(tip))
        self.cancel_button.setEnabled(not self._is_signing)

    def submit(self) -> None:
        """Sign, in the background."""
        status = PlanStatus.WITHDRAWN if self.withdrawn.isChecked() else PlanStatus.SUPERSEDED
        reason, password, desk = self.reason.text(), self.password.text(), self._session.approvals
        self._is_signing = True
        self._refresh()
        self._session.jobs.submit(
            Lane.IO,
            lambda _ctx: desk.end(self._plan_id, status, reason=reason, password=password),
            title="Ending the approval",
            can_stop=False,
            on_done=lambda _end: self._signed(),
            on_failed=self._failed,
        )

    def _signed(self) -> None:
        self._is_signing = False
        self.accept()
        self.ended.emit()

    def _failed(self, error: BaseException) -> None:
        self._is_signing = False
        self.password.clear()
        self.message.show_error(sentence_of(error))
        self._refresh()

    def done(self, result: int) -> None:
        """Close, but not while a signature is under way."""
        if not self._is_signing:
            super().done(result)
