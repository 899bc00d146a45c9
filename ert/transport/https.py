"""HTTPS as the program speaks it: certificates always checked, nothing followed, bounded in size and in time.

Proxies, certificates and passwords named by environment variables or ``.netrc`` are not used: where a request goes and
whom it trusts is said by whoever makes it.
"""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from attrs import frozen
from requests.adapters import HTTPAdapter

from ert import strictjson
from ert.errors import IdentityRefused, NetworkDown

MAXIMUM_BYTES = 256 * 1024
_BLOCK = 8 * 1024


@frozen(kw_only=True)
class Patience:
    """How long to wait, in seconds: for a connection, for the next byte, for the whole answer."""

    connect_s: float = 5.0
    silence_s: float = 10.0
    whole_s: float = 20.0


@frozen(kw_only=True)
class Answer:
    """What came back: the status, and a JSON object if the body is one (else None)."""

    status: int
    content: dict[str, Any] | None


def tls_context(ca_pem: str) -> ssl.SSLContext:
    """Return what decides whom to trust: these certificates only, or those of the operating system if "" is given.

    Raises
    ------
    IdentityRefused
        The text holds no certificate that can be used.
    """
    try:
        context = ssl.create_default_context(cadata=ca_pem or None)
    except (ssl.SSLError, ValueError) as error:
        raise IdentityRefused(
            "The certificates to be trusted for the provider cannot be read.",
            hint="Give the PEM file of the authority that signed its certificate.",
            detail=type(error).__name__,
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class _Adapter(HTTPAdapter):
    """Trusts what the context says; requests would add the certificates of its own bundle."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(max_retries=0, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **given: Any) -> None:  # noqa: ANN401
        super().init_poolmanager(*args, **given, ssl_context=self._context)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401, ARG002
        conn.cert_reqs, conn.ca_certs, conn.ca_cert_dir = "CERT_REQUIRED", None, None


class HttpsClient:
    """Fetches and sends small JSON documents.

    Parameters
    ----------
    ca_pem : str
        Certificates to be trusted; "" for those of the operating system.
    patience : Patience
        How long to wait.
    """

    def __init__(self, ca_pem: str = "", patience: Patience | None = None) -> None:
        self._context = tls_context(ca_pem)
        self._patience = patience or Patience()

    def get(self, url: str) -> Answer:
        """Fetch a document; raises `NetworkDown`, `IdentityRefused`."""
        return self._ask("GET", url, None)

    def post_form(self, url: str, form: Mapping[str, str]) -> Answer:
        """Send a form, as providers want it; raises `NetworkDown`, `IdentityRefused`."""
        return self._ask("POST", url, form)

    def _ask(self, method: str, url: str, form: Mapping[str, str] | None) -> Answer:
        """Ask in a thread of its own: looking up a name and reading a dripping header know no end of time."""
        host = urlsplit(url).hostname or "?"
        if urlsplit(url).scheme != "https":
            raise IdentityRefused(f"An address of the provider ({host}) is not HTTPS; it was not used.")
        answers: queue.Queue[Answer | BaseException] = queue.Queue()

        def work() -> None:
            try:
                answers.put(self._ask_now(method, url, form, host))
            except BaseException as error:  # noqa: BLE001 - handed to who waits
                answers.put(error)

        threading.Thread(target=work, name="https", daemon=True).start()
        try:
            answer = answers.get(timeout=self._patience.whole_s)
        except queue.Empty:
            raise _too_slow(host) from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _ask_now(self, method: str, url: str, form: Mapping[str, str] | None, host: str) -> Answer:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", _Adapter(self._context))
        patience = self._patience
        deadline_s = time.monotonic() + patience.whole_s
        try:
            with session.request(
                method,
                url,
                data=form,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                allow_redirects=False,
                stream=True,
                timeout=(patience.connect_s, patience.silence_s),
            ) as response:
                if 300 <= response.status_code < 400:
                    raise IdentityRefused(
                        f"{host} sent the program to another address; that is not followed.",
                        hint="Check the address of the provider with whoever runs it.",
                    )
                body = _body(response, deadline_s, host)
                return Answer(status=response.status_code, content=_json_object(body))
        except requests.exceptions.SSLError as error:
            raise NetworkDown(
                f"The certificate of {host} is not trusted; nothing was sent.",
                hint="Have an administrator check the provider's certificate and the certificates the site trusts.",
                detail="certificate",
            ) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise NetworkDown(
                f"{host} cannot be reached.", hint="Check the network, then try again.", detail=type(error).__name__
            ) from error
        finally:
            session.close()


def _body(response: requests.Response, deadline_s: float, host: str) -> bytes:
    body = bytearray()
    for block in response.iter_content(_BLOCK):
        body += block
        if len(body) > MAXIMUM_BYTES:
            raise IdentityRefused(f"The answer of {host} is longer than {MAXIMUM_BYTES // 1024} KB; it was not used.")
        if time.monotonic() > deadline_s:
            raise _too_slow(host)
    return bytes(body)


def _too_slow(host: str) -> NetworkDown:
    return NetworkDown(f"{host} answers too slowly.", hint="Try again.", detail="deadline")


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = strictjson.load(body, maximum_bytes=MAXIMUM_BYTES)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
