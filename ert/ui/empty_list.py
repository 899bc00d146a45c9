"""What stands in the place of the list while a site has no patients: how to begin."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ert.ui.widgets import dim_label, push_button, text_label


class EmptyList(QWidget):
    """The first two steps.

    Signals
    -------
    import_wanted, machine_wanted : the user wants to import, or to add a machine package.
    """

    import_wanted = Signal()
    machine_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = text_label("No patients yet")
        title.setObjectName("pageTitle")
        start = push_button("Import CT and structures…", "import", "Import from a folder of DICOM files")
        start.clicked.connect(self.import_wanted)
        machine = push_button("Add machine…", "beam", "Add a commissioned machine package to the site")
        machine.clicked.connect(self.machine_wanted)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        for widget in (
            title,
            dim_label("A course is one CT with its structures; plans are made on courses."),
            start,
            machine,
        ):
            row = QHBoxLayout()
            row.addStretch(1)
            row.addWidget(widget)
            row.addStretch(1)
            layout.addLayout(row)
        layout.addStretch(2)
