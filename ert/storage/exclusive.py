"""What only one may do at a time: a row for each scope, taken in a transaction under a number that only ever rises.

The number is the fencing token. Whoever writes in a scope calls `fence` inside its own transaction: an owner whose lock
was taken over meanwhile has an old number and is refused, however long it slept and whatever it believes. So a lock may
be taken over as soon as its owner gave no sign of life for `STALE_AFTER_S`; a wrong clock can take a lock from a
colleague who still works, but never lets both write.

A process that ended on this very computer is not waited for.

Whatever keeps everybody out of the whole folder (a restored copy put in place, new data keys) does not stand here but
holds ``site.lock`` (presence.py), which the system itself releases and nobody takes over.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator

import sqlalchemy as sa
from attrs import frozen

from ert.domain.identity import new_id
from ert.errors import ErtError, LockHeld, LockLost
from ert.logs import Public
from ert.storage import schema
from ert.storage.audit import write_meta
from ert.storage.records import Records, Row
from ert.storage.users import user_name

MACHINES = "machines"
SWEPT = "swept"
BACKUPS = tuple(f"backup/{number}" for number in range(1, 9))  # as many may be made at once
BEAT_EVERY_S = 15.0
STALE_AFTER_S = 120.0
TAKEN_OVER = "exclusive lock taken over"
_NAME = "exclusive_lock"
_LOG = logging.getLogger(__name__)


def plan_scope(plan_id: str) -> str:
    """Return the scope of one plan: while somebody signs it, nobody saves it."""
    return f"plan/{plan_id}"


@frozen(kw_only=True)
class Lease:
    """A lock somebody has.

    Attributes
    ----------
    scope : what it is for.
    token : the number under which it was taken; higher than that of every earlier taking at this site.
    """

    scope: str
    token: int


def take(records: Records, *scopes: str, doing: str, against: tuple[str, ...] = ()) -> Lease:
    """Take a lock, or one over whose owner gave no sign of life; the history then says whose it was.

    Parameters
    ----------
    records : Records
        Of the opened site; writes of this object in the scope count as the owner's from now on.
    *scopes : str
        What is locked: one of them, the first that is free.
    doing : str
        What for, as in "NAME is …", for whoever has to wait.
    against : tuple of str
        Scopes that nobody else may hold in this moment; who takes one of them later is to name these in turn.

    Raises
    ------
    LockHeld
        Somebody else has it: who, where, since when.
    DatabaseBusy, DiskFull, StorageFailed
        It was not taken.
    """
    with records.transaction() as connection:
        for other in against:
            fence(records, connection, other)
        scope, row = _first_free(records, connection, scopes)
        if row is not None and row["is_held"]:
            _note_taken_over(records, connection, row, doing)
        token = _next_token(records, connection)
        since = records.now().isoformat()
        host = socket.gethostname()
        holder = {"user": records.actor, "host": host, "process": os.getpid(), "doing": doing, "since_utc": since}
        _write(records, connection, row, {"scope": scope, "token": token, "is_held": 1}, holder)
    lease = Lease(scope=scope, token=token)
    records.leases[scope] = token
    return lease


def _first_free(records: Records, connection: sa.Connection, scopes: tuple[str, ...]) -> tuple[str, Row | None]:
    held: LockHeld | None = None
    for scope in scopes:
        row = _row(records, connection, scope)
        if row is None or not row["is_held"] or _is_stale(records, row):
            return scope, row
        held = held or _held(records, connection, row)
    raise held or ValueError("nothing to lock")


def release(records: Records, lease: Lease) -> None:
    """Give a lock back; nothing if somebody took it over."""
    records.leases.pop(lease.scope, None)
    with records.transaction() as connection:
        row = _row(records, connection, lease.scope)
        if row is not None and _is_of(row, lease):
            records.update(connection, schema.exclusive_lock, row, {"is_held": 0})


@contextlib.contextmanager
def holding(records: Records, scope: str, *, doing: str, against: tuple[str, ...] = ()) -> Iterator[Lease]:
    """Hold a lock meanwhile; one that cannot be given back is free after `STALE_AFTER_S` without sign of life."""
    lease = take(records, scope, doing=doing, against=against)
    try:
        yield lease
    finally:
        try_release(records, lease)


def try_release(records: Records, lease: Lease) -> None:
    """Give a lock back if the site can be written; never hides what went wrong before by an error of its own."""
    try:
        release(records, lease)
    except ErtError as error:
        _LOG.warning("an exclusive lock was not given back, it runs out by itself: %s", Public(error.code))


def beat(records: Records, lease: Lease) -> None:
    """Give a sign of life; raises `LockLost` if somebody took the lock over."""
    with records.transaction() as connection:
        row = _row(records, connection, lease.scope)
        if row is None or not _is_of(row, lease):
            raise _lost(records, connection, row)
        records.update(connection, schema.exclusive_lock, row, {})


class ExclusiveLocks:
    """The exclusive locks of an opened site (port ``ExclusiveLocks``)."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def take_machines(self, *, doing: str) -> Lease:
        """Lock the machines of the site: packages, configurations, releases (`take`)."""
        return take(self._records, MACHINES, doing=doing)

    def take_plan(self, plan_id: str, *, doing: str) -> Lease:
        """Lock one plan: nobody else saves it meanwhile (`take`)."""
        return take(self._records, plan_scope(plan_id), doing=doing)

    def release(self, lease: Lease) -> None:
        """Give a lock back; where the site cannot be written, it runs out by itself."""
        try_release(self._records, lease)


