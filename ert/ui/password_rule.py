"""The site's password rule as something a screen can show live. Storage enforces it; this only explains it."""

from __future__ import annotations

from collections.abc import Callable

MINIMUM_LENGTH = 10
SPECIAL_CHARACTERS = "!@#$%^&*"
_RULES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    (f"{MINIMUM_LENGTH} characters", lambda text: len(text) >= MINIMUM_LENGTH),
    ("a lower-case letter", lambda text: any(c.islower() for c in text)),
    ("an upper-case letter", lambda text: any(c.isupper() for c in text)),
    ("a digit", lambda text: any(c.isdecimal() for c in text)),
    (f"one of {SPECIAL_CHARACTERS}", lambda text: any(c in SPECIAL_CHARACTERS for c in text)),
)


def password_parts(password: str) -> list[tuple[str, bool]]:
    """Each part of the rule, and whether a password meets it."""
    return [(name, is_met(password)) for name, is_met in _RULES]


def is_good_password(password: str) -> bool:
    """True if every part is met."""
    return all(is_met for _, is_met in password_parts(password))
