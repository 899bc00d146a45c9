"""What every repository does with rows: write them with a revision and a code, read them verified, save files first."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence

import sqlalchemy as sa

from ert.errors import BadTag, DiskFull, NotFound, Refused, SchemaTooNew, StorageFailed
from ert.storage import documents, schema
from ert.storage.anchors import Anchors
from ert.storage.audit import AuditTrail
from ert.storage.blobs import BlobStore, Buffers, StoredFile
from ert.storage.database import Database
from ert.storage.decoded import Decoded, Row
from ert.storage.envelope import FileContext, FileKind
from ert.storage.fields import ROW_CODE_COLUMN, FieldGuard
from ert.storage.restored import nothing_can_be_saved
from ert.storage.turns import Turns

__all__ = ["FILES", "Records", "Row", "Saving", "stored_file", "the_file"]
_LOG = logging.getLogger(__name__)
FILES = "files"  # scope of whoever removes files or must find all of them (exclusive.py)
_MIGRATION = sa.table(schema.MIGRATION_TABLE, sa.column("version_num"))


class Records:
    """Rows and files of one opened site.

    Parameters
    ----------
    store_id : str
        The site.
    database, blobs, guard, trail, anchors : object
        Its parts.
    actor : str
        Id of the signed-in user.
    clock : callable
        Returns the time in UTC.
    turns : Turns, optional
        The queue of those who write; where a server orders them there is none.
    """

    def __init__(
        self,
        *,
        store_id: str,
        database: Database,
        blobs: BlobStore,
        guard: FieldGuard,
        trail: AuditTrail,
        anchors: Anchors,
        actor: str,
        clock: Callable[[], dt.datetime],
        turns: Turns | None = None,
    ) -> None:
        self.store_id = store_id
        self.database = database
        self.blobs = blobs
        self.guard = guard
        self.trail = trail
        self.actor = actor
        self.decoded = Decoded()
        self.is_restored_copy = False
        self.read_only_reason = ""
        self.leases: dict[str, int] = {}  # tokens of the exclusive locks held through this object, by scope
        self.files_token = -1  # of the scope `FILES` when it was last looked at
        self._anchors = anchors
        self._clock = clock
        self._turns = turns

    @contextlib.contextmanager
    def saving(self) -> Iterator[Saving]:
        """Give a save in two steps: files are put first, then `Saving.transaction` writes the rows.

        When anything fails before the commit is tried, the files are removed again; what a crash leaves is swept.
        """
        save = Saving(self)
        try:
            yield save
        except BaseException:
            if not save.was_commit_tried:
                self.blobs.discard(save.files)
            raise

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Give an immediate transaction; remember the new head of the history once it is committed.

        Raises
        ------
        Refused
            The site is a restored copy that was not activated, or its folder is read-only.
        SchemaTooNew
            A newer program brought the site up to date while it was open here.
        """
        if self.is_restored_copy:
            raise nothing_can_be_saved()
        if self.read_only_reason:
            raise Refused(self.read_only_reason, hint="Have the disk or share opened for writing, then sign in again.")
        turn = contextlib.nullcontext() if self._turns is None else self._turns.mine()
        with turn, self.database.write() as connection:
            _expect_own_schema(connection)
            yield connection
            head = self.trail.head(connection)
        try:
            self._anchors.remember(self.store_id, head)
        except (DiskFull, StorageFailed) as error:
            # What was saved is saved. An older note only remembers less.
            _LOG.warning("this workstation could not note the newest state of the site: %s", error.detail)

    def now(self) -> dt.datetime:
        """Return the time in UTC."""
        return self._clock()

    def insert(self, connection: sa.Connection, table: sa.Table, values: Row, *, revision: int = 1) -> None:
        """Insert a record row at a revision, with times and its code."""
        now = self._clock().isoformat()
        row = values | {"rev": revision, "created_utc": now, "updated_utc": now}
        row[ROW_CODE_COLUMN] = self.guard.row_code(table.name, row)
        connection.execute(table.insert().values(**row))

    def update(self, connection: sa.Connection, table: sa.Table, row: Row, changes: Row) -> bool:
        """Raise a verified row to its next revision; False if somebody else did so since it was read."""
        new = row | changes | {"rev": row["rev"] + 1, "updated_utc": self._clock().isoformat()}
        new[ROW_CODE_COLUMN] = self.guard.row_code(table.name, new)
        unchanged = sa.and_(table.c.uuid == row["uuid"], table.c.rev == row["rev"])
        return connection.execute(table.update().where(unchanged).values(**new)).rowcount == 1

    def rows(
        self,
        connection: sa.Connection,
        table: sa.Table,
        *conditions: sa.ColumnElement[bool],
        order: str = "created_utc",
    ) -> list[Row]:
        """Return rows in order, every code verified.

        Raises
        ------
        BadTag
            A row was changed from outside.
        """
        query = sa.select(table).where(*conditions).order_by(table.c[order], table.c.uuid)
        result = connection.execute(query)
        columns = tuple(result.keys())
        found = [dict(zip(columns, row, strict=True)) for row in result]
        for row in found:
            self.guard.check_row(table.name, row, row_id=row["uuid"])
        return found

    def row(self, connection: sa.Connection, table: sa.Table, row_id: str) -> Row:
        """Return one row by id, verified; `NotFound` if there is none."""
        found = self.rows(connection, table, table.c.uuid == row_id)
        if not found:
            name = table.name.replace("_", " ")
            raise NotFound(
                f"This site has no {name} with the id {row_id}.", hint="List what it has with 'ert list'.", detail=name
            )
        return found[0]

    def encrypt_document(self, name: str, content: Row, *, table: sa.Table, row_id: str) -> bytes:
        """Return a document as an encrypted cell of its row; longer ones go to files (`Saving.put_document`)."""
        cell = self.guard.encrypt(
            documents.write_document(name, content), table=table.name, row_id=row_id, column="document_ct"
        )
        if len(cell) > schema.MAXIMUM_CELL_BYTES:
            raise ValueError(f"document {name} is too long for a cell")
        return cell

    def decrypt_document(self, name: str, row: Row, *, table: sa.Table) -> Row:
        """Return the document in a row's cell."""
        cell = self.guard.decrypt(row["document_ct"], table=table.name, row_id=row["uuid"], column="document_ct")
        return documents.read_document(name, cell)

    def files_of(self, connection: sa.Connection, table: sa.Table, row_id: str, revision: int) -> list[StoredFile]:
        """Return the files of one revision of a record, in order."""
        file = schema.file
        found = self.rows(
            connection,
            file,
            file.c.owner_table == table.name,
            file.c.owner == row_id,
            file.c.owner_rev == revision,
            order="ordinal",
        )
        return [stored_file(row, self.store_id) for row in found]

    def expect_files(self, connection: sa.Connection, files: Sequence[StoredFile]) -> None:
        """Within a save's transaction: look whether its files are there still, if any were cleared away since the last.

        Raises
        ------
        StorageFailed
            The save was interrupted for over a day; nothing is saved.
        """
        table = schema.exclusive_lock
        rows = self.rows(connection, table, table.c.scope == FILES)
        token = rows[0]["token"] if rows else 0
        if token == self.files_token:
            return
        if not all(self.blobs.place(stored).exists() for stored in files):
            raise StorageFailed(
                "This save was interrupted for so long that its files were cleared away; nothing was saved.",
                hint="Save again.",
                detail=f"files token {token}",
            )
        self.files_token = token

    def context(self, table: sa.Table, row_id: str, revision: int, kind: FileKind) -> FileContext:
        """Return the context that binds a file to a record."""
        return FileContext(store_id=self.store_id, table=table.name, record_id=row_id, revision=revision, kind=kind)


