"""Locks for what only one may do at a time, each with the number of its taking; and settings of the site as a whole.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ert.storage.column_types import NUMBER, TEXT

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables; a row stays once its scope was locked, or its setting made, for the first time."""
    op.create_table(
        "exclusive_lock",
        sa.Column("uuid", TEXT, primary_key=True),
        sa.Column("rev", NUMBER, nullable=False),
        sa.Column("scope", TEXT, nullable=False, unique=True),
        sa.Column("token", NUMBER, nullable=False),
        sa.Column("is_held", NUMBER, nullable=False),
        sa.Column("document_ct", sa.LargeBinary, nullable=False),
        sa.Column("created_utc", TEXT, nullable=False),
        sa.Column("updated_utc", TEXT, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "site_setting",
        sa.Column("uuid", TEXT, primary_key=True),
        sa.Column("rev", NUMBER, nullable=False),
        sa.Column("name", TEXT, nullable=False, unique=True),
        sa.Column("document_ct", sa.LargeBinary, nullable=False),
        sa.Column("created_utc", TEXT, nullable=False),
        sa.Column("updated_utc", TEXT, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
    )
