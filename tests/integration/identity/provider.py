"""A real OpenID provider for tests: a process of its own, HTTPS on loopback, keys and faults on demand.

    python tests/integration/identity/provider.py FOLDER

FOLDER gets ``ca.pem``. The first line on stdout is the issuer. ``POST /control`` with a JSON object changes what it
does from then on (see `STATE`); ``GET /control`` says what it saw. It shares no code with the program it tests.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ipaddress
import json
import secrets
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from tests.signing import at_hash, ec_key, jwk_of, rsa_key, token_of  # noqa: E402 - started as a program

CLIENT = "ert-desktop"
STATE: dict[str, Any] = {
    "person": {"sub": "248289761001", "preferred_username": "anna.bauer"},
    "alg": "RS256",
    "faults": {},
}


class Provider:
    """Keys, codes and refresh tokens of one provider, and what it was asked."""

    def __init__(self) -> None:
        self.issuer = ""
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.state: dict[str, Any] = json.loads(json.dumps(STATE))
        self.generation = 0
        self.codes: dict[str, dict[str, Any]] = {}
        self.refresh_tokens: dict[str, str] = {}
        self.seen: dict[str, Any] = {"jwks": 0, "authorize": [], "token": []}
        self.rotate()

    def rotate(self) -> None:
        """Make new keys; tokens are signed with them from now on, and only they are published."""
        self.generation += 1
        self.keys = {"RS256": rsa_key(), "ES256": ec_key()}

    def key_name(self, algorithm: str) -> str:
        return f"{algorithm}-{self.generation}"

    def jwks(self) -> dict[str, Any]:
        return {"keys": [jwk_of(key, self.key_name(name)) for name, key in self.keys.items()]}

    def fault(self, name: str) -> Any:
        return self.state["faults"].get(name)

    def discovery(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return document | (self.fault("discovery") or {})

    def id_token(self, nonce: str | None, access_token: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "azp": CLIENT, "iat": now, "exp": now + 300, "auth_time": now,
            "at_hash": at_hash(access_token),
        } | self.state["person"]  # fmt: skip
        if nonce is not None:
            claims["nonce"] = nonce
        claims |= self.fault("claims") or {}
        algorithm = self.state["alg"]
        header = {"alg": algorithm, "typ": "JWT", "kid": self.key_name(algorithm)} | (self.fault("header") or {})
        key = {"RS256": rsa_key, "ES256": ec_key}[algorithm]() if self.fault("stranger") else self.keys[algorithm]
        return token_of(header, {n: v for n, v in claims.items() if v is not None}, key)

    def authorize(self, query: dict[str, str]) -> tuple[int, str]:
        """Return status and where to go; no form is shown, the person of the state is signed in."""
        self.seen["authorize"].append(query)
        wanted = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}
        if any(query.get(name) != value for name, value in wanted.items()):
            return 400, ""
        if not query["redirect_uri"].startswith("http://127.0.0.1:") or "openid" not in query["scope"].split():
            return 400, ""
        code = secrets.token_urlsafe(24)
        self.codes[code] = query
        answer = {"code": code, "state": query["state"], "iss": self.issuer} | (self.fault("answer") or {})
        kept = {name: value for name, value in answer.items() if value is not None}
        return 302, f"{query['redirect_uri']}?{urlencode(kept)}{self.fault('more') or ''}"

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.seen["token"].append(form.get("grant_type"))
        error = self.fault("token_error") or (form.get("client_id") != CLIENT and "invalid_client")
        if error:
            return 400, {"error": error}
        if form.get("grant_type") == "refresh_token":
            subject = self.refresh_tokens.pop(form.get("refresh_token", ""), None)
            if subject is None or subject != self.state["person"]["sub"]:
                return 400, {"error": "invalid_grant"}
            return 200, self.tokens(None)
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        if len(verifier) < 43 or challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "PKCE"}
        return 200, self.tokens(asked.get("nonce"))

    def tokens(self, nonce: str | None) -> dict[str, Any]:
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.refresh_tokens[refresh] = self.state["person"]["sub"]
        answer = {
            "token_type": "Bearer", "access_token": access, "expires_in": 300, "refresh_token": refresh,
            "id_token": self.id_token(nonce, access),
        }  # fmt: skip
        answer |= self.fault("tokens") or {}
        return {name: value for name, value in answer.items() if value is not None}

    def control(self, change: dict[str, Any]) -> None:
        """Do otherwise from now on; the word "reset" begins anew, "rotate" changes the keys, "revoke" ends sessions."""
        if change.pop("reset", False):
            self.state = json.loads(json.dumps(STATE))
            self.seen = {"jwks": 0, "authorize": [], "token": []}
        if change.pop("rotate", False):
            self.rotate()
        if change.pop("revoke", False):
            self.refresh_tokens.clear()
        self.state |= change


class Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        provider = self.provider
        if parts.path == "/control":
            self.send_json(200, provider.seen | {"refresh_tokens": len(provider.refresh_tokens)})
        elif self.is_in_trouble(parts.path):
            return
        elif parts.path == "/.well-known/openid-configuration":
            self.send_json(200, provider.discovery())
        elif parts.path == "/jwks":
            provider.seen["jwks"] += 1
            self.send_json(200, provider.jwks())
        elif parts.path == "/authorize":  # a page of its own in between, as providers have
            self.redirect(302, f"{provider.issuer}/login?{parts.query}")
        elif parts.path == "/login":
            with provider.lock:
                self.redirect(*provider.authorize(query))
        else:
            self.send_json(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.path != "/control" and self.is_in_trouble(self.path):
            return
        with self.provider.lock:
            if self.path == "/control":
                self.provider.control(json.loads(body))
                self.send_json(200, {})
                return
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.send_json(*self.provider.token(form))

    def is_in_trouble(self, path: str) -> bool:
        """Misbehave as told for a path; True if that was all."""
        trouble = (self.provider.fault("trouble") or {}).get(path)
        if trouble is None:
            return False
        kind, value = trouble
        if kind == "status":
            self.send_json(value, {})
        elif kind == "redirect":
            self.redirect(307, value)
        elif kind == "silence":
            self.provider.stop.wait(value)
        elif kind == "drip":  # a byte now and then, never the end
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.provider.stop.wait(value):
                try:
                    self.wfile.write(b"X-A: b\r\n")
                except OSError:
                    return True
        elif kind == "long":
            self.send_bytes(200, b" " * value)
        elif kind == "text":
            self.send_bytes(200, value.encode())
        return True

    def redirect(self, status: int, where: str) -> None:
        self.send_response(status)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_json(self, status: int, content: dict[str, Any]) -> None:
        self.send_bytes(status, json.dumps(content).encode())

    def send_bytes(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def certificates(folder: Path) -> ssl.SSLContext:
    """An authority in ``ca.pem``, and a server's context with a certificate it signed."""
    today, authority, own = dt.datetime.now(dt.UTC), ec.generate_private_key(ec.SECP256R1()), ec_key()
    by = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])

    def builder(name: x509.Name, key: Any) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder().subject_name(name).issuer_name(by).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - dt.timedelta(days=1)).not_valid_after(today + dt.timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        )  # fmt: skip

    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    root = (
        builder(by, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(authority, SHA256())
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]), own)
        .add_extension(names, critical=False)
        .sign(authority, SHA256())
    )
    (folder / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    chain = folder / "server.pem"
    key = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(key + leaf.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


def main() -> None:
    folder = Path(sys.argv[1])
    provider = Handler.provider = Provider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = certificates(folder).wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    provider.issuer = f"https://127.0.0.1:{server.server_address[1]}"
    print(provider.issuer, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()  # ends with its parent
    server.serve_forever()


if __name__ == "__main__":
    main()
