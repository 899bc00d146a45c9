"""What the commands need from the composition root."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ert.app.identity_ports import IdentityClient
from ert.app.ports import SiteCare, SiteGateway


class Wiring(Protocol):
    """Hands the commands their adapters; `ert.main` implements it. Nothing is imported before it is asked for."""

    def gateway(self) -> SiteGateway:
        """What makes and opens sites."""

    def care(self) -> SiteCare:
        """What checks and restores sites."""

    def identity(self) -> IdentityClient | None:
        """What talks to sign-in providers; None where the packages it takes are not installed."""

    def run_gui(self, *, site: Path | None) -> int:
        """Open the window; returns the exit code when it is closed."""

    def run_demo(self, *, out: Path, with_window: bool) -> int:
        """Run the main job on the built-in demo patient; returns the exit code."""
