"""The files of a site as ``ert check`` sees them: needed, whole, authentic; and those that belong to no record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa

from ert.domain.backup import Progress
from ert.domain.record import Finding, Severity
from ert.errors import ErtError
from ert.storage import schema
from ert.storage.atomic import translated
from ert.storage.blobs import DATA, QUARANTINE, TMP, TRASH
from ert.storage.dialect import present_tables
from ert.storage.dose_content import has_errors
from ert.storage.envelope import FileKind
from ert.storage.keys import Vault
from ert.storage.people import SESSIONS
from ert.storage.presence import SITE_LOCK
from ert.storage.records import Records, stored_file
from ert.storage.store_file import FILE_NAME
from ert.storage.turns import TURN_LOCK
from ert.storage.unlock import KEYS, KEYS_LOCK, look_at_slots, slots_out_of_place

_NEEDED_FILES = (
    (schema.image, FileKind.CT_VOXELS),
    (schema.machine, FileKind.MACHINE_PACKAGE),
    (schema.dose, FileKind.DOSE),
)
_SKIPPED = frozenset({DATA, TMP, TRASH, QUARANTINE, SESSIONS, "backup"})
_KNOWN = frozenset({FILE_NAME, SITE_LOCK, TURN_LOCK, KEYS_LOCK, "site.db", "site.db-journal"})
_KEY_FILE = re.compile(
    r"keys/(server\.bin|server-ca\.pem|ring-\d+\.bin|slots/[0-9a-f-]{36}\.json|"
    r"attempts/([0-9a-f]{32}\.log|[0-9a-f]\.turn))"
)


def referenced_paths(records: Records) -> tuple[str, ...]:
    """Return the path of every file that a row names."""
    with records.database.read() as connection:
        return tuple(connection.execute(sa.select(schema.file.c.path)).scalars())


def check_needed_files(records: Records, revision_tables: Sequence[tuple[sa.Table, sa.Table]]) -> Iterator[Finding]:
    """Name records that have no row for a file they cannot be without."""
    file = schema.file
    with records.database.read() as connection:
        query = sa.select(file.c.owner_table, file.c.owner, file.c.owner_rev, file.c.kind)
        kept = {tuple(row) for row in connection.execute(query)}
        needed = {
            (table.name, row_id, 1, int(kind))
            for table, kind in _NEEDED_FILES
            for row_id in connection.execute(sa.select(table.c.uuid)).scalars()
        }
        sets = schema.structure_set_revision
        for row_id, rev in connection.execute(sa.select(sets.c.structure_set, sets.c.rev)):
            needed.add(("structure_set", row_id, rev, int(FileKind.CONTOURS)))
        present = present_tables(connection)
        for table, revisions in (pair for pair in revision_tables if pair[1].name in present):
            in_files = sa.select(revisions.c[table.name], revisions.c.rev).where(revisions.c.document_ct.is_(None))
            for row_id, rev in connection.execute(in_files):
                needed.add((table.name, row_id, rev, int(FileKind.DOCUMENT)))
        for row in records.rows(connection, schema.dose):
            if has_errors(records.decrypt_document("dose", row, table=schema.dose)):
                needed.add((schema.dose.name, row["uuid"], 1, int(FileKind.DOSE_ERRORS)))
    for table_name, row_id, _, _ in sorted(needed - kept):
        yield blocker("CHECK-FILES", f"A {table_name} record has lost its file.", f"{table_name} {row_id}")


def check_slots(root: Path, vault: Vault) -> Iterator[Finding]:
    """Verify the ways to the master key."""
    slots, unreadable = look_at_slots(root, vault.store_id)
    for name in unreadable:
        yield blocker("CHECK-SLOT", "A key slot cannot be read: one user cannot sign in.", name)
    for name in slots_out_of_place(root, vault.store_id):
        yield blocker("CHECK-SLOT", "A key slot lies in the place of another: changing one would remove it.", name)
    for slot in slots:
        try:
            slot.check_code(vault)
        except ErtError as exc:
            yield blocker("CHECK-SLOT", exc.sentence, exc.detail)
    if not any(slot.kind == "recovery" for slot in slots):
        yield blocker("CHECK-SLOT", "This site has no recovery slot: a forgotten password would lose it.", "slots")


def check_files(records: Records, *, is_decrypting: bool, progress: Progress) -> Iterator[Finding]:
    """Compare every file with its row, and open it if asked."""
    with records.database.read() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(schema.file)).mappings()]
    total, done = max(1, sum(row["size"] for row in rows)), 0
    for row in rows:
        progress(done / total, "Checking the files")
        done += row["size"]
        try:
            stored = stored_file(row, records.store_id)
            records.blobs.check_cipher(stored)
            if is_decrypting:
                records.blobs.read(stored)
        except ErtError as exc:
            yield blocker("CHECK-FILE", exc.sentence, f"{row['path']}: {exc.detail}")


def find_strays(root: Path, records: Records) -> Iterator[Finding]:
    """Name files that belong to no record, and whatever else was put into the folder; both as notes."""
    for path in records.blobs.orphans(referenced_paths(records)):
        yield Finding(
            severity=Severity.NOTE,
            code="CHECK-ORPHAN",
            sentence="A file belongs to no record: a save did not finish. It does no harm and is swept after a day.",
            subject=path.relative_to(root).as_posix(),
        )
    for path in _strangers(root):
        yield Finding(
            severity=Severity.NOTE,
            code="CHECK-STRANGER",
            sentence="A file in the site's folder is none of the program's; it is not used and not backed up.",
            subject=path.relative_to(root).as_posix(),
        )


def blocker(code: str, sentence: str, subject: str) -> Finding:
    """Return a finding that makes a site unsound."""
    return Finding(severity=Severity.BLOCKER, code=code, sentence=sentence, subject=subject)


def _strangers(root: Path) -> Iterator[Path]:
    with translated("listing the site's folder"):
        for path in sorted(root.iterdir()):
            if path.name in _SKIPPED and path.is_dir():
                continue
            found = [path] if path.is_file() else [p for p in sorted(path.rglob("*")) if p.is_file()]
            for file in found:
                name = file.relative_to(root).as_posix()
                is_key = name.startswith(f"{KEYS}/") and _KEY_FILE.fullmatch(name) is not None
                is_former = name.startswith("site.db.moved-")  # the database before its rows went to a server
                if name not in _KNOWN and not (is_key or is_former):
                    yield file
