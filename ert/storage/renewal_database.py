"""The database under new keys: a copy is made, every cell and row code rewritten, all of it verified, then exchanged.

On a server the copy is a transaction, and its commit is the exchange.

Rows of the history are never written again: their cells and codes stay under the keys of their day, and the next row,
under the new ones, continues the chain. A row whose code does not fit under the old keys stops everything: damage is
never given a new, fitting code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import sqlalchemy as sa

from ert.domain.backup import Progress
from ert.domain.identity import new_id
from ert.domain.record import Severity
from ert.errors import StorageFailed
from ert.storage import schema
from ert.storage.assembly import SiteOptions, access_to, file_access, make_records
from ert.storage.atomic import sync_folder, translated
from ert.storage.audit import KEYS_RENEWED
from ert.storage.blobs import TMP
from ert.storage.check import Checked, check_site
from ert.storage.database import Database, SharedTransaction
from ert.storage.dialect import without_triggers
from ert.storage.fields import ROW_CODE_COLUMN, FieldGuard
from ert.storage.opening import DATABASE, Access
from ert.storage.records import Records
from ert.storage.server_access import ServerAccess
from ert.storage.unlock import Unlocked

_CELL = "_ct"
_ROWS_LEVEL = 2
_LOOK_EVERY = 256


def exchange_database(root: Path, old: Unlocked, new: Unlocked, options: SiteOptions, progress: Progress) -> None:
    """Put a copy of the database under new keys in its place; only while nobody has the site open.

    Raises
    ------
    SchemaTooOld
        The database is to be brought up to date first.
    BadTag, AuditBroken, StorageFailed, DiskFull, Cancelled
        The database is as it was.
    """
    on_server = access_to(root, old, options)
    if isinstance(on_server, ServerAccess):
        database = Database(attrs.evolve(on_server, is_alone=True))
        try:
            _rewrite_on_server(root, database, old, new, progress)
        finally:
            database.close()
        return
    copy = root / TMP / f"{new_id()}.db"
    access = attrs.evolve(file_access(root, new, options), path=copy)
    try:
        progress(0.05, "Copying the database")
        source = Database(on_server)
        try:
            source.copy_into(copy, key_literal=new.vault.database_key_literal)
        finally:
            source.close()
        _rewrite(access, old, new, options, progress)
        _verify(root, access, new, options, progress)
        with translated("exchanging the database"):
            copy.replace(root / DATABASE)
            sync_folder(root)
    finally:
        with translated("removing a copy of the database"):
            for path in (copy, copy.with_name(f"{copy.name}-journal")):
                path.unlink(missing_ok=True)


def _rewrite_on_server(root: Path, database: Database, old: Unlocked, new: Unlocked, progress: Progress) -> None:
    """Rewrite every row in one transaction and verify it before it is committed: that is the exchange."""
    with database.write() as connection:
        records = make_records(root, new, SiteOptions(), SharedTransaction(connection))
        _rewrite_all(connection, records, old, new, progress)
        _expect_sound(Checked(root=root, access=None, vault=new.vault, records=records, is_site=False), progress)


def _rewrite(access: Access, old: Unlocked, new: Unlocked, options: SiteOptions, progress: Progress) -> None:
    database = Database(access, may_migrate=True)
    try:
        with database.write() as connection:
            # Its files are not looked at, and this workstation remembers nothing of the copy.
            quiet = attrs.evolve(options, anchor_folder=None)
            records = make_records(access.path.parent, new, quiet, database)
            _rewrite_all(connection, records, old, new, progress)
    finally:
        database.close()


def _rewrite_all(connection: sa.Connection, records: Records, old: Unlocked, new: Unlocked, progress: Progress) -> None:
    with without_triggers(connection):
        _rewrite_rows(connection, FieldGuard(old.vault), records.guard, progress)
    change = {"from": old.vault.generation, "to": new.vault.generation}
    records.trail.append(connection, KEYS_RENEWED, record=new.store.store_id, change=change)


def _rewrite_rows(connection: sa.Connection, old: FieldGuard, new: FieldGuard, progress: Progress) -> None:
    tables = [table for table in schema.metadata.sorted_tables if ROW_CODE_COLUMN in table.c]
    ids = [(table, key) for table in tables for key in connection.execute(sa.select(_key(table))).scalars().all()]
    for done, (table, key) in enumerate(ids):
        if done % _LOOK_EVERY == 0:
            progress(0.1 + 0.6 * done / len(ids), "Rewriting records under the new keys")
        row = dict(connection.execute(sa.select(table).where(_key(table) == key)).mappings().one())
        connection.execute(
            table.update().where(_key(table) == key).values(**_rewritten(table.name, row, key, old, new))
        )


def _rewritten(table: str, row: dict[str, Any], key: str | int, old: FieldGuard, new: FieldGuard) -> dict[str, Any]:
    old.check_row(table, row, row_id=str(key))
    for column, cell in row.items():
        if column.endswith(_CELL) and cell is not None:
            value = old.decrypt(cell, table=table, row_id=str(key), column=column)
            row[column] = new.encrypt(value, table=table, row_id=str(key), column=column)
    row[ROW_CODE_COLUMN] = new.row_code(table, row)
    return row


def _key(table: sa.Table) -> sa.Column[Any]:
    (column,) = table.primary_key.columns
    return column


def _verify(root: Path, access: Access, new: Unlocked, options: SiteOptions, progress: Progress) -> None:
    database = Database(access)
    try:
        records = make_records(root, new, attrs.evolve(options, anchor_folder=None), database)
        checked = Checked(root=root, access=access, vault=new.vault, records=records, is_site=False)
        _expect_sound(checked, progress)
    finally:
        database.close()


def _expect_sound(checked: Checked, progress: Progress) -> None:
    progress(0.75, "Verifying the new database")
    watched = lambda _fraction, text: progress(0.85, text)  # noqa: E731 - one line said where it is used
    findings = [f for f in check_site(checked, level=_ROWS_LEVEL, progress=watched) if f.severity is Severity.BLOCKER]
    if findings:
        raise StorageFailed(
            f"The database does not verify under the new keys ({findings[0].sentence}); it was not exchanged.",
            hint="Run 'ert check', then try again.",
            detail=findings[0].subject,
        )
