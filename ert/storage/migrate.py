"""Bring a database to this program's schema: all in one transaction, never backwards."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from ert.storage import migrations, schema
from ert.storage.dialect import schema_version, set_schema_version
from ert.storage.opening import check_schema_version


def migrate(connection: sa.Connection, *, version: int | None = None) -> None:
    """Run the missing migrations on a connection that may change tables, inside its transaction.

    Parameters
    ----------
    connection : Connection
        Of either database.
    version : int or None
        Up to which one, for the copy of an older database; None is this program's.

    Raises
    ------
    SchemaTooNew
        The database was written by a newer version; nothing is changed.
    """
    found = schema_version(connection)
    if found > schema.SCHEMA_VERSION:
        check_schema_version(found)
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, schema.MIGRATION_HEAD if version is None else f"{version:04d}")
    set_schema_version(connection, schema.SCHEMA_VERSION if version is None else version)
