"""Accounts with levels and features: no table changes, but what a user's document says does.

The documents are sealed with keys a migration does not have; they are brought up when they are read (documents.py).
The version of the database still has to rise: a program that knows neither disabled accounts nor rights must not open
a site that relies on them.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change no table."""
