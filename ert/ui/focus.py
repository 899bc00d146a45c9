"""Keyboard focus that follows the pointer over views, but never out of a field somebody types in."""

from __future__ import annotations

from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QLineEdit, QPlainTextEdit, QTextEdit

_TYPING = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox)


def may_take_focus() -> bool:
    """False while a text field, or a list that has dropped down, holds the keyboard."""
    app = QApplication.instance()
    if not isinstance(app, QApplication) or app.activePopupWidget() is not None:
        return False
    return not isinstance(QApplication.focusWidget(), _TYPING)
