"""The first page: sign in to a site, or make one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from ert.app.identity_ports import IdentityClient
from ert.app.jobs import JobContext, Jobs, Lane
from ert.app.ports import SiteGateway
from ert.app.provider_session import open_with_provider
from ert.app.session import SiteSession
from ert.domain.provider import WayIn
from ert.ui.change_password_form import ChangePasswordForm
from ert.ui.create_site_form import CreateSiteForm
from ert.ui.emergency_form import EmergencyForm
from ert.ui.failures import sentence_of
from ert.ui.icons import icon
from ert.ui.provider_button import OnLink, ProviderButton
from ert.ui.recent_sites import recent_sites, remember_site
from ert.ui.recover_form import RecoverForm
from ert.ui.widgets import (
    MessageStrip,
    dim_label,
    password_line,
    plain_tip,
    push_button,
    section_title,
    text_label,
    tool_button,
)

_CHANGE, _EMERGENCY = 3, 4


def folder_row(line: QLineEdit, title: str, parent: QWidget) -> QHBoxLayout:
    """A path field with a button that browses."""
    browse = tool_button("folder", "Browse for the folder")

    def choose() -> None:
        chosen = QFileDialog.getExistingDirectory(parent, title, line.text())
        if chosen:
            line.setText(chosen)

    browse.clicked.connect(choose)
    row = QHBoxLayout()
    row.addWidget(line, 1)
    row.addWidget(browse)
    return row


class SignInPage(QWidget):
    """Sign-in form with recent sites, and the form for a new site.

    Signals
    -------
    opened(session) : a site is open.
    """

    opened = Signal(object)

    def __init__(
        self,
        gateway: SiteGateway,
        jobs: Jobs,
        identity: IdentityClient | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._gateway, self._jobs, self._identity = gateway, jobs, identity
        self._way: WayIn | None = None
        self._looked_at = ""
        self.provider = ProviderButton()
        self.provider_note = dim_label()
        self.site = QLineEdit()
        self.site.setAccessibleName("Site folder")
        self.site.setPlaceholderText("Folder of the site")
        self.user = QLineEdit()
        self.user.setAccessibleName("User name")
        self.password = password_line("Password")
        self.message = MessageStrip()
        self.recent = QListWidget()
        self.recent.setAccessibleName("Recent sites")
        self.sign_in = push_button("Sign in", "key", "Open the site", is_default=True)
        self.new_site = push_button("New site…", "add", "Make a new, empty site")
        self.forgotten = push_button("Forgotten password…", "key", "Get back in with the site's recovery code")
        self.create_form = CreateSiteForm(gateway, jobs)
        self.sealed = push_button(
            "Emergency access…", "warning", "Open for reading with the code in the sealed envelope"
        )
        self.recover_form = RecoverForm(gateway, jobs)
        self.emergency_form = EmergencyForm(gateway, jobs)
        self.change_form = ChangePasswordForm()
        self._unfinished: SiteSession | None = None
        self._stack = QStackedWidget()
        self._build()
        self.site.editingFinished.connect(self.look_for_provider)
        self.provider.wanted.connect(self.submit_provider)
        self.provider.waiting_changed.connect(self._wait_for_provider)
        self.sign_in.clicked.connect(self.submit)
        self.password.returnPressed.connect(self.submit)
        self.user.returnPressed.connect(self.password.setFocus)
        self.recent.itemClicked.connect(self._choose_recent)
        self.recent.itemActivated.connect(self._choose_recent)
        self.new_site.clicked.connect(self.show_create)
        self.forgotten.clicked.connect(self.show_recover)
        self.sealed.clicked.connect(self.show_emergency)
        self.emergency_form.cancelled.connect(self.show_sign_in)
        self.emergency_form.opened.connect(self._recovered)
        self.create_form.cancelled.connect(self.show_sign_in)
        self.create_form.made.connect(self._created)
        self.recover_form.cancelled.connect(self.show_sign_in)
        self.recover_form.recovered.connect(self._recovered)
        self.change_form.changed.connect(self._changed)
        self.change_form.cancelled.connect(self._gave_up)

    def _build(self) -> None:
        card = QFrame()
        card.setObjectName("card")
        card.setFixedWidth(760)
        row = QHBoxLayout(card)
        row.setContentsMargins(28, 24, 28, 24)
        row.setSpacing(28)
        row.addLayout(self._form(), 3)
        row.addLayout(self._side(), 2)
        self._stack.addWidget(_centred(card, head=self._head()))
        self._stack.addWidget(_centred(self.create_form))
        self._stack.addWidget(_centred(self.recover_form))
        self._stack.addWidget(_centred(self.change_form))
        self._stack.addWidget(_centred(self.emergency_form))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)

    @staticmethod
    def _head() -> QWidget:
        head = QWidget()
        sign = text_label()
        sign.setPixmap(icon("ert").pixmap(56, 56))
        title = text_label("ERT")
        title.setObjectName("pageTitle")
        row = QHBoxLayout(head)
        row.addStretch(1)
        row.addWidget(sign)
        text = QVBoxLayout()
        text.setSpacing(0)
        text.addWidget(title)
        subtitle = dim_label("Electron radiotherapy planning")
        subtitle.setWordWrap(False)
        text.addWidget(subtitle)
        row.addLayout(text)
        row.addStretch(1)
        return head

    def _form(self) -> QVBoxLayout:
        title = text_label("Sign in")
        title.setObjectName("pageTitle")
        fields = QWidget()
        form = QFormLayout(fields)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(10)
        form.addRow("Site", folder_row(self.site, "Folder of the site", self))
        form.addRow("User", self.user)
        form.addRow("Password", self.password)
        buttons = QHBoxLayout()
        buttons.addWidget(self.new_site)
        buttons.addWidget(self.forgotten)
        buttons.addStretch(1)
        buttons.addWidget(self.sign_in)
        column = QVBoxLayout()
        column.addWidget(title)
        column.addSpacing(10)
        column.addWidget(fields)
        fields.setMinimumHeight(fields.sizeHint().height() + 8)  # a long message must not take it
        column.addSpacing(6)
        column.addWidget(self.message)
        column.addWidget(self.provider)
        column.addWidget(self.provider_note)
        column.addStretch(1)
        column.addLayout(buttons)
        self.provider_note.hide()
        return column

    def _side(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.addWidget(section_title("Recent sites"))
        self.recent.setMinimumHeight(170)
        column.addWidget(self.recent, 1)
        column.addWidget(self.sealed)
        column.addWidget(dim_label("Everything in a site is encrypted. Patient data never leaves its folder."))
        return column

    # ---- use -----------------------------------------------------------------------------------------------------

    def show_sign_in(self, site: Path | None = None) -> None:
        """Show the sign-in form, with a site filled in if one is known."""
        self._stack.setCurrentIndex(0)
        self.recent.clear()
        for path in recent_sites():
            item = QListWidgetItem(icon("site"), path.name)
            item.setToolTip(plain_tip(str(path)))
            item.setData(Qt.ItemDataRole.UserRole, str(path))
            self.recent.addItem(item)
        if not self.recent.count():
            nothing = QListWidgetItem("No site was opened here yet")
            nothing.setFlags(Qt.ItemFlag.NoItemFlags)
            self.recent.addItem(nothing)
        chosen = site or next(iter(recent_sites()), None)
        if chosen is not None:
            self.site.setText(str(chosen))
        (self.user if self.site.text() else self.site).setFocus()
        self._looked_at = ""
        self.look_for_provider()

    def show_create(self) -> None:
        """Show the form for a new site."""
        self.create_form.start()
        self._stack.setCurrentIndex(1)

    def show_recover(self) -> None:
        """Show the form for a forgotten password."""
        self.recover_form.start(self.site.text().strip(), self.user.text().strip())
        self._stack.setCurrentIndex(2)

    def show_emergency(self) -> None:
        """Show the form for the code of the sealed envelope."""
        self.emergency_form.start(self.site.text().strip())
        self._stack.setCurrentIndex(_EMERGENCY)

    def _choose_recent(self, item: QListWidgetItem) -> None:
        self.site.setText(str(item.data(Qt.ItemDataRole.UserRole)))
        self.user.setFocus()
        self.look_for_provider()

    def submit(self) -> None:
        """Try to open the site."""
        if not self.sign_in.isEnabled():
            return
        path, user, password = Path(self.site.text().strip()), self.user.text().strip(), self.password.text()
        if not self.site.text().strip() or not user or not password:
            self.message.show_error("Enter site folder, user and password.")
            return
        self._open(path, user, password)

    # ---- through a provider --------------------------------------------------------------------------------------

    def look_for_provider(self) -> None:
        """Ask in the background whether people may sign in at the chosen site through a provider, from here."""
        text = self.site.text().strip()
        if self._identity is None or text == self._looked_at or self.provider.is_waiting:
            return
        self._looked_at = text
        self._show_way(None, "")
        if not text:
            return
        path, gateway, jobs = Path(text), self._gateway, self._jobs

        def look(_ctx: JobContext) -> WayIn | None:
            # The key store may ask for its own password: nothing else may wait behind that.
            return jobs.call(Lane.DB, lambda: gateway.way_in(path)) if gateway.is_enrolled(path) else None

        jobs.submit(
            Lane.IO,
            look,
            title="Looking how to sign in",
            can_stop=False,
            on_done=lambda way: self._found(text, way, ""),
            on_failed=lambda error: self._found(text, None, sentence_of(error)),
        )

    def _found(self, text: str, way: WayIn | None, note: str) -> None:
        if text == self._looked_at:
            self._show_way(way, note)

    def _show_way(self, way: WayIn | None, note: str) -> None:
        self._way = way
        self.provider.offer("" if way is None else way.settings.name)
        self.provider_note.setText(note)
        self.provider_note.setVisible(bool(note))

    def submit_provider(self) -> None:
        """Sign in at the provider, in the browser."""
        identity, way = self._identity, self._way
        if identity is None or way is None or not self.sign_in.isEnabled():
            return
        self.message.clear()
        path, jobs, gateway = Path(self.site.text().strip()), self._jobs, self._gateway

        def work(ctx: JobContext, on_link: OnLink) -> SiteSession:
            return open_with_provider(gateway, identity, jobs, path, way, ctx=ctx, on_link=on_link)

        self.provider.run(jobs, work, on_done=self._opened, on_failed=self._provider_failed)

    def _wait_for_provider(self, is_waiting: bool) -> None:
        """Nothing else is begun meanwhile."""
        fields = (self.site, self.user, self.password, self.recent)
        for widget in (*fields, self.sign_in, self.new_site, self.forgotten, self.sealed):
            widget.setEnabled(not is_waiting)

    def _provider_failed(self, error: BaseException) -> None:
        self.message.show_error(sentence_of(error))

    def _open(self, path: Path, user: str, password: str) -> None:
        self.message.clear()
        self.sign_in.setEnabled(False)
        self.sign_in.setText("Opening…")
        self._jobs.submit(
            Lane.IO,
            lambda _ctx: SiteSession.open(self._gateway, self._jobs, path, user_name=user, password=password),
            title="Opening the site",
            can_stop=False,
            on_done=self._opened,
            on_failed=self._failed,
        )

    def _opened(self, session: SiteSession) -> None:
        self._ready()
        typed = self.password.text()
        self.password.clear()
        remember_site(session.site_path)
        if session.account.must_change_password:
            self._unfinished = session
            self._stack.setCurrentIndex(_CHANGE)
            self.change_form.start(session, current=typed)
            return
        self.opened.emit(session)

    def _changed(self, session: SiteSession) -> None:
        """The one-time password is gone: go on."""
        self._unfinished = None
        self.show_sign_in(session.site_path)
        self.opened.emit(session)

    def _gave_up(self) -> None:
        """Back to the sign-in; the one-time password stays."""
        session, self._unfinished = self._unfinished, None
        self.show_sign_in()
        if session is not None:
            self._jobs.submit(Lane.IO, lambda _ctx: session.close(), title="Closing the site", can_stop=False)

    def close_unfinished(self) -> None:
        """The window goes while a one-time password is being changed."""
        session, self._unfinished = self._unfinished, None
        if session is not None:
            session.close()

    def _recovered(self, session: SiteSession) -> None:
        self.show_sign_in(session.site_path)
        self._opened(session)

    def _failed(self, error: BaseException) -> None:
        self._ready()
        self.password.selectAll()
        self.password.setFocus()
        self.message.show_error(sentence_of(error))

    def _ready(self) -> None:
        self.sign_in.setEnabled(True)
        self.sign_in.setText("Sign in")

    def _created(self, path: Path, user: str, password: str) -> None:
        self.show_sign_in(path)
        self.user.setText(user)
        self._open(path, user, password)


def _centred(widget: QWidget, *, head: QWidget | None = None) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.addStretch(2)
    if head is not None:
        layout.addWidget(head)
        layout.addSpacing(12)
    layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
    layout.addStretch(3)
    return page
