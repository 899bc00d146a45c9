"""Ring files: a site's purpose keys, wrapped by its master key.

``keys/ring-<ring>.bin``, little-endian, of a site whose keys were never renewed (format 1)::

    magic "ERTK" · format u16 · ring u32 · count of keys u8
    then for each purpose: name length u8 · name · nonce 12 B · wrapped key 48 B

Each purpose key is wrapped by the master key with AES-256-GCM, associated data ``<store id>|<purpose>|<ring>``. From
the first renewal on (format 2) a ring holds several *generations* of purpose keys, and says which of them is in use::

    magic "ERTK" · format u16 · ring u32 · count of generations u8 · generation in use u32
    then for each generation: generation u32 · its keys as above

with associated data ``2|<store id>|<purpose>|<ring>|<generation>|<generation in use>``. Earlier generations open
earlier files, history cells and backups. A generation *above* the one in use means that its keys are being brought
into use (renewal.py): the database opens under one of the two, and until the ring says so both vouch for key files.
"""

from __future__ import annotations

import functools
import secrets
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ert.errors import BadTag, NotASite, SchemaTooNew

KEY_BYTES: Final = 32
PURPOSES: Final = ("db", "field", "filekek", "audit", "index")
Keys = Mapping[str, bytes]
_MAGIC = b"ERTK"
_FORMAT = 1
_FORMAT_GENERATIONS = 2
_HEAD = struct.Struct("<4sHIB")
_GENERATION = struct.Struct("<I")
_NONCE_BYTES = 12
_WRAPPED_BYTES = KEY_BYTES + 16
_MAXIMUM_RING_BYTES = 60 * 1024


def wrap(sets: Mapping[int, Keys], *, store_id: str, ring: int, declared: int, master_key: bytes) -> bytes:
    """Return the ring file of some generations of keys, of which `declared` is in use."""
    if set(sets) == {ring}:
        head = _HEAD.pack(_MAGIC, _FORMAT, ring, len(PURPOSES))
        return head + b"".join(_wrapped(sets[ring], master_key, lambda p: _bound(store_id, p, ring, ring, None)))
    parts = [_HEAD.pack(_MAGIC, _FORMAT_GENERATIONS, ring, len(sets)), _GENERATION.pack(declared)]
    for generation in sorted(sets):
        parts.append(_GENERATION.pack(generation))
        bound = functools.partial(_bound, store_id, ring=ring, generation=generation, declared=declared)
        parts += _wrapped(sets[generation], master_key, bound)
    return b"".join(parts)


def unwrap(data: bytes, *, store_id: str, ring: int, master_key: bytes) -> tuple[int, dict[int, Keys]]:
    """Return the generation in use and all generations of keys in a ring file.

    Raises
    ------
    NotASite
        Not a ring file, or another one.
    SchemaTooNew
        Written by a newer version.
    BadTag
        Damaged, or of another site.
    """
    version, found_ring, count, rest = _opened(data)
    if found_ring != ring:
        raise _no_ring("another ring")
    if version == _FORMAT and count != len(PURPOSES):
        raise _no_ring("count")
    declared = None
    if version == _FORMAT_GENERATIONS:
        declared, rest = _number(rest)
    cipher, sets = AESGCM(master_key), dict[int, Keys]()
    for _ in range(1 if declared is None else count):
        generation = ring
        if declared is not None:
            generation, rest = _number(rest)
        keys: dict[str, bytes] = {}
        for purpose in PURPOSES:
            bound = _bound(store_id, purpose, ring, generation, declared)
            keys[purpose], rest = _unwrapped(rest, cipher, purpose, bound)
        sets[generation] = keys
    in_use = ring if declared is None else declared
    if rest or in_use not in sets:
        raise _no_ring("data behind the last entry, or no keys in use")
    return in_use, sets


def ring_generation(data: bytes) -> int:
    """Return the generation in use that a ring file names, not vouched for."""
    version, ring, _, rest = _opened(data)
    return ring if version == _FORMAT else _number(rest)[0]


def _opened(data: bytes) -> tuple[int, int, int, bytes]:
    if len(data) > _MAXIMUM_RING_BYTES or len(data) < _HEAD.size:
        raise _no_ring("size")
    magic, version, ring, count = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise _no_ring("magic")
    if version > _FORMAT_GENERATIONS:
        raise SchemaTooNew(
            "The keys of this site were written by a newer version of the program.", hint="Update the program."
        )
    if version < _FORMAT:
        raise _no_ring("format")
    return version, ring, count, data[_HEAD.size :]


def _number(rest: bytes) -> tuple[int, bytes]:
    if len(rest) < _GENERATION.size:
        raise _no_ring("cut")
    return _GENERATION.unpack_from(rest)[0], rest[_GENERATION.size :]


def _unwrapped(rest: bytes, cipher: AESGCM, purpose: str, bound: bytes) -> tuple[bytes, bytes]:
    head = _name(purpose)
    entry_bytes = len(head) + _NONCE_BYTES + _WRAPPED_BYTES
    entry, rest = rest[:entry_bytes], rest[entry_bytes:]
    if len(entry) != entry_bytes or not entry.startswith(head):
        raise _no_ring(f"entry {purpose}")
    nonce, wrapped = entry[len(head) : len(head) + _NONCE_BYTES], entry[len(head) + _NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, wrapped, bound), rest
    except InvalidTag as exc:
        raise BadTag(
            "The key ring of this site is damaged or belongs to another site.",
            hint="Restore the folder keys/ from a backup.",
            detail=f"ring entry {purpose}",
        ) from exc


def _wrapped(keys: Keys, master_key: bytes, bound_to: Callable[[str], bytes]) -> Iterator[bytes]:
    cipher = AESGCM(master_key)
    for purpose in PURPOSES:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        yield _name(purpose) + nonce + cipher.encrypt(nonce, keys[purpose], bound_to(purpose))


def _name(purpose: str) -> bytes:
    return bytes([len(purpose)]) + purpose.encode("ascii")


def _bound(store_id: str, purpose: str, ring: int, generation: int, declared: int | None) -> bytes:
    """What a wrapped key is bound to; `declared` is None in format 1, where ring and generation are one number."""
    if declared is None:
        return f"{store_id}|{purpose}|{ring}".encode("ascii")
    return f"2|{store_id}|{purpose}|{ring}|{generation}|{declared}".encode("ascii")


def _no_ring(detail: str) -> NotASite:
    return NotASite(
        "The key ring of this site cannot be read.",
        hint="Restore the folder keys/ from a backup.",
        detail=f"ring: {detail}",
    )
