"""The history: one row for everything that happened, chained by codes, append-only.

``h = HMAC(audit key, every field of the row)``, one of them the ``h`` of the row before. A row that is changed, removed
or put in breaks the chain; the head stands in ``store_meta`` too, and each workstation remembers the last head it saw
(anchors.py).

The row that notes a renewal of the data keys is the first one under the new audit key: earlier rows are never written
again, later ones must be under the new key.
"""

from __future__ import annotations

import datetime as dt
import hmac
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from attrs import frozen

from ert.errors import AuditBroken
from ert.storage import documents, schema
from ert.storage.fields import Cell, FieldGuard, canonical_cell, cell_generation
from ert.storage.keys import Vault
from ert.storage.store_file import app_version

GENESIS = bytes(32)
KEYS_RENEWED = "data keys renewed"
_CHAIN_DOMAIN = "history/1"


@frozen(kw_only=True)
class Head:
    """Number and code of a history row; 0 and zeros before the first."""

    seq: int
    code: bytes


class AuditTrail:
    """Appends to and verifies one site's history.

    Parameters
    ----------
    vault, guard : Vault, FieldGuard
        The site's keys.
    actor : str
        Id of the signed-in user; "" while a site is created or recovered.
    clock : callable
        Returns the time in UTC.
    """

    def __init__(self, vault: Vault, guard: FieldGuard, *, actor: str, clock: Callable[[], dt.datetime]) -> None:
        self._vault = vault
        self._guard = guard
        self._actor = actor
        self._clock = clock

    def append(
        self,
        connection: sa.Connection,
        event: str,
        *,
        table: str = "",
        record: str = "",
        revision: int | None = None,
        change: dict[str, Any] | None = None,
    ) -> Head:
        """Append one row inside the caller's transaction and move the head.

        Parameters
        ----------
        event : str
            What happened, for example "plan saved".
        table, record, revision : str, str, int
            What it happened to; the revision is None for reading, printing, signing in.
        change : dict
            What changed; kept encrypted.

        Raises
        ------
        AuditBroken
            The history does not end where its head is: nothing is built on it.
        """
        meta = self.read_meta(connection)
        _expect_at_its_end(connection, meta)
        seq = meta["head_seq"] + 1
        row: dict[str, Cell] = {
            "seq": seq,
            "utc": self._clock().isoformat(),
            "monotonic_ns": time.monotonic_ns(),
            "epoch": meta["epoch"],
            "actor": self._actor,
            "host_ct": self._cell(seq, "host_ct", socket.gethostname().encode("utf-8")),
            "app_version": app_version(),
            "record_table": table,
            "record": record,
            "record_rev": revision,
            "event": event,
            "change_ct": self._cell(seq, "change_ct", documents.write_document("change", change or {})),
            "prev": meta["head_h"],
        }
        row["h"] = self._code(row)
        connection.execute(schema.history.insert().values(**row))
        meta = dict(meta) | {"head_seq": seq, "head_h": row["h"]}
        write_meta(connection, self._guard, meta)
        return Head(seq=seq, code=bytes(meta["head_h"]))

    def read_meta(self, connection: sa.Connection) -> dict[str, Any]:
        """Return the site's one row, its code verified."""
        row = connection.execute(sa.select(schema.store_meta)).mappings().one()
        self._guard.check_row("store_meta", dict(row), row_id="1")
        return dict(row)

    def head(self, connection: sa.Connection) -> Head:
        """Return the present head."""
        meta = self.read_meta(connection)
        return Head(seq=meta["head_seq"], code=meta["head_h"])

    def holds(self, connection: sa.Connection, remembered: Head) -> bool:
        """Whether the history is a continuation of a head seen before."""
        if remembered.seq == 0:
            return True
        query = sa.select(schema.history.c.h).where(schema.history.c.seq == remembered.seq)
        found = connection.execute(query).scalar_one_or_none()
        return found is not None and hmac.compare_digest(found, remembered.code)

    def verify(self, connection: sa.Connection) -> int:
        """Verify the whole chain and return its length.

        Raises
        ------
        AuditBroken
            Naming the first row that does not fit.
        """
        expected, previous = 1, GENESIS
        generation = self._vault.oldest
        for row in self._rows(connection):
            is_next = row["seq"] == expected and row["prev"] == previous
            generation += row["event"] == KEYS_RENEWED
            if not is_next or not self._fits(row, generation):
                raise _broken(f"row {row['seq']}", f"history row {row['seq']}, expected {expected}")
            expected, previous = expected + 1, row["h"]
        if generation != self._vault.generation:
            raise _broken("its end", f"history ends under key generation {generation}")
        head = self.head(connection)
        if (head.seq, head.code) != (expected - 1, previous):
            raise _broken("its end", f"history ends at {expected - 1}, head says {head.seq}")
        return expected - 1

    def check_row(self, row: dict[str, Any]) -> None:
        """Refuse one row, read alone, whose code does not fit; raises `AuditBroken`.

        Rows from before a renewal of the data keys stay under the keys of their day, which their cells name; a row that
        names other keys than those of its place in the chain is found by `verify`.
        """
        if not self._fits(row, cell_generation(row["host_ct"])):
            raise _broken(f"row {row['seq']}", f"history row {row['seq']}: code")

    def change_of(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return what a row says was changed."""
        cell = self._guard.decrypt(row["change_ct"], table="history", row_id=str(row["seq"]), column="change_ct")
        return documents.read_document("change", cell)

    @staticmethod
    def _rows(connection: sa.Connection) -> Iterator[dict[str, Any]]:
        for row in connection.execute(sa.select(schema.history).order_by(schema.history.c.seq)).mappings():
            yield dict(row)

    def _cell(self, seq: int, column: str, value: bytes) -> bytes:
        return self._guard.encrypt(value, table="history", row_id=str(seq), column=column)

    def _fits(self, row: dict[str, Any], generation: int) -> bool:
        is_known = self._vault.oldest <= generation <= self._vault.generation
        return is_known and hmac.compare_digest(row["h"], self._code(row, generation))

    def _code(self, row: dict[str, Cell], generation: int | None = None) -> bytes:
        fields = (name for name in sorted(row) if name != "h")
        coded = b"".join(canonical_cell(name) + canonical_cell(row[name]) for name in fields)
        return self._vault.authentication_code(_CHAIN_DOMAIN, coded, generation=generation)


def write_meta(connection: sa.Connection, guard: FieldGuard, meta: dict[str, Any]) -> None:
    """Write the site's one row with a fresh code."""
    meta = meta | {"row_mac": guard.row_code("store_meta", meta)}
    connection.execute(schema.store_meta.update().where(schema.store_meta.c.one == 1).values(**meta))


def _expect_at_its_end(connection: sa.Connection, meta: dict[str, Any]) -> None:
    """Pages of head or history that went back in time are good pages to SQLCipher, but no longer fit each other."""
    history = schema.history
    last = connection.execute(sa.select(history.c.seq, history.c.h).order_by(history.c.seq.desc()).limit(1)).first()
    seq, code = (0, GENESIS) if last is None else (last.seq, last.h)
    if seq != meta["head_seq"] or not hmac.compare_digest(code, meta["head_h"]):
        raise _broken("its end", f"history ends at {seq}, head says {meta['head_seq']}")


def _broken(where: str, detail: str) -> AuditBroken:
    return AuditBroken(
        f"The history of this site is broken at {where}: something was changed, removed or put in from outside.",
        hint="Stop working with this site and call physics.",
        detail=detail,
    )
