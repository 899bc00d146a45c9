"""The keys of the site: a new recovery code, new keys, and what is still under earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QFormLayout, QGroupBox, QHBoxLayout, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from ert.app.jobs import Job, JobContext, Lane
from ert.app.key_service import RenewedFiles
from ert.app.record_ports import PendingCode
from ert.app.session import SiteSession
from ert.domain.site_keys import KeyState
from ert.ui.failures import sentence_of
from ert.ui.widgets import MessageStrip, dim_label, push_button, text_label

T = TypeVar("T")
_MEGABYTE = 1e6


class KeysDialog(QDialog):
    """How the keys stand, and what can be renewed.

    Signals
    -------
    data_renewal_wanted(password) : renew the data keys; the site has to be left for it.
    """

    data_renewal_wanted = Signal(str)

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Recovery code and keys")
        self.setMinimumWidth(760)
        self._session = session
        self._pending: PendingCode | None = None
        self._files_job: Job[RenewedFiles] | None = None
        self.message = MessageStrip()
        self.code = text_label()
        self.code.setObjectName("pageTitle")
        self.code.setAccessibleName("New recovery code")
        self.typed = QLineEdit()
        self.typed.setAccessibleName("Recovery code, typed back")
        self.typed.setPlaceholderText("Type the nine groups back from your sheet")
        self.make_code = push_button("New recovery code…", "new", "Show a new code; the former one ends once it counts")
        self.use_code = push_button("Use this code", "ok", "Put the code into use")
        self.keys_state, self.files_state = dim_label("…"), dim_label("…")
        self.master = push_button(
            "Renew master key", "key", "A fresh key around all others; everybody may go on working"
        )
        self.data_password = _secret("Your password")
        self.data = push_button("Renew data keys…", "key", "Sign out and put new keys on database and files")
        self.files = push_button("Write files anew", "save", "Write files of earlier data keys under those in use")
        self._build()
        self._check()
        self.refresh()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        layout.setSpacing(10)
        layout.addWidget(self.message)
        for group in (self._code_group(), self._keys_group()):
            layout.addWidget(group)
        close = push_button("Close", "close", "Close")
        close.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(close)
        layout.addLayout(buttons)
        for button, slot in (
            (self.make_code, self.show_code),
            (self.use_code, self.confirm_code),
            (self.master, self.renew_master_key),
            (self.data, self.renew_data_keys),
            (self.files, self.renew_files),
        ):
            button.setAutoDefault(False)
            button.clicked.connect(slot)
        for line in (self.typed, self.data_password):
            line.textChanged.connect(self._check)

    def _code_group(self) -> QGroupBox:
        group = QGroupBox("Recovery code")
        about = (
            "The printed way into the site when every password is lost. Make a new one when the sheet was lost or "
            "seen: print or write it down, keep it away from the computer, type it back."
        )
        row = QHBoxLayout()
        self.make_code.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        row.addWidget(self.make_code)
        row.addWidget(self.typed, 1)
        row.addWidget(self.use_code)
        row.addStretch()
        layout = QVBoxLayout(group)
        layout.addWidget(dim_label(about))
        layout.addWidget(self.code)
        layout.addLayout(row)
        return group

    def _keys_group(self) -> QGroupBox:
        group = QGroupBox("Keys of the site")
        form = QFormLayout(group)
        form.setVerticalSpacing(10)
        form.addRow("Now", self.keys_state)
        form.addRow(self.master, dim_label("When somebody left who may have kept a copy of the key files."))
        text = "When keys may have been seen. Everybody signs out first; the database is written anew, then the files."
        self.data_password.setMaximumWidth(240)
        form.addRow(self.data, self.data_password)
        form.addRow("", dim_label(text))
        form.addRow(self.files, self.files_state)
        return group

    # ---- state ---------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Ask how the keys stand, in the background."""
        self._run(lambda _ctx: self._session.keys.state(), "Looking at the keys", self._show)

    def _show(self, state: KeyState) -> None:
        text = (
            f"{_count(state.passwords, 'password')}, {_count(state.recovery_codes, 'recovery code')}, "
            f"{_count(state.workstations, 'enrolled workstation')}, "
            f"{_count(state.envelopes, 'emergency envelope')}. "
            f"Master key renewed {_times(state.ring - 1)}, data keys {_times(state.generation - 1)}."
        )
        if state.is_renewing:
            text += " A renewal of the data keys was interrupted: renew them again to finish it."
        self.keys_state.setText(text)
        if state.unreadable:
            self.message.show_warning(
                f"{_count(len(state.unreadable), 'key slot')} cannot be read: {', '.join(state.unreadable)}. Restore "
                "the folder keys/slots/ from a backup, or reset the password of who cannot sign in any more."
            )
        megabytes = state.earlier_bytes / _MEGABYTE
        self.files_state.setText(
            f"{_count(state.earlier_files, 'file')} ({megabytes:.1f} MB) under earlier data keys. Everybody may go on "
            "working; what is stopped goes on later."
            if state.earlier_files
            else "Every file is under the keys in use."
        )
        self.files.setEnabled(state.earlier_files > 0 and self._files_job is None)

    def _check(self) -> None:
        """Offer what can be done with what was typed."""
        self.typed.setVisible(self._pending is not None)
        self.use_code.setVisible(self._pending is not None)
        self.use_code.setEnabled(bool(self.typed.text().strip()))
        self.code.setVisible(self._pending is not None)
        self.data.setEnabled(bool(self.data_password.text()))

    # ---- actions -------------------------------------------------------------------------------------------------

    def show_code(self) -> None:
        """Show a code that does not count yet."""
        self._forget_code()
        self._pending = self._session.keys.prepare_recovery_code()
        self.code.setText(self._pending.code)
        self._check()
        self.typed.setFocus()

    def confirm_code(self) -> None:
        """Put the shown code into use."""
        pending, typed = self._pending, self.typed.text()
        if pending is None:
            return
        self._run(
            lambda _ctx: self._session.keys.confirm_recovery_code(pending, typed),
            "Changing the recovery code",
            lambda _done: self._said("The new recovery code counts; the former sheet can be destroyed."),
        )

    def renew_master_key(self) -> None:
        """Put a fresh master key into use."""
        self._run(
            lambda _ctx: self._session.keys.renew_master_key(),
            "Renewing the master key",
            lambda _done: self._said("The master key was renewed. Passwords and recovery code stay as they are."),
        )

    def renew_data_keys(self) -> None:
        """Have the site left, and its data keys renewed."""
        password = self.data_password.text()
        self.accept()
        self.data_renewal_wanted.emit(password)

    def renew_files(self) -> None:
        """Write files of earlier keys anew; the strip at the window's foot shows progress, and stops it."""
        self.files.setEnabled(False)
        self._files_job = self._session.jobs.submit(
            Lane.IO,
            self._session.keys.renew_files,
            title="Writing files under the new keys",
            on_done=self._files_done,
            on_failed=self._files_failed,
            on_cancelled=lambda: self._files_ended("Stopped; what was written stays."),
        )

    def _files_done(self, done: RenewedFiles) -> None:
        self._files_ended(f"{_count(done.renewed, 'file')} written anew.")
        if done.damaged:
            self.message.show_error(
                f"{_count(done.damaged, 'file')} are damaged and stayed as they were: verify the site."
            )

    def _files_failed(self, error: BaseException) -> None:
        self._files_ended("")
        self.message.show_error(sentence_of(error))

    def _files_ended(self, sentence: str) -> None:
        self._files_job = None
        self._said(sentence)

    def _said(self, sentence: str) -> None:
        self.data_password.clear()
        self._forget_code()
        self._check()
        if sentence:
            self.message.show_note(sentence)
        self.refresh()

    def _forget_code(self) -> None:
        if self._pending is not None:
            self._pending.discard()
        self._pending = None
        self.code.clear()
        self.typed.clear()

    def _run(self, work: Callable[[JobContext], T], title: str, on_done: Callable[[T], None]) -> None:
        self._session.jobs.submit(Lane.IO, work, title=title, can_stop=False, on_done=on_done, on_failed=self._failed)

    def _failed(self, error: BaseException) -> None:
        self.message.show_error(sentence_of(error))

    def done(self, result: int) -> None:
        """Forget what was typed and shown."""
        self._forget_code()
        self.data_password.clear()
        super().done(result)


def _secret(name: str) -> QLineEdit:
    line = QLineEdit()
    line.setEchoMode(QLineEdit.EchoMode.Password)
    line.setPlaceholderText(name)
    line.setAccessibleName(name)
    return line


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")
