"""Starts the provider of the tests, and a browser that follows redirects: the one thing that cannot exist here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from ert.domain.provider import ProviderSettings, SigningAlgorithm

PROGRAM = Path(__file__).parent / "integration/identity/provider.py"


class MemoryKeyStore:
    """A key store that is a dictionary (port ``KeyStore``): what a desktop session has, and a test machine may not."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def read(self, name: str) -> str | None:
        return self.kept.get(name)

    def write(self, name: str, secret: str) -> None:
        self.kept[name] = secret

    def remove(self, name: str) -> None:
        self.kept.pop(name, None)


class RunningProvider:
    """The process, and how a test talks to it."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process, self.folder = process, folder
        assert process.stdout is not None
        self.issuer = process.stdout.readline().strip()
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(folder / "ca.pem")

    def control(self, **change: Any) -> None:
        assert self.session.post(f"{self.issuer}/control", json=change, timeout=10).status_code == 200

    def faults(self, **faults: Any) -> None:
        self.control(faults=faults)

    @property
    def seen(self) -> dict[str, Any]:
        return self.session.get(f"{self.issuer}/control", timeout=10).json()

    def settings(self, algorithm: SigningAlgorithm = SigningAlgorithm.RS256, **more: Any) -> ProviderSettings:
        pem = (self.folder / "ca.pem").read_text()
        given = {"name": "Clinic ID", "issuer": self.issuer, "client_id": "ert-desktop", "ca_pem": pem}
        return ProviderSettings(**given | {"algorithm": algorithm} | more)

    def browser(self, address: str) -> bool:
        """Go where a browser would go, up to the listener of the program."""
        answer = self.session.get(address, allow_redirects=False, timeout=10)
        while answer.is_redirect:
            where = answer.headers["Location"]
            answer = self.session.get(where, allow_redirects=False, timeout=10)
        self.page = answer.text
        return True

    def stop(self) -> None:
        self.session.close()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process.terminate()
        self.process.wait(10)


@contextmanager
def running_provider(folder: Path) -> Iterator[RunningProvider]:
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    provider = RunningProvider(process, folder)
    try:
        yield provider
    finally:
        provider.stop()
