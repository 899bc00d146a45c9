"""CT curves and materials of the site, in revisions.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ert.storage.column_types import NUMBER, TEXT
from ert.storage.migrations.append_only import forbid

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
        sa.Column("uuid", TEXT, primary_key=True),
        sa.Column("rev", NUMBER, nullable=False),
        sa.Column("name_bi", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("saved_by", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("created_utc", TEXT, nullable=False),
        sa.Column("updated_utc", TEXT, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        f"{name}_revision",
        sa.Column("uuid", TEXT, primary_key=True),
        sa.Column("rev", NUMBER, nullable=False),
        sa.Column(name, TEXT, sa.ForeignKey(f"{name}.uuid"), nullable=False, index=True),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("saved_by", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("document_ct", sa.LargeBinary, nullable=False),
        sa.Column("created_utc", TEXT, nullable=False),
        sa.Column("updated_utc", TEXT, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint(name, "rev"),
    )
    forbid(name, "DELETE")
    forbid(f"{name}_revision", "UPDATE")
    forbid(f"{name}_revision", "DELETE")
