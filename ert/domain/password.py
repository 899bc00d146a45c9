"""The password rule of a site, part by part: the store enforces it, screens show it while somebody types."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

MINIMUM_LENGTH = 10
MAXIMUM_LENGTH = 128
SPECIAL_CHARACTERS = "!@#$%^&*"
_PARTS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    (
        f"{MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters",
        lambda text: MINIMUM_LENGTH <= len(text) <= MAXIMUM_LENGTH,
    ),
    ("a lower-case letter", lambda text: any(c.islower() for c in text)),
    ("an upper-case letter", lambda text: any(c.isupper() for c in text)),
    ("a digit", lambda text: any(c.isdecimal() for c in text)),
    (f"one of {SPECIAL_CHARACTERS}", lambda text: any(c in SPECIAL_CHARACTERS for c in text)),
)


def normalise_password(password: str) -> str:
    """Return the NFKC form, so that the same keys typed on another keyboard driver give the same password."""
    return unicodedata.normalize("NFKC", password)


def password_parts(password: str) -> list[tuple[str, bool]]:
    """Return each part of the rule, and whether a password meets it."""
    text = normalise_password(password)
    return [(name, is_met(text)) for name, is_met in _PARTS]


def is_good_password(password: str) -> bool:
    """Whether every part is met."""
    return all(is_met for _, is_met in password_parts(password))
