"""A new password for who is signed in: asked for after a one-time password, and whenever somebody wants one."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QFormLayout, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.ui.failures import sentence_of
from ert.ui.new_password import NewPassword
from ert.ui.widgets import MessageStrip, dim_label, password_line, push_button, text_label

_FORCED = "The password you signed in with is a one-time password. Choose your own; nobody else may know it."
_WANTED = "The old password stops working at once, on every workstation."


class ChangePasswordForm(QFrame):
    """Present and new password.

    Signals
    -------
    changed(session) : the password was changed.
    cancelled : it was not.
    """

    changed = Signal(object)
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setFixedWidth(560)
        self._session: SiteSession | None = None
        self.about = dim_label()
        # Qt gives a text that wraps the height of one line, and takes the second one from the fields.
        self.about.setMinimumHeight(2 * self.about.fontMetrics().lineSpacing() + 4)
        self.current = password_line("Present password")
        self.new = NewPassword()
        self.message = MessageStrip()
        self.finish = push_button("Change password", "key", "Use the new password from now on", is_default=True)
        self.back = push_button("Cancel", "cancel", "Leave the password as it is")
        self.back.setAutoDefault(False)
        self._build()

    def _build(self) -> None:
        title = text_label("Change password")
        title.setObjectName("pageTitle")
        form = QFormLayout()
        form.setVerticalSpacing(9)
        form.addRow("Present password", self.current)
        self.new.add_rows(form)
        buttons = QHBoxLayout()
        buttons.addWidget(self.back)
        buttons.addStretch(1)
        buttons.addWidget(self.finish)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 24, 28, 24)
        layout.setSpacing(10)
        layout.addWidget(title)
        layout.addWidget(self.about)
        layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addLayout(buttons)
        self.current.textChanged.connect(self._check)
        self.current.returnPressed.connect(self.submit)
        self.new.changed.connect(self._check)
        self.new.entered.connect(self.submit)
        self.finish.clicked.connect(self.submit)
        self.back.clicked.connect(self.cancel)
        self._check()

    def start(self, session: SiteSession, *, current: str = "") -> None:
        """Begin; the present password is filled in if it was typed a moment ago."""
        self._session = session
        self.forget()
        self.message.clear()
        self.about.setText(_FORCED if session.account.must_change_password else _WANTED)
        session.jobs.submit(
            Lane.IO,
            lambda _ctx: session.accounts.password_rule(),
            title="Reading the password rule",
            on_done=lambda rule: self.new.set_rule(rule, (session.site_name, session.user_name)),
            on_failed=self._failed,
        )
        self.current.setText(current)
        (self.new.password if current else self.current).setFocus()

    def forget(self) -> None:
        """Empty all fields."""
        self.current.clear()
        self.new.forget()

    def _check(self) -> None:
        self.finish.setEnabled(bool(self.current.text()) and self.new.is_good)
        is_ready = self.finish.isEnabled()
        self.finish.setToolTip("Use the new password from now on" if is_ready else "The password rule is not met yet")

    def submit(self) -> None:
        """Change it, in the background."""
        session = self._session
        if session is None or not self.finish.isEnabled():
            return
        current, new = self.current.text(), self.new.text
        self.message.clear()
        self.finish.setEnabled(False)
        session.jobs.submit(
            Lane.IO,
            lambda _ctx: session.accounts.change_own_password(current, new),
            title="Changing the password",
            can_stop=False,
            on_done=lambda _account: self._done(session),
            on_failed=self._failed,
        )

    def _done(self, session: SiteSession) -> None:
        self.forget()
        self.changed.emit(session)

    def _failed(self, error: BaseException) -> None:
        self._check()
        self.message.show_error(sentence_of(error))
        self.current.selectAll()
        self.current.setFocus()

    def cancel(self) -> None:
        """Go back."""
        self.forget()
        self.cancelled.emit()


class ChangePasswordDialog(QDialog):
    """The form as a dialog."""

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Change password")
        self.form = ChangePasswordForm()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        self.form.changed.connect(lambda _session: self.accept())
        self.form.cancelled.connect(self.reject)
        self.form.start(session)
