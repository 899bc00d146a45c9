"""``ert check``: verify a whole site, change nothing, and say everything that is wrong.

Levels, each with all below it:

0. the opening protocol and SQLite's quick check; on a server: tables and triggers
1. page codes, full structure, foreign keys (each on a fresh connection: after a bad page they contaminate one another);
   on a server: references and uniqueness, counted in the tables without their indexes
2. the code of every row, the history chain, revisions without gaps, files that rows need, key slots, and whether the
   storage went back in time as far as this workstation remembers
3. every file: present, size, SHA-256; files that no row names, and what does not belong into the folder
4. every file decrypts, CRC-32, content hash; every approval: signature, plan, images, structures, pinned doses
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa
from attrs import frozen

from ert.domain.backup import Progress
from ert.domain.record import Finding, Severity
from ert.errors import Cancelled, DatabaseBusy, ErtError
from ert.storage import schema
from ert.storage.anchors import Anchors, went_back
from ert.storage.check_approvals import check_approvals
from ert.storage.check_files import blocker, check_files, check_needed_files, check_slots, find_strays
from ert.storage.database import AnyAccess, structure_flaws
from ert.storage.dialect import present_tables
from ert.storage.keys import Vault
from ert.storage.records import Records
from ert.storage.restored import is_restored_copy

Step = Callable[[float, str], None]
_FILES_FROM = 0.1  # reading every file takes nearly all of the time
EXIT_CLEAN = 0
EXIT_FINDINGS = 1
FULL_LEVEL = 4
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
    schema.check_tolerance,
    schema.emergency_envelope,
)
REVISIONS = (
    (schema.plan, schema.plan_revision),
    (schema.structure_set, schema.structure_set_revision),
    (schema.ct_curve, schema.ct_curve_revision),
    (schema.material, schema.material_revision),
    (schema.machine_release, schema.machine_release_revision),
    (schema.check_tolerance, schema.check_tolerance_revision),
)


@frozen(kw_only=True)
class Checked:
    """What is checked.

    Attributes
    ----------
    root : folder that holds the database and the keys.
    access, vault, records : of it, opened; no access where the rows are in a transaction that others do not see yet.
    anchors : what this workstation remembers; None where that does not matter (backups, copies).
    is_site : whether files are looked for that do not belong there.
    """

    root: Path
    access: AnyAccess | None
    vault: Vault
    records: Records
    anchors: Anchors | None = None
    is_site: bool = True


def exit_code(findings: tuple[Finding, ...]) -> int:
    """Return 0 if nothing is wrong (notes do not count), else 1."""
    return EXIT_CLEAN if all(f.severity is Severity.NOTE for f in findings) else EXIT_FINDINGS


def check_site(
    checked: Checked, *, level: int = FULL_LEVEL, progress: Progress = lambda _fraction, _text: None
) -> tuple[Finding, ...]:
    """Verify a whole site and return what is wrong; empty if nothing is.

    Parameters
    ----------
    checked : Checked
        The site.
    level : int
        0 to 4, see above.
    progress : callable
        Told how far it is; may raise `Cancelled`.

    Raises
    ------
    DatabaseBusy
        Somebody keeps the database locked: nothing can be said.
    """
    records = checked.records
    steps: tuple[tuple[int, Callable[[], Iterator[Finding]]], ...] = (
        (0, lambda: _check_structure(checked.access, is_deep=False)),
        (1, lambda: _check_structure(checked.access, is_deep=True)),
        (2, lambda: _check_rows(records)),
        (2, lambda: _check_history(records, checked.anchors)),
        (2, lambda: _check_revisions(records)),
        (2, lambda: check_needed_files(records, REVISIONS)),
        (2, lambda: check_slots(checked.root, checked.vault)),
        (3, lambda: check_files(records, is_decrypting=level >= FULL_LEVEL, progress=progress)),
        (3, lambda: find_strays(checked.root, records) if checked.is_site else iter(())),
        (4, lambda: check_approvals(records, progress)),
    )
    findings: list[Finding] = []
    for needed, step in steps:
        if needed > level:
            continue
        progress(0.0, "Checking the database")
        try:
            findings.extend(step())
        except (Cancelled, DatabaseBusy):
            raise
        except ErtError as exc:
            findings.append(blocker(exc.code, exc.sentence, exc.detail))
    progress(1.0, "")
    return tuple(findings)


def _check_structure(access: AnyAccess | None, *, is_deep: bool) -> Iterator[Finding]:
    for looked_at, flaw in () if access is None else structure_flaws(access, is_deep=is_deep):
        yield blocker("CHECK-DATABASE", f"The database is damaged ({looked_at}).", flaw)


def _check_rows(records: Records) -> Iterator[Finding]:
    with records.database.read() as connection:
        present = present_tables(connection)
        for table in (t for t in schema.RECORD_TABLES if t.name in present):
            for row in connection.execute(sa.select(table)).mappings():
                try:
                    records.guard.check_row(table.name, dict(row), row_id=row["uuid"])
                except ErtError as exc:
                    yield blocker("CHECK-ROW", exc.sentence, exc.detail)


def _check_history(records: Records, anchors: Anchors | None) -> Iterator[Finding]:
    with records.database.read() as connection:
        records.trail.verify(connection)
        remembered = None if anchors is None else anchors.remembered(records.store_id)
        if remembered is None or records.trail.holds(connection, remembered):
            return
        if is_restored_copy(connection):
            yield Finding(
                severity=Severity.NOTE,
                code="CHECK-RESTORED",
                sentence="This is a restored copy that was not activated; this workstation has seen later states.",
            )
            return
        error = went_back(remembered, records.trail.head(connection))
        yield blocker("CHECK-WENT-BACK", error.sentence, error.detail)


def _check_revisions(records: Records) -> Iterator[Finding]:
    with records.database.read() as connection:
        present = present_tables(connection)
        for table in (t for t in _WITH_HISTORY if t.name in present):
            noted = _revisions(
                connection, schema.history, "record", "record_rev", schema.history.c.record_table == table.name
            )
            yield from _compare_revisions(connection, table, noted, "history")
        for table, kept in (pair for pair in REVISIONS if pair[1].name in present):
            yield from _compare_revisions(connection, table, _revisions(connection, kept, table.name, "rev"), kept.name)


def _compare_revisions(
    connection: sa.Connection, table: sa.Table, found: dict[str, list[int]], where: str
) -> Iterator[Finding]:
    for row_id, head in connection.execute(sa.select(table.c.uuid, table.c.rev)):
        if found.get(row_id, []) != list(range(1, head + 1)):
            yield blocker(
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
