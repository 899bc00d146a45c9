"""A sign-in provider of the site, who is who there, and workstations whose key store opens the site.

Revision ID: 0008
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables; rows can be changed, never removed."""
    _create("identity_provider")
    _create(
        "identity_link",
        sa.Column("user", sa.Text, sa.ForeignKey("user.uuid"), nullable=False, unique=True),
        sa.Column("subject_bi", sa.LargeBinary, nullable=False, unique=True),
    )
    _create("workstation", sa.Column("state", sa.Text, nullable=False))


def _create(name: str, *columns: sa.Column[str] | sa.Column[bytes]) -> None:
    op.create_table(
        name,
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("rev", sa.Integer, nullable=False),
        *columns,
        sa.Column("document_ct", sa.LargeBinary, nullable=False),
        sa.Column("created_utc", sa.Text, nullable=False),
        sa.Column("updated_utc", sa.Text, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
    )
    op.execute(
        f"CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} "
        f"BEGIN SELECT RAISE(ABORT, '{name} may not be removed'); END"
    )
