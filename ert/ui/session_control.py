"""What the window does about who sits at it: lock, unlock, change password, users; signing out when an account ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog

from ert.app.identity_ports import IdentityClient
from ert.app.jobs import JobContext, Jobs, Lane
from ert.app.session import SiteSession
from ert.domain.account import Account, Right
from ert.domain.emergency import Envelope
from ert.domain.record import StoredPlan
from ert.ui.change_password_form import ChangePasswordDialog
from ert.ui.covers import Covers
from ert.ui.emergency_dialog import EmergencyDialog
from ert.ui.failures import sentence_of
from ert.ui.lock_screen import LockScreen
from ert.ui.provider_button import OnLink
from ert.ui.provider_dialog import ProviderDialog
from ert.ui.session_watch import SessionWatch
from ert.ui.users_dialog import UsersDialog
from ert.ui.widgets import MessageStrip

if TYPE_CHECKING:
    from ert.ui.main_window import MainWindow


class SessionControl:
    """Actions of the Site menu that concern the user, and the lock.

    Parameters
    ----------
    window : MainWindow
        Is covered; owns the actions.
    jobs : Jobs
        Dispatches to the window's thread.
    identity : IdentityClient, optional
        Talks to sign-in providers.
    """

    def __init__(self, window: MainWindow, jobs: Jobs, identity: IdentityClient | None = None) -> None:
        self._window, self._jobs, self._identity = window, jobs, identity
        self._session: SiteSession | None = None
        self.watch = SessionWatch(window)
        self.covers = Covers(window)
        self.screen: LockScreen | None = None
        self.users_action = self._action("Users…", self.show_users)
        self.provider_action = self._action("Sign-in provider…", self.show_provider)
        self.password_action = self._action("Change password…", self.change_password)
        self.lock_action = self._action("Lock", lambda: self.lock("Locked by hand."), "Ctrl+L")
        self.emergency_action = self._action("Emergency access…", self.show_emergency)
        self.administration = (self.users_action, self.provider_action, self.emergency_action)
        self.notice = MessageStrip()
        self.actions = (*self.administration, self.password_action, self.lock_action)
        self.watch.lock_wanted.connect(self.lock)
        self.watch.disabled.connect(self._end)
        self.watch.rights_changed.connect(window.rights_changed)
        self.watch.provider_silent.connect(self._say_silent)

    def _action(self, text: str, slot: Callable[[], object], keys: str = "") -> QAction:
        action = QAction(text, self._window)
        action.triggered.connect(lambda _checked=False: slot())
        if keys:
            action.setShortcut(QKeySequence(keys))
        self._window.addAction(action)
        return action

    def set_session(self, session: SiteSession | None) -> None:
        """Somebody signed in, or left."""
        self._session = session
        self.watch.set_session(session)
        self.notice.clear()
        if session is not None and Right.ADMINISTER in session.account.rights:
            self._look_at_envelope(session)

    def _look_at_envelope(self, session: SiteSession) -> None:
        """Tell an administrator of an envelope that was opened; other messages do not take the place of this one."""

        def found(envelope: Envelope | None) -> None:
            if session is not self._session:
                return
            self.notice.clear()
            if envelope is not None and envelope.notice:
                self.notice.show_error(f"{envelope.notice} Site → Emergency access…")

        self._jobs.submit(
            Lane.IO,
            lambda _ctx: session.accounts.emergency.envelope(),
            title="Looking at the emergency envelope",
            can_stop=False,
            on_done=found,
            on_failed=self._window.show_failure,
        )

    def show_users(self) -> None:
        """Users of the site."""
        if self._session is not None and Right.ADMINISTER in self._session.account.rights:
            self._open(UsersDialog(self._session, self._window))

    def show_provider(self) -> None:
        """The provider people sign in through, and enrolled workstations."""
        if self._session is not None and Right.ADMINISTER in self._session.account.rights:
            self._open(ProviderDialog(self._session, self._identity, self._window))

    def show_emergency(self) -> None:
        """The sealed envelope for emergencies."""
        session = self._session
        if session is not None and Right.ADMINISTER in session.account.rights:
            dialog = EmergencyDialog(session, self._window)
            dialog.finished.connect(lambda _result: self._look_again(session))
            self._open(dialog)

    def _look_again(self, session: SiteSession) -> None:
        if session is self._session and Right.ADMINISTER in session.account.rights:
            self._look_at_envelope(session)

    def _say_silent(self, sentence: str) -> None:
        if sentence:
            self._window.message.show_warning(sentence)
        else:
            self._window.message.show_note("The sign-in provider can be reached again.")

    def change_password(self) -> None:
        """A new password for who is signed in."""
        if self._session is not None:
            self._open(ChangePasswordDialog(self._session, self._window))

    @staticmethod
    def _open(dialog: QDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    # ---- lock ----------------------------------------------------------------------------------------------------

    @property
    def is_locked(self) -> bool:
        """Whether the screen is locked."""
        return self.screen is not None

    def lock(self, reason: str) -> None:
        """Cover every window; nothing is closed, nothing is lost, what is being computed goes on."""
        session = self._session
        if session is None or self.is_locked:
            return
        page = self._window.plan_page
        is_dirty = page is not None and page.workspace.is_dirty
        screen = self.screen = LockScreen(
            user_name=session.user_name,
            site_name=session.site_name,
            reason=reason,
            unsaved="Edits that are not saved yet stay as they are." if is_dirty else "",
            secret="Emergency code" if session.account.is_emergency else "Password",
            provider="" if session.accounts.provider is None else session.accounts.provider.provider_name,
            has_password=session.accounts.has_password,
            parent=self._window,
        )
        self.watch.is_locked = True
        self.covers.cover(screen)
        screen.password_given.connect(partial(self._check, session))
        screen.provider_wanted.connect(partial(self._sign_in_again, session))
        screen.other_wanted.connect(partial(self._keep_and_leave, session, ""))
        screen.adjustSize()
        screen.move(self._window.frameGeometry().center() - screen.rect().center())
        screen.open()
        (screen.password if session.accounts.has_password else screen.provider.button).setFocus()
        self._note(session, "screen locked")

    def _note(self, session: SiteSession, event: str) -> None:
        self._jobs.submit(
            Lane.IO,
            lambda _ctx: session.accounts.record(event),
            title="Noting it in the history",
            can_stop=False,
            on_failed=self._window.show_failure,
        )

    def _check(self, session: SiteSession, password: str) -> None:
        self._jobs.submit(
            Lane.IO,
            lambda _ctx: session.accounts.confirm_password(password),
            title="Checking the password",
            can_stop=False,
            on_done=lambda _none: self._confirmed(session),
            on_failed=self._refused,
        )

    def _sign_in_again(self, session: SiteSession) -> None:
        """Have the provider ask who sits there."""
        if self.screen is None:
            return

        def work(ctx: JobContext, on_link: OnLink) -> None:
            session.accounts.confirm_with_provider(ctx, on_link)

        self.screen.provider.run(
            self._jobs, work, on_done=lambda _none: self._confirmed(session), on_failed=self._refused
        )

    def _refused(self, error: BaseException) -> None:
        if self.screen is not None:
            self.screen.refuse(sentence_of(error))

    def _confirmed(self, session: SiteSession) -> None:
        """It is the same person: go on, and look what became of the account meanwhile."""
        self._unlock()
        self._note(session, "screen unlocked")
        self._jobs.submit(
            Lane.IO,
            lambda _ctx: session.accounts.revalidate(),
            title="Looking at the account",
            can_stop=False,
            on_done=self._looked,
            on_failed=self._window.show_failure,
        )

    def _looked(self, account: Account) -> None:
        self._window.rights_changed()
        if account.is_disabled:
            self._end("An administrator disabled this account.")
        elif account.must_change_password:
            self.change_password()

    def _unlock(self) -> None:
        screen, self.screen = self.screen, None
        if screen is not None:
            screen.finish()
        self.covers.uncover()
        self.watch.is_locked = False
        self.watch.idle.seen()

    # ---- leaving -------------------------------------------------------------------------------------------------

    def _end(self, sentence: str) -> None:
        """The account was disabled: nothing is shown any more, what was not saved is kept, then the site is left."""
        session = self._session
        if session is None:
            return
        self.lock(sentence)
        if self.screen is not None:
            self.screen.say(sentence)
            self.screen.set_busy("Unlock")
        self._keep_and_leave(session, sentence)

    def _keep_and_leave(self, session: SiteSession, sentence: str) -> None:
        """Keep unsaved edits as a plan of its own, and leave only if that is done."""
        page = self._window.plan_page
        if page is None or not page.workspace.is_dirty:
            self._leave(sentence)
            return
        plan = page.workspace.plan
        self._jobs.submit(
            Lane.IO,
            lambda _ctx: session.keep_edits(plan, at=dt.datetime.now().astimezone()),
            title="Keeping unsaved edits",
            can_stop=False,
            on_done=lambda kept: self._leave(_joined(sentence, kept)),
            on_failed=self._not_kept,
        )

    def _not_kept(self, error: BaseException) -> None:
        if self.screen is not None:
            self.screen.refuse(f"The unsaved edits could not be kept, so the screen stays locked. {sentence_of(error)}")

    def _leave(self, sentence: str) -> None:
        for host in self.covers.hosts():
            if host is not self._window:
                self.covers.forget(host)
                if isinstance(host, QDialog):
                    QDialog.done(host, QDialog.DialogCode.Rejected)  # it must not ask: nobody is there to answer
                host.hide()
                host.deleteLater()
        self._window.leave_site(sentence)
        self._unlock()


def _joined(sentence: str, kept: StoredPlan) -> str:
    return f"{sentence} Unsaved edits were kept as plan '{kept.plan.name}'.".strip()


def sign_out(session: SiteSession) -> None:
    """Note it in the history and close the site, which also happens where nothing can be noted."""
    try:
        session.accounts.record("signed out")
    finally:
        session.close()
