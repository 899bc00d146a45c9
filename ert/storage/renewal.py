"""Renewing keys: the master key while everybody works, the data keys while nobody does. Killed anywhere, it goes on.

*Master key.* A ring under a fresh master key is written; one slot after the other is sealed to it, without anybody's
password; then earlier rings are removed. Until then slots of either ring open the site.

*Data keys.* 1. The next generation is put into a new ring, beside the one in use. 2. A copy of the database is made
under the new keys (renewal_database.py), verified, and takes the database's name: from this moment the new keys are in
use. 3. ``store.json`` and slots get codes under the new keys. 4. The ring says that the new generation is in use.
Between 1 and 4 the database tells which generation is (unlock.py), and the same command finishes what was begun.
Encrypted files follow later, one by one (file_renewal.py).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import attrs

from ert.domain.backup import Progress
from ert.errors import Conflict, DatabaseBusy
from ert.storage import slots
from ert.storage.assembly import SiteOptions
from ert.storage.atomic import replace_file, sync_folder, translated
from ert.storage.blobs import TMP
from ert.storage.keys import Vault
from ert.storage.presence import SITE_LOCK, exclude
from ert.storage.renewal_database import exchange_database
from ert.storage.server_secret import renew_secret
from ert.storage.site_lock_note import write_note
from ert.storage.slots import Slot
from ert.storage.store_file import FILE_NAME
from ert.storage.unlock import KEYS, KEYS_LOCK, Unlocked, read_slots, ring_path, slot_path

_RING = re.compile(r"ring-(\d+)\.bin")


@contextlib.contextmanager
def changing_keys(root: Path, vault: Vault) -> Iterator[None]:
    """Keep others from changing key files meanwhile.

    Raises
    ------
    DatabaseBusy
        Somebody else is changing them.
    Conflict
        They were renewed since this vault was opened: a slot written with it would open nothing.
    """
    busy = DatabaseBusy(
        "Somebody else is changing the keys of this site.", hint="Try again in a minute.", detail="keys.lock is held"
    )
    lock = exclude(root, name=KEYS_LOCK, busy=busy)
    try:
        with translated("reading the site's keys"):
            if not ring_path(root, vault.ring).is_file():
                raise Conflict(
                    "The keys of this site were renewed after you signed in; nothing was changed.",
                    hint="Sign out, sign in again, then repeat it.",
                    detail=f"ring {vault.ring} is gone",
                )
        yield
    finally:
        lock.release()


def write_slot(root: Path, slot: Slot) -> None:
    """Write one slot file as a whole; only within `changing_keys`."""
    replace_file(slot_path(root, slot), slot.to_json(), tmp_folder=root / TMP)


def remove_slot(root: Path, slot: Slot) -> None:
    """Remove one slot file; only within `changing_keys`."""
    with translated("removing a key slot"):
        slot_path(root, slot).unlink(missing_ok=True)
        sync_folder(root / KEYS / "slots")


def renew_master_key(root: Path, vault: Vault, *, with_next_generation: bool = False) -> Vault:
    """Put a fresh master key into use, and return a vault with it; only within `changing_keys`.

    Parameters
    ----------
    root : Path
        The site's folder.
    vault : Vault
        Its keys as opened.
    with_next_generation : bool
        Whether data keys to come are put into the new ring.

    Raises
    ------
    BadTag
        A slot was put in by somebody without the keys; nothing was changed.
    DiskFull, StorageFailed
        The site opens as before.
    """
    for slot in read_slots(root, vault.store_id):
        slot.check_code(vault)
    with translated("reading the site's keys"):
        ring = 1 + max(_rings(root))
    fresh = vault.with_new_master(ring=ring, with_next_generation=with_next_generation)
    replace_file(ring_path(root, ring), fresh.wrapped_ring(), tmp_folder=root / TMP)
    _seal_all(root, fresh)
    return fresh


def renew_data_keys(root: Path, unlocked: Unlocked, options: SiteOptions, progress: Progress) -> None:
    """Put new data keys into use, or finish a renewal that was interrupted; nobody may have the site open.

    Parameters
    ----------
    root : Path
        The site's folder.
    unlocked : Unlocked
        Its keys.
    options : SiteOptions
        Of this workstation.
    progress : callable
        Told how far it is; may raise `Cancelled` until the database was exchanged, and nothing is changed then.

    Raises
    ------
    DatabaseBusy
        Somebody has the site open, or is changing its keys.
    BadTag, AuditBroken, StorageFailed, DiskFull
        The site opens as before.
    """
    busy = DatabaseBusy(
        "Somebody has this site open; its data keys were not renewed.",
        hint="Have everybody sign out, then try again.",
        detail="site.lock is held",
    )
    note = write_note(unlocked.vault, doing="renewing the data keys of this site", now=options.clock())
    lock = exclude(root, name=SITE_LOCK, busy=busy, note=note)
    try:
        with changing_keys(root, unlocked.vault):
            _renew_data_keys(root, unlocked, options, progress)
    finally:
        lock.release()


def _renew_data_keys(root: Path, unlocked: Unlocked, options: SiteOptions, progress: Progress) -> None:
    progress(0.0, "Preparing new keys")
    vault = unlocked.vault
    if vault.is_renewing:
        _seal_all(root, vault)
    else:
        vault = renew_master_key(root, vault, with_next_generation=True)
    renewed = vault.of_generation(vault.newest)
    if vault.generation != vault.newest:
        old = attrs.evolve(unlocked, vault=vault)
        exchange_database(root, old, attrs.evolve(unlocked, vault=renewed), options, progress)
    if unlocked.store.database is not None:
        renew_secret(root, renewed)
    replace_file(root / FILE_NAME, unlocked.store.to_json(renewed), tmp_folder=root / TMP)
    for slot in read_slots(root, vault.store_id):
        slot.check_code(renewed)
        write_slot(root, slots.vouched(slot, renewed))
    declared = renewed.of_generation(renewed.newest, is_declared=True)
    replace_file(ring_path(root, declared.ring), declared.wrapped_ring(), tmp_folder=root / TMP)
    for used in (vault, renewed, declared):
        used.close()
    progress(1.0, "")


def _seal_all(root: Path, vault: Vault) -> None:
    """Seal every slot to the vault's master key, then remove all rings but its own."""
    for slot in read_slots(root, vault.store_id):
        slot.check_code(vault)
        if slot.generation != vault.ring:
            write_slot(root, slots.reseal(slot, vault))
    with translated("removing earlier keys"):
        for ring in _rings(root):
            if ring != vault.ring:
                ring_path(root, ring).unlink()
        sync_folder(root / KEYS)


def _rings(root: Path) -> list[int]:
    found = (_RING.fullmatch(path.name) for path in (root / KEYS).iterdir())
    return [int(match.group(1)) for match in found if match is not None]
