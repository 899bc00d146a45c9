"""Taking turns at writing: who asked first writes first, and is woken when it is time.

SQLite has no queue. Whoever finds the database locked asks again after ever longer pauses, so that of eight people who
save at once one may wait for seconds while others save several times. Here they queue for a lock (`flock`) of a file
beside the database, which the system hands on at once and which ends with its process however that ends.

The queue is a courtesy, never the authority: the database's own locks and the revision that a save names decide. Where
the queue cannot be had (a share without such locks, a folder that is read-only, a program that does not know of it),
writing goes on without it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

TURN_LOCK = "site.turn"
_PATIENCE_S = 20.0
_TAKEN = {errno.EWOULDBLOCK, errno.EACCES}


class Turns:
    """The queue before one site's database.

    Parameters
    ----------
    folder : Path
        The site's folder.
    name : str
        Of the file in it that is queued for.
    patience_s : float
        How long to queue before going on without a turn: somebody's computer may have stopped in the middle of a save.
    """

    def __init__(self, folder: Path, *, name: str = TURN_LOCK, patience_s: float = _PATIENCE_S) -> None:
        self._path = folder / name
        self._patience_s = patience_s

    @contextlib.contextmanager
    def mine(self) -> Iterator[bool]:
        """Wait for one's turn and keep it; gives False if there is none to be had."""
        wait = _Wait(self._path)
        try:
            yield wait.is_granted(self._patience_s)
        finally:
            wait.end()


class _Wait:
    """One place in the queue, from asking to leaving it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._is_granted = False
        self._has_left = False
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            self._handle = -1

    def is_granted(self, patience_s: float) -> bool:
        """Wait at most so long; the system's own wait has no end, so it is done on a thread that may be left behind."""
        if self._handle < 0:
            return False
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno not in _TAKEN:
                return False
        else:
            return True
        threading.Thread(target=self._queue, daemon=True, name="turn at writing").start()
        self._answered.wait(patience_s)
        with self._lock:
            self._has_left = not self._answered.is_set()
            return self._is_granted

    def _queue(self) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            self._is_granted = True
        with self._lock:
            if self._has_left:
                self._close()  # nobody waits any more: the next one's turn
            self._answered.set()

    def end(self) -> None:
        """Let the next one write."""
        if self._handle >= 0 and not self._has_left:
            self._close()
            self._handle = -1

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # nothing was written through it, and the lock is gone whatever is said
            os.close(self._handle)
