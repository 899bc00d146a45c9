"""Into a site with the code of its sealed envelope: site, code, who it is, and why."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from ert.app.jobs import JobContext, Jobs, Lane
from ert.app.ports import SiteGateway
from ert.app.session import SiteSession
from ert.domain.emergency import MAXIMUM_NAME_CHARACTERS, MAXIMUM_REASON_CHARACTERS, checked_use
from ert.errors import Refused
from ert.ui.failures import sentence_of
from ert.ui.widgets import MessageStrip, dim_label, push_button, text_label

_LINE_HEIGHT, _MESSAGE_HEIGHT = 27, 50
_CARD_WIDTH, _MARGIN = 640, 28


class EmergencyForm(QFrame):
    """Site, code, name, reason.

    Signals
    -------
    opened(session) : the site is open for reading.
    cancelled : the user went back.
    """

    opened = Signal(object)
    cancelled = Signal()

    def __init__(self, gateway: SiteGateway, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.setFixedWidth(_CARD_WIDTH)
        self._gateway, self._jobs = gateway, jobs
        self._is_busy = False
        self.folder, self.code, self.person, self.reason = (QLineEdit() for _ in range(4))
        self.message = MessageStrip()
        self.finish = push_button(
            "Open for reading", "key", "Open the site; it is noted in the history", is_default=True
        )
        self.back = push_button("Cancel", "close", "Go back; nothing is opened")
        self._build()

    def _build(self) -> None:
        from ert.ui.sign_in_page import folder_row

        title = text_label("Emergency access")
        title.setObjectName("pageTitle")
        for line, name, hint in (
            (self.folder, "Site folder", ""),
            (self.code, "Emergency code", "Nine groups of four; blanks and hyphens do not matter"),
            (self.person, "Your name", ""),
            (self.reason, "Reason", "What the emergency is"),
        ):
            line.setAccessibleName(name)
            line.setPlaceholderText(hint)
            line.setMinimumHeight(_LINE_HEIGHT)  # a message must not take it
            line.returnPressed.connect(self.submit)
            line.textChanged.connect(self._check)
        self.person.setMaxLength(MAXIMUM_NAME_CHARACTERS)
        self.reason.setMaxLength(MAXIMUM_REASON_CHARACTERS)
        fields = QWidget()
        form = QFormLayout(fields)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(9)
        form.addRow("Site", folder_row(self.folder, "Folder of the site", self))
        form.addRow("Code", self.code)
        form.addRow("Your name", self.person)
        form.addRow("Reason", self.reason)
        buttons = QHBoxLayout()
        buttons.addWidget(self.back)
        buttons.addStretch(1)
        buttons.addWidget(self.finish)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(_MARGIN, 24, _MARGIN, 24)
        layout.setSpacing(10)
        layout.addWidget(title)
        about = dim_label(
            "For when nobody can sign in and a patient cannot wait. The code in the sealed envelope opens patients and "
            "plans to be looked at, printed and exported; nothing can be changed. Name, reason and everything you open "
            "stand in the site's history, and every administrator is told until a new envelope is sealed."
        )
        # The card asks for the height of a label that is not wrapped: what is missing would be taken from the fields.
        about.setMinimumHeight(about.heightForWidth(_CARD_WIDTH - 2 * _MARGIN) + _LINE_HEIGHT)
        layout.addWidget(about)
        layout.addWidget(fields)
        place = QWidget()
        place.setMinimumHeight(_MESSAGE_HEIGHT)
        told = QVBoxLayout(place)
        told.setContentsMargins(0, 0, 0, 0)
        told.addWidget(self.message)
        layout.addWidget(place)
        layout.addLayout(buttons)
        self.finish.clicked.connect(self.submit)
        self.back.clicked.connect(self.cancel)
        self._check()

    def start(self, site: str) -> None:
        """Begin with the site the sign-in form knew."""
        self._forget()
        self.message.clear()
        self.folder.setText(site)
        (self.code if site else self.folder).setFocus()

    def _forget(self) -> None:
        for line in (self.code, self.person, self.reason):
            line.clear()

    def _check(self) -> None:
        self.finish.setEnabled(not self._is_busy and not self._lacking())
        self.finish.setToolTip(self._lacking() or "Open the site; it is noted in the history")

    def _lacking(self) -> str:
        """What is missing, as a sentence."""
        if not self.folder.text().strip() or not self.code.text().strip():
            return "Enter the site's folder and the code."
        try:
            checked_use(self.person.text(), self.reason.text())
        except Refused as error:
            return str(error)
        return ""

    def submit(self) -> None:
        """Try the code; say what is missing, if anything is."""
        if self._is_busy:
            return
        if lacking := self._lacking():
            self.message.show_error(lacking)
            return
        self.message.clear()
        self._is_busy = True
        self._check()
        gateway, jobs, path = self._gateway, self._jobs, Path(self.folder.text().strip())
        given = {"code": self.code.text(), "person": self.person.text(), "reason": self.reason.text()}

        def work(_ctx: JobContext) -> SiteSession:
            return SiteSession.open_sealed(gateway, jobs, path, **given)

        jobs.submit(Lane.IO, work, title="Opening the site", can_stop=False, on_done=self._done, on_failed=self._failed)

    def _done(self, session: SiteSession) -> None:
        self._is_busy = False
        self._forget()
        self.opened.emit(session)

    def _failed(self, error: BaseException) -> None:
        self._is_busy = False
        self._check()
        self.message.show_error(sentence_of(error))

    def cancel(self) -> None:
        """Go back."""
        self._forget()
        self.cancelled.emit()
