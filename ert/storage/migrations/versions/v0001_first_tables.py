"""The first tables: site, users, patients, plans, machines, doses, files, history.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from ert.storage.column_types import NUMBER, TEXT
from ert.storage.migrations.append_only import forbid

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_APPEND_ONLY = ("history", "plan_revision", "structure_set_revision", "machine", "file")
_WRITE_ONCE = ("dose",)
_NEVER_DELETED = ("patient", "image", "structure_set", "course", "plan", "user", "store_meta")


def upgrade() -> None:
    """Create tables, indexes and the triggers that forbid changing what is append-only."""
    _create_store_meta()
    _create_history()
    _create_file()
    _create_patient_tables()
    _create_plan_tables()
    forbidden = [(table, verb) for table in _APPEND_ONLY for verb in ("UPDATE", "DELETE")]
    forbidden += [(table, "UPDATE") for table in _WRITE_ONCE] + [(table, "DELETE") for table in _NEVER_DELETED]
    for table, verb in forbidden:
        forbid(table, verb)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=False)


def _blob(name: str, *, nullable: bool = False, unique: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=nullable, unique=unique)


def _reference(name: str, target: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, sa.ForeignKey(f"{target}.uuid"), nullable=nullable, index=True)


def _record(name: str, *columns: sa.Column[Any] | sa.UniqueConstraint) -> None:
    op.create_table(
        name,
        sa.Column("uuid", TEXT, primary_key=True),
        _integer("rev"),
        *columns,
        _text("created_utc"),
        _text("updated_utc"),
        _blob("row_mac"),
    )


def _create_store_meta() -> None:
    op.create_table(
        "store_meta",
        sa.Column("one", NUMBER, primary_key=True),
        _text("store_id"),
        _text("kind"),
        _integer("format"),
        _integer("epoch"),
        _blob("name_ct"),
        _integer("head_seq"),
        _blob("head_h"),
        _integer("fencing_token"),
        _blob("row_mac"),
    )


def _create_history() -> None:
    op.create_table(
        "history",
        sa.Column("seq", NUMBER, primary_key=True, autoincrement=False),
        _text("utc"),
        _integer("monotonic_ns"),
        _integer("epoch"),
        _text("actor"),
        _blob("host_ct"),
        _text("app_version"),
        _text("record_table"),
        _text("record"),
        sa.Column("record_rev", NUMBER, nullable=True),
        _text("event"),
        _blob("change_ct"),
        _blob("prev"),
        _blob("h", unique=True),
        sa.UniqueConstraint("record", "record_rev"),
    )


def _create_file() -> None:
    _record(
        "file",
        _text("owner_table"),
        _text("owner"),
        _integer("owner_rev"),
        _integer("ordinal"),
        _integer("kind"),
        sa.Column("path", TEXT, nullable=False, unique=True),
        _integer("size"),
        _integer("length"),
        _integer("crc32_plain"),
        _blob("sha256_cipher"),
        _blob("content_hash"),
        _integer("key_gen"),
        sa.UniqueConstraint("owner_table", "owner", "owner_rev", "kind", "ordinal"),
    )


def _create_patient_tables() -> None:
    _record("user", _blob("login_bi", unique=True), _blob("login_ct"), _blob("document_ct"))
    _record(
        "patient",
        _blob("mrn_bi", unique=True),
        _blob("document_ct"),
        _reference("merged_into", "patient", nullable=True),
    )
    _record(
        "image",
        _reference("patient", "patient"),
        sa.Column("series_bi", sa.LargeBinary, nullable=False, index=True),
        _text("digest"),
        _blob("document_ct"),
    )
    _record(
        "structure_set",
        _reference("image", "image"),
        sa.Column("sop_bi", sa.LargeBinary, nullable=False, index=True),
    )
    _record(
        "structure_set_revision",
        _reference("structure_set", "structure_set"),
        _text("saved_by"),
        _blob("document_ct", nullable=True),
        sa.UniqueConstraint("structure_set", "rev"),
    )
    _record(
        "course",
        _reference("patient", "patient"),
        _reference("image", "image"),
        _reference("structure_set", "structure_set"),
        _blob("document_ct"),
    )


def _create_plan_tables() -> None:
    _record(
        "plan",
        _reference("course", "course"),
        _text("state"),
        _text("saved_by"),
        _text("digest"),
        _blob("name_ct"),
    )
    _record(
        "plan_revision",
        _reference("plan", "plan"),
        _text("state"),
        _text("saved_by"),
        _text("digest"),
        _blob("document_ct", nullable=True),
        sa.UniqueConstraint("plan", "rev"),
    )
    _record("machine", sa.Column("digest", TEXT, nullable=False, unique=True), _blob("document_ct"))
    _record(
        "dose",
        _reference("plan", "plan"),
        _text("request_digest"),
        _text("content_digest"),
        _blob("document_ct"),
        sa.UniqueConstraint("plan", "request_digest"),
    )
