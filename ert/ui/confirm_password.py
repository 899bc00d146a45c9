"""A proof of who it is once more, before accounts are changed: the own password, or the provider."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from ert.app.jobs import JobContext, Lane
from ert.app.session import SiteSession
from ert.ui.failures import sentence_of
from ert.ui.provider_button import OnLink, ProviderButton
from ert.ui.widgets import MessageStrip, dim_label, password_line, push_button


class ConfirmPasswordDialog(QDialog):
    """Asks who is signed in to prove it, and does something then."""

    def __init__(self, session: SiteSession, then: Callable[[], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Confirm who you are")
        self._session, self._then = session, then
        self.password = password_line("Password")
        self.message = MessageStrip()
        self.provider = ProviderButton()
        self.confirm = push_button("Confirm", "key", "Go on", is_default=True)
        self._cancel = push_button("Cancel", "cancel", "Change nothing")
        self._cancel.setAutoDefault(False)
        vouching, has_password = session.accounts.provider, session.accounts.has_password
        self.provider.offer("" if vouching is None else vouching.provider_name)
        self.password.setVisible(has_password)
        self.confirm.setVisible(has_password)
        self._build(f"Password of {session.user_name}:" if has_password else "Sign in again.")

    def _build(self, wanted: str) -> None:
        about = dim_label(f"Accounts are changed by who proved a moment ago who he is. {wanted}")
        about.setMinimumWidth(380)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self._cancel)
        buttons.addWidget(self.confirm)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        for widget in (about, self.provider, self.password, self.message):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        self.confirm.clicked.connect(self.submit)
        self.provider.wanted.connect(self.submit_provider)
        self._cancel.clicked.connect(self.reject)

    def submit(self) -> None:
        """Have the password checked."""
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

    def submit_provider(self) -> None:
        """Have the provider ask."""
        session = self._session

        def work(ctx: JobContext, on_link: OnLink) -> None:
            session.accounts.confirm_with_provider(ctx, on_link)

        self.message.clear()
        self.provider.run(session.jobs, work, on_done=lambda _none: self._confirmed(), on_failed=self._failed)

    def _confirmed(self) -> None:
        self.password.clear()
        self.accept()
        self._then()

    def _failed(self, error: BaseException) -> None:
        self.confirm.setEnabled(True)
        self.message.show_error(sentence_of(error))
        self.password.selectAll()
        self.adjustSize()

    def done(self, result: int) -> None:
        """Close, and give up a sign-in that goes on."""
        self.provider.stop()
        super().done(result)
