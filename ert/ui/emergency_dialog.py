"""The sealed envelope for emergencies: how it stands, a new one, none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from ert.app.record_ports import PendingCode
from ert.app.session import SiteSession
from ert.domain.emergency import Envelope, sheet_text
from ert.ui.confirm_password import ConfirmPasswordDialog
from ert.ui.printed_sheet import print_sheet
from ert.ui.widgets import dim_label, push_button, text_label
from ert.ui.working_dialog import WorkingDialog

_ABOUT = (
    "A code on paper, in a sealed envelope, for when nobody can sign in and a patient cannot wait. It opens patients "
    "and plans to be looked at, printed and exported, with a name and a reason, under a red banner; nothing can be "
    "changed with it. After use, or when the seal is broken, seal a new one."
)


class EmergencyDialog(WorkingDialog):
    """State of the envelope; a code is shown once, printed, typed back, and counts from then on."""

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.setWindowTitle("Emergency access")
        self.setMinimumWidth(680)
        self._pending: PendingCode | None = None
        self._envelope: Envelope | None = None
        self.state = text_label("…")
        self.code, self.typed = text_label(), QLineEdit()
        self.make = push_button("Seal an envelope…", "new", "Show a new code; a former one ends once it counts")
        self.print_button = push_button("Print the sheet…", "report", "Print the sheet to be sealed")
        self.use = push_button("Use this code", "ok", "Put the code into use", is_default=True)
        self.withdraw = push_button("Withdraw", "cancel", "Let no code open the site any more")
        self.close_button = push_button("Close", "close", "Close")
        self._box = QFrame()
        self._build()
        self.refresh()

    def _build(self) -> None:
        self.state.setWordWrap(True)
        self.code.setObjectName("pageTitle")
        self.code.setAccessibleName("New emergency code")
        self.typed.setAccessibleName("Emergency code, typed back")
        self.typed.setPlaceholderText("Type the nine groups back from the sheet")
        self._box.setObjectName("card")
        inner = QVBoxLayout(self._box)
        inner.addWidget(self.code)
        inner.addWidget(
            dim_label(
                "It is shown this once and kept nowhere. Print the sheet, type the code back from it, then seal it."
            )
        )
        row = QHBoxLayout()
        for widget in (self.print_button, self.typed, self.use):
            row.addWidget(widget)
        inner.addLayout(row)
        buttons = QHBoxLayout()
        buttons.addWidget(self.make)
        buttons.addWidget(self.withdraw)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        layout.setSpacing(10)
        for part in (dim_label(_ABOUT), self.state, self.message, self._box):
            layout.addWidget(part)
        layout.addLayout(buttons)
        for button, slot in (
            (self.make, self.begin),
            (self.print_button, self.print_code),
            (self.use, self.confirm),
            (self.withdraw, self.end),
            (self.close_button, self.reject),
        ):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, slot=slot: slot())
        self.typed.textChanged.connect(self._enable)
        self.typed.returnPressed.connect(self.confirm)
        self._enable()

    # ---- state ---------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read how the envelope stands."""
        self._run("Looking at the emergency envelope", self._session.accounts.emergency.envelope, self._show)

    def _show(self, envelope: Envelope | None) -> None:
        self._envelope = envelope
        self.make.setText("Seal an envelope…" if envelope is None else "Seal a new envelope…")
        if envelope is None:
            self.state.setText("There is no emergency envelope: who cannot sign in cannot read anything.")
            return
        sealed = f"Sealed on {envelope.sealed_at.astimezone():%Y-%m-%d at %H:%M} by {envelope.sealed_by}."
        self.state.setText(f"{sealed} {envelope.notice or 'It was not opened since.'}")

    def _enable(self) -> None:
        is_free, has_code = not self._is_busy, self._pending is not None
        self._box.setVisible(has_code)
        self.make.setEnabled(is_free and not has_code)
        self.withdraw.setEnabled(is_free and self._envelope is not None and not has_code)
        self.print_button.setEnabled(is_free and has_code)
        self.use.setEnabled(is_free and bool(self.typed.text().strip()))
        self.adjustSize()

    # ---- actions -------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Show a code that does not count yet, after asking who it is if that was proved too long ago."""
        self._proved(self._begin)

    def _begin(self) -> None:
        self._forget()
        self.message.clear()
        self._pending = self._session.accounts.emergency.prepare()
        self.code.setText(self._pending.code)
        self._enable()
        self.typed.setFocus()

    def print_code(self) -> None:
        """Print the sheet."""
        print_sheet(self.sheet(), self)

    def sheet(self) -> str:
        """The sheet of the code that is shown."""
        return sheet_text(
            site_name=self._session.site_name,
            code=self.code.text(),
            sealed_by=self._session.user_name,
            sealed_on=dt.datetime.now().astimezone().date(),
        )

    def confirm(self) -> None:
        """Put the shown code into use."""
        pending, typed = self._pending, self.typed.text()
        if pending is None or not self.use.isEnabled():
            return

        def done(_none: object) -> None:
            self._told("The code counts from now on, a former one opens nothing. Seal the sheet.")

        self._run("Sealing the envelope", lambda: self._session.accounts.emergency.confirm(pending, typed), done)

    def end(self) -> None:
        """Withdraw the envelope."""

        def done(_none: object) -> None:
            self._told("The envelope was withdrawn; its code opens nothing any more.")

        self._proved(lambda: self._run("Withdrawing", self._session.accounts.emergency.withdraw, done))

    def _proved(self, then: Callable[[], None]) -> None:
        if self._session.accounts.needs_confirmation:
            ConfirmPasswordDialog(self._session, then, self).open()
        else:
            then()

    def _told(self, sentence: str) -> None:
        self._forget()
        self.message.show_note(sentence)
        self.refresh()

    def _forget(self) -> None:
        if self._pending is not None:
            self._pending.discard()
        self._pending = None
        self.code.clear()
        self.typed.clear()

    def done(self, result: int) -> None:
        """Close, and forget a code that was shown and not put into use."""
        self._forget()
        super().done(result)
