"""Where the rows of a site lie, as the program asks for it to be changed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ert.domain.backup import Progress
from ert.domain.database_server import ServerLogin


class RowMoves(Protocol):
    """Moves the rows of sites that nobody has open; each call asks for user and password."""

    def move_to_server(
        self, path: Path, *, user_name: str, password: str, server: ServerLogin, progress: Progress
    ) -> int:
        """Move the rows of a site to a server while nobody has it open; how many there are."""

    def move_to_folder(self, path: Path, *, user_name: str, password: str, progress: Progress) -> str:
        """Move the rows of a site from its server into its folder; the name of what the server keeps."""

    def reconnect(self, path: Path, *, user_name: str, password: str, server: ServerLogin) -> None:
        """Give a site another address or password of the server that keeps its rows."""
