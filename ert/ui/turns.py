"""Views that are drawn one after the other, so that the window answers in between."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

_APART_MS = 10


class Turns(QObject):
    """Gives each view that asks a turn of its own; the first at once.

    Signals
    -------
    granted(view) : whose turn it is; each view listens and lets Qt draw it.
    """

    granted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: list[object] = []
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_APART_MS)
        self._pause.timeout.connect(self._next)

    def ask(self, view: object) -> None:
        """Ask for a turn; asking twice before it comes gives one."""
        if view not in self._waiting:
            self._waiting.append(view)
        if not self._pause.isActive():
            self._next()

    def _next(self) -> None:
        if self._waiting:
            self._pause.start()  # what is drawn now has been drawn when this rings, however long it takes
            self.granted.emit(self._waiting.pop(0))
