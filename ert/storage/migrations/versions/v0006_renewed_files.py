"""A file's row may name a file written anew under other keys; whose it is and what it holds stay as they are.

Revision ID: 0006
Revises: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

_FIXED = (
    "owner_table", "owner", "owner_rev", "ordinal", "kind", "length", "crc32_plain", "content_hash", "created_utc",
)  # fmt: skip


def upgrade() -> None:
    """Let the trigger guard the columns that say whose file it is and what it holds."""
    op.execute("DROP TRIGGER file_no_update")
    op.execute(
        f"CREATE TRIGGER file_no_update BEFORE UPDATE OF {', '.join(_FIXED)} ON file "
        "WHEN " + " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in _FIXED) + " "
        "BEGIN SELECT RAISE(ABORT, 'file may not be changed so'); END"
    )
