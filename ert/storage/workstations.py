"""Workstations whose key store opens the site: enrolled and removed by an administrator (port ``Workstations``).

The slot file opens the door; the row says that it may. A slot whose row says "removed" opens nothing here when it is
put back. As with passwords that is the program's word until the master key is renewed.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from ert.domain.provider import Workstation
from ert.errors import InvalidSite, KeyStoreFailed, NotFound, Refused
from ert.key_store import KeyStore
from ert.storage import schema, slots
from ert.storage.records import Records
from ert.storage.renewal import changing_keys, remove_slot, write_slot
from ert.storage.unlock import Unlocked, read_slots
from ert.storage.users import user_names
from ert.storage.workstation_keys import workstation_secret_name

_IN_USE, _REMOVED = "in_use", "removed"
_MAXIMUM_NAME_CHARACTERS = 64


class WorkstationRepository:
    """The enrolled workstations of one site.

    Parameters
    ----------
    root : Path
        Its folder.
    unlocked : Unlocked
        Its keys.
    records : Records
    key_store : KeyStore
        Of this workstation.
    clock : callable
        Returns the time in UTC.
    """

    def __init__(
        self,
        root: Path,
        unlocked: Unlocked,
        records: Records,
        key_store: KeyStore,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._root, self._unlocked, self._records = root, unlocked, records
        self._key_store, self._clock = key_store, clock

    def workstations(self) -> tuple[Workstation, ...]:
        """Return those that are enrolled, oldest first."""
        table = schema.workstation
        names = user_names(self._records)
        with self._records.database.read() as connection:
            rows = self._records.rows(connection, table, table.c.state == _IN_USE)
        here = self._id_here() if rows else ""
        found = []
        for row in rows:
            content = self._records.decrypt_document("workstation", row, table=table)
            found.append(
                Workstation(
                    id=row["uuid"],
                    name=str(content["name"]),
                    enrolled_at=dt.datetime.fromisoformat(row["created_utc"]),
                    enrolled_by=names.get(str(content["enrolled_by"]), "–"),
                    is_here=row["uuid"] == here,
                )
            )
        return tuple(found)

    def enrol(self, name: str) -> Workstation:
        """Make a slot for this workstation and keep its secret in the key store; a former one of it ends.

        Raises
        ------
        InvalidSite
            The name is none.
        KeyStoreFailed
            There is no key store that may be used; nothing was changed.
        """
        name = name.strip()
        if not name or len(name) > _MAXIMUM_NAME_CHARACTERS or not name.isprintable():
            raise InvalidSite(f"A workstation's name has 1 to {_MAXIMUM_NAME_CHARACTERS} printable characters.")
        vault, secret = self._unlocked.vault, secrets.token_bytes(slots.WORKSTATION_SECRET_BYTES)
        entry = workstation_secret_name(vault.store_id)
        former = self._key_store.read(entry)
        with changing_keys(self._root, vault), self._records.transaction() as connection:
            slot = slots.make_workstation_slot(vault, secret=secret, created=self._clock())
            if former is not None:
                self._withdraw(connection, former.partition(" ")[0], event="workstation enrolled again")
            content = {"name": name, "enrolled_by": self._records.actor}
            cell = self._records.encrypt_document("workstation", content, table=schema.workstation, row_id=slot.slot_id)
            row = {"uuid": slot.slot_id, "state": _IN_USE, "document_ct": cell}
            self._records.insert(connection, schema.workstation, row)
            self._records.trail.append(
                connection,
                "workstation enrolled",
                table="workstation",
                record=slot.slot_id,
                revision=1,
                change={"name": name},
            )
            self._key_store.write(entry, f"{slot.slot_id} {secret.hex()}")
            write_slot(self._root, slot)
        if former is not None:
            self._remove_file(former.partition(" ")[0])
        return next(w for w in self.workstations() if w.id == slot.slot_id)

    def remove(self, workstation_id: str) -> None:
        """Take a workstation's slot away: its key store opens nothing any more; raises `NotFound`."""
        with changing_keys(self._root, self._unlocked.vault), self._records.transaction() as connection:
            if not self._withdraw(connection, workstation_id, event="workstation removed"):
                raise NotFound("This site has no such workstation.", hint="List them with 'ert site workstations'.")
        self._remove_file(workstation_id)
        if self._id_here() == workstation_id:
            self._key_store.remove(workstation_secret_name(self._unlocked.vault.store_id))

    def expect_enrolled(self) -> None:
        """Refuse a site that a removed workstation's slot opened (`Refused`)."""
        table = schema.workstation
        with self._records.database.read() as connection:
            found = self._records.rows(connection, table, table.c.uuid == self._unlocked.workstation_id)
        if not found or found[0]["state"] != _IN_USE:
            raise Refused(
                "This workstation was removed from this site.",
                hint="Sign in with a password; an administrator can enrol it again.",
                detail="slot without a row in use",
            )

    def _withdraw(self, connection: sa.Connection, workstation_id: str, *, event: str) -> bool:
        table = schema.workstation
        found = self._records.rows(connection, table, table.c.uuid == workstation_id, table.c.state == _IN_USE)
        if not found:
            return False
        self._records.update(connection, table, found[0], {"state": _REMOVED})
        self._records.trail.append(
            connection, event, table="workstation", record=workstation_id, revision=found[0]["rev"] + 1
        )
        return True

    def _remove_file(self, workstation_id: str) -> None:
        for slot in read_slots(self._root, self._unlocked.store.store_id):
            if slot.kind == slots.WORKSTATION and slot.slot_id == workstation_id:
                remove_slot(self._root, slot)

    def _id_here(self) -> str:
        """Id of this workstation's slot; "" if it has none, or no key store that may be used."""
        try:
            kept = self._key_store.read(workstation_secret_name(self._unlocked.vault.store_id))
        except KeyStoreFailed:
            return ""
        return (kept or "").partition(" ")[0]
