"""What to do first: shown in place of the patient list while a site has no patients."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ert.ui.icons import icon
from ert.ui.theme import GOOD, TEXT_DIM
from ert.ui.widgets import dim_label


class FirstSteps(QWidget):
    """Three steps from an empty site to a plan.

    Parameters
    ----------
    machine_button, import_button : the buttons of the first two steps.
    """

    def __init__(self, machine_button: QPushButton, import_button: QPushButton, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        card = QFrame()
        card.setObjectName("card")
        card.setFixedWidth(640)
        title = QLabel("This site has no patients yet")
        title.setObjectName("pageTitle")
        grid = QGridLayout(card)
        grid.setContentsMargins(28, 24, 28, 24)
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(14)
        grid.setColumnStretch(1, 1)
        grid.addWidget(title, 0, 0, 1, 3)
        self._signs = []
        steps = (
            ("1  Add a machine", "A machine package made by 'ert commission', or the demo machine to try ERT.", machine_button),
            ("2  Import a patient", "CT images, with or without an RT Structure Set, from a folder.", import_button),
            ("3  Make a plan", "Choose the imported course, then New plan.", None),
        )
        for row, (name, text, button) in enumerate(steps, start=1):
            sign = QLabel()
            self._signs.append(sign)
            words = QVBoxLayout()
            words.setSpacing(1)
            words.addWidget(QLabel(name))
            words.addWidget(dim_label(text))
            grid.addWidget(sign, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addLayout(words, row, 1)
            if button is not None:
                grid.addWidget(button, row, 2)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addWidget(card, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(2)
        self.show_state(has_machine=False)

    def show_state(self, *, has_machine: bool) -> None:
        """Tick what is done."""
        for number, sign in enumerate(self._signs):
            is_done = number == 0 and has_machine
            sign.setPixmap(icon("ok" if is_done else "remove", GOOD if is_done else TEXT_DIM).pixmap(18, 18))
            sign.setAccessibleName("done" if is_done else "to do")
