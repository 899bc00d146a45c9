"""How thoroughly the site is verified."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QRadioButton, QVBoxLayout, QWidget

from ert.app.session import FULL_LEVEL
from ert.ui.widgets import dim_label

LEVELS = (
    "Opening and a quick check of the database: seconds",
    "Every page of the database",
    "Every record, the whole history, keys",
    "Every file is there and unchanged (SHA-256)",
    "Every file can be decrypted and holds what its record says",
)


class CheckDialog(QDialog):
    """Asks for a level; each one includes those above it.

    Signals
    -------
    wanted(level) : start the check.
    """

    wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None, *, database_place: str = "") -> None:
        super().__init__(parent)
        self.setWindowTitle("Verify the site")
        self.levels = [QRadioButton(f"{number}  {text}") for number, text in enumerate(LEVELS)]
        self.levels[FULL_LEVEL].setChecked(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        layout.addWidget(dim_label("Nothing is changed. Each level includes those above it."))
        if database_place:
            layout.addWidget(dim_label(f"The records of this site lie {database_place}."))
        for button in self.levels:
            layout.addWidget(button)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        start = buttons.addButton("Verify", QDialogButtonBox.ButtonRole.AcceptRole)
        start.setDefault(True)
        buttons.accepted.connect(self.submit)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)

    def submit(self) -> None:
        """Ask for the check and close."""
        chosen = next(number for number, button in enumerate(self.levels) if button.isChecked())
        self.accept()
        self.wanted.emit(chosen)
