"""Limits of the second check, in revisions; plans may be ready for review from here on.

Revision ID: 0011
Revises: 0006
"""

from __future__ import annotations

from ert.storage.migrations.versions.v0002_ct_curves import create_library

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create head and revisions, and the triggers that keep revisions as they are."""
    create_library("check_tolerance")
