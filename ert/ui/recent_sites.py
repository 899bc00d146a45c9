"""Which sites were opened on this computer: paths only, no names of persons. Window geometry lives here too."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

_LIMIT = 8


def _settings() -> QSettings:
    return QSettings("ert", "ert")


def recent_sites() -> list[Path]:
    """Folders, most recent first; folders that are gone are left out."""
    value = _settings().value("recent_sites", [])
    texts = [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []
    return [Path(text) for text in texts if Path(text).is_dir()]


def remember_site(path: Path) -> None:
    """Put a folder at the front."""
    wanted = path.resolve()
    paths = [wanted, *(p for p in recent_sites() if p != wanted)]
    _settings().setValue("recent_sites", [str(p) for p in paths[:_LIMIT]])


def saved_geometry() -> QByteArray | None:
    """Where the window was."""
    value = _settings().value("geometry")
    return value if isinstance(value, QByteArray) else None


def remember_geometry(geometry: QByteArray) -> None:
    """Keep where the window is."""
    _settings().setValue("geometry", geometry)
