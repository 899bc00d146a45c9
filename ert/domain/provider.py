"""A site's sign-in provider (OpenID Connect), who is who there, and workstations whose key store opens the site."""

from __future__ import annotations

import datetime as dt
import enum
from urllib.parse import urlsplit

from attrs import field, frozen

from ert.errors import InvalidSite

MAXIMUM_GRACE_HOURS = 72
MAXIMUM_CA_CHARACTERS = 24 * 1024
MAXIMUM_SUBJECT_CHARACTERS = 255
_MAXIMUM_CHARACTERS = 256
_OPENID = "openid"


class SigningAlgorithm(enum.StrEnum):
    """How the provider signs; the site says so, never what is signed."""

    RS256 = "RS256"
    ES256 = "ES256"


@frozen(kw_only=True)
class ProviderSettings:
    """The provider whose sign-ins a site accepts.

    Attributes
    ----------
    name : what the button says.
    issuer : address of the provider, as it calls itself.
    client_id : what this program is called there; it is a public client, so there is no secret.
    algorithm : of its signatures.
    scopes : what is asked for; "offline_access" is what most providers want for a sign-in that lasts.
    user_claim : claim with the name a person has there; shown to people, never trusted.
    ca_pem : certificates to be trusted for the provider, PEM; "" for those of the operating system.
    grace_hours : how long a sign-in lasts while the provider cannot be reached; 0 for not at all.
    is_on : whether sign-ins are accepted.

    Raises
    ------
    InvalidSite
        For a setting that could not work, or would weaken the sign-in.
    """

    name: str
    issuer: str
    client_id: str
    algorithm: SigningAlgorithm = SigningAlgorithm.RS256
    scopes: tuple[str, ...] = (_OPENID, "profile", "offline_access")
    user_claim: str = "preferred_username"
    ca_pem: str = field(default="", repr=False)
    grace_hours: int = 8
    is_on: bool = True

    def __attrs_post_init__(self) -> None:
        self._check_issuer()
        for text, what in ((self.name, "name"), (self.client_id, "client id"), (self.user_claim, "name claim")):
            if not text or text != text.strip() or len(text) > _MAXIMUM_CHARACTERS or not text.isprintable():
                raise InvalidSite(f"The provider's {what} is missing or has characters it cannot have.")
        if _OPENID not in self.scopes:
            raise InvalidSite("The scopes of a sign-in must hold 'openid'.", hint="Add it.")
        if any(not s.isascii() or not s.isprintable() or not s or " " in s or len(s) > 64 for s in self.scopes):
            raise InvalidSite("A scope is a word without blanks.", hint="Separate scopes by blanks.")
        if not 0 <= self.grace_hours <= MAXIMUM_GRACE_HOURS:
            raise InvalidSite(
                f"A sign-in may outlast the provider by 0 to {MAXIMUM_GRACE_HOURS} hours, not by {self.grace_hours}."
            )
        if self.ca_pem and ("BEGIN CERTIFICATE" not in self.ca_pem or "PRIVATE KEY" in self.ca_pem):
            raise InvalidSite(
                "The certificates to be trusted are no PEM text of certificates only.",
                hint="Give the file of the authority's certificate; never one with a private key.",
            )
        if len(self.ca_pem) > MAXIMUM_CA_CHARACTERS:
            raise InvalidSite(
                f"The certificates to be trusted are longer than {MAXIMUM_CA_CHARACTERS} characters.",
                hint="Give the provider's own authority only.",
            )

    def _check_issuer(self) -> None:
        parts = urlsplit(self.issuer)
        is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
        is_text = self.issuer.isascii() and self.issuer.isprintable() and " " not in self.issuer
        if parts.scheme != "https" or not parts.hostname or not is_plain or not is_text or len(self.issuer) > 512:
            raise InvalidSite(
                f"'{self.issuer}' is no address of a sign-in provider.",
                hint="Give it as the provider states it, for example https://id.hospital.org/realms/clinic.",
            )


@frozen(kw_only=True)
class Identity:
    """A person as the provider knows him.

    Attributes
    ----------
    issuer, subject : the provider and the person's unchanging mark there; together they are one person.
    name : what the provider calls the person now; may be anything, and is only shown.
    """

    issuer: str
    subject: str
    name: str = ""


@frozen(kw_only=True)
class IdentityLink:
    """That a user of the site is this person at the provider; "" and "" where that was taken away."""

    user_id: str
    issuer: str
    subject: str


@frozen(kw_only=True)
class Workstation:
    """A workstation whose key store opens the site.

    Attributes
    ----------
    id : of its slot.
    name : of the computer, as it called itself.
    enrolled_at : when, in UTC.
    enrolled_by : name of the administrator.
    is_here : whether it is this one, for this user of the operating system.
    """

    id: str
    name: str
    enrolled_at: dt.datetime
    enrolled_by: str
    is_here: bool = False


@frozen(kw_only=True)
class WayIn:
    """What somebody needs to know to sign in through a provider, before anybody is signed in."""

    site_id: str
    settings: ProviderSettings


@frozen(kw_only=True)
class SignedIn:
    """What the provider says of who has just signed in.

    Attributes
    ----------
    identity : who it is.
    lives_s : for how long, in seconds, unless it is renewed.
    can_renew : whether the provider gave what renewing takes.
    """

    identity: Identity
    lives_s: float
    can_renew: bool


def checked_subject(text: str) -> str:
    """Return a person's mark at the provider as it is kept; raises `InvalidSite` if it is none."""
    subject = text.strip()
    if not subject or len(subject) > MAXIMUM_SUBJECT_CHARACTERS or not subject.isascii() or not subject.isprintable():
        raise InvalidSite(
            f"A subject is 1 to {MAXIMUM_SUBJECT_CHARACTERS} ASCII characters, as the provider's administration shows "
            "it.",
            hint="A refused sign-in says the subject, too.",
        )
    return subject
