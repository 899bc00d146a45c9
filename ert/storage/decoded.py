"""What verified rows say, kept for as long as a site is open: a list that is read again decrypts only what changed.

The key is the codes of the rows it is read from. A code covers every column of its row and is computed anew and
compared whenever the row is read (`Records.rows`), so nothing is taken from here for a row that was changed, whoever
changed it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ert.storage.fields import ROW_CODE_COLUMN

T = TypeVar("T")
Row = dict[str, Any]
_LIMIT = 100_000


class Decoded:
    """Immutable values of verified rows; what is read from the same rows is always of one kind.

    Parameters
    ----------
    limit : int
        How many are kept; beyond it all are forgotten.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._found: dict[bytes, object] = {}

    def value(self, read: Callable[[], T], *rows: Row) -> T:
        """Return what verified rows say; `read` is called if they were not read as they are now."""
        key = b"".join([row[ROW_CODE_COLUMN] for row in rows])
        if key not in self._found:
            if len(self._found) >= self._limit:
                self._found.clear()
            self._found[key] = read()
        return self._found[key]  # type: ignore[return-value]  # put there by the same function
