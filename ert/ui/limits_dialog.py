"""The limits by which the site judges second checks: see them, change them, see who did before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from ert.app.check_rules import CheckRules
from ert.app.jobs import Lane
from ert.domain.account import Right
from ert.domain.second_check import CheckTolerances
from ert.errors import ErtError
from ert.ui.number_edit import NumberEdit
from ert.ui.only_looking import say_if_only_looking
from ert.ui.tables import result_table
from ert.ui.widgets import MessageStrip, dim_label, push_button, text_label

if TYPE_CHECKING:
    from ert.app.session import SiteSession

_MM_PER_CM = 10.0
# field, what a person reads, unit, decimals, units shown for one unit kept
_FIELDS = (
    ("gamma_dose_pct", "Gamma: dose difference, of the largest dose", "%", 1, 1.0),
    ("gamma_distance_cm", "Gamma: distance", "mm", 1, _MM_PER_CM),
    ("gamma_threshold_pct", "Gamma: judged above, of the largest dose", "%", 0, 1.0),
    ("green_pass_pct", "Points with gamma at most 1: green from", "%", 1, 1.0),
    ("amber_pass_pct", "Points with gamma at most 1: amber from", "%", 1, 1.0),
    ("green_difference_pct", "Points and structures, of the prescription: green up to", "%", 1, 1.0),
    ("amber_difference_pct", "Points and structures, of the prescription: amber up to", "%", 1, 1.0),
)
_ABOUT = (
    "Second checks made from now on are judged by these; each keeps the limits it was judged by. The worst light of "
    "all counts. The gamma limits the program comes with are those of AAPM TG-218."
)
_COLUMNS = ("Rev.", "Set", "By", "Reason", "Limits")
_REASON = 3


class LimitsDialog(QDialog):
    """Fields, a reason, and the revisions before."""

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Limits of the second check")
        self._rules = CheckRules(session.store, lambda run: session.jobs.call(Lane.DB, run))
        self.message = MessageStrip()
        self.fields = {name: NumberEdit(what, unit, decimals=decimals) for name, what, unit, decimals, _ in _FIELDS}
        self.reason = QLineEdit()
        self.in_use = text_label()
        self.history = QStandardItemModel(0, len(_COLUMNS))
        self.table = result_table(self.history, "Limits set before", stretch=len(_COLUMNS) - 1)
        self.defaults = push_button("The program's own", "undo", "Fill in the limits the program comes with")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.save_button = self.buttons.addButton("Save", QDialogButtonBox.ButtonRole.ApplyRole)
        self._build()
        self.show_limits()
        if Right.CONFIGURE not in session.account.rights:
            for widget in (*self.fields.values(), self.reason, self.defaults, self.save_button):
                widget.setEnabled(False)
        say_if_only_looking(self.message, session.account, Right.CONFIGURE, "changing them")
        self.resize(860, 560)

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setColumnStretch(0, 1)
        for row, (name, what, _unit, _decimals, _scale) in enumerate(_FIELDS):
            field = self.fields[name]
            field.setMaximumWidth(110)
            grid.addWidget(text_label(what), row, 0)
            grid.addWidget(field, row, 1)
        self.reason.setAccessibleName("Reason")
        self.reason.setPlaceholderText("Whose limits they are, and why; it goes into the record")
        self.defaults.setAutoDefault(False)
        self.history.setHorizontalHeaderLabels(list(_COLUMNS))
        self.table.setWordWrap(True)  # reason and limits are sentences
        head = self.table.horizontalHeader()
        head.setSectionResizeMode(_REASON, QHeaderView.ResizeMode.Stretch)
        head.sectionResized.connect(lambda *_: self.table.resizeRowsToContents())
        layout = QVBoxLayout(self)
        about = dim_label(_ABOUT)
        about.setWordWrap(True)
        self.in_use.setWordWrap(True)
        for widget in (about, self.message, self.in_use):
            layout.addWidget(widget)
        layout.addLayout(grid)
        layout.addWidget(self.reason)
        defaults = QHBoxLayout()
        defaults.addWidget(self.defaults)
        defaults.addStretch(1)
        layout.addLayout(defaults)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.buttons)
        self.defaults.clicked.connect(lambda: self._fill(CheckTolerances()))
        self.save_button.clicked.connect(self.save)
        self.buttons.rejected.connect(self.reject)

    def show_limits(self) -> None:
        """Show what is in use, and every revision."""
        in_use, history = self._rules.in_use(), self._rules.history()
        self.in_use.setText(f"In use: {in_use.source}.")
        self._fill(in_use.tolerances)
        self.history.removeRows(0, self.history.rowCount())
        for entry in history:
            when = f"{entry.saved_at.astimezone():%Y-%m-%d %H:%M}"
            value = entry.value
            items = [
                QStandardItem(text)
                for text in (str(entry.revision), when, entry.saved_by, value.reason, value.tolerances.sentence)
            ]
            for item in items:
                item.setEditable(False)
                item.setToolTip(item.text())
            self.history.appendRow(items)
        self.history.layoutChanged.emit()  # columns as wide as what they hold now
        self.table.resizeRowsToContents()

    def _fill(self, tolerances: CheckTolerances) -> None:
        for name, _what, _unit, _decimals, scale in _FIELDS:
            self.fields[name].set_value(scale * getattr(tolerances, name))

    def save(self) -> None:
        """Make what the fields hold the site's limits; says why not otherwise."""
        try:
            values = {name: self.fields[name].read() / scale for name, _what, _unit, _decimals, scale in _FIELDS}
            entry = self._rules.save(CheckTolerances(**values), self.reason.text())
        except ErtError as error:
            self.message.show_error(str(error))
            return
        self.reason.clear()
        self.show_limits()
        self.message.show_note(f"Saved as revision {entry.revision}; checks made from now on are judged by it.")
