"""ID tokens (OpenID Connect Core 1.0, 3.1.3.7; RFC 8725), refused for any of the reasons listed in `CHECKS`.

The algorithm is the site's, never the token's; keys come from the provider over HTTPS, never from the token. Every rule
stands by itself, so that a test can take one away and see that what it was for comes through. A rule about a value
holds where the value is missing: that it is there is another rule's business.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from joserfc import jws
from joserfc.errors import JoseError

from ert import strictjson
from ert.domain.provider import MAXIMUM_SUBJECT_CHARACTERS, SigningAlgorithm
from ert.errors import IdentityRefused
from ert.identity.keyset import MAXIMUM_KEY_NAME, PublicKey

MAXIMUM_BYTES = 8 * 1024
LEEWAY_S = 30.0
_PARTS = 3
_FROM_THE_TOKEN = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@frozen(kw_only=True)
class Rules:
    """What every token of a provider must meet."""

    issuer: str
    client_id: str
    algorithm: SigningAlgorithm
    find_key: Callable[[str], PublicKey | None]


@frozen(kw_only=True)
class Expected:
    """What this one token must meet.

    Attributes
    ----------
    now_s : seconds since 1970.
    nonce : of the request; None where there was none (a renewal), and then the token may have any.
    access_token : that came with it; its hash is compared if the token has one.
    subject : whose it must be; "" for anybody's.
    authenticated_after_s : seconds since 1970 after which the person must have proved who he is; None does not ask.
    """

    now_s: float
    nonce: str | None = None
    access_token: str = ""
    subject: str = ""
    authenticated_after_s: float | None = None


@define
class Look:
    """A token while it is looked at."""

    text: str
    rules: Rules
    expected: Expected
    header: dict[str, Any] = field(factory=dict)
    claims: dict[str, Any] = field(factory=dict)

    def part(self, number: int) -> bytes:
        """One of the three parts, decoded."""
        return decoded(self.text.split(".")[number])

    def number(self, name: str, *, missing_s: float) -> float:
        """A time of the token, in seconds since 1970."""
        value = self.claims.get(name)
        return float(value) if value is not None and _is_time(value) else missing_s


def _size(look: Look) -> bool:
    return len(look.text.encode("utf-8")) <= MAXIMUM_BYTES


def _form(look: Look) -> bool:
    parts = look.text.split(".")
    return len(parts) == _PARTS and all(part and set(part) <= _ALPHABET for part in parts)


def _canonical(look: Look) -> bool:
    return all(encoded(decoded(part)) == part for part in look.text.split("."))


def _header(look: Look) -> bool:
    header = strictjson.load(look.part(0))
    look.header = header if isinstance(header, dict) else {}
    return isinstance(header, dict)


def _no_key_in_the_token(look: Look) -> bool:
    return not _FROM_THE_TOKEN & set(look.header)


def _type(look: Look) -> bool:
    """A token of another kind (an access token, a logout token) says so, if it says anything."""
    kind = look.header.get("typ", "JWT")
    return isinstance(kind, str) and kind.upper() == "JWT"


def _algorithm(look: Look) -> bool:
    return bool(look.header.get("alg") == look.rules.algorithm.value)


def _key_name(look: Look) -> bool:
    name = look.header.get("kid")
    return isinstance(name, str) and 0 < len(name) <= MAXIMUM_KEY_NAME


def _signature(look: Look) -> bool:
    key = look.rules.find_key(str(look.header["kid"]))
    if key is None:
        return False
    try:
        jws.deserialize_compact(look.text, key, algorithms=[look.rules.algorithm.value])
    except JoseError:
        return False
    return True


def _claims(look: Look) -> bool:
    claims = strictjson.load(look.part(1))
    look.claims = claims if isinstance(claims, dict) else {}
    return isinstance(claims, dict)


def _complete(look: Look) -> bool:
    return all(look.claims.get(name) is not None for name in ("iss", "aud", "exp", "iat", "sub"))


def _times(look: Look) -> bool:
    return all(_is_time(look.claims[n]) for n in ("exp", "iat", "nbf", "auth_time") if n in look.claims)


def _issuer(look: Look) -> bool:
    return bool(look.claims.get("iss", look.rules.issuer) == look.rules.issuer)


def _audiences(look: Look) -> list[Any]:
    audience = look.claims.get("aud", look.rules.client_id)
    return audience if isinstance(audience, list) else [audience]


def _audience(look: Look) -> bool:
    return look.rules.client_id in _audiences(look)


def _authorized_party(look: Look) -> bool:
    """Several audiences need to say who asked; whoever asked must be this program."""
    if len(_audiences(look)) > 1 and "azp" not in look.claims:
        return False
    return bool(look.claims.get("azp", look.rules.client_id) == look.rules.client_id)


def _subject(look: Look) -> bool:
    subject = look.claims.get("sub", "x")
    is_text = isinstance(subject, str) and subject.isascii() and subject.isprintable() and subject == subject.strip()
    return is_text and 0 < len(subject) <= MAXIMUM_SUBJECT_CHARACTERS


def _same_person(look: Look) -> bool:
    return not look.expected.subject or bool(look.claims.get("sub") == look.expected.subject)


def _not_expired(look: Look) -> bool:
    return look.number("exp", missing_s=math.inf) + LEEWAY_S > look.expected.now_s


def _not_from_the_future(look: Look) -> bool:
    return look.number("iat", missing_s=-math.inf) <= look.expected.now_s + LEEWAY_S


def _valid_already(look: Look) -> bool:
    return look.number("nbf", missing_s=-math.inf) <= look.expected.now_s + LEEWAY_S


def _nonce(look: Look) -> bool:
    wanted, said = look.expected.nonce, look.claims.get("nonce")
    return wanted is None or (isinstance(said, str) and hmac.compare_digest(said.encode(), wanted.encode()))


def _access_token(look: Look) -> bool:
    if "at_hash" not in look.claims:
        return True
    half = hashlib.sha256(look.expected.access_token.encode("utf-8")).digest()[:16]
    return bool(look.claims["at_hash"] == encoded(half))


def _authenticated(look: Look) -> bool:
    after_s = look.expected.authenticated_after_s
    return after_s is None or look.number("auth_time", missing_s=-math.inf) + LEEWAY_S >= after_s


@frozen(kw_only=True)
class Check:
    """One rule: its name, what it asks, and what a token that breaks it is, for "The token of the provider …"."""

    name: str
    holds: Callable[[Look], bool]
    fault: str


CHECKS = (
    Check(name="size", holds=_size, fault="is longer than 8 KB"),
    Check(name="form", holds=_form, fault="is no token"),
    Check(name="canonical", holds=_canonical, fault="is not written the one way it may be"),
    Check(name="header", holds=_header, fault="has a head that is no JSON object"),
    Check(name="key in the token", holds=_no_key_in_the_token, fault="brings its own key or rules"),
    Check(name="type", holds=_type, fault="is of another kind"),
    Check(name="algorithm", holds=_algorithm, fault="is not signed with the algorithm of the site"),
    Check(name="key name", holds=_key_name, fault="does not say which key signed it"),
    Check(name="signature", holds=_signature, fault="is not signed by the provider"),
    Check(name="claims", holds=_claims, fault="holds no JSON object"),
    Check(name="complete", holds=_complete, fault="lacks issuer, audience, subject or times"),
    Check(name="times", holds=_times, fault="has a time that is none"),
    Check(name="issuer", holds=_issuer, fault="comes from another provider"),
    Check(name="audience", holds=_audience, fault="is meant for another program"),
    Check(name="authorized party", holds=_authorized_party, fault="was asked for by another program"),
    Check(name="subject", holds=_subject, fault="does not say who it is about"),
    Check(name="same person", holds=_same_person, fault="is about somebody else"),
    Check(name="expired", holds=_not_expired, fault="has expired"),
    Check(name="future", holds=_not_from_the_future, fault="was made in the future"),
    Check(name="not yet", holds=_valid_already, fault="is not valid yet"),
    Check(name="nonce", holds=_nonce, fault="belongs to another sign-in"),
    Check(name="access token", holds=_access_token, fault="belongs to another access token"),
    Check(name="authenticated", holds=_authenticated, fault="does not say that the person signed in just now"),
)
_CLOCK = "Compare the clock of this computer with the provider's, then sign in again."
_HINTS = dict.fromkeys(("expired", "future", "not yet", "authenticated"), _CLOCK) | {
    "same person": "Sign in as the person named here; somebody else chooses 'another user'."
}


@frozen
class Validator:
    """Refuses tokens.

    Parameters
    ----------
    rules : Rules
        Of the provider.
    checks : tuple of Check
        All of them; tests take one away.
    """

    rules: Rules
    checks: tuple[Check, ...] = CHECKS

    def validate(self, token: str, expected: Expected) -> dict[str, Any]:
        """Return the claims of a token.

        Raises
        ------
        IdentityRefused
            It breaks a rule; ``detail`` is the rule's name.
        NetworkDown
            It names a key that is not known, and the provider cannot be asked for its keys.
        """
        look = Look(text=token, rules=self.rules, expected=expected)
        for check in self.checks:
            try:
                does_hold = check.holds(look)
            except (ValueError, TypeError, KeyError, IndexError, OverflowError):
                does_hold = False
            if not does_hold:
                hint = _HINTS.get(
                    check.name, "Sign in again; if it comes back, have an administrator look at the provider."
                )
                raise IdentityRefused(
                    f"The token of the provider {check.fault}; nobody was signed in.", hint=hint, detail=check.name
                )
        return look.claims


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decoded(text: str) -> bytes:
    """Return the bytes of base64url without padding; raises `ValueError`."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("no base64url") from error


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
