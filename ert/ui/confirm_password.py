"""The own password once more, before accounts are changed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.ui.failures import sentence_of
from ert.ui.widgets import MessageStrip, dim_label, password_line, push_button


class ConfirmPasswordDialog(QDialog):
    """Asks for the password of who is signed in, and does something if it is right."""

    def __init__(self, session: SiteSession, then: Callable[[], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Confirm with your password")
        self._session, self._then = session, then
        self.password = password_line("Password")
        self.message = MessageStrip()
        self.confirm = push_button("Confirm", "key", "Go on", is_default=True)
        cancel = push_button("Cancel", "cancel", "Change nothing")
        cancel.setAutoDefault(False)
        about = dim_label(f"Accounts are changed by who gave a password a moment ago. Password of {session.user_name}:")
        about.setMinimumWidth(380)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.confirm)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        for widget in (about, self.password, self.message):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        self.confirm.clicked.connect(self.submit)
        cancel.clicked.connect(self.reject)

    def submit(self) -> None:
        """Have it checked."""
        password, session = self.password.text(), self._session
        if not password or not self.confirm.isEnabled():
            return
        self.confirm.setEnabled(False)
        session.jobs.submit(
            Lane.IO,
            lambda _ctx: session.accounts.confirm_password(password),
            title="Checking the password",
            can_stop=False,
            on_done=lambda _none: self._confirmed(),
            on_failed=self._failed,
        )

    def _confirmed(self) -> None:
        self.password.clear()
        self.accept()
        self._then()

    def _failed(self, error: BaseException) -> None:
        self.confirm.setEnabled(True)
        self.message.show_error(sentence_of(error))
        self.password.selectAll()
        self.adjustSize()
