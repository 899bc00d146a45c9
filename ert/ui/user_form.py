"""Level, features and administration of one account, as fields."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from ert.domain.account import FEATURE_NAMES, LEVEL_NAMES, MAXIMUM_NAME_CHARACTERS, Feature, Grant, Level
from ert.domain.provider import MAXIMUM_SUBJECT_CHARACTERS
from ert.ui.widgets import dim_label, text_label

_LEVEL_TEXT = {
    Level.DEFAULT: "Imports, plans, computes, prints and exports.",
    Level.RESEARCH: "As Default; reserved for research functions, of which there are none yet.",
    Level.ELEVATED: "Physics: also releases machines for clinical planning.",
}
_FEATURE_TEXT = {
    Feature.IM_DEVICE: "intensity modulators",
    Feature.PLAN_APPROVAL: "approves plans",
    Feature.FACILITY_CONFIGURATION: "machines, CT curves, materials",
}


class UserForm(QWidget):
    """The fields of one account.

    Signals
    -------
    changed : something was changed by hand.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = QLineEdit()
        self.name.setAccessibleName("User name")
        self.name.setMaxLength(MAXIMUM_NAME_CHARACTERS)
        self.level = QComboBox()
        self.level.setAccessibleName("Level")
        for level in Level:
            self.level.addItem(LEVEL_NAMES[level], level)
        self.level_text = dim_label()
        self.features = {feature: QCheckBox(FEATURE_NAMES[feature]) for feature in Feature}
        self.is_administrator = QCheckBox("Administrator: adds, changes and disables users")
        self.subject = QLineEdit()
        self.subject.setMaxLength(MAXIMUM_SUBJECT_CHARACTERS)
        self.subject_label = text_label()
        self.with_password = QCheckBox("Also a password at this site")
        self._build()
        self._explain()

    def _build(self) -> None:
        boxes = QVBoxLayout()
        boxes.setSpacing(4)
        for feature, box in self.features.items():
            box.setText(f"{FEATURE_NAMES[feature]}: {_FEATURE_TEXT[feature]}")
            box.setAccessibleName(FEATURE_NAMES[feature])
            box.toggled.connect(lambda _on: self.changed.emit())
            boxes.addWidget(box)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(9)
        form.addRow("Name", self.name)
        form.addRow("Level", self.level)
        form.addRow("", self.level_text)
        form.addRow("Features", boxes)
        form.addRow("", self.is_administrator)
        form.addRow(self.subject_label, self.subject)
        form.addRow("", self.with_password)
        self.offer_provider("")
        self.subject.textEdited.connect(lambda _text: self.changed.emit())
        self.with_password.toggled.connect(lambda _on: self.changed.emit())
        self.name.textEdited.connect(lambda _text: self.changed.emit())
        self.level.currentIndexChanged.connect(self._explain)
        self.is_administrator.toggled.connect(lambda _on: self.changed.emit())

    def _explain(self) -> None:
        self.level_text.setText(_LEVEL_TEXT[Level(self.level.currentData())])
        self.changed.emit()

    def offer_provider(self, name: str) -> None:
        """Let accounts have a subject at the sign-in provider; "" where there is none."""
        self.subject_label.setText(f"At {name}")
        self.subject.setAccessibleName(f"Subject at {name}")
        self.subject.setPlaceholderText("Subject, as the provider's administration shows it")
        for widget in (self.subject_label, self.subject):
            widget.setVisible(bool(name))
        self.with_password.hide()

    def fill(self, name: str, grant: Grant, *, is_new: bool, subject: str = "") -> None:
        """Show an account; only a new one has its name typed, and may go without a password."""
        self.blockSignals(True)
        self.name.setText(name)
        self.name.setEnabled(is_new)
        self.subject.setText(subject)
        self.with_password.setChecked(False)
        self.with_password.setVisible(is_new and not self.subject.isHidden())
        self.level.setCurrentIndex(list(Level).index(grant.level))
        for feature, box in self.features.items():
            box.setChecked(feature in grant.features)
        self.is_administrator.setChecked(grant.is_administrator)
        self.blockSignals(False)
        self._explain()

    def grant(self) -> Grant:
        """What the fields say."""
        chosen = frozenset(feature for feature, box in self.features.items() if box.isChecked())
        return Grant(
            level=Level(self.level.currentData()),
            features=chosen,
            is_administrator=self.is_administrator.isChecked(),
        )
