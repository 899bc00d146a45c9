"""Bring a database to this program's schema: all in one transaction, never backwards."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from ert.storage import migrations, schema
from ert.storage.opening import check_schema_version


def migrate(connection: sa.Connection) -> None:
    """Run the missing migrations on a connection that may change tables, inside its transaction.

    Raises
    ------
    SchemaTooNew
        The database was written by a newer version; nothing is changed.
    """
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if version > schema.SCHEMA_VERSION:
        check_schema_version(version)
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, schema.MIGRATION_HEAD)
    connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version = {schema.SCHEMA_VERSION}")
