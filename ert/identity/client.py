"""Sign-in at an OpenID provider: authorization code with PKCE, in the system's browser, answered on loopback.

Nothing of it is written down: the access token is used for nothing and dropped, the refresh token lies in the key store
of the operating system only, and the addresses the browser sees are never logged.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import webbrowser
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from attrs import frozen

from ert.domain.provider import Identity, ProviderSettings, SignedIn, WayIn
from ert.errors import IdentityRefused, Refused, SignInExpired
from ert.identity.clock import WallClock
from ert.identity.discovery import Endpoints, discover, document_of
from ert.identity.keyset import KeySet
from ert.identity.tokens import Expected, Rules, Validator, encoded
from ert.key_store import KeyStore
from ert.transport.https import Answer, HttpsClient, Patience
from ert.transport.loopback import Loopback

LONGEST_LIFE_S = 900.0
_NOBODY_ANSWERS_S = 300.0
_SERVER_ERROR = 500


@frozen(kw_only=True)
class _Request:
    """The secrets of one sign-in."""

    state: str
    nonce: str
    verifier: str
    began_s: float


def open_browser(address: str) -> bool:
    """Show an address in the browser of the system; False if there is none."""
    return webbrowser.open(address)


class OidcClient:
    """Talks to sign-in providers (port ``IdentityClient``).

    Parameters
    ----------
    key_store : KeyStore
        Of this workstation; refresh tokens lie there.
    browser : callable
        Shows an address; returns whether it could.
    clock : WallClock
        What tokens are compared with.
    patience : Patience
        How long to wait for the provider.
    wait_s : float
        How long somebody may take to sign in.
    """

    def __init__(
        self,
        key_store: KeyStore,
        *,
        browser: Callable[[str], bool] = open_browser,
        clock: WallClock | None = None,
        patience: Patience | None = None,
        wait_s: float = _NOBODY_ANSWERS_S,
    ) -> None:
        self._key_store, self._browser = key_store, browser
        self._clock = clock or WallClock()
        self._patience, self._wait_s = patience, wait_s
        self._known: dict[ProviderSettings, tuple[Endpoints, KeySet]] = {}

    def sign_in(
        self, way: WayIn, *, on_link: Callable[[str], None], check: Callable[[], None], subject: str = ""
    ) -> SignedIn:
        """Have somebody sign in in the browser (port ``IdentityClient``)."""
        settings = way.settings
        https = HttpsClient(settings.ca_pem, self._patience)
        endpoints = self._endpoints(https, settings, is_fresh=True)
        check()
        request = _Request(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            began_s=self._clock.now_s(),
        )
        with Loopback() as loopback:
            address = loopback.address
            link = _link(endpoints, settings, request, address)
            on_link(link)
            if not self._browser(link):
                raise Refused(
                    "No browser could be opened to sign in.", hint="Set a default browser in the system's settings."
                )
            fields = loopback.wait(check=check, timeout_s=self._wait_s)
        code = _code(fields, request, endpoints, settings)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": address,
            "client_id": settings.client_id,
            "code_verifier": request.verifier,
        }
        tokens = _tokens(https.post_form(endpoints.token, form))
        if "id_token" not in tokens:
            raise IdentityRefused("The provider did not say who signed in; nobody was signed in.", detail="id_token")
        expected = Expected(
            now_s=self._clock.now_s(),
            nonce=request.nonce,
            access_token=tokens["access_token"],
            subject=subject,
            authenticated_after_s=request.began_s,
        )
        claims = self._validated(settings, tokens["id_token"], expected)
        return self._keep(way, claims, tokens)

    def renew(self, way: WayIn, subject: str) -> SignedIn:
        """Ask whether a sign-in still stands (port ``IdentityClient``)."""
        settings = way.settings
        refresh_token = self._key_store.read(_entry(way, subject))
        if not refresh_token:
            raise SignInExpired("The sign-in has ended: it was renewed or left in another window.")
        https = HttpsClient(settings.ca_pem, self._patience)
        endpoints = self._endpoints(https, settings)
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": settings.client_id}
        answer = https.post_form(endpoints.token, form)
        if 400 <= answer.status < _SERVER_ERROR:
            raise SignInExpired("The provider has ended the sign-in.", detail=_error_of(answer))
        tokens = _tokens(answer)
        claims: dict[str, Any] = {"sub": subject}
        if "id_token" in tokens:
            expected = Expected(now_s=self._clock.now_s(), access_token=tokens["access_token"], subject=subject)
            claims = self._validated(settings, tokens["id_token"], expected)
        return self._keep(way, claims, {"refresh_token": refresh_token} | tokens)

    def forget(self, way: WayIn, subject: str) -> None:
        """Forget the refresh token; raises `KeyStoreFailed`."""
        self._key_store.remove(_entry(way, subject))

    def probe(self, settings: ProviderSettings) -> None:
        """See whether the provider answers, and has keys that fit (port ``IdentityClient``)."""
        https = HttpsClient(settings.ca_pem, self._patience)
        self._endpoints(https, settings, is_fresh=True)
        self._known[settings][1].find("")

    def _endpoints(self, https: HttpsClient, settings: ProviderSettings, *, is_fresh: bool = False) -> Endpoints:
        """Ask the provider where to go, at every sign-in; renewals go where the sign-in went."""
        before = self._known.get(settings)
        if before is not None and not is_fresh:
            return before[0]
        endpoints = discover(https, settings)
        if before is None or before[0] != endpoints:
            keys = KeySet(lambda: document_of(https.get(endpoints.keys), "keys"), settings.algorithm)
            self._known[settings] = endpoints, keys
        return endpoints

    def _validated(self, settings: ProviderSettings, token: str, expected: Expected) -> dict[str, Any]:
        rules = Rules(
            issuer=settings.issuer,
            client_id=settings.client_id,
            algorithm=settings.algorithm,
            find_key=self._known[settings][1].find,
        )
        try:
            return Validator(rules).validate(token, expected)
        except IdentityRefused as error:
            if self._clock.is_behind:
                error.hint = (
                    "The clock of this computer was set back meanwhile: see that it is right, then start ERT anew."
                )
            raise

    def _keep(self, way: WayIn, claims: dict[str, Any], tokens: dict[str, Any]) -> SignedIn:
        settings, subject = way.settings, str(claims["sub"])
        refresh_token = tokens.get("refresh_token")
        if refresh_token is not None:
            self._key_store.write(_entry(way, subject), refresh_token)
        name = claims.get(settings.user_claim)
        is_shown = isinstance(name, str) and name.isprintable() and len(name) <= 128
        lives_s = tokens.get("expires_in")
        is_number = isinstance(lives_s, int | float) and not isinstance(lives_s, bool) and lives_s > 0
        return SignedIn(
            identity=Identity(issuer=settings.issuer, subject=subject, name=str(name) if is_shown else ""),
            lives_s=min(float(lives_s), LONGEST_LIFE_S) if lives_s is not None and is_number else LONGEST_LIFE_S,
            can_renew=refresh_token is not None,
        )


def _entry(way: WayIn, subject: str) -> str:
    """Under which name the key store keeps a refresh token; the name shows nobody's subject."""
    person = hashlib.sha256(f"{way.settings.issuer} {subject}".encode()).hexdigest()[:32]
    return f"refresh {way.site_id} {person}"


