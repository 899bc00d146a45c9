"""Panels of a plan that cannot be changed: what edits is switched off, and says why; what only shows stays."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)

from ert.ui.widgets import plain_tip

_EDITORS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit)


def lock_panels(panels: Iterable[QWidget], why: str) -> None:
    """Switch off every control that edits, with the reason as its tip; to be repeated when panels were refreshed.

    Tables keep their selection, so that each beam can be looked at; their cells open no editor. Beyond the screens the
    services refuse what is tried all the same.
    """
    for panel in panels:
        for kind in _EDITORS:
            for widget in panel.findChildren(kind):
                widget.setEnabled(False)
                widget.setToolTip(plain_tip(why))
        for view in panel.findChildren(QAbstractItemView):
            view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
