"""Editors of table cells: a list where there are choices, else a line that accepts text as it is typed."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QEvent, QLocale, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QComboBox, QLineEdit, QStyledItemDelegate, QStyleOptionViewItem, QWidget

Index = QModelIndex | QPersistentModelIndex


class CellDelegate(QStyledItemDelegate):
    """Edits cells of a model that offers choices under a role.

    Parameters
    ----------
    choices_role : int
        Role under which the model gives a list of texts, or None.
    """

    def __init__(self, choices_role: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._choices_role = choices_role

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        """A combo box or a line edit."""
        choices = index.data(self._choices_role)
        if choices is None:
            line = QLineEdit(parent)
            line.setLocale(QLocale.c())
            line.setFrame(False)
            line.setAccessibleName("Value")
            return line
        box = QComboBox(parent)
        box.addItems(choices)
        box.setAccessibleName("Choice")
        box.activated.connect(lambda _n: self._close(box))
        return box

    def _close(self, box: QComboBox) -> None:
        self.commitData.emit(box)
        self.closeEditor.emit(box)

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Show the present value."""
        text = str(index.data(Qt.ItemDataRole.EditRole))
        if isinstance(editor, QComboBox):
            editor.setCurrentText(text)
            editor.showPopup()
        elif isinstance(editor, QLineEdit):
            editor.setText(text)
            editor.selectAll()

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        """Hand the new value to the model."""
        if isinstance(editor, QComboBox):
            model.setData(index, editor.currentText())
        elif isinstance(editor, QLineEdit):
            model.setData(index, editor.text())


class SwatchDelegate(QStyledItemDelegate):
    """Paints a filled square of the colour a cell holds in its decoration role."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """A square in the middle of the cell."""
        colour = index.data(Qt.ItemDataRole.DecorationRole)
        if not isinstance(colour, QColor):
            super().paint(painter, option, index)
            return
        rect = option.rect
        side = min(rect.width(), rect.height()) - 8
        painter.fillRect(rect.center().x() - side // 2, rect.center().y() - side // 2, side, side, colour)

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """Leave clicks to the view."""
        return False
