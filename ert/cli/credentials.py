"""Passwords: from a terminal prompt or from a file descriptor, never from the command line or the environment."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from ert.errors import Refused

_MAX_LINE_BYTES = 4096


def read_first_line(descriptor: int) -> str:
    """First line of a file descriptor, UTF-8, without its line end.

    Reads byte by byte, so that nothing behind the line is taken from the descriptor.

    Raises
    ------
    Refused
        If the descriptor is not open for reading, the line is empty, too long or no UTF-8.
    """
    line = bytearray()
    try:
        while (byte := os.read(descriptor, 1)) not in (b"", b"\n"):
            line += byte
            if len(line) > _MAX_LINE_BYTES:
                raise Refused(f"The password on file descriptor {descriptor} is longer than {_MAX_LINE_BYTES} bytes.")
        text = line.decode("utf-8").removesuffix("\r")
    except OSError as error:
        raise Refused(
            f"File descriptor {descriptor} cannot be read.", hint="Give the number of a descriptor open for reading."
        ) from error
    except UnicodeDecodeError as error:
        raise Refused(f"The password on file descriptor {descriptor} is not UTF-8 text.") from error
    if not text:
        raise Refused(f"The first line of file descriptor {descriptor} is empty; it must hold the password.")
    return text


def ask_password(prompt: str, *, descriptor: int | None) -> str:
    """The password: first line of the descriptor if one is given, else typed on the terminal without echo."""
    if descriptor is not None:
        return read_first_line(descriptor)
    _need_terminal()
    return getpass.getpass(f"{prompt}: ", stream=sys.stderr)


def ask_new_password(*, descriptor: int | None) -> str:
    """A new password, typed twice; once if it comes from a descriptor."""
    if descriptor is not None:
        return read_first_line(descriptor)
    first = ask_password("New password", descriptor=None)
    if ask_password("New password again", descriptor=None) != first:
        raise Refused("The two passwords differ.", hint="Run the command again.")
    return first


def ask_user(user: str | None) -> str:
    """The user name: as given, else asked for on the terminal."""
    if user:
        return user
    _need_terminal()
    sys.stderr.write("User: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def ask_line(prompt: str) -> str:
    """A line typed on the terminal, echoed."""
    _need_terminal()
    sys.stderr.write(f"{prompt}: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _need_terminal() -> None:
    if not sys.stdin.isatty():
        raise Refused(
            "There is no terminal to ask for the user and the password.", hint="Give --user NAME --password-fd N."
        )


def write_secret_file(path: Path, secret: str, *, what: str) -> str:
    """Write a secret to a new file only its owner can read, and return what was read back from it.

    Raises
    ------
    Refused
        If the file is there already or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        return path.read_text(encoding="utf-8").strip()
    except FileExistsError as error:
        raise Refused(
            f"The {what} '{path}' is there already.", hint="Give a path where no file is; nothing was changed."
        ) from error
    except OSError as error:
        raise Refused(f"The {what} '{path}' cannot be written: {error.strerror}.") from error
