"""The forms of the sign-in page: what is asked, nothing that is done with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ert.ui.password_field import NewPassword, secret_line
from ert.ui.widgets import MessageStrip, dim_label, push_button


def text_line(name: str, placeholder: str = "") -> QLineEdit:
    """A plain line with an accessible name."""
    line = QLineEdit()
    line.setAccessibleName(name)
    line.setPlaceholderText(placeholder)
    return line


class FolderLine(QWidget):
    """A folder, typed or chosen."""

    changed = Signal()

    def __init__(self, name: str, *, is_new: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self.line = text_line(name, "Folder that does not exist yet, or is empty" if is_new else "Folder of the site")
        browse = push_button("Browse…", "folder", f"Choose the {name.lower()}")
        browse.clicked.connect(self._browse)
        self.line.textChanged.connect(lambda _text: self.changed.emit())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(browse)
        self.setFocusProxy(self.line)

    @property
    def path(self) -> Path | None:
        """The folder; None if nothing is entered."""
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def set_path(self, path: Path) -> None:
        """Enter a folder."""
        self.line.setText(str(path))

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self._name, self.line.text())
        if chosen:
            self.line.setText(chosen)


class SiteForm(QWidget):
    """A title, fields, one message, one button that does it, and quiet ways elsewhere.

    Signals
    -------
    submitted() : the button was pressed, or Return in a field, and everything needed is there.
    """

    submitted = Signal()

    def __init__(self, title: str, explanation: str, action: str, icon_name: str) -> None:
        super().__init__()
        head = QLabel(title)
        head.setObjectName("pageTitle")
        self.fields = QFormLayout()
        self.fields.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self.fields.setLabelAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.fields.setVerticalSpacing(8)
        self.message = MessageStrip()
        self.button = push_button(action, icon_name, action, is_default=True)
        self.button.setMinimumHeight(30)
        self.button.clicked.connect(self.submit)
        self._action = action
        self._is_busy = False
        self._links = QHBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 22, 28, 22)
        layout.setSpacing(12)
        layout.addWidget(head)
        if explanation:
            layout.addWidget(dim_label(explanation))
        layout.addLayout(self.fields)
        layout.addWidget(self.message)
        layout.addWidget(self.button)
        layout.addLayout(self._links)
        layout.addStretch(1)

    @property
    def missing(self) -> str:
        """What has to be entered yet; empty if the form is complete."""
        return ""

    @property
    def is_busy(self) -> bool:
        """True while what was asked for is being done."""
        return self._is_busy

    def add_link(self, text: str, action: Callable[[], None]) -> QPushButton:
        """A flat button below."""
        link = QPushButton(text)
        link.setFlat(True)
        link.setAccessibleName(text)
        link.setCursor(Qt.CursorShape.PointingHandCursor)
        link.setStyleSheet("QPushButton { background: transparent; border: none; color: #8fbbe0; padding: 4px 2px; }"
                           "QPushButton:hover, QPushButton:focus { text-decoration: underline; }")  # fmt: skip
        link.clicked.connect(action)
        self._links.addWidget(link)
        return link

    def submit(self) -> None:
        """Say what is missing, or hand over."""
        if self._is_busy:
            return
        if self.missing:
            self.message.show_error(f"{self.missing}.")
            return
        self.message.clear()
        self.submitted.emit()

    def set_busy(self, text: str | None) -> None:
        """Say what is being done, and take no input meanwhile; None ends it."""
        self._is_busy = text is not None
        for index in range(self.fields.rowCount()):
            item = self.fields.itemAt(index, QFormLayout.ItemRole.FieldRole)
            if item is not None and item.widget() is not None:
                item.widget().setEnabled(not self._is_busy)
        self.button.setEnabled(not self._is_busy)
        self.button.setText(text or self._action)

    def _submit_on_return(self, *lines: QLineEdit) -> None:
        for line in lines:
            line.returnPressed.connect(self.submit)


class SignInForm(SiteForm):
    """Site, user, password."""

    def __init__(self) -> None:
        super().__init__("Sign in", "", "Sign in", "lock")
        self.folder = FolderLine("Site folder", is_new=False)
        self.user = text_line("User")
        self.password = secret_line("Password")
        self.fields.addRow("Site", self.folder)
        self.fields.addRow("User", self.user)
        self.fields.addRow("Password", self.password)
        self._submit_on_return(self.folder.line, self.user, self.password)

    @property
    def missing(self) -> str:
        """What has to be entered yet."""
        if self.folder.path is None:
            return "Choose the folder of the site"
        if not self.user.text().strip():
            return "Enter your user name"
        return "" if self.password.text() else "Enter your password"


class CreateForm(SiteForm):
    """A new site and its administrator."""

    def __init__(self) -> None:
        super().__init__(
            "Create a site",
            "A site is a folder that keeps patients, plans and machines of a department, encrypted. Its first user "
            "administers it.",
            "Continue",
            "site",
        )
        self.folder = FolderLine("Folder of the new site", is_new=True)
        self.site_name = text_line("Site name", "for example the name of the department")
        self.user = text_line("Administrator name", "your name")
        self.password = NewPassword()
        self.fields.addRow("Folder", self.folder)
        self.fields.addRow("Site name", self.site_name)
        self.fields.addRow("Administrator", self.user)
        self.fields.addRow("Password", self.password)
        lines = (self.folder.line, self.site_name, self.user, self.password.first, self.password.second)
        self._submit_on_return(*lines)

    @property
    def missing(self) -> str:
        """What has to be entered yet."""
        if self.folder.path is None:
            return "Choose a folder for the site"
        if not self.site_name.text().strip():
            return "Enter a name for the site"
        if not self.user.text().strip():
            return "Enter the administrator's name"
        return "" if self.password.is_good else f"The password still needs: {self.password.missing}"


class RecoveryForm(SiteForm):
    """The recovery code: shown once, to be kept on paper, typed back.

    Signals
    -------
    save_requested(path) : write the code to a file.
    """

    save_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__(
            "Recovery code",
            "Whoever forgets the password gets back in with this code, and with nothing else. It is shown only now. Print "
            "it or write it down, and keep it under lock, away from this computer.",
            "Create site",
            "key",
        )
        self.code = QLabel()
        self.code.setObjectName("recoveryCode")
        self.code.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.code.setWordWrap(True)
        self.code.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.code.setAccessibleName("Recovery code")
        copy = push_button("Copy", "copy", "Copy the code to the clipboard, to print it elsewhere")
        save = push_button("Save to a file…", "save", "Write the code to a file only you can read")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.shown_code))
        save.clicked.connect(self._save)
        buttons = QHBoxLayout()
        buttons.addWidget(copy)
        buttons.addWidget(save)
        buttons.addStretch(1)
        self.typed = text_line("Recovery code, typed back", "type the code from your copy; blanks and hyphens do not matter")
        self.fields.addRow(self.code)
        self.fields.addRow(buttons)
        self.fields.addRow("Type it back", self.typed)
        self._submit_on_return(self.typed)

    @property
    def shown_code(self) -> str:
        """The code in one line."""
        return self.code.text().replace("\n", "-")

    def show_code(self, code: str) -> None:
        """Show a new code, three lines of three groups."""
        groups = code.split("-")
        self.code.setText("\n".join("-".join(groups[i : i + 3]) for i in range(0, len(groups), 3)))
        self.typed.clear()
        self.message.clear()

    @property
    def missing(self) -> str:
        """What has to be entered yet."""
        return "" if self.typed.text().strip() else "Type the recovery code back from your copy"

    def _save(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the recovery code", "ert-recovery-code.txt", "Text (*.txt)")
        if chosen:
            self.save_requested.emit(Path(chosen))


class RecoverForm(SiteForm):
    """Back in with the recovery code: a new password for a user."""

    def __init__(self) -> None:
        super().__init__(
            "Recover access",
            "With the recovery code of the site you can give yourself a new password. The old one stops working.",
            "Set password and sign in",
            "key",
        )
        self.folder = FolderLine("Site folder", is_new=False)
        self.user = text_line("User")
        self.code = text_line("Recovery code", "nine groups of four characters")
        self.password = NewPassword()
        self.fields.addRow("Site", self.folder)
        self.fields.addRow("User", self.user)
        self.fields.addRow("Recovery code", self.code)
        self.fields.addRow("New password", self.password)
        self._submit_on_return(self.folder.line, self.user, self.code, self.password.first, self.password.second)

    @property
    def missing(self) -> str:
        """What has to be entered yet."""
        if self.folder.path is None:
            return "Choose the folder of the site"
        if not self.user.text().strip():
            return "Enter the user name"
        if not self.code.text().strip():
            return "Enter the recovery code"
        return "" if self.password.is_good else f"The password still needs: {self.password.missing}"
