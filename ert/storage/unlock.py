"""From a site's folder and a password or recovery code to its keys; every key file verified on the way."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import evolve, field, frozen

from ert.domain.emergency import EmergencyUse
from ert.errors import BadTag, DiskFull, ErtError, NotASite, StorageFailed, WrongKey
from ert.storage import slots
from ert.storage.atomic import translated
from ert.storage.attempts import Attempts
from ert.storage.keys import Vault, unwrap_ring
from ert.storage.opening import DATABASE, opens
from ert.storage.passwords import KDF_FLOOR, SALT_BYTES, KdfParameters, derive_password_key
from ert.storage.places import open_regular
from ert.storage.printed_code import parse_code, password_of
from ert.storage.slots import Slot
from ert.storage.store_file import CLINICAL, StoreFile, check_store_file, read_store_file

KEYS = "keys"
SLOTS = "keys/slots"
KEYS_LOCK = "keys.lock"
_MAXIMUM_SLOTS = 10_000
_MOST_TRIED = 2
_MAXIMUM_FILE_BYTES = 64 * 1024
_LOG = logging.getLogger(__name__)
BEFORE_ALL = dt.datetime.min.replace(tzinfo=dt.UTC)


class _RingGoneError(NotASite):
    """The ring of a slot is not there: lost, or the master key was renewed after the slot was read."""


@frozen(kw_only=True, repr=False)
class Unlocked:
    """A site's keys, and who opened it ("" by recovery code).

    Attributes
    ----------
    store, vault : of the site.
    user_id : of the slot; of who the provider vouches for, if a workstation's slot opened it.
    workstation_id : of the workstation's slot, if that opened it.
    emergency : who opened it with the code of the sealed envelope, and why; None otherwise.
    slot_created : when the slot was made; before all time if there is none.
    public_ed25519 : the user's public signing key; empty by recovery code.
    kdf : cost of the slot's password, and of those made with it.
    failures_before : how many attempts failed before this one.
    """

    store: StoreFile
    vault: Vault
    user_id: str
    workstation_id: str = ""
    emergency: EmergencyUse | None = None
    slot_created: dt.datetime = BEFORE_ALL
    public_ed25519: bytes = b""
    kdf: KdfParameters = field(default=KDF_FLOOR)
    failures_before: int = 0


def ring_path(root: Path, generation: int) -> Path:
    """Return where a generation's key ring lies."""
    return root / KEYS / f"ring-{generation}.bin"


def slot_path(root: Path, slot: Slot) -> Path:
    """Return where a slot lies."""
    return root / SLOTS / f"{slot.slot_id}.json"


def unlock_with_password(root: Path, *, login: str, password: str, attempts: Attempts | None = None) -> Unlocked:
    """Open a site's keys with a user's password.

    Parameters
    ----------
    root : Path
        The site's folder, or a copy of one.
    login, password : str
        As typed.
    attempts : Attempts or None
        Where failures are counted; None (folders of backups) counts none.

    Raises
    ------
    WrongKey
        Unknown user or wrong password: same sentence, same time.
    SignInLocked
        Too many attempts failed; the password was not tried.
    NotASite, BadTag, SchemaTooNew, StorageFailed
        The key files are missing, damaged, changed or too new.
    """
    way = _PasswordWay(slots.PASSWORD, lambda store_id: slots.login_tag(store_id, login), wrong_password)
    return _again_if_renewed(lambda: _with_password(root, way, password, attempts))


def unlock_with_emergency_code(root: Path, *, typed_code: str, use: EmergencyUse, attempts: Attempts) -> Unlocked:
    """Open a site's keys with the code of its sealed envelope; a slip that the checksum shows is no attempt.

    Raises
    ------
    WrongKey
        A slip, or not this site's code.
    SignInLocked
        Too many attempts failed; the code was not tried.
    NotASite, BadTag, SchemaTooNew, StorageFailed
        The key files are missing, damaged, changed or too new.
    """
    code = password_of(typed_code)
    way = _PasswordWay(slots.EMERGENCY, slots.emergency_tag, _wrong_emergency_code)
    unlocked = _again_if_renewed(lambda: _with_password(root, way, code, attempts))
    return evolve(unlocked, emergency=use)


@frozen
class _PasswordWay:
    """Which kind of slot a password is tried on, under which name it is found, and what is said if it is wrong."""

    kind: str
    tag_of: Callable[[str], str]
    wrong: Callable[[Sequence[str]], WrongKey]


def _again_if_renewed(unlock: Callable[[], Unlocked]) -> Unlocked:
    try:
        return unlock()
    except _RingGoneError:
        return unlock()


