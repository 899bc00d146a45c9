"""Where the program finds what it ships with."""

from __future__ import annotations

from pathlib import Path


def resources_dir() -> Path:
    """Folder of tables and other resources: `ert/resources` in an installed package, `resources` in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "resources"
    return installed if installed.is_dir() else package.parent / "resources"
