"""What `Database` needs of an engine: the embedded file (sqlcipher_backend.py) and the server (server_backend.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

# Yields what was looked at and what is wrong with it.
Look = Callable[[sa.Connection], Iterator[tuple[str, str]]]


class Backend(Protocol):
    """One way to keep the rows; the raw connections are its driver's."""

    def make_engine(self) -> sa.Engine:
        """Give an engine of one connection, opened and checked by the backend's protocol."""

    def translated(self) -> AbstractContextManager[None]:
        """Translate the driver's errors into ours; broken constraints stay `IntegrityError`."""

    def begin(self, raw: Any, *, is_writing: bool) -> None:  # noqa: ANN401
        """Begin a transaction: one consistent state, and nobody else writing if it is to write."""

    def end(self, raw: Any) -> None:  # noqa: ANN401
        """Finish what a commit left."""

    def undo(self, connection: sa.Connection, raw: Any, cause: BaseException) -> None:  # noqa: ANN401
        """Roll back; a connection that is not to be trusted any more is thrown away."""

    def looks(self, *, is_deep: bool) -> tuple[Look, ...]:
        """Return what examines the structure; each is given a read transaction on a fresh connection."""

    def copy_into(self, connection: sa.Connection, path: Path, literal: str) -> None:
        """Copy everything that a read transaction sees into a new, encrypted file under a raw key."""
