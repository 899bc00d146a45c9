"""From a site's folder and the key store of an enrolled workstation to the site's keys."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve

from ert.errors import Refused, WrongKey
from ert.key_store import KeyStore
from ert.storage import slots
from ert.storage.slots import Slot
from ert.storage.store_file import read_store_file
from ert.storage.unlock import BEFORE_ALL, Unlocked, look_at_slots, unlocked_by


def workstation_secret_name(store_id: str) -> str:
    """Return under which name a key store keeps the secret of a workstation's slot."""
    return f"workstation {store_id}"


def workstation_slot(root: Path, key_store: KeyStore) -> tuple[Slot, bytes] | None:
    """Return this workstation's slot and its secret; None if it is not enrolled, or was removed.

    The key store is asked only if some workstation is enrolled.

    Raises
    ------
    KeyStoreFailed
        There is none that may be used, or it is locked.
    """
    store, _ = read_store_file(root)
    found = {s.slot_id: s for s in look_at_slots(root, store.store_id)[0] if s.kind == slots.WORKSTATION}
    if not found:
        return None
    slot_id, _, text = (key_store.read(workstation_secret_name(store.store_id)) or "").partition(" ")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        return None
    is_whole = slot_id in found and len(secret) == slots.WORKSTATION_SECRET_BYTES
    return (found[slot_id], secret) if is_whole else None


def unlock_with_workstation(root: Path, key_store: KeyStore) -> Unlocked:
    """Open a site's keys with the secret in the key store of this workstation; nobody is signed in by that.

    Raises
    ------
    Refused
        This workstation is not enrolled.
    KeyStoreFailed
        Its key store cannot be used.
    WrongKey, NotASite, BadTag, SchemaTooNew, StorageFailed
        The secret or the key files are missing, damaged, changed or too new.
    """
    store, code = read_store_file(root)
    found = workstation_slot(root, key_store)
    if found is None:
        raise Refused(
            "This workstation is not enrolled at this site, so nobody can sign in through the provider here.",
            hint="Sign in with a password; an administrator enrols the workstation in Site → Sign-in provider… or with "
            "'ert site enrol-workstation'.",
        )
    slot, secret = found
    master = slots.open_workstation_slot(slot, secret)
    if master is None:
        raise WrongKey(
            "What the key store of this workstation holds does not open this site.",
            hint="An administrator enrols the workstation again.",
            detail=f"slot {slot.slot_id}",
        )
    # When this slot was made says nothing of the passwords of whoever the provider vouches for.
    unlocked = unlocked_by(root, store, code, slot, master)
    return evolve(unlocked, workstation_id=slot.slot_id, slot_created=BEFORE_ALL)