def _with_password(root: Path, way: _PasswordWay, password: str, attempts: Attempts | None) -> Unlocked:
    store, code = read_store_file(root)
    tag = way.tag_of(store.store_id)
    with contextlib.nullcontext() if attempts is None else attempts.turn(tag):
        return _tried(root, (store, code), way, password, attempts)


def _tried(
    root: Path, store_file: tuple[StoreFile, bytes], way: _PasswordWay, password: str, attempts: Attempts | None
) -> Unlocked:
    store, code = store_file
    tag = way.tag_of(store.store_id)
    found, unreadable = look_at_slots(root, store.store_id)
    candidates = [s for s in found if s.kind == way.kind and s.login_tag == tag]
    # A crash while an envelope was renewed leaves two slots; a user's own has one file only.
    candidates = sorted(candidates, key=created_of, reverse=True)[:_MOST_TRIED]
    slot = candidates[0] if candidates else None
    failed = 0
    if attempts is not None:
        failed = attempts.begin(store.store_id, tag, "" if slot is None else slot.mark)
    if slot is None:
        derive_password_key(password, salt=secrets.token_bytes(SALT_BYTES), parameters=decoy_cost(found))
        raise way.wrong(unreadable)
    master = None
    for slot in candidates:
        master = open_slot(slot, password, store)
        if master is not None:
            break
    if master is None:
        raise way.wrong(unreadable)
    unlocked = unlocked_by(root, store, code, slot, master)
    if attempts is not None:
        attempts.succeeded(store.store_id, tag)
    return evolve(unlocked, failures_before=failed)


def open_slot(slot: Slot, password: str, store: StoreFile) -> bytes | None:
    """Return the master key, or None if the password is wrong; refuses a clinical site's slot below the floor."""
    if slot.kdf is not None and store.kind == CLINICAL and not slot.kdf.is_at_least(KDF_FLOOR):
        raise NotASite(
            "A key slot of this site is protected below the allowed minimum; it was not used.",
            hint="Use the recovery code to set a new password.",
            detail=f"slot {slot.slot_id}: kdf below floor",
        )
    return slots.open_password_slot(slot, password)


def decoy_cost(found: Sequence[Slot]) -> KdfParameters:
    """Return what an unknown user's password costs: as much as the first known one's, so that time tells nothing."""
    return next((s.kdf for s in found if s.kdf is not None), KDF_FLOOR)


def created_of(slot: Slot) -> dt.datetime:
    """Return when a slot was made; before all time if that cannot be read (its code is checked once it is open)."""
    try:
        moment = dt.datetime.fromisoformat(slot.created_utc)
    except ValueError:
        return BEFORE_ALL
    return moment if moment.tzinfo is not None else BEFORE_ALL


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
    secret = parse_code(typed_code)
    for slot in look_at_slots(root, store.store_id)[0]:
        master = slots.open_recovery_slot(slot, secret) if slot.kind == slots.RECOVERY else None
        if master is not None:
            return unlocked_by(root, store, code, slot, master)
    raise WrongKey(
        "This is not the recovery code of this site.",
        hint="Compare the site's name on the printed sheet.",
        detail="no recovery slot opens",
    )


def read_slots(root: Path, store_id: str) -> tuple[Slot, ...]:
    """Return all slots of a site, for whoever changes them; damaged ones are passed over.

    Raises
    ------
    StorageFailed
        One of them could not be read: taken for missing, it would be doubled, or left behind under keys that end.
    BadTag
        One of them lies in the place of another: to write that one would remove it.
    """
    found, _, unread = _slots_in(root, store_id)
    if unread:
        raise unread[0]
    for path, slot in found:
        if not is_in_place(path, slot):
            raise BadTag(
                "A key slot of this site lies in the place of another; nothing was changed.",
                hint="Call physics and restore the folder keys/ from a backup.",
                detail=path.name,
            )
    return tuple(slot for _, slot in found)


def own_slot(root: Path, store_id: str, user_id: str) -> Slot | None:
    """Return the newest slot that a user's password, or the emergency code, opens; None if there is none.

    For whoever only looks.

    Raises
    ------
    StorageFailed
        Another one could not be read and this user's was not found: it may be that one. One that belongs to somebody
        else keeps nobody out.
    """
    found, _, unread = _slots_in(root, store_id)
    own = (slot for _, slot in found if slot.kdf is not None and slot.user_id == user_id)
    newest = max(own, key=created_of, default=None)
    if newest is None and unread:
        raise unread[0]
    return newest


def is_in_place(path: Path, slot: Slot) -> bool:
    """Whether a slot's file has its name."""
    return path.stem == slot.slot_id


