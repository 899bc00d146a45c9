"""The keys of an opened site: a new recovery code, a new master key, files under the keys in use."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from ert.domain.site_keys import KeyState
from ert.storage import file_renewal, slots
from ert.storage.blobs import StoredFile
from ert.storage.printed_code import RECOVERY, PendingPrintedCode
from ert.storage.records import Records
from ert.storage.renewal import changing_keys, remove_slot, renew_master_key, write_slot
from ert.storage.unlock import Unlocked, look_at_slots, read_slots

MASTER_RENEWED = "master key renewed"


class SiteKeys:
    """Renews keys of one opened site (port ``SiteKeys``).

    Parameters
    ----------
    root : Path
        Its folder.
    unlocked : Unlocked
        Its keys, and who signed in.
    records : Records
        Where renewals are noted.
    clock : callable
        Returns the time in UTC.
    """

    def __init__(self, root: Path, unlocked: Unlocked, records: Records, clock: Callable[[], dt.datetime]) -> None:
        self._root = root
        self._unlocked = unlocked
        self._vault = unlocked.vault
        self._records = records
        self._clock = clock

    def state(self) -> KeyState:
        """How the keys stand, as far as their files can be read."""
        found, unreadable = look_at_slots(self._root, self._vault.store_id)
        kinds = [slot.kind for slot in found]
        earlier = file_renewal.earlier_files(self._records, self._vault.generation)
        return KeyState(
            ring=self._vault.ring,
            generation=self._vault.generation,
            is_renewing=self._vault.is_renewing,
            passwords=kinds.count(slots.PASSWORD),
            recovery_codes=kinds.count(slots.RECOVERY),
            workstations=kinds.count(slots.WORKSTATION),
            envelopes=kinds.count(slots.EMERGENCY),
            unreadable=unreadable,
            earlier_files=len(earlier),
            earlier_bytes=sum(stored.size for stored in earlier),
        )

    def prepare_recovery_code(self) -> PendingPrintedCode:
        """Begin a new recovery code; it counts once it was typed back, and the former one ends then."""
        return PendingPrintedCode(RECOVERY, self._replace_recovery)

    def renew_master_key(self) -> None:
        """Put a fresh master key into use; passwords, codes and data stay as they are.

        Raises
        ------
        BadTag, Conflict, DatabaseBusy, StorageFailed, DiskFull
            The site opens as before.
        """
        with changing_keys(self._root, self._vault):
            self._note("master key renewal begun", self._vault.store_id)
            fresh = renew_master_key(self._root, self._vault)
            self._vault.take_master(fresh)
            fresh.close()
        self._note(MASTER_RENEWED, self._vault.store_id)

    def earlier_files(self) -> tuple[StoredFile, ...]:
        """Files that are not under the data keys in use."""
        return file_renewal.earlier_files(self._records, self._vault.generation)

    def renew_file(self, stored: StoredFile) -> None:
        """Write one of them under the keys in use; what was open stays readable."""
        file_renewal.renew_file(self._records, stored)

    def note_renewed_files(self, count: int) -> None:
        """Note in the history how many were."""
        file_renewal.note_renewal(self._records, count)

    def _replace_recovery(self, secret: bytes) -> None:
        with changing_keys(self._root, self._vault):
            old = [s for s in read_slots(self._root, self._vault.store_id) if s.kind == slots.RECOVERY]
            self._note("recovery code change begun", self._vault.store_id)
            slot = slots.make_recovery_slot(self._vault, secret=secret, created=self._clock())
            write_slot(self._root, slot)
            for former in old:
                remove_slot(self._root, former)
        self._note("recovery code changed", self._vault.store_id)

    def _note(self, event: str, record: str) -> None:
        with self._records.transaction() as connection:
            self._records.trail.append(connection, event, record=record)
