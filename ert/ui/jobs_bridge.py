"""Between jobs and the screen: callbacks cross to the GUI thread by a queued signal; a strip shows what runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QStatusBar, QToolButton, QWidget
from shiboken6 import isValid

from ert.app.jobs import Job, Jobs, JobState, Lane
from ert.ui.icons import icon
from ert.ui.widgets import text_label

T = TypeVar("T")
_SHOW_AFTER_MS = 300
_ROUND_STRIP_PX = 3


class Dispatcher(QObject):
    """Runs callables on the thread it was made on (the GUI thread), from any thread, in order."""

    _called = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._called.connect(self._run, Qt.ConnectionType.QueuedConnection)
        self._is_open = True

    def __call__(self, callback: Callable[[], None]) -> None:
        """Queue a callback; returns at once."""
        self._called.emit(callback)

    def close(self) -> None:
        """Drop what is still queued: nobody is left to show it to."""
        self._is_open = False

    def _run(self, callback: Callable[[], None]) -> None:
        if self._is_open:
            callback()


def while_there(owner: QObject, told: Callable[[T], None]) -> Callable[[T], None]:
    """What a job tells, and nothing once the owner is gone: its answer may be queued when a person signs out."""
    return lambda result: told(result) if isValid(owner) else None


class JobStrip(QWidget):
    """The oldest running job that takes longer than a moment: title, progress, Cancel; and how many more wait."""

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._job: Job[Any] | None = None
        self._text = text_label()
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setMaximumWidth(160)
        self._bar.setAccessibleName("Progress")
        self._cancel = QToolButton()
        self._cancel.setIcon(icon("cancel"))
        self._cancel.setToolTip("Cancel")
        self._cancel.setAccessibleName("Cancel job")
        self._cancel.clicked.connect(self._cancel_job)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_SHOW_AFTER_MS)
        self._delay.timeout.connect(self._show_active)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._text, self._bar, self._cancel):
            layout.addWidget(widget)
            widget.ensurePolished()
        self.setFixedHeight(self.sizeHint().height())
        self.hide()
        jobs.subscribe(self._changed)

    def _changed(self, job: Job[Any]) -> None:
        if job.lane is Lane.PICTURE:
            return  # a part of painting
        if job.state is JobState.RUNNING and self.isHidden() and not self._delay.isActive():
            self._delay.start()
        elif not self.isHidden():
            self._show_active()

    def _show_active(self) -> None:
        active = [j for j in self._jobs.active() if j.state is JobState.RUNNING and j.lane is not Lane.PICTURE]
        if not active:
            self._job = None
            self.hide()
            return
        job = self._job = active[0]
        more = f"  (+{len(active) - 1})" if len(active) > 1 else ""
        self._text.setText(f"{job.title}  {job.text}{more}".strip())
        self._bar.setRange(0, 1000 if job.fraction > 0 else 0)  # a moving bar where the job cannot say how far it is
        self._bar.setValue(round(job.fraction * 1000))
        self._cancel.setVisible(job.is_stoppable)
        self.show()

    def _cancel_job(self) -> None:
        if self._job is not None:
            self._job.cancel()


def add_job_strip(bar: QStatusBar, jobs: Jobs) -> None:
    """Tell of jobs in a window's status bar, whose height stays: else views change size with the strip."""
    bar.setSizeGripEnabled(False)
    bar.setContentsMargins(10, 0, 10, 0)
    strip = JobStrip(jobs)
    bar.addPermanentWidget(strip)
    bar.setMinimumHeight(strip.height() + 2 * _ROUND_STRIP_PX)
