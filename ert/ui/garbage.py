"""Python's search for cycles, in the window's thread only.

By itself it begins in whichever thread has just made an object. A widget, model or timer that is part of a cycle was
then destroyed in the thread of a job, while the window's thread used what it belongs to: the program could end without
a word. Here the window's timer looks, and a job's thread never destroys what belongs to Qt.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

_LOOK_MS = 50
_MOST = (700, 10, 30)
"""New objects, and collections of each younger generation, after which a generation is searched."""


class GarbageCollector(QObject):
    """Searches for cycles from the event loop of the thread it was made on; automatic searches are off until `stop`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def look(self) -> None:
        """Search the oldest generation that is due, if any."""
        counts = gc.get_count()
        for generation in (2, 1, 0):
            if counts[generation] > _MOST[generation]:
                gc.collect(generation)
                return

    def stop(self) -> None:
        """Search everything once more, then leave it to Python again."""
        self._timer.stop()
        gc.collect()
        gc.enable()
