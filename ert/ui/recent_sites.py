"""The sites this person opened last on this workstation: name, folder, user. Never a secret, never a patient."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import attrs
import platformdirs

MAXIMUM = 8
_FORMAT = 1
_LOG = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class RecentSite:
    """A site as the sign-in page offers it."""

    path: Path
    name: str
    user_name: str


def recent_sites_file() -> Path:
    """Where the list is kept: the user's settings folder of this system."""
    return Path(platformdirs.user_config_dir("ert", appauthor=False)) / "recent_sites.json"


def load_recent_sites(path: Path | None = None) -> tuple[RecentSite, ...]:
    """The list, newest first; empty if there is none or it cannot be read: it is a convenience, nothing depends on it."""
    file = path or recent_sites_file()
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            return ()
        return tuple(_site(entry) for entry in document["sites"])[:MAXIMUM]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError):
        _LOG.warning("the list of recent sites cannot be read and is begun anew")
        return ()


def remember_site(site: RecentSite, path: Path | None = None) -> tuple[RecentSite, ...]:
    """Put a site first and write the list; a list that cannot be written is not worth stopping for.

    Returns
    -------
    tuple of RecentSite
        The list as it is now.
    """
    file = path or recent_sites_file()
    sites = (site, *(s for s in load_recent_sites(file) if s.path != site.path))[:MAXIMUM]
    entries = [{"path": str(s.path), "name": s.name, "user_name": s.user_name} for s in sites]
    text = json.dumps({"format": _FORMAT, "sites": entries}, ensure_ascii=False, indent=1)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(file)
    except OSError:
        _LOG.warning("the list of recent sites cannot be written")
    return sites


def _site(entry: dict[str, object]) -> RecentSite:
    values = [entry[key] for key in ("path", "name", "user_name")]
    if not all(isinstance(value, str) for value in values):
        raise TypeError("a recent site is made of texts")
    return RecentSite(path=Path(str(values[0])), name=str(values[1]), user_name=str(values[2]))
