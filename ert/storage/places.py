"""What lies where the program expects its own: folders that are no links to elsewhere, files that are files.

Whoever can write to the folder of a site or of backups, the administrator of a share among them, can put a link in the
place of a folder: what is cleared away there would be somebody else's. And a pipe or a device in the place of a file:
who opens one waits for ever, or reads without end.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from ert.errors import InvalidSite
from ert.storage.atomic import translated


def expect_own_folders(root: Path, *names: str) -> None:
    """Refuse to move or remove files in folders of `root` that lead elsewhere; to be asked right before.

    Parameters
    ----------
    root : Path
        The folder of a site or of backups; may be a link itself.
    names : str
        Of its folders; those that are missing pass.

    Raises
    ------
    InvalidSite
        One of them is a link, or a junction.
    """
    with translated("looking at the site's folders"):
        base = root.resolve()
        strange = [name for name in names if (root / name).resolve() != base / name]
    if strange:
        raise InvalidSite(
            f"{root / strange[0]} is a link to another place; nothing was moved or removed there.",
            hint="The program makes no such link: find out who did, and put the folder itself back.",
            detail=f"link in the place of {strange[0]}",
        )


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading; raises `OSError` for a pipe, a device, a folder in its place."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def is_file_itself(path: Path) -> bool:
    """Whether a file lies there that is no link."""
    return stat.S_ISREG(path.lstat().st_mode)
