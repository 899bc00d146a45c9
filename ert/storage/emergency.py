"""The sealed envelope for emergencies: its slot and its row (port ``EmergencyStore``).

The row says whether a code still counts, and each time a site is opened with one it is noted there and in the history
before anything can be read; a site in which that cannot be written is not opened. A slot whose row is not in use opens
nothing. Nobody knows who held the sheet: the actor in the history is the envelope, the name is the one that was typed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ert.domain.account import Account
from ert.domain.emergency import EmergencyUse, Envelope, EnvelopeState
from ert.errors import NotFound, Refused
from ert.storage import schema, slots
from ert.storage.attempts import Attempts
from ert.storage.passwords import KDF_FLOOR
from ert.storage.printed_code import EMERGENCY, PendingPrintedCode, format_code
from ert.storage.records import Records, Row
from ert.storage.renewal import changing_keys, remove_slot, write_slot
from ert.storage.slots import Slot
from ert.storage.store_file import CLINICAL
from ert.storage.unlock import Unlocked, look_at_slots, read_slots
from ert.storage.users import user_names

ACTOR_NAME = "Emergency access"
SEALED, OPENED, WITHDRAWN = "emergency envelope sealed", "emergency access", "emergency envelope withdrawn"
REPLACED, TRIED = "emergency envelope replaced", "emergency access tried"
_TABLE = schema.emergency_envelope
_IN_USE = tuple(state.value for state in EnvelopeState if state.is_in_use)


class EmergencyEnvelopes:
    """The envelope in use at one site, and those before it.

    Parameters
    ----------
    root : Path
        The site's folder.
    unlocked : Unlocked
        Its keys, and who opened it.
    records : Records
    attempts : Attempts
        Codes that were tried and wrong.
    clock : callable
        Returns the time in UTC.
    """

    def __init__(
        self,
        root: Path,
        unlocked: Unlocked,
        records: Records,
        attempts: Attempts,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._root, self._unlocked, self._records, self._clock = root, unlocked, records, clock
        self._attempts = attempts

    @property
    def use(self) -> EmergencyUse | None:
        """Who opened the site with the code, and why; None if it was opened otherwise."""
        return self._unlocked.emergency

    # ---- of an administrator -------------------------------------------------------------------------------------

    def envelope(self) -> Envelope | None:
        """Return the envelope whose code opens the site; None if there is none."""
        names = user_names(self._records)
        with self._records.database.read() as connection:
            row = self._row_in_use(connection)
        return None if row is None else self._envelope(row, names)

    def prepare(self) -> PendingPrintedCode:
        """Begin an envelope: its code counts once it was typed back from the sheet, and the former one ends then."""
        return PendingPrintedCode(EMERGENCY, self._seal)

    def withdraw(self) -> None:
        """Let the code of the envelope open nothing any more; raises `NotFound` if there is none."""
        with changing_keys(self._root, self._unlocked.vault):
            former = self._slots()
            with self._records.transaction() as connection:
                row = self._row_in_use(connection)
                if row is None:
                    raise NotFound("This site has no emergency envelope.", hint="Nothing was changed.")
                self._end(connection, row, EnvelopeState.WITHDRAWN, WITHDRAWN)
            for slot in former:
                remove_slot(self._root, slot)

    def _seal(self, secret: bytes) -> None:
        kdf, store, now = self._unlocked.kdf, self._unlocked.store, self._clock()
        is_allowed = store.kind != CLINICAL or kdf.is_at_least(KDF_FLOOR)
        code = format_code(secret, EMERGENCY).replace("-", "")
        with changing_keys(self._root, self._unlocked.vault):
            former = self._slots()
            slot = slots.make_emergency_slot(
                self._unlocked.vault, code=code, parameters=kdf if is_allowed else KDF_FLOOR, created=now
            )
            with self._records.transaction() as connection:
                row = self._row_in_use(connection)
                if row is not None:
                    self._end(connection, row, EnvelopeState.REPLACED, REPLACED)
                self._insert(connection, slot)
                write_slot(self._root, slot)
            for old in former:
                remove_slot(self._root, old)

    def _insert(self, connection: sa.Connection, slot: Slot) -> None:
        content = _content(sealed_by=self._records.actor)
        cell = self._cell(slot.slot_id, content)
        row = {"uuid": slot.slot_id, "state": EnvelopeState.SEALED.value, "document_ct": cell}
        self._records.insert(connection, _TABLE, row)
        self._note(connection, SEALED, slot.slot_id, 1, {})

    def _end(self, connection: sa.Connection, row: Row, state: EnvelopeState, event: str) -> None:
        self._records.update(connection, _TABLE, row, {"state": state.value})
        self._note(connection, event, row["uuid"], row["rev"] + 1, {})

    def _slots(self) -> tuple[Slot, ...]:
        """What earlier codes open, also what a crash left; `StorageFailed` before anything is changed."""
        found = read_slots(self._root, self._unlocked.store.store_id)
        return tuple(slot for slot in found if slot.kind == slots.EMERGENCY)

    # ---- of whoever opens it -------------------------------------------------------------------------------------

    def admit(self) -> Account:
        """Note who opened the site with the code, and why; return the account of that.

        Raises
        ------
        Refused
            The envelope was renewed or withdrawn, or nothing can be noted here.
        """
        use = self._unlocked.emergency
        if use is None:
            raise ValueError("nobody opened this site with an emergency code")
        if self._records.is_restored_copy or self._records.read_only_reason:
            raise Refused(
                "Emergency access is noted in the history before anything is shown, and nothing can be saved here.",
                hint="Open the site itself, from a computer that may write to its folder.",
                detail="restored copy or read-only",
            )
        with self._records.transaction() as connection:
            row = self._own_row(connection)
            if row is None:
                raise Refused(
                    "This emergency envelope was renewed or withdrawn; its code opens nothing any more.",
                    hint="Take the newest sheet, or ask an administrator of this site.",
                    detail="slot without a row in use",
                )
            content = self._document(row)
            content |= {"uses": content["uses"] + 1, "person": use.person, "reason": use.reason, "failed_attempts": 0}
            content["opened_utc"] = self._clock().isoformat()
            changes = {"state": EnvelopeState.OPENED.value, "document_ct": self._cell(row["uuid"], content)}
            self._records.update(connection, _TABLE, row, changes)
            change: dict[str, Any] = {"person": use.person, "reason": use.reason}
            if self._unlocked.failures_before:
                change["failed_attempts"] = self._unlocked.failures_before
            self._note(connection, OPENED, row["uuid"], row["rev"] + 1, change)
        return self._account(is_disabled=False)

    def account(self) -> Account:
        """Return the account of who opened the site with the code, as it stands now."""
        with self._records.database.read() as connection:
            row = self._own_row(connection)
        return self._account(is_disabled=row is None)

    def _account(self, *, is_disabled: bool) -> Account:
        return Account(id=self._unlocked.user_id, name=ACTOR_NAME, is_emergency=True, is_disabled=is_disabled)

    def _own_row(self, connection: sa.Connection) -> Row | None:
        row = self._row_in_use(connection)
        return row if row is not None and row["uuid"] == self._unlocked.user_id else None

    # ---- of everybody --------------------------------------------------------------------------------------------

    def note_failed_attempts(self) -> None:
        """Note codes that were tried and wrong since they were last noted: nobody had keys at that moment."""
        store_id = self._unlocked.store.store_id
        tag = slots.emergency_tag(store_id)
        marks = [s.mark for s in look_at_slots(self._root, store_id)[0] if s.kind == slots.EMERGENCY]
        failures = max(
            (self._attempts.failures(store_id, tag, mark) for mark in marks), key=lambda f: f.count, default=None
        )
        if failures is None or not failures.count or self._records.is_restored_copy or self._records.read_only_reason:
            return
        with self._records.database.read() as connection:
            row = self._row_in_use(connection)
        if row is None or failures.count <= self._document(row)["failed_attempts"]:
            return
        with self._records.transaction() as connection:
            row = self._row_in_use(connection)
            if row is None:
                return
            content = self._document(row)
            content = content | {"failed_attempts": failures.count}
            self._records.update(connection, _TABLE, row, {"document_ct": self._cell(row["uuid"], content)})
            change: dict[str, Any] = {"failed_attempts": failures.count}
            if failures.last is not None:
                change["last"] = failures.last.isoformat()
            self._note(connection, TRIED, row["uuid"], row["rev"] + 1, change)

    # ---- rows ----------------------------------------------------------------------------------------------------

    def _row_in_use(self, connection: sa.Connection) -> Row | None:
        return next(iter(self._records.rows(connection, _TABLE, _TABLE.c.state.in_(_IN_USE))), None)

    def _envelope(self, row: Row, names: dict[str, str]) -> Envelope:
        content = self._document(row)
        opened = content["opened_utc"]
        return Envelope(
            id=row["uuid"],
            state=EnvelopeState(row["state"]),
            sealed_at=dt.datetime.fromisoformat(row["created_utc"]),
            sealed_by=names.get(content["sealed_by"], "–"),
            uses=content["uses"],
            person=content["person"],
            reason=content["reason"],
            opened_at=dt.datetime.fromisoformat(opened) if opened else None,
            failed_attempts=content["failed_attempts"],
        )

    def _document(self, row: Row) -> dict[str, Any]:
        return self._records.decrypt_document("emergency_envelope", row, table=_TABLE)

    def _cell(self, row_id: str, content: dict[str, Any]) -> bytes:
        return self._records.encrypt_document("emergency_envelope", content, table=_TABLE, row_id=row_id)

    def _note(self, connection: sa.Connection, event: str, record: str, revision: int, change: dict[str, Any]) -> None:
        self._records.trail.append(
            connection, event, table=_TABLE.name, record=record, revision=revision, change=change
        )


def envelope_names(records: Records) -> dict[str, str]:
    """Return what stands in lists for what was done with each envelope's code, by the envelope's id."""
    with records.database.read() as connection:
        ids = connection.execute(sa.select(_TABLE.c.uuid)).scalars()
        return dict.fromkeys(ids, ACTOR_NAME)


def _content(*, sealed_by: str) -> dict[str, Any]:
    return {
        "sealed_by": sealed_by, "uses": 0, "person": "", "reason": "", "opened_utc": "", "failed_attempts": 0,
    }  # fmt: skip
