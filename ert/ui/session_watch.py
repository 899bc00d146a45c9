"""The watch over who sits at the window: locks when nobody does, and looks at the account again from time to time."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QGuiApplication

from ert.app.idle import IdleClock, awake_or_asleep_s
from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.domain.account import Account
from ert.errors import Refused, SignInExpired, Unavailable
from ert.settings import SessionSettings, load_settings
from ert.ui.failures import sentence_of

_TICK_MS = 1000
_MINUTE_S = 60.0
_INPUT = frozenset(
    {
        QEvent.Type.KeyPress,
        QEvent.Type.MouseMove,
        QEvent.Type.MouseButtonPress,
        QEvent.Type.Wheel,
        QEvent.Type.TouchBegin,
        QEvent.Type.TouchUpdate,
        QEvent.Type.TabletMove,
        QEvent.Type.TabletPress,
    }
)


def session_settings() -> SessionSettings:
    """The time-outs of this workstation; the defaults if the settings cannot be used: a lock is never left out."""
    try:
        return load_settings().session
    except Refused:
        return SessionSettings()


class SessionWatch(QObject):
    """Counts idle time and looks at the account.

    Signals
    -------
    lock_wanted(reason) : the screen is to be locked, and why.
    disabled(sentence) : the account was disabled; the session is over.
    rights_changed : what the account may do is different now.
    provider_silent(sentence) : the sign-in provider cannot be reached; "" when it can again.
    """

    lock_wanted = Signal(str)
    disabled = Signal(str)
    rights_changed = Signal()
    provider_silent = Signal(str)

    def __init__(self, parent: QObject | None = None, clock: Callable[[], float] = awake_or_asleep_s) -> None:
        super().__init__(parent)
        self._clock = clock
        self.idle = IdleClock(clock)
        self.is_locked = False
        self._session: SiteSession | None = None
        self._known: Account | None = None
        self._is_asking = False
        self._asked_s = clock()
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self.tick)

    def set_session(self, session: SiteSession | None) -> None:
        """Somebody signed in, or left."""
        self._session = session
        self.is_locked = False
        if session is None:
            self._timer.stop()
            return
        self._known = session.account
        self.idle.seen()
        self._asked_s = self._clock()
        self._watch_windows()
        self._timer.start()

    def _watch_windows(self) -> None:
        """Listen where the system delivers keys and mouse; a filter over every event of every widget would cost more.

        Installing a filter again only moves it to the front.
        """
        for window in QGuiApplication.topLevelWindows():
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note that somebody is there."""
        if not self.is_locked and event.type() in _INPUT:
            self.idle.seen()
            if self._session is not None:
                self._session.jobs.courtesy.somebody_works()
        return super().eventFilter(watched, event)

    def tick(self) -> None:
        """Every second: lock if nobody was seen for too long, look at the account if that is due."""
        if self._session is None:
            return
        self._watch_windows()
        settings = session_settings()
        if not self.is_locked and self.idle.idle_s >= settings.lock_after_minutes * _MINUTE_S:
            self.lock_wanted.emit(f"Nobody touched keyboard or mouse for {settings.lock_after_minutes} minutes.")
        if self._clock() - self._asked_s >= settings.revalidate_minutes * _MINUTE_S:
            self.revalidate()

    def revalidate(self) -> None:
        """Look at the account again, in the background."""
        session = self._session
        if session is None or self._is_asking:
            return
        self._is_asking = True
        self._asked_s = self._clock()
        session.jobs.submit(
            Lane.IO,
            lambda _ctx: session.accounts.revalidate(),
            title="Looking at the account",
            can_stop=False,
            on_done=lambda account: self._known_again(session, account),
            on_failed=lambda error: self._not_known(session, error),
        )

    def _known_again(self, session: SiteSession, account: Account) -> None:
        self._is_asking = False
        before, self._known = self._known, account
        if session is not self._session:
            return
        if account.is_disabled:
            self.disabled.emit("An administrator disabled this account.")
        elif account.must_change_password and not self.is_locked:
            self.lock_wanted.emit("An administrator reset the password of this account: give the one-time password.")
        if before is not None and before.rights != account.rights:
            self.rights_changed.emit()
        if before is not None and before.is_unverified != account.is_unverified:
            provider = session.accounts.provider
            silent = "" if provider is None or not account.is_unverified else _silence(provider.provider_name)
            self.provider_silent.emit(silent)

    def _not_known(self, session: SiteSession, error: BaseException) -> None:
        self._is_asking = False
        if session is self._session and isinstance(error, SignInExpired):
            self.rights_changed.emit()
            self.lock_wanted.emit(sentence_of(error))
            return
        # A share that is away for a moment is asked again at the next turn; anything else is nobody's account.
        if session is self._session and not isinstance(error, Unavailable) and not self.is_locked:
            self.lock_wanted.emit(f"The account could not be looked at. {sentence_of(error)}")


def _silence(name: str) -> str:
    return (
        f"{name} cannot be reached, so nobody vouches for you at the moment. Plans can be looked at, edited and saved; "
        "releasing, configuring and administration wait until it is back."
    )
