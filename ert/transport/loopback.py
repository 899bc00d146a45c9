"""Where the browser brings the answer of a sign-in: a listener on this computer, for one answer (RFC 8252, 7.3)."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ert.errors import IdentityRefused, Refused

ADDRESS = "127.0.0.1"
PATH = "/callback"
_LOOK_EVERY_S = 0.1
_SILENCE_S = 5.0
_MAXIMUM_CHARACTERS = 8 * 1024
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>ERT</title>'
    '<body style="font-family:sans-serif;margin:4em"><h1>{title}</h1><p>{text}</p></body></html>'
)
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


class Loopback:
    """Listens on 127.0.0.1, on a port that was free; use it in a ``with`` block."""

    def __init__(self) -> None:
        self._answers: queue.Queue[str] = queue.Queue(maxsize=1)
        self._server = _Server((ADDRESS, 0), _Handler, self._answers)
        self._thread = Thread(target=self._server.serve_forever, args=(_LOOK_EVERY_S,), name="loopback", daemon=True)

    @property
    def address(self) -> str:
        """Where the browser is to bring the answer."""
        return f"http://{self._server.host}{PATH}"

    def __enter__(self) -> Loopback:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and wait for it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, *, check: Callable[[], None], timeout_s: float) -> dict[str, str]:
        """Return the fields of the answer.

        Parameters
        ----------
        check : callable
            Called many times a second; raises `Cancelled` to stop.
        timeout_s : float
            How long to wait.

        Raises
        ------
        Refused
            Nobody brought an answer in time.
        IdentityRefused
            A field stands there twice.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            check()
            try:
                query = self._answers.get(timeout=_LOOK_EVERY_S)
                break
            except queue.Empty:
                if time.monotonic() >= end_s:
                    raise Refused(
                        f"Nobody finished signing in within {timeout_s / 60:.0f} minutes.", hint="Begin again."
                    ) from None
        fields = parse_qsl(query, keep_blank_values=True)
        if len(dict(fields)) != len(fields):
            raise IdentityRefused("The answer of the browser says something twice; nobody was signed in.")
        return dict(fields)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], answers: queue.Queue[str]
    ) -> None:
        self.answers = answers
        super().__init__(address, handler)
        self.host = f"{ADDRESS}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002
        """A browser that hangs up is none of our trouble: the answer comes once, or the wait ends."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "ERT", ""
    timeout = _SILENCE_S

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        is_ours = parts.path == PATH and self.headers.get("Host") == self.server.host
        if not is_ours or len(self.path) > _MAXIMUM_CHARACTERS:
            self._show(404, "Not here", "This address is for the answer of a sign-in only.")
            return
        try:
            self.server.answers.put_nowait(parts.query)
        except queue.Full:
            self._show(409, "Answered before", "Go back to ERT.")
            return
        self._show(200, "Go back to ERT", "This page can be closed.")

    def _show(self, status: int, title: str, text: str) -> None:
        body = _PAGE.format(title=title, text=text).encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401
        """Nothing: the address holds the code of a sign-in."""
