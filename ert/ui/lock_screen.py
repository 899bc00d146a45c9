"""The lock: who is signed in, a password or the provider to go on, or a way for somebody else."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from ert.ui.icons import icon
from ert.ui.provider_button import ProviderButton
from ert.ui.widgets import MessageStrip, dim_label, password_line, push_button, text_label


class LockScreen(QDialog):
    """Stands before every other window; goes away by a proof of who it is or by signing out only.

    Parameters
    ----------
    user_name, site_name, reason, unsaved : str
        What is said.
    provider : str
        Name of the sign-in provider that vouches for the user; "" for none.
    has_password : bool
        Whether a password opens it.
    secret : str
        What is asked for: the password, or the code that opened the site.

    Signals
    -------
    password_given(password) : to be checked.
    provider_wanted : to be signed in through the provider.
    other_wanted : somebody else wants to sign in.
    """

    password_given = Signal(str)
    other_wanted = Signal()
    provider_wanted = Signal()

    def __init__(
        self,
        *,
        user_name: str,
        site_name: str,
        reason: str,
        unsaved: str,
        provider: str = "",
        has_password: bool = True,
        secret: str = "Password",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self.setWindowTitle("ERT – locked")
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        self.password = password_line(secret)
        self.password.setPlaceholderText(f"{secret} of {user_name}" if secret == "Password" else secret)
        self.unlock = push_button("Unlock", "key", "Go on where you were", is_default=True)
        self.other = push_button("Sign in as another user…", "patient", "Keep this user's edits and sign out")
        self.other.setAutoDefault(False)
        self.message = MessageStrip()
        self.provider = ProviderButton()
        self.provider.offer(provider)
        self.password.setVisible(has_password)
        self.unlock.setVisible(has_password)
        if not has_password:
            self.provider.button.setDefault(True)
        self._build(user_name, site_name, reason, unsaved)
        self.unlock.clicked.connect(self.submit)
        self.other.clicked.connect(self._leave)
        self.provider.wanted.connect(self.provider_wanted.emit)
        self.provider.waiting_changed.connect(self._wait_for_provider)

    def _build(self, user_name: str, site_name: str, reason: str, unsaved: str) -> None:
        card = QFrame()
        card.setObjectName("card")
        sign = text_label()
        sign.setPixmap(icon("lock").pixmap(40, 40))
        title, who = text_label("ERT is locked"), text_label(user_name)
        title.setObjectName("pageTitle")
        who.setObjectName("headerValue")
        names = QVBoxLayout()
        names.setSpacing(2)
        names.addWidget(title)
        names.addWidget(who)
        names.addWidget(dim_label(site_name))
        head = QHBoxLayout()
        head.setSpacing(16)
        head.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(names, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.other)
        buttons.addStretch(1)
        buttons.addWidget(self.unlock)
        layout = QVBoxLayout(card)
        layout.setContentsMargins(28, 24, 28, 24)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(dim_label(" ".join(part for part in (reason, unsaved) if part)))
        layout.addWidget(self.provider)
        layout.addWidget(self.password)
        layout.addWidget(self.message)
        layout.addLayout(buttons)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(card)
        self.setFixedWidth(520)

    def submit(self) -> None:
        """Give the password to be checked."""
        if not self.unlock.isEnabled():
            return
        if not self.password.text():
            self.say("Enter the password.")
            return
        self.message.clear()
        self.set_busy("Checking…")
        self.password_given.emit(self.password.text())

    def _leave(self) -> None:
        self.message.clear()
        self.set_busy("Unlock")
        self.other_wanted.emit()

    def set_busy(self, text: str) -> None:
        """Nothing more is taken until an answer is there."""
        self.unlock.setText(text)
        for button in (self.unlock, self.other, self.provider):
            button.setEnabled(False)

    def _wait_for_provider(self, is_waiting: bool) -> None:
        """Nothing else is begun meanwhile."""
        if is_waiting:
            self.message.clear()
        for widget in (self.password, self.unlock, self.other):
            widget.setEnabled(not is_waiting)
        self.adjustSize()

    def refuse(self, sentence: str) -> None:
        """The answer was no."""
        self.unlock.setText("Unlock")
        for button in (self.unlock, self.other, self.provider):
            button.setEnabled(True)
        self.password.selectAll()
        self.password.setFocus()
        self.say(sentence)

    def say(self, sentence: str) -> None:
        """Show a sentence, and make room for it."""
        self.message.show_error(sentence)
        self.adjustSize()

    def reject(self) -> None:
        """Escape does not unlock."""

    def closeEvent(self, event: QCloseEvent) -> None:
        """Nor does closing."""
        event.ignore()

    def finish(self) -> None:
        """Go away: the password was right, or the session is over."""
        self.provider.stop()
        self.password.clear()
        self.hide()
        self.deleteLater()
