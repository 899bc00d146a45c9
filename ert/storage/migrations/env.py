"""Alembic's environment: migrations run on the connection, and inside the transaction, they are given."""

from __future__ import annotations

from alembic import context

from ert.storage.schema import MIGRATION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=MIGRATION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