class Saving:
    """One save under way: the files put so far, and the one transaction that names them."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.files: list[StoredFile] = []
        self.was_commit_tried = False

    def put(
        self, plaintext: Buffers, *, folder: Sequence[str], context: FileContext, item_size: int = 1, after: int = 0
    ) -> StoredFile:
        """Write one file; its place among those of the same owner and kind is the order of the calls.

        ``after`` is how many the owner has of that kind already.
        """
        ordinal = after + sum(1 for stored in self.files if stored.context == context)
        stored = self._records.blobs.put(
            plaintext, folder=folder, context=context, item_size=item_size, ordinal=ordinal
        )
        self.files.append(stored)
        return stored

    def put_document(
        self, name: str, content: Row, *, table: sa.Table, row_id: str, context: FileContext, folder: Sequence[str]
    ) -> bytes | None:
        """Return a document as an encrypted cell, or put it into a file and return None if it is too long for one."""
        packed = documents.write_document(name, content)
        cell = self._records.guard.encrypt(packed, table=table.name, row_id=row_id, column="document_ct")
        if len(cell) <= schema.MAXIMUM_CELL_BYTES:
            return cell
        self.put([packed], folder=folder, context=context)
        return None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Give the transaction; the files' rows are written by it, behind what the caller writes."""
        with self._records.transaction() as connection:
            yield connection
            self._records.expect_files(connection, self.files)
            for stored in self.files:
                self._records.insert(connection, schema.file, _file_row(stored))
            self.was_commit_tried = True


