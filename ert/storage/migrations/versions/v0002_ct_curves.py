"""CT curves and materials of the site, in revisions.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LIBRARIES = ("ct_curve", "material")


def upgrade() -> None:
    """Create a head and a revision table for each, and the triggers that keep revisions as they are."""
    for name in _LIBRARIES:
        create_library(name)


def create_library(name: str) -> None:
    """Head and revision table of one kind of entries; revisions can only be added."""
    op.create_table(
        name,
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("name_bi", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("saved_by", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("created_utc", sa.Text, nullable=False),
        sa.Column("updated_utc", sa.Text, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        f"{name}_revision",
        sa.Column("uuid", sa.Text, primary_key=True),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column(name, sa.Text, sa.ForeignKey(f"{name}.uuid"), nullable=False, index=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("saved_by", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("document_ct", sa.LargeBinary, nullable=False),
        sa.Column("created_utc", sa.Text, nullable=False),
        sa.Column("updated_utc", sa.Text, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint(name, "rev"),
    )
    _forbid(name, "DELETE")
    _forbid(f"{name}_revision", "UPDATE")
    _forbid(f"{name}_revision", "DELETE")


def _forbid(table: str, verb: str) -> None:
    op.execute(
        f'CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON "{table}" '
        f"BEGIN SELECT RAISE(ABORT, '{table} may not be changed so'); END"
    )
