"""``ert check``: verify a whole site, change nothing, and say everything that is wrong.

Database structure and page codes (each on a fresh connection: after a bad page they contaminate one another), foreign
keys, the history chain, revisions without gaps, the code of every row, key slots, and every file: present, size,
SHA-256, decrypts, CRC-32, content hash; files that no row names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from ert.domain.record import Finding, Severity
from ert.errors import Cancelled, ErtError
from ert.storage import schema
from ert.storage.database import Database
from ert.storage.envelope import FileKind
from ert.storage.keys import Vault
from ert.storage.opening import Access
from ert.storage.records import Records, stored_file
from ert.storage.unlock import read_slots

Step = Callable[[float, str], None]
_FILES_FROM = 0.1  # reading every file takes nearly all of the time
EXIT_CLEAN = 0
EXIT_FINDINGS = 1
_PRAGMAS = ("quick_check", "cipher_integrity_check", "integrity_check", "foreign_key_check")
_WITH_HISTORY = (
    schema.user,
    schema.patient,
    schema.image,
    schema.structure_set,
    schema.course,
    schema.plan,
    schema.machine,
    schema.ct_curve,
    schema.material,
    schema.machine_release,
)
_REVISIONS = (
    (schema.plan, schema.plan_revision),
    (schema.structure_set, schema.structure_set_revision),
    (schema.ct_curve, schema.ct_curve_revision),
    (schema.material, schema.material_revision),
    (schema.machine_release, schema.machine_release_revision),
)
_NEEDED_FILES = (
    (schema.image, FileKind.CT_VOXELS),
    (schema.machine, FileKind.MACHINE_PACKAGE),
    (schema.dose, FileKind.DOSE),
)


def exit_code(findings: tuple[Finding, ...]) -> int:
    """Return 0 if nothing is wrong (notes do not count), else 1."""
    return EXIT_CLEAN if all(f.severity is Severity.NOTE for f in findings) else EXIT_FINDINGS


def check_site(root: Path, access: Access, vault: Vault, records: Records, step_to: Step) -> tuple[Finding, ...]:
    """Verify a whole site and return what is wrong; empty if nothing is.

    Parameters
    ----------
    step_to : told the fraction done and what comes next; may raise `Cancelled`.
    """
    step_to(0.0, "Database")
    steps: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _check_structure(access),
        lambda: _check_rows(records),
        lambda: _check_history(records),
        lambda: _check_revisions(records),
        lambda: _check_needed_files(records),
        lambda: _check_slots(root, vault),
        lambda: _check_files(records, step_to),
        lambda: _find_orphans(root, records),
    )
    findings: list[Finding] = []
    for step in steps:
        try:
            findings.extend(step())
        except Cancelled:
            raise
        except ErtError as exc:
            findings.append(_finding(exc.code, exc.sentence, exc.detail))
    return tuple(findings)


def referenced_paths(records: Records) -> tuple[str, ...]:
    """Return the path of every file that a row names."""
    with records.database.read() as connection:
        return tuple(connection.execute(sa.select(schema.file.c.path)).scalars())


def _check_structure(access: Access) -> Iterator[Finding]:
    for pragma in _PRAGMAS:
        database = Database(access)
        try:
            with database.read() as connection:
                rows = connection.exec_driver_sql(f"PRAGMA {pragma}").all()
        finally:
            database.close()
        for row in rows:
            if tuple(row) != ("ok",):
                yield _finding("CHECK-DATABASE", f"The database is damaged ({pragma}).", str(tuple(row))[:200])


def _check_rows(records: Records) -> Iterator[Finding]:
    with records.database.read() as connection:
        for table in schema.RECORD_TABLES:
            for row in connection.execute(sa.select(table)).mappings():
                try:
                    records.guard.check_row(table.name, dict(row), row_id=row["uuid"])
                except ErtError as exc:
                    yield _finding("CHECK-ROW", exc.sentence, exc.detail)


def _check_history(records: Records) -> Iterator[Finding]:
    with records.database.read() as connection:
        records.trail.verify(connection)
    yield from ()


def _check_revisions(records: Records) -> Iterator[Finding]:
    with records.database.read() as connection:
        for table in _WITH_HISTORY:
            noted = _revisions(
                connection, schema.history, "record", "record_rev", schema.history.c.record_table == table.name
            )
            yield from _compare_revisions(connection, table, noted, "history")
        for table, kept in _REVISIONS:
            yield from _compare_revisions(connection, table, _revisions(connection, kept, table.name, "rev"), kept.name)


def _compare_revisions(
    connection: sa.Connection, table: sa.Table, found: dict[str, list[int]], where: str
) -> Iterator[Finding]:
    for row_id, head in connection.execute(sa.select(table.c.uuid, table.c.rev)):
        if found.get(row_id, []) != list(range(1, head + 1)):
            yield _finding(
                "CHECK-REVISIONS",
                f"A {table.name} record has gaps in its revisions ({where}).",
                f"{table.name} {row_id}",
            )


def _revisions(
    connection: sa.Connection, table: sa.Table, record: str, revision: str, *conditions: sa.ColumnElement[bool]
) -> dict[str, list[int]]:
    columns = (table.c[record], table.c[revision])
    query = sa.select(*columns).where(columns[1].is_not(None), *conditions).order_by(*columns)
    found: dict[str, list[int]] = {}
    for row_id, number in connection.execute(query):
        found.setdefault(row_id, []).append(number)
    return found


def _check_needed_files(records: Records) -> Iterator[Finding]:
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
        for table, revisions in _REVISIONS:
            in_files = sa.select(revisions.c[table.name], revisions.c.rev).where(revisions.c.document_ct.is_(None))
            for row_id, rev in connection.execute(in_files):
                needed.add((table.name, row_id, rev, int(FileKind.DOCUMENT)))
    for table_name, row_id, _, _ in sorted(needed - kept):
        yield _finding("CHECK-FILES", f"A {table_name} record has lost its file.", f"{table_name} {row_id}")


def _check_slots(root: Path, vault: Vault) -> Iterator[Finding]:
    slots = read_slots(root, vault.store_id)
    for slot in slots:
        try:
            slot.check_code(vault)
        except ErtError as exc:
            yield _finding("CHECK-SLOT", exc.sentence, exc.detail)
    if not any(slot.kind == "recovery" for slot in slots):
        yield _finding("CHECK-SLOT", "This site has no recovery slot: a forgotten password would lose it.", "slots")


def _check_files(records: Records, step_to: Step) -> Iterator[Finding]:
    with records.database.read() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(schema.file)).mappings()]
    for number, row in enumerate(rows):
        step_to(_FILES_FROM + (1 - _FILES_FROM) * number / len(rows), f"File {number + 1} of {len(rows)}")
        try:
            stored = stored_file(row, records.store_id)
            records.blobs.check_cipher(stored)
            records.blobs.read(stored)
        except ErtError as exc:
            yield _finding("CHECK-FILE", exc.sentence, f"{row['path']}: {exc.detail}")


def _find_orphans(root: Path, records: Records) -> Iterator[Finding]:
    for path in records.blobs.orphans(referenced_paths(records)):
        yield Finding(
            severity=Severity.NOTE,
            code="CHECK-ORPHAN",
            sentence="A file belongs to no record: a save did not finish. It does no harm and is swept after a day.",
            subject=path.relative_to(root).as_posix(),
        )


def _finding(code: str, sentence: str, subject: str) -> Finding:
    return Finding(severity=Severity.BLOCKER, code=code, sentence=sentence, subject=subject)
