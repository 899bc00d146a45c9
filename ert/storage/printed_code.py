"""Codes on paper: 160 random bits a human can copy, with a checksum against slips.

A code carries its own entropy, so it needs no costly key derivation. Written form: 36 characters of the RFC 4648 base32
alphabet in nine groups of four; the last four characters are 20 bits of SHA-256 over the rest, different for each kind
of code, so that the sheet of another kind is told from a slip. The digits 0, 1 and 8 are not in that alphabet and are
read as O, I and B.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable

from attrs import frozen

from ert.errors import InvalidSite, WrongKey

CODE_BYTES = 20
_CHECK_CHARACTERS = 4
_CODE_CHARACTERS = 32
_GROUP = 4
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_LOOKALIKES = str.maketrans({"0": "O", "1": "I", "8": "B", "-": "", " ": "", "\t": "", "\n": "", "\r": ""})


@frozen
class CodeKind:
    """What a code is for.

    Attributes
    ----------
    name : in sentences.
    domain : tells its checksum from that of other kinds.
    """

    name: str
    domain: bytes


RECOVERY = CodeKind("recovery code", b"ert-recovery-code/1")
EMERGENCY = CodeKind("emergency code", b"ert-emergency-code/1")
_KINDS = (RECOVERY, EMERGENCY)


def new_secret() -> bytes:
    """Return 20 bytes from the operating system's random source."""
    return secrets.token_bytes(CODE_BYTES)


def format_code(secret: bytes, kind: CodeKind = RECOVERY) -> str:
    """Return the form to print: nine groups of four characters, the last group a checksum."""
    if len(secret) != CODE_BYTES:
        raise ValueError("the secret of a code has 20 bytes")
    text = base64.b32encode(secret).decode("ascii") + _checksum(secret, kind)
    return "-".join(text[i : i + _GROUP] for i in range(0, len(text), _GROUP))


def parse_code(typed: str, kind: CodeKind = RECOVERY) -> bytes:
    """Return the 20 bytes of a typed code; case, blanks and hyphens do not matter.

    Raises
    ------
    WrongKey
        When a character is impossible, the length is wrong, the checksum does not fit, or it is a code of another kind.
    """
    text = typed.upper().translate(_LOOKALIKES)
    wanted = _CODE_CHARACTERS + _CHECK_CHARACTERS
    if len(text) != wanted:
        raise WrongKey(
            f"The {kind.name} has {wanted} characters; {len(text)} were typed.",
            hint="Type all nine groups of four characters from the printed sheet.",
        )
    if not set(text) <= _ALPHABET:
        raise WrongKey(
            f"The {kind.name} contains a character that never occurs in one.",
            hint="It uses the letters A to Z and the digits 2 to 7 only.",
        )
    secret = base64.b32decode(text[:_CODE_CHARACTERS])
    fitting = [k for k in _KINDS if hmac.compare_digest(_checksum(secret, k), text[_CODE_CHARACTERS:])]
    if fitting and kind not in fitting:
        raise WrongKey(f"This is a site's {fitting[0].name}, not its {kind.name}.", hint="Take the other sheet.")
    if not fitting:
        raise WrongKey(
            f"The {kind.name} does not match its checksum: at least one character is wrong.",
            hint="Compare what you typed with the printed sheet, group by group.",
        )
    return secret


def password_of(typed: str) -> str:
    """Return what the slot of an emergency code takes as its password; raises as `parse_code`."""
    return format_code(parse_code(typed, EMERGENCY), EMERGENCY).replace("-", "")


class PendingPrintedCode:
    """A code that does not count before it was typed back from its sheet (port ``PendingCode``).

    Parameters
    ----------
    kind : CodeKind
    put_into_use : callable
        Given the secret.
    """

    def __init__(self, kind: CodeKind, put_into_use: Callable[[bytes], None]) -> None:
        self._kind, self._put_into_use = kind, put_into_use
        self._secret = new_secret()

    @property
    def code(self) -> str:
        """To be printed and kept away from the computer."""
        return format_code(self._secret, self._kind)

    def confirm(self, typed_code: str) -> None:
        """Put it into use.

        Raises
        ------
        InvalidSite
            The typed code differs; the former code still counts. May be tried again.
        """
        if not self._secret:
            raise InvalidSite(f"This {self._kind.name} was put into use or discarded before.", hint="Begin again.")
        try:
            typed = parse_code(typed_code, self._kind)
        except WrongKey as exc:
            raise InvalidSite(exc.sentence, hint=exc.hint) from exc
        if not hmac.compare_digest(typed, self._secret):
            raise InvalidSite(
                f"The typed {self._kind.name} differs from the one shown; the former code still counts.",
                hint="Copy the code from the sheet again.",
            )
        self._put_into_use(self._secret)
        self.discard()

    def discard(self) -> None:
        """Forget it."""
        self._secret = b""


def _checksum(secret: bytes, kind: CodeKind) -> str:
    digest = hashlib.sha256(kind.domain + secret).digest()
    return base64.b32encode(digest).decode("ascii")[:_CHECK_CHARACTERS]
