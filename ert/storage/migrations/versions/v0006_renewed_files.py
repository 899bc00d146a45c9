"""A file's row may name a file written anew under other keys; whose it is and what it holds stay as they are.

Revision ID: 0006
Revises: 0004
"""

from __future__ import annotations

from ert.storage.migrations.append_only import forbid_changing

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

_FIXED = (
    "owner_table", "owner", "owner_rev", "ordinal", "kind", "length", "crc32_plain", "content_hash", "created_utc",
)  # fmt: skip


def upgrade() -> None:
    """Let the trigger guard the columns that say whose file it is and what it holds."""
    forbid_changing("file", _FIXED)
