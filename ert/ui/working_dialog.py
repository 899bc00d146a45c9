"""A dialog that does one thing at a time on the lane of files, and rests meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtWidgets import QDialog, QWidget

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.ui.failures import sentence_of
from ert.ui.widgets import MessageStrip

T = TypeVar("T")


class WorkingDialog(QDialog):
    """What dialogs of a site share whose buttons start short work: `_run`, a message, and what may be pressed."""

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._is_busy = False
        self.message = MessageStrip()

    def _enable(self) -> None:
        """Let be pressed what makes sense now: nothing while `_is_busy`."""
        raise NotImplementedError

    def _run(self, title: str, work: Callable[[], T], on_done: Callable[[T], object]) -> None:
        self._is_busy = True
        self._enable()

        def finished(value: T) -> None:
            self._is_busy = False
            on_done(value)
            self._enable()

        self._session.jobs.submit(
            Lane.IO, lambda _ctx: work(), title=title, can_stop=False, on_done=finished, on_failed=self._failed
        )

    def _failed(self, error: BaseException) -> None:
        self._is_busy = False
        self._enable()
        self.message.show_error(sentence_of(error))
