"""Approvals of plans: rows that are only ever added, and plans that no longer change.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ert.storage.column_types import NUMBER, TEXT
from ert.storage.migrations.append_only import forbid, forbid_updates_when

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_CONTENT = ("course", "digest", "name_ct")


def upgrade() -> None:
    """Create the table, and the triggers that keep its rows and the heads of approved plans as they are."""
    op.create_table(
        "approval",
        sa.Column("uuid", TEXT, primary_key=True),
        sa.Column("rev", NUMBER, nullable=False),
        sa.Column("plan", TEXT, sa.ForeignKey("plan.uuid"), nullable=False, index=True),
        sa.Column("plan_rev", NUMBER, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("saved_by", TEXT, nullable=False),
        sa.Column("document_ct", sa.LargeBinary, nullable=True),
        sa.Column("created_utc", TEXT, nullable=False),
        sa.Column("updated_utc", TEXT, nullable=False),
        sa.Column("row_mac", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("plan", "plan_rev"),
        sa.UniqueConstraint("plan", "state"),
    )
    forbid("approval", "UPDATE")
    forbid("approval", "DELETE")
    changed = " OR ".join(f"OLD.{column} <> NEW.{column}" for column in _CONTENT)
    forbid_updates_when(
        "plan",
        "plan_approved_no_update",
        f"OLD.state = 'APPROVED' AND (NEW.state NOT IN ('WITHDRAWN', 'SUPERSEDED') OR {changed})",
    )
    forbid_updates_when("plan", "plan_ended_no_update", "OLD.state IN ('WITHDRAWN', 'SUPERSEDED')")
    forbid("dose", "DELETE")
