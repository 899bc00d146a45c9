"""Sign in to a site, make one, or get back in with the recovery code.

Everything that touches the site runs on the database lane: the thread that opens a store is the one that uses it, and
deriving a key from a password takes half a second by design.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QModelIndex, QSize, QStringListModel, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QListView, QStackedWidget, QVBoxLayout, QWidget

from ert.app.jobs import JobContext, Jobs, Lane
from ert.errors import StorageFailed
from ert.ui.dialogs import sentence_of
from ert.ui.icons import icon
from ert.ui.page_header import NOT_CLEARED
from ert.ui.recent_sites import RecentSite, load_recent_sites, remember_site
from ert.ui.site_forms import CreateForm, RecoverForm, RecoveryForm, SignInForm, SiteForm
from ert.ui.widgets import dim_label, section_title

if TYPE_CHECKING:
    from ert.app.ports import PendingSite, SiteGateway, SiteStore
    from ert.app.session import SiteSession

T = TypeVar("T")
_MODE_OWNER_ONLY = 0o600


class SignInPage(QWidget):
    """The first page.

    Signals
    -------
    signed_in(session) : a `SiteSession`.
    """

    signed_in = Signal(object)

    def __init__(self, gateway: SiteGateway, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gateway, self._jobs = gateway, jobs
        self._pending: PendingSite | None = None
        self._recent = load_recent_sites()
        self.sign_in_form, self.create_form = SignInForm(), CreateForm()
        self.recovery_form, self.recover_form = RecoveryForm(), RecoverForm()
        self.forms = QStackedWidget()
        for form in (self.sign_in_form, self.create_form, self.recovery_form, self.recover_form):
            self.forms.addWidget(form)
        self._names = QStringListModel()
        self.recent = QListView()
        self._build()
        self._connect()
        self._show_recent()
        if self._recent:
            self._choose_recent(0)

    # ---- what it looks like --------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.recent.setModel(self._names)
        self.recent.setAccessibleName("Recent sites")
        self.recent.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.recent.setFrameShape(QFrame.Shape.NoFrame)
        self.recent.setSpacing(3)
        self.recent.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.recent.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        card = QFrame()
        card.setObjectName("card")
        card.setFixedSize(QSize(900, 560))
        inside = QHBoxLayout(card)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(0)
        inside.addWidget(self._side(), 2)
        inside.addWidget(self.forms, 3)
        outside = QVBoxLayout(self)
        outside.addStretch(1)
        outside.addWidget(card, 0, Qt.AlignmentFlag.AlignHCenter)
        note = dim_label(NOT_CLEARED)
        note.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        outside.addWidget(note)
        outside.addStretch(1)

    def _side(self) -> QWidget:
        side = QFrame()
        side.setObjectName("signInSide")
        side.setStyleSheet("#signInSide { background: #191c1f; border-top-left-radius: 8px; border-bottom-left-radius: 8px; }")
        mark = QLabel()
        mark.setPixmap(icon("ert").pixmap(40, 40))
        name = QLabel("ERT")
        name.setObjectName("pageTitle")
        head = QHBoxLayout()
        head.addWidget(mark)
        head.addWidget(name)
        head.addStretch(1)
        layout = QVBoxLayout(side)
        layout.setContentsMargins(22, 22, 22, 22)
        layout.setSpacing(10)
        layout.addLayout(head)
        layout.addWidget(dim_label("Electron radiotherapy treatment planning"))
        layout.addSpacing(12)
        self._recent_title = section_title("Recent sites")
        self._no_recent = dim_label("Sites you sign in to are listed here. Begin by creating one, or choose its folder.")
        layout.addWidget(self._recent_title)
        layout.addWidget(self.recent, 1)
        layout.addWidget(self._no_recent, 1, Qt.AlignmentFlag.AlignTop)
        return side

    def _connect(self) -> None:
        self.sign_in_form.submitted.connect(self._sign_in)
        self.create_form.submitted.connect(self._prepare)
        self.recovery_form.submitted.connect(self._confirm)
        self.recover_form.submitted.connect(self._recover)
        self.recovery_form.save_requested.connect(self._save_code)
        self.sign_in_form.add_link("Create a new site…", lambda: self._show_form(self.create_form))
        self.sign_in_form.add_link("Forgotten password…", lambda: self._show_form(self.recover_form))
        self.create_form.add_link("Back to sign-in", lambda: self._show_form(self.sign_in_form))
        self.recover_form.add_link("Back to sign-in", lambda: self._show_form(self.sign_in_form))
        self.recovery_form.add_link("Back, create nothing", self._discard)
        self.recent.clicked.connect(self._recent_chosen)
        self.recent.activated.connect(self._recent_chosen)

    def _show_form(self, form: SiteForm) -> None:
        current = self.forms.currentWidget()
        if isinstance(current, SiteForm) and current.is_busy:
            return
        if form is self.recover_form and self.sign_in_form.folder.path is not None:
            self.recover_form.folder.set_path(self.sign_in_form.folder.path)
            self.recover_form.user.setText(self.sign_in_form.user.text())
        form.message.clear()
        self.forms.setCurrentWidget(form)
        form.nextInFocusChain().setFocus()

    def _show_recent(self) -> None:
        self._names.setStringList([f"{s.name}\n{s.path}" for s in self._recent])
        self.recent.setVisible(bool(self._recent))
        self._no_recent.setVisible(not self._recent)

    def _recent_chosen(self, index: QModelIndex) -> None:
        self._choose_recent(index.row())

    def _choose_recent(self, row: int) -> None:
        site = self._recent[row]
        self.forms.setCurrentWidget(self.sign_in_form)
        self.recent.setCurrentIndex(self._names.index(row))
        self.sign_in_form.folder.set_path(site.path)
        self.sign_in_form.user.setText(site.user_name)
        self.sign_in_form.password.clear()
        self.sign_in_form.password.setFocus()

    def choose_site(self, path: Path) -> None:
        """Enter the folder of a site named on the command line."""
        known = next((i for i, s in enumerate(self._recent) if s.path == path.absolute()), None)
        if known is not None:
            self._choose_recent(known)
            return
        self.recent.clearSelection()
        self.sign_in_form.folder.set_path(path.absolute())
        self.sign_in_form.user.clear()
        self.sign_in_form.user.setFocus()

    # ---- what is done --------------------------------------------------------------------------------------------

    def sign_in(self, path: Path, user_name: str, password: str) -> None:
        """Open a site; failure is shown in the form."""
        self.sign_in_form.folder.set_path(path.absolute())
        self.sign_in_form.user.setText(user_name)
        gateway = self._gateway

        def work(_ctx: JobContext) -> SiteSession:
            return _session(self._jobs, lambda: gateway.open(path, user_name=user_name, password=password))

        self._run(self.sign_in_form, "Signing in…", work, self._opened)

    def _sign_in(self) -> None:
        form = self.sign_in_form
        if form.folder.path is not None:
            self.sign_in(form.folder.path, form.user.text().strip(), form.password.text())

    def _prepare(self) -> None:
        form, gateway = self.create_form, self._gateway
        path, password = form.folder.path, form.password.text
        name, admin = form.site_name.text().strip(), form.user.text().strip()
        if path is None:
            return

        def work(_ctx: JobContext) -> PendingSite:
            return gateway.prepare(path, site_name=name, admin_name=admin, password=password)

        self._run(form, "Preparing…", work, self._prepared)

    def _prepared(self, pending: PendingSite) -> None:
        self._pending = pending
        self.recovery_form.show_code(pending.recovery_code)
        self._show_form(self.recovery_form)
        self.recovery_form.typed.setFocus()

    def _confirm(self) -> None:
        form, pending, gateway = self.create_form, self._pending, self._gateway
        typed, path = self.recovery_form.typed.text(), form.folder.path
        user_name, password = form.user.text().strip(), form.password.text
        if pending is None or path is None:
            return

        def work(_ctx: JobContext) -> SiteSession:
            pending.confirm(typed)
            return _session(self._jobs, lambda: gateway.open(path, user_name=user_name, password=password))

        self._run(self.recovery_form, "Creating the site…", work, self._opened)

    def _discard(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            self._jobs.submit(Lane.DB, lambda _ctx: pending.discard(), title="Discarding")
        self.recovery_form.show_code("")
        self._show_form(self.create_form)

    def _save_code(self, path: Path) -> None:
        form = self.recovery_form
        text = f"ERT recovery code of site {self.create_form.site_name.text().strip()}\n{form.shown_code}\n"

        def saved(_none: None) -> None:
            form.message.show_note(f"Saved in {path}. Move it away from this computer.")

        self._jobs.submit(
            Lane.IO,
            lambda _ctx: _write_private(path, text),
            title="Saving the recovery code",
            on_done=saved,
            on_failed=lambda error: form.message.show_error(sentence_of(error)),
        )

    def _recover(self) -> None:
        form, gateway = self.recover_form, self._gateway
        path, code, user_name, password = form.folder.path, form.code.text(), form.user.text().strip(), form.password.text
        if path is None:
            return

        def work(_ctx: JobContext) -> SiteSession:
            return _session(
                self._jobs,
                lambda: gateway.recover(path, recovery_code=code, user_name=user_name, new_password=password),
            )

        self._run(form, "Setting the password…", work, self._opened)

    def _opened(self, session: SiteSession) -> None:
        self._pending = None
        path = session.site_path.absolute()
        self._recent = remember_site(RecentSite(path=path, name=session.site_name, user_name=session.user_name))
        self.forget()
        self.signed_in.emit(session)

    def forget(self) -> None:
        """Empty every field that held a secret, and show the sign-in form."""
        self.sign_in_form.password.clear()
        self.create_form.password.clear()
        self.recovery_form.show_code("")
        self.recover_form.password.clear()
        self.recover_form.code.clear()
        self.forms.setCurrentWidget(self.sign_in_form)
        self._show_recent()
        if self._recent:
            self._choose_recent(0)

    def _run(
        self, form: SiteForm, text: str, work: Callable[[JobContext], T], on_done: Callable[[T], None]
    ) -> None:
        form.message.clear()
        form.set_busy(text)

        def done(result: T) -> None:
            form.set_busy(None)
            on_done(result)

        def failed(error: BaseException) -> None:
            form.set_busy(None)
            form.message.show_error(sentence_of(error))

        def cancelled() -> None:
            form.set_busy(None)

        self._jobs.submit(Lane.DB, work, title=text, on_done=done, on_failed=failed, on_cancelled=cancelled)


def _session(jobs: Jobs, open_store: Callable[[], SiteStore]) -> SiteSession:
    """Open a store and its session, on the database lane; a store nobody gets is closed."""
    from ert.app.session import SiteSession

    store = open_store()
    try:
        return SiteSession(store, jobs)
    except BaseException:
        store.close()
        raise


def _write_private(path: Path, text: str) -> None:
    """Write a new file only its owner can read; the one the user chose to replace goes."""
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE_OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageFailed(
            f"The file '{path}' cannot be written: {error.strerror}.", hint="Choose another place."
        ) from error
