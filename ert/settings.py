"""Where the program finds what it ships with, and the settings of this workstation.

Settings lie in ``settings.toml`` in the user's configuration folder: a version, then one table for each group. A file
that cannot be understood is refused as a whole and never overwritten: half a file of settings is nobody's wish.
"""

from __future__ import annotations

import json
import os
import tomllib
import uuid
from pathlib import Path
from typing import Any

import attrs
import platformdirs

from ert.errors import Refused

VERSION = 1
FILE_NAME = "settings.toml"
GIGABYTE = 1_000_000_000
MAXIMUM_LIMIT_GIGABYTES = 10_000
MAXIMUM_SESSION_MINUTES = 60
_MAXIMUM_BYTES = 64 * 1024


def resources_dir() -> Path:
    """Folder of tables and other resources: `ert/resources` in an installed package, `resources` in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "resources"
    return installed if installed.is_dir() else package.parent / "resources"


def settings_path() -> Path:
    """The settings file of this user on this workstation."""
    return Path(platformdirs.user_config_dir("ert", appauthor=False)) / FILE_NAME


@attrs.frozen(kw_only=True)
class CacheSettings:
    """Where computed doses are kept for the next time they are asked for.

    Attributes
    ----------
    is_on : keep doses at all, here and on the share.
    folder : absolute path; "" for the user's cache folder of this system.
    limit_gigabytes : of all doses there, of whatever site.
    network_folder : absolute path of a folder on a share; "" for none.
    network_limit_gigabytes : the same for that folder.

    Raises
    ------
    Refused
        For a folder that is not an absolute path, or a limit that is none.
    """

    is_on: bool = True
    folder: str = ""
    limit_gigabytes: int = 2
    network_folder: str = ""
    network_limit_gigabytes: int = 20

    def __attrs_post_init__(self) -> None:
        for folder in (self.folder, self.network_folder):
            if folder and not Path(folder).is_absolute():
                raise Refused(f"The folder '{folder}' is no absolute path.", hint="Give it from the root of its disk.")
            if folder.encode("utf-8", "ignore").decode("utf-8") != folder or "\0" in folder:
                raise Refused("The name of a folder has characters that cannot be written down.")
        for limit in (self.limit_gigabytes, self.network_limit_gigabytes):
            if not 1 <= limit <= MAXIMUM_LIMIT_GIGABYTES:
                raise Refused(f"A cache must be limited to 1 to {MAXIMUM_LIMIT_GIGABYTES} GB, not {limit}.")

    @property
    def local_folder(self) -> Path:
        """The folder on this workstation."""
        if self.folder:
            return Path(self.folder)
        return Path(platformdirs.user_cache_dir("ert", appauthor=False)) / "doses"


@attrs.frozen(kw_only=True)
class SessionSettings:
    """How long nobody may be seen before the screen is locked, and how often an account is looked at again.

    Attributes
    ----------
    lock_after_minutes : without key or mouse; there is no way to switch the lock off.
    revalidate_minutes : between two looks at the account of who is signed in.

    Raises
    ------
    Refused
        For a time out of its range.
    """

    lock_after_minutes: int = 15
    revalidate_minutes: int = 5

    def __attrs_post_init__(self) -> None:
        for minutes, what in (
            (self.lock_after_minutes, "The screen is locked"),
            (self.revalidate_minutes, "Accounts are looked at again"),
        ):
            if not 1 <= minutes <= MAXIMUM_SESSION_MINUTES:
                raise Refused(f"{what} after 1 to {MAXIMUM_SESSION_MINUTES} minutes, not after {minutes}.")


@attrs.frozen(kw_only=True)
class Settings:
    """All groups."""

    cache: CacheSettings = attrs.field(factory=CacheSettings)
    session: SessionSettings = attrs.field(factory=SessionSettings)


def load_settings(path: Path | None = None) -> Settings:
    """The settings in a file; the defaults if there is none.

    Raises
    ------
    Refused
        If the file cannot be read or understood, or was written by a newer version.
    """
    place = path if path is not None else settings_path()
    try:
        data = place.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise _unreadable(place, f"it cannot be read ({error.strerror})") from error
    if len(data) > _MAXIMUM_BYTES:
        raise _unreadable(place, "it is too long")
    try:
        tree = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise _unreadable(place, "it is no TOML") from error
    version = tree.pop("version", None)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise _unreadable(place, "it has no version this program knows")
    groups = {field.name: field.type for field in attrs.fields(attrs.resolve_types(Settings))}
    if not set(tree) <= set(groups):
        raise _unreadable(place, f"it has the unknown group '{min(set(tree) - set(groups))}'")
    return Settings(**{name: _group(place, name, groups[name], tree[name]) for name in tree})


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Replace the file as a whole.

    Raises
    ------
    Refused
        If it cannot be written, or holds what this version does not understand.
    """
    place = path if path is not None else settings_path()
    load_settings(place)
    lines = ["# Settings of ERT on this workstation", f"version = {VERSION}"]
    for group in attrs.fields(Settings):
        lines += ["", f"[{group.name}]"]
        lines += [f"{n} = {_toml(v)}" for n, v in attrs.asdict(getattr(settings, group.name), recurse=False).items()]
    unfinished = place.with_name(f"{place.name}.{uuid.uuid4()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(unfinished, place)  # noqa: PTH105 - says what it does
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise Refused(f"The settings '{place}' cannot be written: {error.strerror}.") from error


def _group(place: Path, name: str, kind: Any, table: Any) -> Any:  # noqa: ANN401
    fields = {field.name: field.type for field in attrs.fields(attrs.resolve_types(kind))}
    if not isinstance(table, dict) or not set(table) <= set(fields):
        raise _unreadable(place, f"the group '{name}' has a setting this program does not know")
    wrong = [key for key, value in table.items() if type(value) is not fields[key]]
    if wrong:
        raise _unreadable(place, f"'{name}.{wrong[0]}' is of the wrong kind")
    return kind(**table)


def _toml(value: bool | int | str) -> str:
    """A TOML literal; the escapes of JSON strings are all escapes of TOML strings, but DEL must be written out."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unreadable(place: Path, why: str) -> Refused:
    return Refused(
        f"The settings '{place}' cannot be used: {why}.", hint="Correct or remove that file, then start ERT again."
    )
