"""The sign-in provider of the site, and the workstations whose key store opens the site."""

from __future__ import annotations

import socket
from collections.abc import Callable

from PySide6.QtWidgets import (
    QAbstractItemView,
    QGroupBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ert.app.identity_ports import IdentityClient
from ert.app.session import SiteSession
from ert.domain.provider import ProviderSettings, Workstation
from ert.errors import Refused
from ert.ui.confirm_password import ConfirmPasswordDialog
from ert.ui.provider_form import ProviderForm
from ert.ui.widgets import dim_label, plain_tip, push_button
from ert.ui.working_dialog import WorkingDialog

_COLUMNS = ("Workstation", "Enrolled", "By", "")
_ABOUT = (
    "People sign in with the clinic's own accounts, in the browser. A person has to be somebody here first: an "
    "administrator gives the subject to an account, in the list of users. Nobody is added by signing in."
)
_ABOUT_WORKSTATIONS = (
    "Who signs in through a provider types no password that could open the site's keys. An enrolled workstation keeps "
    "a key in the key store of its operating system instead, for the user of the operating system who enrols it."
)
_TABLE_HEIGHT_PX = 92
_NO_CLIENT = "This installation cannot talk to a provider: install ERT with its extra 'identity'."


class ProviderDialog(WorkingDialog):
    """Settings of the provider above, enrolled workstations below."""

    def __init__(self, session: SiteSession, identity: IdentityClient | None, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.setWindowTitle("Sign-in provider")
        self.setMinimumWidth(780)
        self._identity = identity
        self._saved: ProviderSettings | None = None
        self._workstations: tuple[Workstation, ...] = ()
        self.form = ProviderForm()
        self.save = push_button("Save", "save", "Accept sign-ins as said above")
        self.test = push_button("Test", "ok", "Ask the provider for its description and keys")
        self.table = QTableWidget(0, len(_COLUMNS))
        self.enrol = push_button("Enrol this workstation", "key", "Keep a key of the site in this key store")
        self.remove = push_button("Remove", "remove", "Take the chosen workstation's key away")
        self.close_button = push_button("Close", "close", "Close")
        self._build()
        self.form.fill(None)
        self.form.changed.connect(self._enable)
        self.table.itemSelectionChanged.connect(self._enable)
        if identity is None:
            self.message.show_warning(_NO_CLIENT)
        self.refresh()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 12)
        layout.setSpacing(10)
        layout.addWidget(self.message)
        layout.addWidget(self._provider_group())
        layout.addWidget(self._workstation_group())
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        layout.addLayout(buttons)
        for button, slot in (
            (self.save, self.submit),
            (self.test, self.ask_provider),
            (self.enrol, self.enrol_here),
            (self.remove, self.remove_chosen),
            (self.close_button, self.reject),
        ):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked=False, slot=slot: slot())

    def _provider_group(self) -> QGroupBox:
        group = QGroupBox("Provider")
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.test)
        row.addWidget(self.save)
        layout = QVBoxLayout(group)
        layout.addWidget(_two_lines(_ABOUT))
        layout.addWidget(self.form)
        layout.addLayout(row)
        return group

    def _workstation_group(self) -> QGroupBox:
        group = QGroupBox("Workstations")
        table = self.table
        table.setHorizontalHeaderLabels(_COLUMNS)
        table.setAccessibleName("Enrolled workstations")
        table.verticalHeader().hide()
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setFixedHeight(_TABLE_HEIGHT_PX)
        header = table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        row = QHBoxLayout()
        row.addWidget(self.enrol)
        row.addStretch(1)
        row.addWidget(self.remove)
        layout = QVBoxLayout(group)
        layout.addWidget(_two_lines(_ABOUT_WORKSTATIONS))
        layout.addWidget(table)
        layout.addLayout(row)
        return group

    # ---- what is shown -------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read provider and workstations, in the background."""
        service = self._session.accounts.identity
        self._run("Looking at the provider", lambda: (service.settings(), service.workstations()), self._show)

    def _show(self, found: tuple[ProviderSettings | None, tuple[Workstation, ...]]) -> None:
        self._saved, self._workstations = found
        self.form.fill(self._saved)
        self._show_workstations()

    def _show_workstations(self) -> None:
        self.table.setRowCount(len(self._workstations))
        for row, workstation in enumerate(self._workstations):
            texts = (
                workstation.name,
                f"{workstation.enrolled_at.astimezone():%Y-%m-%d %H:%M}",
                workstation.enrolled_by,
                "this one" if workstation.is_here else "",
            )
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(plain_tip(text))
                self.table.setItem(row, column, item)
        is_here = any(workstation.is_here for workstation in self._workstations)
        self.enrol.setText("Enrol this workstation again" if is_here else "Enrol this workstation")

    def _enable(self) -> None:
        is_free = not self._is_busy
        try:
            is_new = self.form.read() != self._saved
        except Refused:
            is_new = True  # saving says what is wrong
        self.save.setEnabled(is_free and is_new)
        self.test.setEnabled(is_free and self._identity is not None)
        self.enrol.setEnabled(is_free)
        self.remove.setEnabled(is_free and self._chosen() is not None)

    def _chosen(self) -> Workstation | None:
        row = self.table.currentRow() if self.table.selectedItems() else -1
        return self._workstations[row] if 0 <= row < len(self._workstations) else None

    # ---- what is done --------------------------------------------------------------------------------------------

    def submit(self) -> None:
        """Keep the settings."""
        settings = self._read()
        if settings is None:
            return
        service = self._session.accounts.identity
        told = "Sign-ins are accepted." if settings.is_on else "Sign-ins through the provider are refused from now on."
        self._change("Changing the provider", lambda: service.save_settings(settings), told)

    def ask_provider(self) -> None:
        """See whether the provider answers as the fields say."""
        settings, identity = self._read(), self._identity
        if settings is None or identity is None:
            return
        self.message.clear()
        told = f"{settings.name} answers, and has keys for {settings.algorithm.value}."
        self._run("Asking the provider", lambda: identity.probe(settings), lambda _none: self.message.show_note(told))

    def enrol_here(self) -> None:
        """Keep a key of the site in the key store of this workstation."""
        service, name = self._session.accounts.identity, socket.gethostname()[:64] or "workstation"
        told = f"'{name}' is enrolled: people may sign in through the provider here."
        self._change("Enrolling this workstation", lambda: service.enrol_workstation(name), told)

    def remove_chosen(self) -> None:
        """Take the chosen workstation's key away."""
        chosen, service = self._chosen(), self._session.accounts.identity
        if chosen is not None:
            told = (
                f"'{chosen.name}' was removed. If its key store may have been copied, renew the master key: Site → "
                "Recovery code and keys…"
            )
            self._change("Removing a workstation", lambda: service.remove_workstation(chosen.id), told)

    def _read(self) -> ProviderSettings | None:
        try:
            return self.form.read()
        except Refused as error:
            self.message.show_error(str(error))
            return None

    def _change(self, title: str, work: Callable[[], object], told: str) -> None:
        """Do it, after asking for a proof of who it is if the last one is too old."""
        if self._session.accounts.needs_confirmation:
            ConfirmPasswordDialog(self._session, lambda: self._change(title, work, told), self).open()
            return
        self.message.clear()

        def done(_none: object) -> None:
            self.message.show_note(told)
            self.refresh()

        self._run(title, work, done)


def _two_lines(text: str) -> QLabel:
    """Secondary text; Qt gives one that wraps the height of one line, and takes the second from the fields."""
    label = dim_label(text)
    label.setMinimumHeight(2 * label.fontMetrics().lineSpacing() + 4)
    return label
