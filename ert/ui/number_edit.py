"""A field for one number with its unit: checked while typed, handed over when finished."""

from __future__ import annotations

import math

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from ert.errors import Refused
from ert.ui.numbers import format_quantity, parse_number
from ert.ui.widgets import mark_invalid, plain_tip


class NumberEdit(QLineEdit):
    """A line edit that shows ``12.50 cm`` and accepts ``12,5``.

    Parameters
    ----------
    what : str
        Name of the quantity, for sentences and for screen readers.
    unit : str
        Shown behind the number.
    decimals : int
        Shown; more may be typed.
    minimum, maximum : float
        Both allowed.

    Signals
    -------
    entered(value) : Return was pressed or the field left, with a valid number that differs from before.
    refused(sentence) : the same with something else; the field keeps the text and is framed red.
    """

    entered = Signal(float)
    refused = Signal(str)

    def __init__(
        self,
        what: str,
        unit: str,
        *,
        decimals: int = 2,
        minimum: float = -math.inf,
        maximum: float = math.inf,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._what, self._unit, self._decimals = what, unit, decimals
        self._minimum, self._maximum = minimum, maximum
        self._value: float | None = None
        self.setLocale(QLocale.c())
        self.setAccessibleName(f"{what}, {unit}" if unit else what)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.textEdited.connect(self._check)
        self.editingFinished.connect(self._finish)

    @property
    def value(self) -> float | None:
        """The last valid number."""
        return self._value

    def set_value(self, value: float | None) -> None:
        """Show a number; a field that is being typed in is left alone."""
        self._value = value
        if not (self.hasFocus() and self.isModified()):
            self._show()

    def read(self) -> float:
        """The number typed now; raises `Refused` if it is none or out of range."""
        return parse_number(self.text(), what=self._what, unit=self._unit, minimum=self._minimum, maximum=self._maximum)

    def _show(self) -> None:
        text = "" if self._value is None else format_quantity(self._value, self._decimals, self._unit)
        self.setText(text)
        self.setModified(False)
        self.setToolTip("")
        mark_invalid(self, is_invalid=False)

    def _check(self) -> None:
        try:
            self.read()
        except Refused as error:
            self.setToolTip(plain_tip(str(error)))
            mark_invalid(self, is_invalid=True)
        else:
            self.setToolTip("")
            mark_invalid(self, is_invalid=False)

    def _finish(self) -> None:
        if not self.isModified():
            return
        try:
            value = self.read()
        except Refused as error:
            self.refused.emit(str(error))
            return
        self.setModified(False)
        has_changed = value != self._value
        self._value = value
        self._show()
        if has_changed:
            self.entered.emit(value)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc brings the old number back."""
        if event.key() == Qt.Key.Key_Escape and self.isModified():
            self._show()
            return
        super().keyPressEvent(event)
