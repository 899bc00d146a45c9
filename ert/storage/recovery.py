"""The recovery code: 160 random bits a human can copy from paper, with a checksum against slips.

The code carries its own entropy, so it needs no costly key derivation. Written form: 36 characters of the
RFC 4648 base32 alphabet in nine groups of four; the last four characters are 20 bits of SHA-256 over the rest.
The digits 0, 1 and 8 are not in that alphabet and are read as O, I and B.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from ert.errors import WrongKey

CODE_BYTES = 20
_CHECK_CHARACTERS = 4
_CODE_CHARACTERS = 32
_GROUP = 4
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_LOOKALIKES = str.maketrans({"0": "O", "1": "I", "8": "B", "-": "", " ": "", "\t": "", "\n": "", "\r": ""})


def new_recovery_secret() -> bytes:
    """Return 20 bytes from the operating system's random source."""
    return secrets.token_bytes(CODE_BYTES)


def format_recovery_code(secret: bytes) -> str:
    """Return the form to print: nine groups of four characters, the last group a checksum."""
    if len(secret) != CODE_BYTES:
        raise ValueError("a recovery secret has 20 bytes")
    text = base64.b32encode(secret).decode("ascii")
    text += _checksum(secret)
    return "-".join(text[i : i + _GROUP] for i in range(0, len(text), _GROUP))


def parse_recovery_code(typed: str) -> bytes:
    """Return the 20 bytes of a typed code; case, blanks and hyphens do not matter.

    Raises
    ------
    WrongKey
        When a character is impossible, the length is wrong or the checksum does not fit.
    """
    text = typed.upper().translate(_LOOKALIKES)
    wanted = _CODE_CHARACTERS + _CHECK_CHARACTERS
    if len(text) != wanted:
        raise WrongKey(
            f"The recovery code has {wanted} characters; {len(text)} were typed.",
            hint="Type all nine groups of four characters from the printed sheet.",
        )
    if not set(text) <= _ALPHABET:
        raise WrongKey(
            "The recovery code contains a character that never occurs in one.",
            hint="It uses the letters A to Z and the digits 2 to 7 only.",
        )
    secret = base64.b32decode(text[:_CODE_CHARACTERS])
    if not hmac.compare_digest(_checksum(secret), text[_CODE_CHARACTERS:]):
        raise WrongKey(
            "The recovery code does not match its checksum: at least one character is wrong.",
            hint="Compare what you typed with the printed sheet, group by group.",
        )
    return secret


def _checksum(secret: bytes) -> str:
    digest = hashlib.sha256(b"ert-recovery-code/1" + secret).digest()
    return base64.b32encode(digest).decode("ascii")[:_CHECK_CHARACTERS]
