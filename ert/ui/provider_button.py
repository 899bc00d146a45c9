"""Signing in at a provider as a screen shows it: a button, then a wait that can be given up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from shiboken6 import isValid

from ert.app.jobs import Job, JobContext, Jobs, Lane
from ert.ui.widgets import dim_label, push_button, text_label

T = TypeVar("T")
OnLink = Callable[[str], None]


class ProviderButton(QWidget):
    """The button, and what is shown until the browser brings an answer; hidden until a provider is known.

    Signals
    -------
    wanted : the button was pressed; the owner calls `run`.
    waiting_changed(is_waiting) : a sign-in began or ended.
    """

    wanted = Signal()
    waiting_changed = Signal(bool)
    _link_ready = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._link = "", ""
        self._job: Job[Any] | None = None
        self.button = push_button("Sign in", "patient", "Sign in in the browser")
        self.button.setAutoDefault(False)
        self.waiting = text_label()
        self.waiting.setWordWrap(True)
        self.about = dim_label("Finish in the browser of this computer, then come back here.")
        self.copy = push_button("Copy address", "copy", "Copy the address, in case no browser opened")
        self.cancel = push_button("Cancel", "cancel", "Do not sign in")
        for button in (self.copy, self.cancel):
            button.setAutoDefault(False)
        self._wait_box = QWidget()
        self._build()
        self.button.clicked.connect(self.wanted.emit)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._link))
        self.cancel.clicked.connect(self.stop)
        self._link_ready.connect(self._show_link)
        self.hide()

    def _build(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        wait = QVBoxLayout(self._wait_box)
        wait.setContentsMargins(0, 0, 0, 0)
        wait.addWidget(self.waiting)
        wait.addWidget(self.about)
        wait.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self._wait_box)
        self._wait_box.hide()

    @property
    def is_waiting(self) -> bool:
        """Whether somebody is signing in."""
        return self._job is not None

    def offer(self, name: str) -> None:
        """Show the button for a provider; "" hides it."""
        self._name = name
        self.button.setText(f"Sign in with {name}")
        self.button.setAccessibleName(self.button.text())
        self.setVisible(bool(name))

    def run(
        self,
        jobs: Jobs,
        work: Callable[[JobContext, OnLink], T],
        *,
        on_done: Callable[[T], object],
        on_failed: Callable[[BaseException], object],
    ) -> None:
        """Do the sign-in in the background, and wait for it in sight."""
        if self._job is not None:
            return
        self.waiting.setText(f"Asking {self._name}…")
        self._link = ""
        self._set_waiting(is_waiting=True)

        def ended(then: Callable[[], object]) -> None:
            self._job = None
            if isValid(self):  # the screen may have gone meanwhile
                self._set_waiting(is_waiting=False)
                then()

        self._job = jobs.submit(
            Lane.NET,
            lambda ctx: work(ctx, self._link_ready.emit),
            title=f"Signing in with {self._name}",
            on_done=lambda value: ended(lambda: on_done(value)),
            on_failed=lambda error: ended(lambda: on_failed(error)),
            on_cancelled=lambda: ended(lambda: None),
        )

    def stop(self) -> None:
        """Give the sign-in up."""
        if self._job is not None:
            self.waiting.setText("Stopping…")
            self.cancel.setEnabled(False)
            self._job.cancel()

    def _show_link(self, link: str) -> None:
        self._link = link
        self.copy.setEnabled(True)
        self.waiting.setText(f"Waiting for you to sign in with {self._name}…")

    def _set_waiting(self, *, is_waiting: bool) -> None:
        self.copy.setEnabled(False)
        self.cancel.setEnabled(True)
        self.button.setVisible(not is_waiting)
        self._wait_box.setVisible(is_waiting)
        self.waiting_changed.emit(is_waiting)
