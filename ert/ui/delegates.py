"""Editors of table cells: a list where there are choices, else a line that accepts text as it is typed."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QLocale,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ert.errors import Refused
from ert.ui.numbers import format_number, parse_number

Index = QModelIndex | QPersistentModelIndex
_ICON_PX, _PAD_PX = 16, 3
_FAST = 10
_SCROLL_BAR_PX = 14  # kept free: it may appear after the lines were counted
_WRAPPED = Qt.TextFlag.TextWordWrap.value  # with the alignment of zero: upper left


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


class TurnedLine(QLineEdit):
    """A line whose number the wheel and the arrow keys turn, by a step; with Shift by ten.

    Signals
    -------
    turned(text) : the number was turned, or typed.
    """

    turned = Signal(str)

    def __init__(self, step: float, parent: QWidget) -> None:
        super().__init__(parent)
        self._step = step
        self.textEdited.connect(self.turned)

    def turn(self, count: int) -> None:
        """Add steps; text that is no number stays."""
        try:
            value = parse_number(self.text(), what="The value", unit="")
        except Refused:
            return
        self.setText(format_number(value + count * self._step, 2))
        self.turned.emit(self.text())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Up adds."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        if delta:
            self.turn((1 if delta > 0 else -1) * _steps(event.modifiers()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up adds, Down takes away."""
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.turn((1 if event.key() == Qt.Key.Key_Up else -1) * _steps(event.modifiers()))
            return
        super().keyPressEvent(event)


def _steps(modifiers: Qt.KeyboardModifier) -> int:
    return _FAST if modifiers & Qt.KeyboardModifier.ShiftModifier else 1


class TurnDelegate(CellDelegate):
    """As `CellDelegate`; numbers with a step can be turned, and whoever listens sees each on its way.

    Parameters
    ----------
    choices_role, step_role : int
        Roles under which the model gives choices, and the step of a number or None.

    Signals
    -------
    turned(index, text) : a number that is being edited.
    left : an editor closed, with or without a new value.
    """

    turned = Signal(object, str)
    left = Signal()

    def __init__(self, choices_role: int, step_role: int, parent: QObject | None = None) -> None:
        super().__init__(choices_role, parent)
        self._step_role = step_role

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        """A line that turns where there is a step."""
        step = index.data(self._step_role)
        if step is None:
            return super().createEditor(parent, option, index)
        line = TurnedLine(step, parent)
        line.setLocale(QLocale.c())
        line.setFrame(False)
        line.setAccessibleName("Value")
        line.setToolTip("Wheel or arrow keys turn the number, with Shift ten times as fast")
        kept = QPersistentModelIndex(index)
        line.turned.connect(lambda text: self.turned.emit(kept, text))
        return line

    def destroyEditor(self, editor: QWidget, index: Index) -> None:
        """Say that the edit is over."""
        super().destroyEditor(editor, index)
        self.left.emit()


class WrappedDelegate(QStyledItemDelegate):
    """An icon and a text that takes the lines it needs: the stock delegate cuts the last ones off."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """The view's width, and the height of the wrapped text."""
        view = option.widget
        # Of the view, not of its viewport: that is narrower once the bar is there, which is kept free already.
        width = view.width() - 2 * view.frameWidth() if isinstance(view, QAbstractItemView) else option.rect.width()
        room = QRect(0, 0, max(width - _ICON_PX - 3 * _PAD_PX - _SCROLL_BAR_PX, 40), 10_000)
        lines = option.fontMetrics.boundingRect(room, _WRAPPED, str(index.data(Qt.ItemDataRole.DisplayRole)))
        return QSize(width - _SCROLL_BAR_PX, max(lines.height(), _ICON_PX) + 2 * _PAD_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Icon at the upper left, text beside it."""
        rect = option.rect
        picture = index.data(Qt.ItemDataRole.DecorationRole)
        if isinstance(picture, QIcon):
            picture.paint(painter, rect.left() + _PAD_PX, rect.top() + _PAD_PX, _ICON_PX, _ICON_PX)
        left = _ICON_PX + 2 * _PAD_PX
        room = rect.adjusted(left, _PAD_PX, -_PAD_PX, 0)
        painter.save()
        painter.setPen(option.palette.text().color())
        painter.drawText(room, _WRAPPED, str(index.data(Qt.ItemDataRole.DisplayRole)))
        painter.restore()


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
