"""Emergency access: one sealed envelope with a code that opens a site for reading when nobody can sign in."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

from ert.errors import Refused

MINIMUM_REASON_CHARACTERS = 10
MAXIMUM_NAME_CHARACTERS, MAXIMUM_REASON_CHARACTERS = 80, 300
_SHORTEST_NAME = 2


class EnvelopeState(enum.StrEnum):
    """What became of an envelope."""

    SEALED = "sealed"
    OPENED = "opened"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"

    @property
    def is_in_use(self) -> bool:
        """Whether its code opens the site."""
        return self in (EnvelopeState.SEALED, EnvelopeState.OPENED)


@attrs.frozen(kw_only=True)
class EmergencyUse:
    """Who opens a site with the code, and why, as typed; nobody proves the name."""

    person: str
    reason: str

    @property
    def banner(self) -> str:
        """What every window says as long as it lasts."""
        return f"EMERGENCY ACCESS – {self.person}: {self.reason}"


@attrs.frozen(kw_only=True)
class Envelope:
    """An envelope as the site knows it; never its code.

    Attributes
    ----------
    id : random id; the actor of what is done with its code.
    state : what became of it.
    sealed_at, sealed_by : when, and by whom, its code was put into use.
    uses : how often the site was opened with it.
    person, reason, opened_at : of the newest use; empty, and None, if there was none.
    failed_attempts : wrong codes since it was sealed, as far as they were noted.
    """

    id: str
    state: EnvelopeState
    sealed_at: dt.datetime
    sealed_by: str
    uses: int = 0
    person: str = ""
    reason: str = ""
    opened_at: dt.datetime | None = None
    failed_attempts: int = 0

    @property
    def notice(self) -> str:
        """What every administrator is told at signing in until the envelope is renewed or withdrawn; "" if nothing."""
        if self.state is EnvelopeState.OPENED and self.opened_at is not None:
            times = "" if self.uses == 1 else f" It was opened {self.uses} times."
            return (
                f"The emergency envelope was opened on {self.opened_at.astimezone():%Y-%m-%d at %H:%M} by "
                f"{self.person}: {self.reason.rstrip('.')}.{times} Seal a new one, or withdraw it."
            )
        if self.failed_attempts:
            tries = "1 wrong code was" if self.failed_attempts == 1 else f"{self.failed_attempts} wrong codes were"
            return f"{tries} tried for emergency access since the envelope was sealed. Seal a new one, or withdraw it."
        return ""


def checked_use(person: str, reason: str) -> EmergencyUse:
    """Return who and why, without blanks around them.

    Raises
    ------
    Refused
        A name or a reason is missing, too short, too long or not printable: nothing is opened without them.
    """
    person, reason = " ".join(person.split()), " ".join(reason.split())
    if len(person) < _SHORTEST_NAME:
        raise Refused("Emergency access needs your name; it goes into the history.", hint="Enter your own name.")
    if len(reason) < MINIMUM_REASON_CHARACTERS:
        raise Refused(
            "Emergency access needs a reason; it goes into the history.",
            hint=f"Say in at least {MINIMUM_REASON_CHARACTERS} characters what the emergency is.",
        )
    for text, most in ((person, MAXIMUM_NAME_CHARACTERS), (reason, MAXIMUM_REASON_CHARACTERS)):
        if len(text) > most or not text.isprintable():
            raise Refused(f"'{text[:20]}…' is too long, or cannot be printed.", hint=f"Use at most {most} characters.")
    return EmergencyUse(person=person, reason=reason)


def sheet_text(*, site_name: str, code: str, sealed_by: str, sealed_on: dt.date) -> str:
    """Return the sheet that is put into the envelope, as plain text."""
    return f"""ERT – EMERGENCY ACCESS

Site:       {site_name}
Sealed on:  {sealed_on:%Y-%m-%d}
Sealed by:  {sealed_by}

Code:

    {code[: len(code) // 2 + 3].rstrip("-")}
    {code[len(code) // 2 + 3 :].lstrip("-")}

When nobody can sign in and a patient cannot wait: start ERT, press "Emergency access…" at the sign-in, enter the site's
folder, this code, your name and the reason. Patients and plans can be looked at, printed and exported; nothing can be
changed. Name, reason and everything that is opened stand in the history of the site.

Put this sheet into an envelope, seal it, sign across the seal, keep it where it is missed when somebody takes it.
Whoever holds it can read this site. After use an administrator seals a new one; this code opens nothing then.

Opened on:  ____________________   by:  ________________________________

Reason:     __________________________________________________________
"""
