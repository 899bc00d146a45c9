"""Back into a site with its recovery code: a new password for a user whose own is lost."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from ert.app.jobs import JobContext, Jobs, Lane
from ert.app.ports import SiteGateway
from ert.app.session import SiteSession
from ert.ui.failures import sentence_of
from ert.ui.new_password import NewPassword
from ert.ui.widgets import MessageStrip, dim_label, push_button, text_label


class RecoverForm(QFrame):
    """Site, user, recovery code, new password.

    Signals
    -------
    recovered(session) : the password was replaced and the site is open.
    cancelled : the user went back; nothing was changed.
    """

    recovered = Signal(object)
    cancelled = Signal()

    def __init__(self, gateway: SiteGateway, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setFixedWidth(640)
        self._gateway, self._jobs = gateway, jobs
        self.folder, self.user, self.code = QLineEdit(), QLineEdit(), QLineEdit()
        self.new = NewPassword()
        self.message = MessageStrip()
        self.finish = push_button("Set password and sign in", "key", "Replace the password", is_default=True)
        self.back = push_button("Cancel", "close", "Go back; nothing is changed")
        self._build()

    def _build(self) -> None:
        from ert.ui.sign_in_page import folder_row

        title = text_label("Forgotten password")
        title.setObjectName("pageTitle")
        for line, name, hint in (
            (self.folder, "Site folder", ""),
            (self.user, "User name", ""),
            (self.code, "Recovery code", "Nine groups of four; blanks and hyphens do not matter"),
        ):
            line.setAccessibleName(name)
            line.setPlaceholderText(hint)
            line.returnPressed.connect(self.submit)
        form = QFormLayout()
        form.setVerticalSpacing(9)
        form.addRow("Site", folder_row(self.folder, "Folder of the site", self))
        form.addRow("User", self.user)
        form.addRow("Recovery code", self.code)
        self.new.add_rows(form)
        buttons = QHBoxLayout()
        buttons.addWidget(self.back)
        buttons.addStretch(1)
        buttons.addWidget(self.finish)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 24, 28, 24)
        layout.setSpacing(10)
        layout.addWidget(title)
        layout.addWidget(
            dim_label(
                "An administrator can give you a one-time password. Where there is no administrator left, the recovery "
                "code that was shown when the site was made sets a new password; the old one stops working at once."
            )
        )
        layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addLayout(buttons)
        self.new.changed.connect(self._check)
        self.new.entered.connect(self.submit)
        self.finish.clicked.connect(self.submit)
        self.back.clicked.connect(self.cancel)
        self._check()

    def start(self, site: str, user: str) -> None:
        """Begin with what the sign-in form knew."""
        self._forget()
        self.message.clear()
        self.folder.setText(site)
        self.user.setText(user)
        (self.code if user else self.user).setFocus()

    def _forget(self) -> None:
        self.code.clear()
        self.new.forget()

    def _check(self) -> None:
        self.finish.setEnabled(self.new.is_good)
        is_ready = self.finish.isEnabled()
        self.finish.setToolTip("Replace the password" if is_ready else "The password rule is not met yet")

    def submit(self) -> None:
        """Try the code."""
        if not self.finish.isEnabled():
            return
        folder, user, code = self.folder.text().strip(), self.user.text().strip(), self.code.text()
        if not (folder and user and code.strip()):
            self.message.show_error("Enter site folder, user and recovery code.")
            return
        self.message.clear()
        self.finish.setEnabled(False)
        gateway, jobs, password = self._gateway, self._jobs, self.new.text

        def work(_ctx: JobContext) -> SiteSession:
            store = gateway.recover(Path(folder), recovery_code=code, user_name=user, new_password=password)
            return SiteSession(store, jobs)

        jobs.submit(
            Lane.DB,
            work,
            title="Setting the password",
            can_stop=False,
            on_done=self._done,
            on_failed=self._failed,
        )

    def _done(self, session: SiteSession) -> None:
        self._forget()
        self.recovered.emit(session)

    def _failed(self, error: BaseException) -> None:
        self._check()
        self.message.show_error(sentence_of(error))

    def cancel(self) -> None:
        """Go back."""
        self._forget()
        self.cancelled.emit()
