"""Locks for what only one may do at a time, each with the number of its taking; and settings of the site as a whole.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables; a row stays once its scope was locked, or its setting made, for the first time."""
    op.create_table(
        "exclusive_lock",
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("scope", sa.Text, nullable=False, unique=True),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("is_held", sa.Integer, nullable=False),
        sa.Column("document_ct", sa.LargeBinary, nullable=False),
        sa.Column("created_utc", sa.Text, nullable=False),
        sa.Column("updated_utc", sa.Text, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "site_setting",
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("document_ct", sa.LargeBinary, nullable=False),
        sa.Column("created_utc", sa.Text, nullable=False),
        sa.Column("updated_utc", sa.Text, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
    )
