"""The lock: who is signed in, a password to go on, or a way for somebody else."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from ert.ui.icons import icon
from ert.ui.widgets import MessageStrip, dim_label, password_line, push_button, text_label


class LockScreen(QDialog):
    """Stands before every other window; goes away by the right password or by signing out only.

    Signals
    -------
    password_given(password) : to be checked.
    other_wanted : somebody else wants to sign in.
    """

    password_given = Signal(str)
    other_wanted = Signal()

    def __init__(
        self, *, user_name: str, site_name: str, reason: str, unsaved: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self.setWindowTitle("ERT – locked")
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        self.password = password_line("Password")
        self.password.setPlaceholderText(f"Password of {user_name}")
        self.unlock = push_button("Unlock", "key", "Go on where you were", is_default=True)
        self.other = push_button("Sign in as another user…", "patient", "Keep this user's edits and sign out")
        self.other.setAutoDefault(False)
        self.message = MessageStrip()
        self._build(user_name, site_name, reason, unsaved)
        self.unlock.clicked.connect(self.submit)
        self.other.clicked.connect(self._leave)

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
        for button in (self.unlock, self.other):
            button.setEnabled(False)

    def refuse(self, sentence: str) -> None:
        """The answer was no."""
        self.unlock.setText("Unlock")
        for button in (self.unlock, self.other):
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
        self.password.clear()
        self.hide()
        self.deleteLater()
