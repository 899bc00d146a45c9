"""The keys of a site: one master key, five purpose keys in one or more generations, the vault that holds them.

Earlier generations open earlier files, history cells and backups. A generation *above* the one that the ring declares
to be in use is being brought into use (renewal.py): the database opens under one of the two.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import NoReturn

from ert.errors import BadTag
from ert.storage import ring as ring_file
from ert.storage.ring import KEY_BYTES, PURPOSES, Keys


class Vault:
    """The one object that owns a site's keys. It cannot be printed, pickled or copied, and forgets on `close`.

    Parameters
    ----------
    store_id : str
        The site they belong to.
    generation : int
        Generation of the purpose keys in use.
    master_key : bytes
        32 bytes; only wraps other keys.
    purpose_keys : mapping
        32 bytes for each of `PURPOSES`, of that generation.
    ring : int
        Number of the ring the master key opens; the generation if not given.
    others : mapping
        Purpose keys of other generations: earlier ones, and one that is being brought into use.
    """

    def __init__(
        self,
        *,
        store_id: str,
        generation: int,
        master_key: bytes,
        purpose_keys: Keys,
        ring: int | None = None,
        others: Mapping[int, Keys] | None = None,
    ) -> None:
        sets = {**(others or {}), generation: purpose_keys}
        every = [key for keys in sets.values() for key in keys.values()]
        if any(set(keys) != set(PURPOSES) for keys in sets.values()) or {len(k) for k in (*every, master_key)} != {
            KEY_BYTES
        }:
            raise ValueError("a vault needs a 32-byte master key and a 32-byte key for each purpose")
        self.store_id = store_id
        self.generation = generation
        self.ring = generation if ring is None else ring
        self._declared = generation
        self._master = bytearray(master_key)
        self._sets = {number: {p: bytearray(key) for p, key in keys.items()} for number, keys in sets.items()}

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
        for key in (self._master, *(k for keys in self._sets.values() for k in keys.values())):
            key[:] = bytes(len(key))
            key.clear()

    # ---- renewal -------------------------------------------------------------------------------------------------

    @property
    def newest(self) -> int:
        """The newest generation there is, in use or not."""
        return max(self._sets)

    @property
    def oldest(self) -> int:
        """The oldest generation there is."""
        return min(self._sets)

    @property
    def is_renewing(self) -> bool:
        """Whether the ring holds keys that are being brought into use."""
        return self.newest > self._declared

    def with_new_master(self, *, ring: int, with_next_generation: bool = False) -> Vault:
        """Return a vault of the same purpose keys under a fresh master key, if asked with a generation to come."""
        sets = {number: self._open_all(number) for number in self._sets}
        if with_next_generation:
            fresh = {purpose: secrets.token_bytes(KEY_BYTES) for purpose in PURPOSES}
            # Blind indexes stay as they are: they show equality only, inside the encrypted database.
            sets[self.newest + 1] = fresh | {"index": self.index_key}
        return Vault(
            store_id=self.store_id,
            generation=self._declared,
            master_key=secrets.token_bytes(KEY_BYTES),
            purpose_keys=sets.pop(self._declared),
            ring=ring,
            others=sets,
        )

    def of_generation(self, generation: int, *, is_declared: bool = False) -> Vault:
        """Return a vault that works with another of its generations.

        Parameters
        ----------
        generation : int
            Which one.
        is_declared : bool
            Whether the ring it writes says so; else it stays what it is: on the way, or a thing of the past.

        Raises
        ------
        BadTag
            There are no such keys.
        """
        if generation not in self._sets:
            raise _unknown_generation(generation, self.newest)
        sets = {number: self._open_all(number) for number in self._sets}
        vault = Vault(
            store_id=self.store_id,
            generation=generation,
            master_key=self.master_key,
            purpose_keys=sets.pop(generation),
            ring=self.ring,
            others=sets,
        )
        vault._declared = generation if is_declared else self._declared
        return vault

    def take_master(self, other: Vault) -> None:
        """Go on with the master key and ring of a vault made by `with_new_master`."""
        self._master[:] = other.master_key
        self.ring = other.ring

    # ---- keys ----------------------------------------------------------------------------------------------------

    @property
    def _keys(self) -> dict[str, bytearray]:
        return self._sets[self.generation]

    @property
    def master_key(self) -> bytes:
        """The master key, for sealing it into a slot."""
        return self._open(self._master)

    @property
    def field_key(self) -> bytes:
        """AES-256-GCM key of encrypted database cells."""
        return self._open(self._keys["field"])

    def field_key_of(self, generation: int) -> bytes:
        """Return the key of encrypted database cells of one generation."""
        return self._open(self._set(generation)["field"])

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
        return self._open(self._set(generation)["filekek"])

    def database_key_literal(self) -> str:
        """Return SQLCipher's raw-key literal; `PRAGMA key` takes no bound parameter."""
        return f"x'{self._open(self._keys['db']).hex()}'"

    def wrapped_ring(self) -> bytes:
        """Return the ring file's bytes."""
        sets = {number: self._open_all(number) for number in self._sets}
        return ring_file.wrap(
            sets, store_id=self.store_id, ring=self.ring, declared=self._declared, master_key=self.master_key
        )

    def authentication_code(self, domain: str, data: bytes, *, generation: int | None = None) -> bytes:
        """Return HMAC-SHA-256 of `data` under the audit key in use (or another); `domain` keeps uses apart."""
        name = domain.encode("ascii")
        key = self._open(self._set(self.generation if generation is None else generation)["audit"])
        return hmac.digest(key, bytes([len(name)]) + name + data, "sha256")

    def vouches(self, code: bytes, domain: str, data: bytes, *, may_be_earlier: bool = False) -> bool:
        """Whether a code was made with the keys in use; while keys are renewed, with those on the way too.

        Parameters
        ----------
        may_be_earlier : bool
            Whether keys that are no longer in use count: for backups made with them.
        """
        allowed = {self.generation}
        if self.is_renewing:
            allowed |= {self._declared, self.newest}
        if may_be_earlier:
            allowed = set(self._sets)
        codes = [self.authentication_code(domain, data, generation=g) for g in sorted(allowed)]
        return any([hmac.compare_digest(code, wanted) for wanted in codes])

    def _set(self, generation: int) -> dict[str, bytearray]:
        if generation not in self._sets:
            raise _unknown_generation(generation, self.newest)
        return self._sets[generation]

    def _open_all(self, generation: int) -> dict[str, bytes]:
        return {purpose: self._open(key) for purpose, key in self._sets[generation].items()}

    @staticmethod
    def _open(key: bytearray) -> bytes:
        if not key:
            raise ValueError("the vault is closed")
        return bytes(key)


def unwrap_ring(data: bytes, *, store_id: str, ring: int, master_key: bytes) -> Vault:
    """Return the vault in a ring file; raises what `ring.unwrap` raises."""
    in_use, sets = ring_file.unwrap(data, store_id=store_id, ring=ring, master_key=master_key)
    keys = sets.pop(in_use)
    return Vault(store_id=store_id, generation=in_use, master_key=master_key, purpose_keys=keys, ring=ring, others=sets)


def _unknown_generation(generation: int, newest: int) -> BadTag:
    return BadTag(
        "Something encrypted in this site names a key that does not exist; it was not used.",
        hint="Run 'ert check' and restore it from a backup.",
        detail=f"key generation {generation}, site has up to {newest}",
    )
