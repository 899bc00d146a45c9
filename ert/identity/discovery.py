"""What a provider says of itself (OpenID Connect Discovery 1.0): where to sign in, where tokens and keys are."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from ert.domain.provider import ProviderSettings
from ert.errors import IdentityRefused, NetworkDown
from ert.transport.https import Answer, HttpsClient

WELL_KNOWN = "/.well-known/openid-configuration"
_SERVER_ERROR = 500
_OK = 200


@frozen(kw_only=True)
class Endpoints:
    """Addresses of a provider, and whether its answers name it."""

    authorization: str
    token: str
    keys: str
    names_itself: bool


def document_of(answer: Answer, what: str) -> dict[str, Any]:
    """Return the JSON object in an answer; `NetworkDown` if the provider is in trouble, else `IdentityRefused`."""
    if answer.status >= _SERVER_ERROR:
        raise NetworkDown(f"The provider is in trouble (status {answer.status}).", hint="Try again in a few minutes.")
    if answer.status != _OK or answer.content is None:
        raise IdentityRefused(
            f"The provider's {what} cannot be read (status {answer.status}).",
            hint="Check the provider's address in the site's settings.",
        )
    return answer.content


def discover(https: HttpsClient, settings: ProviderSettings) -> Endpoints:
    """Fetch and check what the provider says of itself.

    Raises
    ------
    NetworkDown
        It cannot be reached.
    IdentityRefused
        It calls itself something else, or an address is missing or not HTTPS, or it cannot do what a sign-in takes.
    """
    document = document_of(https.get(settings.issuer.rstrip("/") + WELL_KNOWN), "description")
    if document.get("issuer") != settings.issuer:
        raise IdentityRefused(
            "The provider calls itself something else than the site's settings do; nobody was signed in.",
            hint="Copy the issuer exactly as the provider states it, to the last slash.",
            detail="issuer",
        )
    _expect(document, "code_challenge_methods_supported", "S256", "PKCE with S256")
    _expect(document, "response_types_supported", "code", "the authorization code flow")
    _expect(
        document,
        "id_token_signing_alg_values_supported",
        settings.algorithm.value,
        f"signatures with {settings.algorithm.value}",
    )
    return Endpoints(
        authorization=_address(document, "authorization_endpoint"),
        token=_address(document, "token_endpoint"),
        keys=_address(document, "jwks_uri"),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _expect(document: dict[str, Any], name: str, wanted: str, what: str) -> None:
    """Refuse a provider that says it cannot; one that says nothing is tried."""
    said = document.get(name)
    if said is not None and (not isinstance(said, list) or wanted not in said):
        raise IdentityRefused(f"The provider does not offer {what}.", hint="Check its settings for this program.")


def _address(document: dict[str, Any], name: str) -> str:
    address = document.get(name)
    is_text = isinstance(address, str) and address.isascii() and address.isprintable() and " " not in address
    parts = urlsplit(address) if isinstance(address, str) and is_text else None
    if parts is None or parts.scheme != "https" or not parts.hostname or parts.username or parts.fragment:
        raise IdentityRefused(f"The provider's {name} is missing or no HTTPS address; nobody was signed in.")
    return str(address)
