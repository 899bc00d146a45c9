"""Opaque covers over every window of the program, so that a locked screen shows nobody's data."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from ert.ui.icons import icon
from ert.ui.theme import BASE, TEXT_DIM

LOCKED_TITLE = "ERT – locked"
_WINDOW_KINDS = frozenset({Qt.WindowType.Window, Qt.WindowType.Dialog, Qt.WindowType.Sheet, Qt.WindowType.Tool})


class Cover(QWidget):
    """A sheet over one window, as large as it."""

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self.setAccessibleName("Locked")
        self.setGeometry(host.rect())
        self.raise_()
        self.show()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Hide everything; a lock in the middle says why."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(BASE))
        side = 48
        lock = icon("lock", TEXT_DIM).pixmap(side, side)
        painter.drawPixmap((self.width() - side) // 2, (self.height() - side) // 2, lock)
        painter.end()


class Covers(QObject):
    """Covers all windows but one, and what is opened while they are covered."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._exempt: QWidget | None = None
        self._covers: dict[QWidget, tuple[Cover, str]] = {}
        self._waiting: list[QWidget] = []

    @property
    def is_on(self) -> bool:
        """Whether windows are covered."""
        return self._exempt is not None

    def cover(self, exempt: QWidget) -> None:
        """Cover every window except one."""
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            raise TypeError("windows are covered in a running program only")
        self._exempt = exempt
        while (popup := QApplication.activePopupWidget()) is not None and popup.close():
            pass
        for widget in QApplication.topLevelWidgets():
            if widget.isVisible() and self._is_meant(widget):
                self._put_on(widget)
        app.installEventFilter(self)

    def uncover(self) -> None:
        """Show everything again, and what was opened meanwhile."""
        app = QApplication.instance()
        if app is not None:
            app.removeEventFilter(self)
        self._exempt = None
        for host, (cover, title) in list(self._covers.items()):
            if not isValid(host):
                continue  # it went meanwhile, and its cover with it
            host.setWindowTitle(title)
            cover.hide()
            cover.deleteLater()
        self._covers.clear()
        waiting, self._waiting = self._waiting, []
        for widget in waiting:
            if isValid(widget):
                widget.show()

    def hosts(self) -> tuple[QWidget, ...]:
        """The windows that are covered or wait to be shown."""
        return tuple(host for host in (*self._covers, *self._waiting) if isValid(host))

    def forget(self, widget: QWidget) -> None:
        """A window is about to go."""
        self._covers.pop(widget, None)
        if widget in self._waiting:
            self._waiting.remove(widget)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep covers as large as their windows, titles without names, and new windows away."""
        kind = event.type()
        if isinstance(watched, QWidget) and watched.isWindow():
            if watched in self._covers:
                if kind == QEvent.Type.Resize:
                    self._covers[watched][0].setGeometry(watched.rect())
                elif kind == QEvent.Type.WindowTitleChange and watched.windowTitle() != LOCKED_TITLE:
                    self._covers[watched] = (self._covers[watched][0], watched.windowTitle())
                    watched.setWindowTitle(LOCKED_TITLE)
            elif kind == QEvent.Type.Show and self._is_meant(watched):
                self._put_on(watched)
                QTimer.singleShot(0, watched, lambda: self._put_away(watched))
        return super().eventFilter(watched, event)

    def _is_meant(self, widget: QWidget) -> bool:
        return widget is not self._exempt and widget.windowType() in _WINDOW_KINDS

    def _put_on(self, host: QWidget) -> None:
        title = host.windowTitle()
        self._covers[host] = (Cover(host), title)
        host.setWindowTitle(LOCKED_TITLE)

    def _put_away(self, widget: QWidget) -> None:
        """A modal window that opened under the lock would take the keyboard from it: it waits, hidden."""
        if widget not in self._covers:
            return
        cover, title = self._covers.pop(widget)
        cover.hide()
        cover.deleteLater()
        widget.hide()
        widget.setWindowTitle(title)
        self._waiting.append(widget)
