"""The provider's public keys (JWKS), fetched from it and taken from nowhere else."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from typing import Any

from attrs import frozen
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from ert.domain.provider import SigningAlgorithm
from ert.errors import IdentityRefused

MINIMUM_RSA_BITS = 2048
MAXIMUM_RSA_BITS = 8192
MAXIMUM_KEYS = 64
MAXIMUM_KEY_NAME = 256
REFETCH_AFTER_S = 60.0
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

PublicKey = RSAKey | ECKey


@frozen(kw_only=True)
class NamedKey:
    """A public key that fits the site's algorithm, under its ``kid``."""

    name: str
    key: PublicKey


def keys_of(document: dict[str, Any], algorithm: SigningAlgorithm) -> dict[str, PublicKey]:
    """Return the keys of a JWKS that may verify; others (encryption, other algorithms, too small) are passed over.

    Raises
    ------
    IdentityRefused
        It is no JWKS, names a key twice, or holds none that may be used.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAXIMUM_KEYS:
        raise _refused("are not where it says")
    found: dict[str, PublicKey] = {}
    for entry in entries:
        named = _usable(entry, algorithm)
        if named is None:
            continue
        if named.name in found:
            raise _refused("have one name for two of them")
        found[named.name] = named.key
    if not found:
        raise _refused(f"hold none for {algorithm.value} of enough strength")
    return found


class KeySet:
    """The keys of one provider, fetched when they are needed.

    Parameters
    ----------
    fetch : callable
        Returns the JWKS from the provider.
    algorithm : SigningAlgorithm
        The site's.
    clock : callable
        Seconds that only ever rise.
    """

    def __init__(
        self,
        fetch: Callable[[], dict[str, Any]],
        algorithm: SigningAlgorithm,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch, self._algorithm, self._clock = fetch, algorithm, clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched_s: float | None = None

    def find(self, name: str) -> PublicKey | None:
        """Return a key by its name; an unknown one has the keys fetched again, at most once a minute.

        Raises
        ------
        NetworkDown, IdentityRefused
            The keys cannot be had.
        """
        is_due = self._fetched_s is None or self._clock() - self._fetched_s >= REFETCH_AFTER_S
        if name not in self._keys and is_due:
            self._fetched_s = self._clock()
            self._keys = keys_of(self._fetch(), self._algorithm)
        return self._keys.get(name)


def _usable(entry: object, algorithm: SigningAlgorithm) -> NamedKey | None:
    if not isinstance(entry, dict) or not _may_verify(entry, algorithm):
        return None
    kind = RSAKey if algorithm is SigningAlgorithm.RS256 else ECKey
    public = ("kty", "n", "e") if kind is RSAKey else ("kty", "crv", "x", "y")
    try:
        return NamedKey(name=entry["kid"], key=kind.import_key({name: str(entry[name]) for name in public}))
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _may_verify(entry: dict[str, Any], algorithm: SigningAlgorithm) -> bool:
    name = entry.get("kid")
    is_named = isinstance(name, str) and 0 < len(name) <= MAXIMUM_KEY_NAME
    is_for_this = entry.get("use", "sig") == "sig" and entry.get("alg", algorithm.value) == algorithm.value
    is_for_this = is_for_this and entry.get("key_ops", ["verify"]) == ["verify"]
    if algorithm is SigningAlgorithm.RS256:
        is_of_kind = entry.get("kty") == "RSA" and _is_strong(entry)
    else:
        is_of_kind = entry.get("kty") == "EC" and entry.get("crv") == "P-256"
    return is_named and is_for_this and is_of_kind and not _PRIVATE & set(entry)


def _is_strong(entry: dict[str, Any]) -> bool:
    try:
        modulus, exponent = (_number(str(entry[name])) for name in ("n", "e"))
    except (binascii.Error, ValueError, KeyError):
        return False
    return MINIMUM_RSA_BITS <= modulus.bit_length() <= MAXIMUM_RSA_BITS and exponent > 2 and exponent % 2 == 1


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def _refused(why: str) -> IdentityRefused:
    return IdentityRefused(
        f"The keys of the provider {why}; nobody was signed in.",
        hint="Check the algorithm in the site's sign-in provider with whoever runs the provider.",
        detail="jwks",
    )
