"""Every action by name: type a part of it, press Return."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QAction, QIcon, QKeyEvent, QPixmap
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget


def _picture(action: QAction) -> QIcon:
    """The action's icon, or an empty one of the same size, so that all names begin at one line."""
    if not action.icon().isNull():
        return action.icon()
    empty = QPixmap(16, 16)
    empty.fill(Qt.GlobalColor.transparent)
    return QIcon(empty)


class CommandPalette(QDialog):
    """A list of actions that narrows while typing; disabled ones say why in their tip.

    Parameters
    ----------
    actions : iterable of QAction
        What can be chosen.
    """

    def __init__(self, actions: Iterable[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._actions = [a for a in actions if a.text() and not a.isSeparator()]
        self.line = QLineEdit()
        self.line.setPlaceholderText("Type an action")
        self.line.setAccessibleName("Find an action")
        self.list = QListWidget()
        self.list.setAccessibleName("Actions")
        self.list.setIconSize(QSize(16, 16))
        layout = QVBoxLayout(self)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self.resize(520, 360)
        self.line.textChanged.connect(self._narrow)
        self.line.returnPressed.connect(self._choose)
        self.list.itemClicked.connect(lambda _item: self._choose())
        self.line.installEventFilter(self)
        self._narrow("")
        self.line.setFocus()

    def _narrow(self, text: str) -> None:
        self.list.clear()
        words = text.casefold().split()
        for action in self._actions:
            name = action.text().replace("&", "")
            if not all(word in name.casefold() for word in words):
                continue
            keys = action.shortcut().toString()
            reason = "" if action.isEnabled() else f"   – {action.toolTip()}"
            item = QListWidgetItem(_picture(action), f"{name}{f'   ({keys})' if keys else ''}{reason}")
            item.setData(Qt.ItemDataRole.UserRole, action)
            if not action.isEnabled():
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _choose(self) -> None:
        if self.list.currentRow() < 0:
            return
        item = self.list.currentItem()
        if not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        action: QAction = item.data(Qt.ItemDataRole.UserRole)
        self.accept()
        action.trigger()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and down move in the list while the line has the keyboard."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()), 0)
            if step:
                count = max(self.list.count(), 1)
                self.list.setCurrentRow((self.list.currentRow() + step) % count)
                return True
        return super().eventFilter(watched, event)


def open_palette(window: QWidget, actions: Iterable[QAction]) -> None:
    """Show the palette in the upper middle of a window."""
    palette = CommandPalette(actions, window)
    palette.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    centre = window.mapToGlobal(window.rect().center())
    palette.move(centre.x() - palette.width() // 2, window.mapToGlobal(window.rect().topLeft()).y() + 90)
    palette.open()