def tables_version(connection: sa.Connection) -> str:
    """Return which migration made the tables."""
    return str(connection.execute(sa.select(_MIGRATION.c.version_num)).scalar_one())


def _expect_own_schema(connection: sa.Connection) -> None:
    """Refuse to write into tables that a newer program changed after this one had opened them."""
    version = tables_version(connection)
    if version != schema.MIGRATION_HEAD:
        raise SchemaTooNew(
            "This site was brought up to date by a newer version of the program while it was open here; nothing was "
            "saved.",
            hint="Sign out and start the newer version; unsaved edits are offered there.",
            detail=f"migration {version}, expected {schema.MIGRATION_HEAD}",
        )


def the_file(files: Sequence[StoredFile], kind: FileKind) -> StoredFile:
    """Return the one file of a kind; `BadTag` if a record lost it."""
    found = [stored for stored in files if stored.context.kind is kind]
    if len(found) != 1:
        raise BadTag(
            "A record of this site has lost one of its files; it was not used.",
            hint="Run 'ert check' and restore the site from a backup.",
            detail=f"{len(found)} files of kind {kind.name}",
        )
    return found[0]


def stored_file(row: Row, store_id: str) -> StoredFile:
    """Return the file that a row of the table ``file`` describes."""
    context = FileContext(
        store_id=store_id,
        table=row["owner_table"],
        record_id=row["owner"],
        revision=row["owner_rev"],
        kind=FileKind(row["kind"]),
    )
    return StoredFile(
        file_id=row["uuid"],
        path=row["path"],
        context=context,
        ordinal=row["ordinal"],
        size=row["size"],
        length=row["length"],
        crc32_plain=row["crc32_plain"],
        content_hash=row["content_hash"],
        sha256_cipher=row["sha256_cipher"],
        generation=row["key_gen"],
    )


def _file_row(stored: StoredFile) -> Row:
    return {
        "uuid": stored.file_id,
        "owner_table": stored.context.table,
        "owner": stored.context.record_id,
        "owner_rev": stored.context.revision,
        "ordinal": stored.ordinal,
        "kind": int(stored.context.kind),
        "path": stored.path,
        "size": stored.size,
        "length": stored.length,
        "crc32_plain": stored.crc32_plain,
        "sha256_cipher": stored.sha256_cipher,
        "content_hash": stored.content_hash,
        "key_gen": stored.generation,
    }
