"""Making a site: folder, name, administrator; then the recovery code, shown once and typed back."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QLineEdit, QStackedWidget, QVBoxLayout, QWidget

from ert.app.jobs import Jobs, Lane
from ert.app.ports import PendingSite, SiteGateway
from ert.domain.password import DEFAULT_RULE
from ert.errors import InvalidSite
from ert.ui.failures import sentence_of
from ert.ui.new_password import NewPassword
from ert.ui.printed_sheet import print_sheet
from ert.ui.server_fields import ServerFields
from ert.ui.widgets import MessageStrip, dim_label, push_button, text_label


class CreateSiteForm(QFrame):
    """Two steps; nothing usable exists before the second is finished.

    Signals
    -------
    made(path, user, password) : the site is there.
    cancelled : the user went back; nothing is left behind.
    """

    made = Signal(object, str, str)
    cancelled = Signal()

    def __init__(self, gateway: SiteGateway, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setFixedWidth(640)
        self._gateway, self._jobs = gateway, jobs
        self._pending: PendingSite | None = None
        self.folder, self.name, self.admin = QLineEdit(), QLineEdit(), QLineEdit()
        self.new_password = NewPassword()
        self.server = ServerFields(self)
        self.password, self.again = self.new_password.password, self.new_password.again
        self.code, self.typed = text_label(), QLineEdit()
        self.message = MessageStrip()
        self._steps = QStackedWidget()
        self.next = push_button("Continue", "lock", "Prepare the site", is_default=True)
        self.finish = push_button("Create site", "ok", "Finish: the code was typed back", is_default=True)
        self._build()

    def _build(self) -> None:
        self._steps.addWidget(self._first_step())
        self._steps.addWidget(self._second_step())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 24, 28, 24)
        layout.addWidget(self._steps)
        layout.addWidget(self.message)
        self.new_password.changed.connect(self._check)
        for line in (self.name, self.admin):
            line.textChanged.connect(self._tell_names)
        self.next.clicked.connect(self._prepare)
        self.finish.clicked.connect(self._confirm)
        self.typed.returnPressed.connect(self._confirm)

    def _first_step(self) -> QWidget:
        from ert.ui.sign_in_page import folder_row

        page = QWidget()
        title = text_label("New site")
        title.setObjectName("pageTitle")
        for line, name, hint in (
            (self.folder, "Site folder", "A folder that is empty or not there yet"),
            (self.name, "Site name", "For example: Radiotherapy, City Hospital"),
            (self.admin, "Administrator", "User name of the administrator"),
        ):
            line.setAccessibleName(name)
            line.setPlaceholderText(hint)
        form = QFormLayout()
        form.setVerticalSpacing(9)
        form.addRow("Folder", folder_row(self.folder, "Folder of the new site", self))
        form.addRow("Name", self.name)
        form.addRow("Administrator", self.admin)
        self.new_password.add_rows(form)
        self.server.add_rows(form)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(title)
        layout.addLayout(form)
        layout.addSpacing(8)
        layout.addLayout(self._buttons(self.next))
        self._check()
        return page

    def _second_step(self) -> QWidget:
        page = QWidget()
        title = text_label("Recovery code")
        title.setObjectName("pageTitle")
        self.code.setObjectName("recoveryCode")
        self.code.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.code.setWordWrap(True)
        self.code.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.code.setAccessibleName("Recovery code")
        copy = push_button("Copy", "copy", "Copy the code to the clipboard")
        print_ = push_button("Print…", "print", "Print the code on paper")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.code.text()))
        print_.clicked.connect(self._print)
        self.typed.setAccessibleName("Recovery code typed back")
        self.typed.setPlaceholderText("Type the code from your paper")
        row = QHBoxLayout()
        row.addWidget(copy)
        row.addWidget(print_)
        row.addStretch(1)
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(title)
        layout.addWidget(
            dim_label(
                "This code opens the site if the administrator's password is lost. Nobody can make another one: "
                "without password and code everything in the site is lost. Print it, keep it in a safe, "
                "not on this computer."
            )
        )
        layout.addWidget(self.code)
        layout.addLayout(row)
        layout.addWidget(text_label("To show that it was written down, type it here:"))
        layout.addWidget(self.typed)
        layout.addSpacing(6)
        layout.addLayout(self._buttons(self.finish))
        return page

    def _buttons(self, forward: QWidget) -> QHBoxLayout:
        cancel = push_button("Cancel", "close", "Go back; nothing is kept")
        cancel.clicked.connect(self.cancel)
        row = QHBoxLayout()
        row.addWidget(cancel)
        row.addStretch(1)
        row.addWidget(forward)
        return row

    # ---- steps ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin with empty passwords."""
        self.message.clear()
        for line in (self.password, self.again, self.typed):
            line.clear()
        self.server.clear()
        self._steps.setCurrentIndex(0)
        self.folder.setFocus()

    def _tell_names(self) -> None:
        self.new_password.set_rule(DEFAULT_RULE, (self.name.text(), self.admin.text()))

    def _check(self) -> None:
        """Show each part of the rule as it is met."""
        self.next.setEnabled(self.new_password.is_good)
        self.next.setToolTip("Prepare the site" if self.next.isEnabled() else "The password rule is not met yet")

    def _prepare(self) -> None:
        folder, name, admin = self.folder.text().strip(), self.name.text().strip(), self.admin.text().strip()
        if not (folder and name and admin):
            self.message.show_error("Enter folder, site name and administrator.")
            return
        self.message.clear()
        try:
            server = self.server.login()
        except InvalidSite as error:
            self.message.show_error(sentence_of(error))
            return
        self.next.setEnabled(False)
        password = self.password.text()
        self._jobs.submit(
            Lane.DB,
            lambda _ctx: self._gateway.prepare(
                Path(folder), site_name=name, admin_name=admin, password=password, server=server
            ),
            title="Preparing the site",
            can_stop=False,
            on_done=self._prepared,
            on_failed=self._failed,
        )

    def _prepared(self, pending: PendingSite) -> None:
        self._pending = pending
        self.code.setText(pending.recovery_code)
        self.typed.clear()
        self._steps.setCurrentIndex(1)
        self.typed.setFocus()
        self.next.setEnabled(True)

    def _confirm(self) -> None:
        pending, typed = self._pending, self.typed.text()
        if pending is None or not self.finish.isEnabled():
            return
        self.finish.setEnabled(False)
        self._jobs.submit(
            Lane.DB,
            lambda _ctx: pending.confirm(typed),
            title="Creating the site",
            can_stop=False,
            on_done=lambda _none: self._confirmed(),
            on_failed=self._failed,
        )

    def _confirmed(self) -> None:
        self._pending = None
        self.finish.setEnabled(True)
        self.code.clear()
        self.typed.clear()
        self.made.emit(Path(self.folder.text().strip()), self.admin.text().strip(), self.password.text())
        self.password.clear()
        self.again.clear()
        self.server.clear()

    def _failed(self, error: BaseException) -> None:
        self.finish.setEnabled(True)
        self._check()
        self.message.show_error(sentence_of(error))

    def cancel(self) -> None:
        """Go back and remove what was prepared."""
        pending, self._pending = self._pending, None
        self.code.clear()
        if pending is not None:
            self._jobs.submit(
                Lane.DB, lambda _ctx: pending.discard(), title="Removing the unfinished site", can_stop=False
            )
        self.cancelled.emit()

    def _print(self) -> None:
        print_sheet(
            f"ERT recovery code\n\nSite: {self.name.text()}\nAdministrator: {self.admin.text()}\n\n"
            f"{self.code.text()}\n\n"
            "Keep this paper in a safe. Whoever holds it can open the site.",
            self,
        )
