"""Where no site, copy or folder of backups is made: inside another one."""

from __future__ import annotations

from pathlib import Path

from ert.errors import InvalidSite
from ert.storage.atomic import translated
from ert.storage.backup_format import FOLDER_FILE
from ert.storage.store_file import FILE_NAME
from ert.storage.unlock import KEYS


def expect_outside(folder: Path, doing: str) -> None:
    """Refuse to make a folder in a site or a folder of backups: its files would be cleared away there as left over.

    Parameters
    ----------
    folder : Path
        To be made, or used.
    doing : str
        Completes "nothing was …".

    Raises
    ------
    InvalidSite
        One of the folders around it is one.
    """
    with translated("looking at the folder"):
        around = next((p for p in folder.resolve().parents if _is_ours(p)), None)
    if around is not None:
        raise InvalidSite(
            f"{folder} lies in {around}, which is a site or a folder of backups; nothing was {doing} there.",
            hint="Give a folder beside it.",
        )


def _is_ours(folder: Path) -> bool:
    return (folder / FOLDER_FILE).is_file() or ((folder / FILE_NAME).is_file() and (folder / KEYS).is_dir())
