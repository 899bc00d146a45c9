"""The fields of a sign-in provider."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QWidget

from ert.domain.provider import MAXIMUM_CA_CHARACTERS, MAXIMUM_GRACE_HOURS, ProviderSettings, SigningAlgorithm
from ert.errors import InvalidSite, Refused
from ert.ui.number_edit import NumberEdit
from ert.ui.widgets import dim_label, push_button, tool_button

_SYSTEM = "Those of the operating system"


class ProviderForm(QWidget):
    """Reads and shows `ProviderSettings`.

    Signals
    -------
    changed : something was changed by hand.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.is_on = QCheckBox("People may sign in through this provider")
        self.name = _line("Name on the button", "Clinic ID")
        self.issuer = _line("Issuer", "https://id.hospital.org/realms/clinic")
        self.client_id = _line("Client id", "ert")
        self.algorithm = QComboBox()
        self.algorithm.setAccessibleName("Signatures")
        for algorithm in SigningAlgorithm:
            self.algorithm.addItem(algorithm.value, algorithm)
        self.scopes = _line("Scopes", "openid profile offline_access")
        self.user_claim = _line("Name claim", "preferred_username")
        self.grace = NumberEdit("Lasts without the provider", "h", decimals=0, minimum=0, maximum=MAXIMUM_GRACE_HOURS)
        self.grace.setMaximumWidth(110)
        self.ca_state = dim_label(_SYSTEM)
        self.ca_file = push_button("From a file…", "folder", "Certificates to be trusted for this provider only")
        self.ca_clear = tool_button("remove", "Trust the certificates of the operating system again")
        self._ca_pem = ""
        self._build()

    def _build(self) -> None:
        trust = QHBoxLayout()
        trust.addWidget(self.ca_state, 1)
        trust.addWidget(self.ca_file)
        trust.addWidget(self.ca_clear)
        last = QHBoxLayout()
        last.addWidget(self.grace)
        last.addWidget(dim_label("Planning goes on meanwhile; releases and administration wait."), 1)
        signed = QHBoxLayout()
        signed.addWidget(self.algorithm)
        signed.addWidget(dim_label("Others are refused, whatever a token says of itself."), 1)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(6)
        form.addRow("", self.is_on)
        form.addRow("Name on the button", self.name)
        form.addRow("Issuer", self.issuer)
        form.addRow("Client id", self.client_id)
        form.addRow("Signatures", signed)
        form.addRow("Scopes", self.scopes)
        form.addRow("Name claim", self.user_claim)
        form.addRow("Trusts", trust)
        form.addRow("Lasts without it", last)
        self.ca_file.setAutoDefault(False)
        self.ca_file.clicked.connect(self._choose_file)
        self.ca_clear.clicked.connect(lambda _checked=False: self._set_pem(""))
        self.is_on.toggled.connect(lambda _on: self.changed.emit())
        self.algorithm.currentIndexChanged.connect(lambda _index: self.changed.emit())
        for line in (self.name, self.issuer, self.client_id, self.scopes, self.user_claim, self.grace):
            line.textChanged.connect(lambda _text: self.changed.emit())
        self.setMinimumHeight(self.sizeHint().height())  # texts that wrap beside it must not take it

    def fill(self, settings: ProviderSettings | None) -> None:
        """Show settings; what most providers want where there are none."""
        self.is_on.setChecked(settings is None or settings.is_on)
        self.name.setText("" if settings is None else settings.name)
        self.issuer.setText("" if settings is None else settings.issuer)
        self.client_id.setText("ert" if settings is None else settings.client_id)
        algorithm = SigningAlgorithm.RS256 if settings is None else settings.algorithm
        self.algorithm.setCurrentIndex(list(SigningAlgorithm).index(algorithm))
        self.scopes.setText("openid profile offline_access" if settings is None else " ".join(settings.scopes))
        self.user_claim.setText("preferred_username" if settings is None else settings.user_claim)
        self.grace.set_value(8 if settings is None else settings.grace_hours)
        self._set_pem("" if settings is None else settings.ca_pem)

    def read(self) -> ProviderSettings:
        """The settings as typed; raises `Refused`."""
        hours = self.grace.read()
        if hours != int(hours):
            raise Refused("The hours without the provider must be a whole number.")
        return ProviderSettings(
            name=self.name.text().strip(),
            issuer=self.issuer.text().strip(),
            client_id=self.client_id.text().strip(),
            algorithm=SigningAlgorithm(self.algorithm.currentData()),
            scopes=tuple(self.scopes.text().split()),
            user_claim=self.user_claim.text().strip(),
            ca_pem=self._ca_pem,
            grace_hours=int(hours),
            is_on=self.is_on.isChecked(),
        )

    def load(self, path: Path) -> None:
        """Trust the certificates in a file; raises `Refused`."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Refused(f"The file '{path.name}' cannot be read: {error.strerror}.") from error
        if len(data) > MAXIMUM_CA_CHARACTERS or not data.isascii() or b"BEGIN CERTIFICATE" not in data:
            raise InvalidSite(
                f"The file '{path.name}' holds no PEM certificates, or more than one authority needs.",
                hint="Export the authority's certificate as PEM (Base64).",
            )
        self._set_pem(data.decode("ascii"))

    def _choose_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Certificates of the provider's authority", "", "PEM (*.pem *.crt *.cer)"
        )
        if chosen:
            try:
                self.load(Path(chosen))
            except Refused as error:
                self.ca_state.setText(str(error))

    def _set_pem(self, text: str) -> None:
        self._ca_pem = text
        count = text.count("BEGIN CERTIFICATE")
        words = "1 certificate" if count == 1 else f"{count} certificates"
        self.ca_state.setText(f"Only {words} kept in the site" if count else _SYSTEM)
        self.ca_clear.setEnabled(bool(count))
        self.changed.emit()


def _line(name: str, placeholder: str) -> QLineEdit:
    line = QLineEdit()
    line.setAccessibleName(name)
    line.setPlaceholderText(placeholder)
    return line
