"""Passwords: the site's rule, and Argon2id with its parameters stored beside the salt."""

from __future__ import annotations

from typing import Any, Self

from attrs import field, frozen, validators
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from ert.domain.password import DEFAULT_RULE, OWN_PART, PasswordPolicy, PasswordRule, normalise_password, password_parts
from ert.errors import InvalidSite, NotASite

SALT_BYTES = 16
KEY_BYTES = 32
_MEMORY_CEILING_KIB = 1024 * 1024
_ITERATIONS_CEILING = 64
_LANES_CEILING = 64


@frozen(kw_only=True)
class KdfParameters:
    """Cost of one Argon2id run (RFC 9106).

    Attributes
    ----------
    memory_kib : int
        Memory in KiB.
    iterations : int
        Passes over the memory.
    lanes : int
        Degree of parallelism.
    """

    memory_kib: int = field(default=64 * 1024, validator=validators.instance_of(int))
    iterations: int = field(default=3, validator=validators.instance_of(int))
    lanes: int = field(default=4, validator=validators.instance_of(int))

    def __attrs_post_init__(self) -> None:
        """Refuse values that no honest slot has, before any memory is taken."""
        is_sane = (
            1 <= self.lanes <= _LANES_CEILING
            and 8 * self.lanes <= self.memory_kib <= _MEMORY_CEILING_KIB
            and 1 <= self.iterations <= _ITERATIONS_CEILING
        )
        if not is_sane:
            raise NotASite(
                "A key slot of this site asks for an impossible password cost.",
                hint="Restore the folder keys/ from a backup.",
                detail=f"argon2id {self.memory_kib} KiB, t={self.iterations}, p={self.lanes}",
            )

    def is_at_least(self, floor: KdfParameters) -> bool:
        """Whether every cost is as high as `floor`'s."""
        return self.memory_kib >= floor.memory_kib and self.iterations >= floor.iterations and self.lanes >= floor.lanes

    def to_json(self) -> dict[str, Any]:
        """Return the form kept in a slot file."""
        return {
            "algorithm": "argon2id",
            "memory_kib": self.memory_kib,
            "iterations": self.iterations,
            "lanes": self.lanes,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read the form kept in a slot file; unknown algorithms and keys are refused."""
        if set(document) != {"algorithm", "memory_kib", "iterations", "lanes"} or document["algorithm"] != "argon2id":
            raise NotASite(
                "A key slot of this site names a password method this program does not know.",
                hint="Update the program, or restore the folder keys/ from a backup.",
                detail=f"kdf {document!r}",
            )
        try:
            return cls(memory_kib=document["memory_kib"], iterations=document["iterations"], lanes=document["lanes"])
        except TypeError as exc:
            raise NotASite(
                "A key slot of this site is damaged: its password cost is not a number.",
                hint="Restore the folder keys/ from a backup.",
                detail=f"kdf {document!r}",
            ) from exc


KDF_FLOOR = KdfParameters()
_HINTS = {
    PasswordPolicy.COMPOSITION: "Choose a longer password with letters of both cases, digits and a special character.",
    PasswordPolicy.NIST: "Choose several words that have nothing to do with one another, or with this site.",
}


def check_password(password: str, rule: PasswordRule = DEFAULT_RULE, *, names: tuple[str, ...] = ()) -> None:
    """Refuse a password that does not meet a rule.

    Parameters
    ----------
    password : str
        As typed.
    rule : PasswordRule
        Of the site.
    names : tuple of str
        Of site and user.

    Raises
    ------
    InvalidSite
        Naming everything that is missing at once.
    """
    missing = [name for name, is_met in password_parts(password, rule, names=names) if not is_met]
    faults = []
    if OWN_PART in missing:
        missing.remove(OWN_PART)
        faults.append("it is made of a common word, a row of keys, or the name of the site or the user")
    if missing:
        faults.append("it needs " + ", ".join(missing))
    if faults:
        raise InvalidSite(
            f"The password is too weak: {'; '.join(faults)}.",
            hint=_HINTS[rule.policy],
        )


def derive_password_key(password: str, *, salt: bytes, parameters: KdfParameters) -> bytes:
    """Return the 32-byte key-encryption key of a password (Argon2id, RFC 9106)."""
    kdf = Argon2id(
        salt=salt,
        length=KEY_BYTES,
        iterations=parameters.iterations,
        lanes=parameters.lanes,
        memory_cost=parameters.memory_kib,
    )
    return kdf.derive(normalise_password(password).encode("utf-8"))
