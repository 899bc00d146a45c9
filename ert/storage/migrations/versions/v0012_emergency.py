"""The sealed envelope for emergencies.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ert.storage.column_types import NUMBER, TEXT
from ert.storage.migrations.append_only import forbid

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; rows can be changed, never removed."""
    op.create_table(
        "emergency_envelope",
        sa.Column("uuid", TEXT, primary_key=True),
        sa.Column("rev", NUMBER, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("document_ct", sa.LargeBinary, nullable=False),
        sa.Column("created_utc", TEXT, nullable=False),
        sa.Column("updated_utc", TEXT, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
    )
    forbid("emergency_envelope", "DELETE")