def look_at_slots(root: Path, store_id: str) -> tuple[tuple[Slot, ...], tuple[str, ...]]:
    """Return the slots of a site, and the names of files that are none: one of them must not lock everybody out."""
    found, unreadable, _ = _slots_in(root, store_id)
    return tuple(slot for _, slot in found), unreadable


def slots_out_of_place(root: Path, store_id: str) -> tuple[str, ...]:
    """Return the names of slot files that hold another slot than their name says."""
    return tuple(path.name for path, slot in _slots_in(root, store_id)[0] if not is_in_place(path, slot))


def _slots_in(root: Path, store_id: str) -> tuple[tuple[tuple[Path, Slot], ...], tuple[str, ...], list[ErtError]]:
    """Slots with their files; names of files that gave none; what the disk or share said of those it did not give."""
    found: list[tuple[Path, Slot]] = []
    unreadable: list[str] = []
    unread: list[ErtError] = []
    with translated("reading the site's keys"):
        paths = sorted((root / SLOTS).glob("*.json"))[:_MAXIMUM_SLOTS]
    for path in paths:
        try:
            with translated(f"reading a key slot ({path.name})"):
                data = _read(path)
            found.append((path, slots.read_slot(data)))
        except ErtError as error:
            _LOG.warning("a key slot cannot be read and is passed over: %s", error.detail)
            unreadable.append(path.name)
            if isinstance(error, (StorageFailed, DiskFull)):
                error.hint = (
                    "Check the disk or the network share, then try again; if it stays so, restore this file of the "
                    "folder keys/slots/ from a backup."
                )
                unread.append(error)
    return tuple((path, slot) for path, slot in found if slot.store_id == store_id), tuple(unreadable), unread


def unlocked_by(root: Path, store: StoreFile, code: bytes, slot: Slot, master: bytes) -> Unlocked:
    """Return the keys that a slot's master key opens, everything on the way verified."""
    with translated("reading the site's keys"):
        path = ring_path(root, slot.generation)
        if not path.is_file():
            raise _RingGoneError(
                "The key ring of this site is missing.", hint="Restore the folder keys/ from a backup.", detail="ring"
            )
        ring = _read(path)
    vault = unwrap_ring(ring, store_id=store.store_id, ring=slot.generation, master_key=master)
    check_store_file(store, code, vault)
    vault = _settled(root, store, vault)
    slot.check_code(vault)
    return Unlocked(
        store=store,
        vault=vault,
        user_id=slot.user_id,
        slot_created=created_of(slot),
        public_ed25519=slot.public_ed25519,
        kdf=KDF_FLOOR if slot.kdf is None else slot.kdf,
    )


def _settled(root: Path, store: StoreFile, vault: Vault) -> Vault:
    """While data keys are renewed the database opens under the old ones or, once it was exchanged, under the new."""
    if not vault.is_renewing:
        return vault
    renewed = vault.of_generation(vault.newest)
    is_exchanged = _is_under(root, store, renewed)
    unused = vault if is_exchanged else renewed
    unused.close()
    return renewed if is_exchanged else vault


def _is_under(root: Path, store: StoreFile, vault: Vault) -> bool:
    if store.database is None:
        return opens(root / DATABASE, vault.database_key_literal())
    from ert.storage.server_keys import vouches_for_server  # noqa: PLC0415 - the driver loads where there is a server

    return vouches_for_server(root, store, store.database, vault)


def _read(path: Path) -> bytes:
    with open_regular(path) as stream:
        return stream.read(_MAXIMUM_FILE_BYTES)


def wrong_password(unreadable: Sequence[str] = ()) -> WrongKey:
    """Return the error for an unknown user and for a wrong password alike."""
    hint = "Check both, and whether Caps Lock is on."
    if unreadable:
        hint += (
            f" {len(unreadable)} key slots of this site cannot be read: if you are sure of your password, have an "
            "administrator reset it."
        )
    return WrongKey("User name or password is wrong.", hint=hint, detail="no slot opens")


def _wrong_emergency_code(unreadable: Sequence[str]) -> WrongKey:
    hint = "Compare it with the sheet: a former one opens nothing. Another way in is the recovery code."
    if unreadable:
        hint = f"{len(unreadable)} key slots of this site cannot be read, its own perhaps. {hint}"
    return WrongKey("This is not the emergency code of this site.", hint=hint, detail="no emergency slot opens")


def wrong_own_password() -> WrongKey:
    """The error of a password that is not that of who is signed in."""
    return WrongKey("This password is wrong.", hint="Check whether Caps Lock is on.", detail="own slot")
