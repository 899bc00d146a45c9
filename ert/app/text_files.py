"""Small text files that somebody names: read whole, with a limit, every failure a sentence."""

from __future__ import annotations

from pathlib import Path

from ert.errors import Refused

_MAX_TEXT_BYTES = 10_000_000


def read_text(path: Path, what: str) -> str:
    """Text of a file given on the command line.

    Raises
    ------
    Refused
        If it is not there, too large or no UTF-8 text.
    """
    try:
        if path.stat().st_size > _MAX_TEXT_BYTES:
            raise Refused(f"{what} '{path}' is larger than {_MAX_TEXT_BYTES // 1_000_000} MB.")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Refused(f"{what} '{path}' cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{what} '{path}' is no UTF-8 text.") from error
