"""Releases of machine packages, in revisions.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from ert.storage.migrations.versions.v0002_ct_curves import create_library

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create head and revisions, and the triggers that keep revisions as they are."""
    create_library("machine_release")
