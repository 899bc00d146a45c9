"""Part of the form for a new site: the database server that keeps the records, if they are not to lie in the folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QCheckBox, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QWidget

from ert.domain.database_server import ServerLogin, parse_address
from ert.errors import InvalidSite
from ert.ui.widgets import dim_label, tool_button

_ABOUT = (
    "Images, structures and doses stay in the folder, encrypted. Names and plans are encrypted before they reach the "
    "server; it needs an encrypted disk all the same."
)


class ServerFields(QObject):
    """A choice, and what it needs: address, password of the role, certificates of the clinic's own authority."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent
        self.is_wanted = QCheckBox("Keep the records on a database server")
        self.is_wanted.setToolTip("For clinics with more people than a share serves well; otherwise leave this out")
        self.address, self.password, self.authority = QLineEdit(), QLineEdit(), QLineEdit()
        self.password.setEchoMode(QLineEdit.EchoMode.Password)
        for line, name, hint in (
            (self.address, "Address of the database server", "postgresql://ert@db.clinic.example/ert"),
            (self.password, "Password of the database role", "Of the role before the @; not your own"),
            (self.authority, "Certificates of the server", "PEM file; empty: those this computer trusts"),
        ):
            line.setAccessibleName(name)
            line.setPlaceholderText(hint)
        self._browse = tool_button("folder", "Browse for the certificates")
        self._about = dim_label(_ABOUT)
        self._form: QFormLayout | None = None
        self._row = QWidget()

    def add_rows(self, form: QFormLayout) -> None:
        """Put the choice and its rows into a form; they are seen when they are wanted."""
        row = QHBoxLayout(self._row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.authority, 1)
        row.addWidget(self._browse)
        form.addRow("", self.is_wanted)
        form.addRow("Server", self.address)
        form.addRow("Role's password", self.password)
        form.addRow("Certificates", self._row)
        form.addRow("", self._about)
        self._form = form
        self._browse.clicked.connect(self._choose)
        self.is_wanted.toggled.connect(self._show)
        self._show(is_wanted=False)

    def login(self) -> ServerLogin | None:
        """What was entered; None where the records lie in the folder.

        Raises
        ------
        InvalidSite
            It is incomplete or cannot be read.
        """
        if not self.is_wanted.isChecked():
            return None
        address, password = parse_address(self.address.text()), self.password.text()
        if not password:
            raise InvalidSite("Enter the password of the database role.")
        path = self.authority.text().strip()
        try:
            authority_pem = Path(path).read_text(encoding="ascii") if path else ""
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSite(f"The certificates in {path} cannot be read.", hint="Choose a PEM file.") from error
        return ServerLogin(address=address, password=password, authority_pem=authority_pem)

    def clear(self) -> None:
        """Forget the password."""
        self.password.clear()

    def _show(self, is_wanted: bool) -> None:  # noqa: FBT001 - Qt's signal
        if self._form is not None:
            for field in (self.address, self.password, self._row, self._about):
                self._form.setRowVisible(field, is_wanted)

    def _choose(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self._parent, "Certificates that vouch for the server", self.authority.text(), "PEM (*.pem *.crt)"
        )
        if chosen:
            self.authority.setText(chosen)
