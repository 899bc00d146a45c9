"""The password rule of a site, part by part: the store enforces it, screens show it while somebody types.

*Composition* is the rule most departments know: ten characters, letters of both cases, a digit, a special character.
*NIST* is that of SP 800-63B-4: fifteen characters, no rule of what they are. Both refuse what people choose first: the
words of ``resources/tables/common_words.txt`` however they are decorated, runs of keys, the names of site and user.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata
from collections.abc import Callable

import attrs

from ert.errors import Refused
from ert.settings import resources_dir

MAXIMUM_LENGTH = 128
SPECIAL_CHARACTERS = "!@#$%^&*"
ONE_TIME_HOURS = 72
LONGEST_ONE_TIME_HOURS = 24 * 30
_OWN_CHARACTERS = 6
_SHORTEST_NAME = 4
_FEWEST_KINDS = 5
_LOOKALIKES = tuple(str.maketrans("@4301!|5$7+8", f"aaeo{one}{one}{one}ssttb") for one in "il")
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "1234567890", "qwertyuiop", "qwertzuiop", "azertyuiop",
         "asdfghjkl", "zxcvbnm", "yxcvbnm")  # fmt: skip


class PasswordPolicy(enum.StrEnum):
    """What a password is made of."""

    COMPOSITION = "composition"
    NIST = "nist"


_MINIMUM = {PasswordPolicy.COMPOSITION: 10, PasswordPolicy.NIST: 15}
_KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("a lower-case letter", lambda text: any(c.islower() for c in text)),
    ("an upper-case letter", lambda text: any(c.isupper() for c in text)),
    ("a digit", lambda text: any(c.isdecimal() for c in text)),
    (f"one of {SPECIAL_CHARACTERS}", lambda text: any(c in SPECIAL_CHARACTERS for c in text)),
)


@attrs.frozen(kw_only=True)
class PasswordRule:
    """What a site asks of passwords.

    Attributes
    ----------
    policy : what they are made of.
    one_time_hours : how long a one-time password opens the site, hours.
    """

    policy: PasswordPolicy = PasswordPolicy.COMPOSITION
    one_time_hours: int = attrs.field(default=ONE_TIME_HOURS)

    @one_time_hours.validator
    def _check_hours(self, _attribute: object, value: int) -> None:
        if not 1 <= value <= LONGEST_ONE_TIME_HOURS:
            raise Refused(f"A one-time password is good for 1 to {LONGEST_ONE_TIME_HOURS} hours.")

    @property
    def text(self) -> str:
        """The rule in words."""
        parts = [name for name, _ in password_parts("", self)]
        return f"{', '.join(parts)}; one-time passwords run out after {self.one_time_hours} hours"


DEFAULT_RULE = PasswordRule()
OWN_PART = "no common word, row of keys, or name of site or user"


def normalise_password(password: str) -> str:
    """Return the NFKC form, so that the same keys typed on another keyboard driver give the same password."""
    return unicodedata.normalize("NFKC", password)


def password_parts(
    password: str, rule: PasswordRule = DEFAULT_RULE, *, names: tuple[str, ...] = ()
) -> list[tuple[str, bool]]:
    """Return each part of a rule, and whether a password meets it.

    Parameters
    ----------
    password : str
        As typed.
    rule : PasswordRule
        Of the site.
    names : tuple of str
        Of the site and the user: what a password must not be made of.
    """
    text = normalise_password(password)
    shortest = _MINIMUM[rule.policy]
    parts = [(f"{shortest} to {MAXIMUM_LENGTH} characters", shortest <= len(text) <= MAXIMUM_LENGTH)]
    if rule.policy is PasswordPolicy.COMPOSITION:
        parts += [(name, is_met(text)) for name, is_met in _KINDS]
    is_own = bool(text) and not (is_common(text) or _is_name(text, names))
    return [*parts, (OWN_PART, is_own)]


def is_good_password(password: str, rule: PasswordRule = DEFAULT_RULE, *, names: tuple[str, ...] = ()) -> bool:
    """Whether every part is met."""
    return all(is_met for _, is_met in password_parts(password, rule, names=names))


def is_common(text: str) -> bool:
    """Whether a password is one of those tried first: a common word with decoration, repeated, or a run of keys."""
    folded = text.casefold()
    if len(set(folded)) < _FEWEST_KINDS or _unit(folded) != folded:
        return True
    if _is_run(folded) or (_is_run(folded[::2]) and _is_run(folded[1::2])):  # "1q2w3e4r" is two rows at once
        return True
    words = common_words()
    return any(_unit(letters) in words for letters in _readings(folded))


@functools.cache
def common_words() -> frozenset[str]:
    """The shipped words; see the head of the file."""
    lines = (resources_dir() / "tables" / "common_words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _is_name(text: str, names: tuple[str, ...]) -> bool:
    """Whether so little is left beside names, forwards or backwards, that they are the password."""
    given = {part for name in names for part in (name, *re.split(r"\W+", name))}
    known = {name for name in (_letters(part.casefold()) for part in given) if len(name) >= _SHORTEST_NAME}
    forms = sorted({form for name in known for form in (name, name[::-1])}, key=len, reverse=True)
    if not forms:
        return False
    anywhere = re.compile("|".join(map(re.escape, forms)))
    left = ((reading, anywhere.sub("", reading)) for reading in _readings(text.casefold()))
    return any(rest != reading and len(rest) < _OWN_CHARACTERS for reading, rest in left)


def _readings(folded: str) -> tuple[str, ...]:
    """The letters of a password: as they stand, and with digits and signs read as the letters they look like.

    What decorates the end of a word is not read as letters: "word1!" is "word".
    """
    core = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)
    translated = [text.translate(table) for text in (core, folded) for table in _LOOKALIKES]
    return tuple(_letters(text) for text in (folded, *translated))


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalpha())


def _unit(text: str) -> str:
    """The shortest text of which this one is a repetition."""
    at = (text + text).find(text, 1)
    return text[:at]


def _is_run(folded: str) -> bool:
    """Whether most steps go to the neighbour on a row of keys or in the alphabet."""
    steps = {a + b for row in _ROWS for both in (row, row[::-1]) for a, b in zip(both, both[1:], strict=False)}
    pairs = [a + b for a, b in zip(folded, folded[1:], strict=False)]
    return len(pairs) >= _FEWEST_KINDS and sum(pair in steps for pair in pairs) > 0.6 * len(pairs)
