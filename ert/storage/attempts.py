"""Failed attempts to sign in: counted on the disk, so that starting the program again does not begin anew.

An attempt is written down before the password is tried and forgotten when it was right. From the third failure on the
next attempt has to wait 2^n seconds, at most a quarter of an hour; after the twentieth only a new password helps (an
administrator's, or the recovery code's): failures count for the slot they were tried on, whatever the clocks say.

There are two counts, one in the site's folder and one in this user's profile, and the higher one holds. Neither can be
sealed, because nobody has keys before signing in: who can write to both can set them back, and who has a copy of the
slot can try where nothing counts. Argon2id is what stands in the way there.

One at a time tries as a user: who signs in at the same moment elsewhere waits for the answer, because an attempt that
is not decided yet stands in the count like one that failed. Where that queue cannot be had, it counts.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from ert.errors import DiskFull, SignInLocked, StorageFailed
from ert.storage.atomic import translated, write_all
from ert.storage.places import open_regular
from ert.storage.turns import Turns

FOLDER = "keys/attempts"
FREE_FAILURES = 3
MAXIMUM_FAILURES = 20
LONGEST_WAIT_S = 900.0
_MAXIMUM_BYTES = 64 * 1024


@frozen(kw_only=True)
class Failures:
    """Attempts that were not right: how many, and when the last one was (None if none)."""

    count: int = 0
    last: dt.datetime | None = None


class Attempts:
    """Counts of one site.

    Parameters
    ----------
    root : Path
        The site's folder.
    profile : Path or None
        Where this workstation remembers sites; None keeps no second count.
    clock : callable
        Returns the time in UTC.
    """

    def __init__(self, root: Path, profile: Path | None, clock: Callable[[], dt.datetime]) -> None:
        self._root, self._profile, self._clock = root, profile, clock

    @contextlib.contextmanager
    def turn(self, tag: str) -> Iterator[None]:
        """Wait until nobody else tries as this user, and keep it so until the attempt is decided."""
        folder = self._root / FOLDER
        with contextlib.suppress(OSError):  # read-only: no queue, no more than that
            folder.mkdir(mode=0o700, exist_ok=True, parents=True)
        # One file for each first digit, not for each name: unknown names must not fill the folder.
        with Turns(folder, name=f"{tag[:1]}.turn").mine():
            yield

    def begin(self, store_id: str, tag: str, mark: str) -> int:
        """Write an attempt down; return how many failed before it.

        Parameters
        ----------
        store_id, tag : str
            The site, and under which name the login's slot is found.
        mark : str
            Tells one slot from its successor (`Slot.mark`); "" if there is none.

        Raises
        ------
        SignInLocked
            Too many failed, or the last one was too short ago; the password must not be tried.
        StorageFailed
            It can be written down nowhere.
        """
        places, failures = self._places(store_id, tag), self.failures(store_id, tag, mark)
        now = self._clock()
        if failures.count >= MAXIMUM_FAILURES:
            raise SignInLocked(
                f"Signing in as this user is locked after {MAXIMUM_FAILURES} failed attempts.",
                hint="An administrator resets the password, or the site's recovery code does.",
                detail="attempts",
            )
        wait_s = wait_before_next_s(failures, now)
        if wait_s > 0:
            raise SignInLocked(
                f"{failures.count} attempts to sign in as this user failed.",
                hint=f"Wait {_duration(wait_s)}, then try again.",
                detail=f"attempts: {wait_s:.0f} s left",
            )
        self._note(places, f"{now.isoformat()} {mark}".strip())
        return failures.count

    def failures(self, store_id: str, tag: str, mark: str) -> Failures:
        """Return how many failed on a slot since the last that was right; the higher of the two counts."""
        return max((_read(path, mark) for path in self._places(store_id, tag)), key=lambda f: f.count)

    def succeeded(self, store_id: str, tag: str) -> None:
        """Forget the failures of a login; a count on a read-only disk stays, which lets nobody in."""
        for path in self._places(store_id, tag):
            with translated("writing down attempts to sign in"):
                if os.access(path.parent, os.W_OK):
                    path.unlink(missing_ok=True)

    def _places(self, store_id: str, tag: str) -> tuple[Path, ...]:
        in_site = self._root / FOLDER / f"{tag}.log"
        if self._profile is None:
            return (in_site,)
        return in_site, self._profile / f"{store_id}.attempts" / f"{tag}.log"

    @staticmethod
    def _note(places: tuple[Path, ...], line: str) -> None:
        """Append to every count; one that cannot be written (a full disk) must not keep everybody out."""
        errors: list[StorageFailed | DiskFull] = []
        for path in places:
            try:
                with translated("writing down an attempt to sign in"):
                    path.parent.mkdir(mode=0o700, exist_ok=True, parents=True)
                    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
                    handle = os.open(path, flags, 0o600)
                    with os.fdopen(handle, "wb", buffering=0) as out:
                        write_all(out, f"{line}\n".encode("ascii"))
                        os.fsync(out.fileno())
            except (StorageFailed, DiskFull) as error:
                errors.append(error)
        if len(errors) == len(places):
            raise errors[0]


def wait_before_next_s(failures: Failures, now: dt.datetime) -> float:
    """Return how long the next attempt has to wait, in seconds."""
    if failures.count < FREE_FAILURES or failures.last is None:
        return 0.0
    delay_s = min(2.0**failures.count, LONGEST_WAIT_S)
    passed_s = (now - failures.last).total_seconds()
    # Clocks of workstations differ, and may be wrong by years: no such error may keep a user out for longer than the
    # longest wait. The twentieth failure locks whatever the clocks say.
    if abs(passed_s) > LONGEST_WAIT_S:
        return 0.0
    return max(0.0, delay_s - max(0.0, passed_s))


def _read(path: Path, mark: str) -> Failures:
    with translated("reading attempts to sign in"):
        try:
            with open_regular(path) as stream:
                lines = stream.read(_MAXIMUM_BYTES).split(b"\n")
        except FileNotFoundError:
            return Failures()
    attempts = [_attempt(line) for line in lines if line]
    # A line that cannot be read counts: damage must not make attempts free.
    counted = [attempt for attempt in attempts if attempt is None or attempt[1] == mark]
    known = [attempt[0] for attempt in counted if attempt is not None]
    return Failures(count=len(counted), last=max(known, default=None))


def _attempt(line: bytes) -> tuple[dt.datetime, str] | None:
    """When an attempt was made, and on which slot; None if the line is none of ours."""
    try:
        when, _, mark = line.decode("ascii").partition(" ")
        moment = dt.datetime.fromisoformat(when)
    except ValueError:
        return None
    return (moment, mark) if moment.tzinfo is not None else None


def _duration(seconds: float) -> str:
    whole = math.ceil(seconds)
    return f"{whole} seconds" if whole <= 90 else f"{whole // 60 + 1} minutes"