def _link(endpoints: Endpoints, settings: ProviderSettings, request: _Request, address: str) -> str:
    """The address the browser is sent to; the person is asked again, whoever the browser remembers."""
    query = {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": address,
        "scope": " ".join(settings.scopes),
        "state": request.state,
        "nonce": request.nonce,
        "code_challenge": encoded(hashlib.sha256(request.verifier.encode("ascii")).digest()),
        "code_challenge_method": "S256",
        "prompt": "login",
        "max_age": "0",
    }
    joint = "&" if urlsplit(endpoints.authorization).query else "?"
    return f"{endpoints.authorization}{joint}{urlencode(query)}"


def _code(fields: dict[str, str], request: _Request, endpoints: Endpoints, settings: ProviderSettings) -> str:
    """The code in the answer of the browser."""
    if not hmac.compare_digest(fields.get("state", "").encode(), request.state.encode()):
        raise IdentityRefused(
            "The answer of the browser belongs to another sign-in; nobody was signed in.",
            hint="Begin again, and close other tabs of the provider.",
            detail="state",
        )
    if fields.get("iss", settings.issuer) != settings.issuer or (endpoints.names_itself and "iss" not in fields):
        raise IdentityRefused(
            "The answer of the browser comes from another provider; nobody was signed in.", detail="iss"
        )
    if "error" in fields:
        reason = fields["error"] if fields["error"].isprintable() and len(fields["error"]) <= 64 else "no reason"
        raise Refused(
            f"The provider did not sign anybody in ({reason}).",
            hint="Sign in again; the administrator of the provider says who may use this program.",
        )
    if not fields.get("code"):
        raise IdentityRefused("The answer of the browser holds no code; nobody was signed in.", detail="code")
    return fields["code"]


def _tokens(answer: Answer) -> dict[str, Any]:
    """The tokens in an answer of the token endpoint."""
    if 400 <= answer.status < _SERVER_ERROR:
        raise IdentityRefused(
            f"The provider does not accept the sign-in ({_error_of(answer)}).",
            hint="Begin again; if it comes back, check client id and redirect address at the provider.",
            detail="token",
        )
    tokens = document_of(answer, "answer to the sign-in")
    texts = {name: tokens[name] for name in ("access_token", "id_token", "refresh_token") if name in tokens}
    is_bearer = str(tokens.get("token_type", "")).lower() == "bearer"
    if not is_bearer or "access_token" not in texts or not all(isinstance(t, str) and t for t in texts.values()):
        raise IdentityRefused(
            "The provider's answer to the sign-in holds no tokens; nobody was signed in.", detail="token"
        )
    return texts | {"expires_in": tokens.get("expires_in")}


def _error_of(answer: Answer) -> str:
    error = (answer.content or {}).get("error")
    is_word = isinstance(error, str) and error.isprintable() and len(error) <= 64
    return str(error) if is_word else f"status {answer.status}"