class Heart:
    """Signs of life of a long work, given whenever it tells how far it is: who stalls, stops giving them.

    Parameters
    ----------
    records, lease : Records, Lease
        Used by one thread.
    clock_s : callable
        Seconds that only ever rise.
    """

    def __init__(self, records: Records, lease: Lease, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._records, self._lease, self._clock_s = records, lease, clock_s
        self._last_s = clock_s()

    def beat(self) -> None:
        """Give a sign of life if the last one is a while ago; raises `LockLost`."""
        if self._clock_s() - self._last_s >= BEAT_EVERY_S:
            beat(self._records, self._lease)
            self._last_s = self._clock_s()


def fence(records: Records, connection: sa.Connection, scope: str) -> None:
    """Let a writer of a scope write, inside its own transaction; every writer of the scope calls this.

    Who holds the lock must hold it still; who does not hold it may write if nobody does.

    Raises
    ------
    LockLost
        This site object's lock was taken over.
    LockHeld
        Somebody else has it.
    """
    row = _row(records, connection, scope)
    own = records.leases.get(scope)
    if own is not None:
        if row is None or (row["is_held"], row["token"]) != (1, own):
            raise _lost(records, connection, row)
        return
    if row is None or not row["is_held"]:
        return
    if not _is_stale(records, row):
        raise _held(records, connection, row)
    _note_taken_over(records, connection, row, "work without this lock")
    values = {"is_held": 0, "token": _next_token(records, connection)}
    records.update(connection, schema.exclusive_lock, row, values)


def mark(records: Records, connection: sa.Connection, scope: str) -> None:
    """Note that something was done now, for `marked_at`."""
    row = _row(records, connection, scope)
    _write(records, connection, row, {"scope": scope, "token": _next_token(records, connection), "is_held": 0}, {})


def marked_at(records: Records, scope: str) -> dt.datetime | None:
    """Return when `mark` last noted a scope."""
    with records.database.read() as connection:
        row = _row(records, connection, scope)
    return None if row is None else dt.datetime.fromisoformat(row["updated_utc"])


def release_all(records: Records, connection: sa.Connection) -> None:
    """Free every lock: for a copy of a site, whose owners work in the site itself."""
    table = schema.exclusive_lock
    for row in records.rows(connection, table, table.c.is_held == 1):
        records.update(connection, table, row, {"is_held": 0, "token": _next_token(records, connection)})


def _row(records: Records, connection: sa.Connection, scope: str) -> Row | None:
    table = schema.exclusive_lock
    rows = records.rows(connection, table, table.c.scope == scope)
    return rows[0] if rows else None


def _write(records: Records, connection: sa.Connection, row: Row | None, values: Row, holder: Row) -> None:
    table = schema.exclusive_lock
    row_id = new_id() if row is None else row["uuid"]
    cell = records.encrypt_document(_NAME, holder, table=table, row_id=row_id)
    if row is None:
        records.insert(connection, table, {"uuid": row_id, "document_ct": cell} | values)
    else:
        records.update(connection, table, row, {"document_ct": cell} | values)


def _next_token(records: Records, connection: sa.Connection) -> int:
    meta = records.trail.read_meta(connection)
    token = int(meta["fencing_token"]) + 1
    write_meta(connection, records.guard, meta | {"fencing_token": token})
    return token


def _is_of(row: Row, lease: Lease) -> bool:
    return bool(row["is_held"]) and row["token"] == lease.token


def _is_stale(records: Records, row: Row) -> bool:
    """Whether its owner gave no sign of life for long, or was a process of this computer that ended."""
    silent = records.now() - dt.datetime.fromisoformat(row["updated_utc"])
    if silent.total_seconds() > STALE_AFTER_S:
        return True
    holder = records.decrypt_document(_NAME, row, table=schema.exclusive_lock)
    return holder["host"] == socket.gethostname() and not _is_running(holder["process"])


def _is_running(process: int) -> bool:
    if os.name == "nt":  # there the same call would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, so it runs
        return True
    return True


def _note_taken_over(records: Records, connection: sa.Connection, row: Row, doing: str) -> None:
    who, where = _who(records, connection, row)
    last = dt.datetime.fromisoformat(row["updated_utc"]).astimezone()
    detail = f"for {doing}; before, {who} ({where}; last sign of life {last:%Y-%m-%d %H:%M:%S})"
    change = {"detail": detail, "scope": row["scope"], "token": row["token"]}
    records.trail.append(connection, TAKEN_OVER, change=change)


def _who(records: Records, connection: sa.Connection, row: Row) -> tuple[str, str]:
    """Who has a lock and what for, and where and since when, in words."""
    holder = records.decrypt_document(_NAME, row, table=schema.exclusive_lock)
    name = user_name(records, connection, holder["user"]) or "Somebody without an account"
    since = dt.datetime.fromisoformat(holder["since_utc"]).astimezone()
    return f"{name} is {holder['doing']}", f"on {holder['host']}, since {since:%Y-%m-%d %H:%M:%S}"


def _held(records: Records, connection: sa.Connection, row: Row) -> LockHeld:
    who, where = _who(records, connection, row)
    return LockHeld(
        f"{who} ({where}); nothing was changed.",
        hint="Try again when that has ended. If that computer stopped, it is free two minutes after its last sign of "
        "life.",
        detail=f"scope {row['scope']} token {row['token']}",
    )


def _lost(records: Records, connection: sa.Connection, row: Row | None) -> LockLost:
    now = ""
    if row is not None and row["is_held"]:
        now = f" {'; '.join(_who(records, connection, row))}."
    return LockLost(
        "This computer gave no sign of life for over two minutes, and the exclusive lock it had was taken over; "
        f"nothing was changed.{now}",
        hint="Look at what is there now, then do it again.",
        detail="" if row is None else f"scope {row['scope']} token {row['token']}",
    )
