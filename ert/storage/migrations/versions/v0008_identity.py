"""A sign-in provider of the site, who is who there, and workstations whose key store opens the site.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ert.storage.column_types import NUMBER, TEXT
from ert.storage.migrations.append_only import forbid

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables; rows can be changed, never removed."""
    _create("identity_provider")
    _create(
        "identity_link",
        sa.Column("user", TEXT, sa.ForeignKey("user.uuid"), nullable=False, unique=True),
        sa.Column("subject_bi", sa.LargeBinary, nullable=False, unique=True),
    )
    _create("workstation", sa.Column("state", TEXT, nullable=False))


def _create(name: str, *columns: sa.Column[str] | sa.Column[bytes]) -> None:
    op.create_table(
        name,
        sa.Column("uuid", TEXT, primary_key=True),
        sa.Column("rev", NUMBER, nullable=False),
        *columns,
        sa.Column("document_ct", sa.LargeBinary, nullable=False),
        sa.Column("created_utc", TEXT, nullable=False),
        sa.Column("updated_utc", TEXT, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
    )
    forbid(name, "DELETE")
