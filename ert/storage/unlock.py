"""From a site's folder and a password or recovery code to its keys; every key file verified on the way."""

from __future__ import annotations

import secrets
from pathlib import Path

from attrs import frozen

from ert.errors import NotASite, WrongKey
from ert.storage import slots
from ert.storage.atomic import translated
from ert.storage.keys import Vault, unwrap_ring
from ert.storage.opening import DATABASE, opens
from ert.storage.passwords import KDF_FLOOR, SALT_BYTES, derive_password_key
from ert.storage.recovery import parse_recovery_code
from ert.storage.slots import Slot
from ert.storage.store_file import CLINICAL, StoreFile, check_store_file, read_store_file

KEYS = "keys"
SLOTS = "keys/slots"
KEYS_LOCK = "keys.lock"
_MAXIMUM_SLOTS = 10_000
_MAXIMUM_FILE_BYTES = 64 * 1024


class _RingGoneError(NotASite):
    """The ring of a slot is not there: lost, or the master key was renewed after the slot was read."""


@frozen(kw_only=True, repr=False)
class Unlocked:
    """A site's keys, and who opened it ("" by recovery code)."""

    store: StoreFile
    vault: Vault
    user_id: str


def ring_path(root: Path, generation: int) -> Path:
    """Return where a generation's key ring lies."""
    return root / KEYS / f"ring-{generation}.bin"


def slot_path(root: Path, slot: Slot) -> Path:
    """Return where a slot lies."""
    return root / SLOTS / f"{slot.slot_id}.json"


def unlock_with_password(root: Path, *, login: str, password: str) -> Unlocked:
    """Open a site's keys with a user's password.

    Raises
    ------
    WrongKey
        Unknown user or wrong password: same sentence, same time.
    NotASite, BadTag, SchemaTooNew, StorageFailed
        The key files are missing, damaged, changed or too new.
    """
    try:
        return _with_password(root, login, password)
    except _RingGoneError:
        return _with_password(root, login, password)


def _with_password(root: Path, login: str, password: str) -> Unlocked:
    store, code = read_store_file(root)
    tag = slots.login_tag(store.store_id, login)
    slot = next((s for s in read_slots(root, store.store_id) if s.kind == slots.PASSWORD and s.login_tag == tag), None)
    if slot is None:
        derive_password_key(password, salt=secrets.token_bytes(SALT_BYTES), parameters=KDF_FLOOR)
        raise _wrong_password()
    if slot.kdf is not None and store.kind == CLINICAL and not slot.kdf.is_at_least(KDF_FLOOR):
        raise NotASite(
            "A key slot of this site is protected below the allowed minimum; it was not used.",
            hint="Use the recovery code to set a new password.",
            detail=f"slot {slot.slot_id}: kdf below floor",
        )
    master = slots.open_password_slot(slot, password)
    if master is None:
        raise _wrong_password()
    return _unlocked(root, store, code, slot, master)


def unlock_with_recovery_code(root: Path, *, typed_code: str) -> Unlocked:
    """Open a site's keys with its recovery code.

    Raises
    ------
    WrongKey
        A slip, or another site's code.
    NotASite, BadTag, SchemaTooNew, StorageFailed
        The key files are missing, damaged, changed or too new.
    """
    store, code = read_store_file(root)
    secret = parse_recovery_code(typed_code)
    for slot in read_slots(root, store.store_id):
        master = slots.open_recovery_slot(slot, secret) if slot.kind == slots.RECOVERY else None
        if master is not None:
            return _unlocked(root, store, code, slot, master)
    raise WrongKey(
        "This is not the recovery code of this site.",
        hint="Compare the site's name on the printed sheet.",
        detail="no recovery slot opens",
    )


def read_slots(root: Path, store_id: str) -> tuple[Slot, ...]:
    """Return all slots of a site; their codes are checked once the keys are open."""
    with translated("reading the site's keys"):
        paths = sorted((root / SLOTS).glob("*.json"))[:_MAXIMUM_SLOTS]
        found = [slots.read_slot(_read(path)) for path in paths]
    return tuple(slot for slot in found if slot.store_id == store_id)


def _unlocked(root: Path, store: StoreFile, code: bytes, slot: Slot, master: bytes) -> Unlocked:
    with translated("reading the site's keys"):
        path = ring_path(root, slot.generation)
        if not path.is_file():
            raise _RingGoneError(
                "The key ring of this site is missing.", hint="Restore the folder keys/ from a backup.", detail="ring"
            )
        ring = _read(path)
    vault = _settled(root, unwrap_ring(ring, store_id=store.store_id, ring=slot.generation, master_key=master))
    check_store_file(store, code, vault)
    slot.check_code(vault)
    return Unlocked(store=store, vault=vault, user_id=slot.user_id)


def _settled(root: Path, vault: Vault) -> Vault:
    """While data keys are renewed the database opens under the old ones or, once it was exchanged, under the new."""
    if not vault.is_renewing:
        return vault
    renewed = vault.of_generation(vault.newest)
    is_exchanged = opens(root / DATABASE, renewed.database_key_literal())
    unused = vault if is_exchanged else renewed
    unused.close()
    return renewed if is_exchanged else vault


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_MAXIMUM_FILE_BYTES)


def _wrong_password() -> WrongKey:
    return WrongKey(
        "User name or password is wrong.", hint="Check both, and whether Caps Lock is on.", detail="no slot opens"
    )
