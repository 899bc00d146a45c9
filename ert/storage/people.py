"""Who has a plan open: a small encrypted file in the site for each, alive as long as its process (live_files.py).

A hint for colleagues and nothing more: nothing waits for it, and where it cannot be written or read nobody is shown.
What keeps two people from overwriting one another is the revision that every save names.
"""

from __future__ import annotations

import datetime as dt
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from ert.domain.activity import Presence
from ert.errors import BadTag, ErtError
from ert.logs import Public
from ert.storage import documents
from ert.storage.envelope import FileKind
from ert.storage.keys import Vault
from ert.storage.live_files import LiveFile, LiveShelf
from ert.storage.share_locks import NO_LOCKS, LockWatch

SESSIONS = "sessions"
SUFFIX = ".here"
_NAME = "presence"
_LOOKS_UNTIL_REMOVED = 12  # a minute at the window's pace: four beats that did not come
_LOG = logging.getLogger(__name__)


class People:
    """Presence of the users of one site (port ``People``); may be used from any thread, never raises for trouble.

    Parameters
    ----------
    root : Path
        The site's folder.
    vault : Vault
    user_name : str
        Who is signed in here.
    clock : callable
        Returns the time in UTC.
    on_broken_locks : callable
        Called once with a sentence when colleagues show that the share does not lock (share_locks.py).
    """

    def __init__(
        self,
        root: Path,
        vault: Vault,
        *,
        user_name: str,
        clock: Callable[[], dt.datetime],
        on_broken_locks: Callable[[str], None],
    ) -> None:
        self._shelf = LiveShelf(root / SESSIONS, vault, kind=FileKind.PRESENCE, suffix=SUFFIX)
        self._user_name, self._clock, self._on_broken_locks = user_name, clock, on_broken_locks
        self._here: dict[str, LiveFile] = {}
        self._since: dict[str, dt.datetime] = {}
        self._beat = 0
        self._watch = LockWatch()
        self._lock = threading.Lock()
        self._is_closed = False

    def enter(self, plan_id: str) -> None:
        """Show that this user has a plan open."""
        with self._lock:
            if self._is_closed or plan_id in self._here:
                return
            self._since[plan_id] = self._clock()
            try:
                self._here[plan_id] = self._shelf.begin()
                self._write(plan_id)
            except (OSError, ErtError) as error:
                _note(error)

    def beat(self) -> None:
        """Show that this process still lives: what others watch to tell a broken lock from an ended program."""
        with self._lock:
            if self._is_closed:
                return
            self._beat += 1
            try:
                for plan_id in self._here:
                    self._write(plan_id)
            except (OSError, ErtError) as error:
                _note(error)

    def _write(self, plan_id: str) -> None:
        content = {
            "user": self._user_name,
            "host": socket.gethostname(),
            "plan": plan_id,
            "since_utc": self._since[plan_id].isoformat(),
            "beat": self._beat,
        }
        self._here[plan_id].write(documents.write_document(_NAME, content))

    def leave(self, plan_id: str) -> None:
        """The plan was closed."""
        with self._lock:
            file = self._here.pop(plan_id, None)
            try:
                if file is not None:
                    file.close()
            except OSError as error:
                _note(error)

    def others(self, plan_id: str) -> tuple[Presence, ...]:
        """Who else has a plan open, the longest there first; removes what ended processes left, a while later."""
        with self._lock:
            own = {file.live_id for file in self._here.values()}
            if self._is_closed:
                return ()
            found = []
            try:
                for live_id, is_live in self._shelf.files():
                    if live_id in own:
                        continue
                    presence, beat = self._read(live_id)
                    if not is_live:
                        self._judge_free(live_id, beat)
                        continue
                    self._watch.forget(live_id)
                    if presence is not None and presence.plan_id == plan_id:
                        found.append(presence)
            except OSError as error:
                _note(error)
        return tuple(sorted(found, key=lambda p: p.since))

    def _judge_free(self, live_id: str, beat: int) -> None:
        """A lock was to be had: its process ended, or locks do not work here."""
        was_broken = self._watch.is_broken
        if self._watch.saw_free(live_id, beat) >= _LOOKS_UNTIL_REMOVED:
            self._shelf.remove(live_id)
            self._watch.forget(live_id)
        if self._watch.is_broken and not was_broken:
            _LOG.error("the share does not lock: a colleague's lock was to be had while the colleague was at work")
            self._on_broken_locks(NO_LOCKS)

    def close(self) -> None:
        """Leave all plans."""
        for plan_id in tuple(self._here):
            self.leave(plan_id)
        with self._lock:
            self._is_closed = True

    def _read(self, live_id: str) -> tuple[Presence | None, int]:
        """Return what a file says, and its beat; None if it went in this moment or says nothing to be believed."""
        try:
            content = documents.read_document(_NAME, self._shelf.read(live_id))
            presence = Presence(
                user=str(content["user"]),
                host=str(content["host"]),
                plan_id=str(content["plan"]),
                since=dt.datetime.fromisoformat(content["since_utc"]),
            )
            return presence, int(content["beat"])
        except FileNotFoundError:
            return None, 0
        except (KeyError, TypeError, ValueError) as error:
            _note(BadTag("", detail=type(error).__name__))
        except ErtError as error:
            _note(error)
        return None, 0


def _note(error: OSError | ErtError) -> None:
    _LOG.warning("presence is not shown: %s", Public(type(error).__name__))
