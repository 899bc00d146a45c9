"""The keys of a site: one master key, five purpose keys wrapped by it, and the vault that holds them in memory.

Ring file ``keys/ring-<generation>.bin``, little-endian::

    magic "ERTK" · format u16 · generation u32 · count u8
    then for each purpose: name length u8 · name · nonce 12 B · wrapped key 48 B

Each purpose key is wrapped by the master key with AES-256-GCM, associated data ``<store id>|<purpose>|<generation>``.
"""

from __future__ import annotations

import hmac
import secrets
import struct
from collections.abc import Mapping
from typing import Final, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ert.errors import BadTag, NotASite, SchemaTooNew

KEY_BYTES: Final = 32
PURPOSES: Final = ("db", "field", "filekek", "audit", "index")
_MAGIC = b"ERTK"
_FORMAT = 1
_HEAD = struct.Struct("<4sHIB")
_NONCE_BYTES = 12
_WRAPPED_BYTES = KEY_BYTES + 16
_MAXIMUM_RING_BYTES = 4096


class Vault:
    """The one object that owns a site's keys. It cannot be printed, pickled or copied, and forgets on `close`.

    Parameters
    ----------
    store_id : str
        The site they belong to.
    generation : int
        Key generation of `purpose_keys`.
    master_key : bytes
        32 bytes; only wraps other keys.
    purpose_keys : mapping
        32 bytes for each of `PURPOSES`.
    """

    def __init__(self, *, store_id: str, generation: int, master_key: bytes, purpose_keys: Mapping[str, bytes]) -> None:
        if set(purpose_keys) != set(PURPOSES) or any(len(k) != KEY_BYTES for k in (*purpose_keys.values(), master_key)):
            raise ValueError("a vault needs a 32-byte master key and a 32-byte key for each purpose")
        self.store_id = store_id
        self.generation = generation
        self._master = bytearray(master_key)
        self._keys = {purpose: bytearray(key) for purpose, key in purpose_keys.items()}

    @classmethod
    def create(cls, store_id: str) -> Vault:
        """Return a vault of fresh random keys, generation 1."""
        keys = {purpose: secrets.token_bytes(KEY_BYTES) for purpose in PURPOSES}
        return cls(store_id=store_id, generation=1, master_key=secrets.token_bytes(KEY_BYTES), purpose_keys=keys)

    def __repr__(self) -> str:
        return f"<Vault of {self.store_id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("keys are never copied or pickled")

    def close(self) -> None:
        """Overwrite the keys; every later use raises `ValueError`."""
        for key in (self._master, *self._keys.values()):
            key[:] = bytes(len(key))
            key.clear()

    @property
    def master_key(self) -> bytes:
        """The master key, for sealing it into a slot."""
        return self._open(self._master)

    @property
    def field_key(self) -> bytes:
        """AES-256-GCM key of encrypted database cells."""
        return self._open(self._keys["field"])

    @property
    def audit_key(self) -> bytes:
        """HMAC key of row codes, the history chain, slots and the site file."""
        return self._open(self._keys["audit"])

    @property
    def index_key(self) -> bytes:
        """HMAC key of blind indexes."""
        return self._open(self._keys["index"])

    def file_kek(self, generation: int) -> bytes:
        """Return the key-encryption key of encrypted files of one generation."""
        if generation != self.generation:
            raise BadTag(
                "An encrypted file of this site names a key that does not exist; it was not used.",
                hint="Run 'ert check' and restore the file from a backup.",
                detail=f"file key generation {generation}, site has {self.generation}",
            )
        return self._open(self._keys["filekek"])

    def database_key_literal(self) -> str:
        """Return SQLCipher's raw-key literal; `PRAGMA key` takes no bound parameter."""
        return f"x'{self._open(self._keys['db']).hex()}'"

    def wrapped_ring(self) -> bytes:
        """Return the ring file's bytes."""
        cipher = AESGCM(self.master_key)
        parts = [_HEAD.pack(_MAGIC, _FORMAT, self.generation, len(PURPOSES))]
        for purpose in PURPOSES:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            bound = _bound(self.store_id, purpose, self.generation)
            wrapped = cipher.encrypt(nonce, bytes(self._keys[purpose]), bound)
            parts += [bytes([len(purpose)]), purpose.encode("ascii"), nonce, wrapped]
        return b"".join(parts)

    def authentication_code(self, domain: str, data: bytes) -> bytes:
        """Return HMAC-SHA-256 of `data` under the audit key; `domain` keeps uses apart."""
        name = domain.encode("ascii")
        return hmac.digest(self.audit_key, bytes([len(name)]) + name + data, "sha256")

    @staticmethod
    def _open(key: bytearray) -> bytes:
        if not key:
            raise ValueError("the vault is closed")
        return bytes(key)


def unwrap_ring(data: bytes, *, store_id: str, generation: int, master_key: bytes) -> Vault:
    """Return the vault in a ring file.

    Raises
    ------
    NotASite
        Not a ring file, or another generation's.
    SchemaTooNew
        Written by a newer version.
    BadTag
        Damaged, or of another site.
    """
    if len(data) > _MAXIMUM_RING_BYTES or len(data) < _HEAD.size:
        raise _no_ring("size")
    magic, version, found_generation, count = _HEAD.unpack_from(data)
    if magic != _MAGIC or found_generation != generation:
        raise _no_ring("magic or generation")
    if version > _FORMAT:
        raise SchemaTooNew(
            "The keys of this site were written by a newer version of the program.", hint="Update the program."
        )
    if version != _FORMAT or count != len(PURPOSES):
        raise _no_ring("format or count")
    cipher = AESGCM(master_key)
    keys: dict[str, bytes] = {}
    rest = data[_HEAD.size :]
    for purpose in PURPOSES:
        head = bytes([len(purpose)]) + purpose.encode("ascii")
        entry_bytes = len(head) + _NONCE_BYTES + _WRAPPED_BYTES
        entry, rest = rest[:entry_bytes], rest[entry_bytes:]
        if len(entry) != entry_bytes or not entry.startswith(head):
            raise _no_ring(f"entry {purpose}")
        nonce, wrapped = entry[len(head) : len(head) + _NONCE_BYTES], entry[len(head) + _NONCE_BYTES :]
        try:
            keys[purpose] = cipher.decrypt(nonce, wrapped, _bound(store_id, purpose, generation))
        except InvalidTag as exc:
            raise BadTag(
                "The key ring of this site is damaged or belongs to another site.",
                hint="Restore the folder keys/ from a backup.",
                detail=f"ring entry {purpose}",
            ) from exc
    if rest:
        raise _no_ring("data behind the last entry")
    return Vault(store_id=store_id, generation=generation, master_key=master_key, purpose_keys=keys)


def _bound(store_id: str, purpose: str, generation: int) -> bytes:
    return f"{store_id}|{purpose}|{generation}".encode("ascii")


def _no_ring(detail: str) -> NotASite:
    return NotASite(
        "The key ring of this site cannot be read.",
        hint="Restore the folder keys/ from a backup.",
        detail=f"ring: {detail}",
    )
