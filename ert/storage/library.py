"""CT curves, materials, releases, limits of a site: a head for each, and every revision, complete in itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Set
from typing import Generic, Protocol, TypeVar

import sqlalchemy as sa

from ert.domain.ct_curve import SiteCtCurve
from ert.domain.identity import new_id
from ert.domain.library import LibraryEntry, LibraryState, SiteMaterial
from ert.domain.release import MachineRelease
from ert.domain.second_check import SiteTolerances
from ert.errors import BadTag, DigestMismatch, Refused, StaleRevision
from ert.storage import documents, schema
from ert.storage.exclusive import MACHINES, fence
from ert.storage.records import Records, Row
from ert.storage.users import user_names


class _Named(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...


T = TypeVar("T", bound=_Named)


class LibraryRepository(Generic[T]):
    """One kind of entries in revisions (port ``LibraryStore``).

    Parameters
    ----------
    table, revisions : Table
        Head and revisions; the head's name is that of its documents and of the column that refers to it.
    value_type : type
        Of the entries.
    what : str
        For sentences.
    scope : str
        Of the exclusive lock under which it is written; empty if the revisions alone keep it right.
    """

    def __init__(
        self,
        records: Records,
        *,
        table: sa.Table,
        revisions: sa.Table,
        value_type: type[T],
        what: str,
        scope: str = "",
    ) -> None:
        self._records, self._table, self._revisions = records, table, revisions
        self._type, self._what, self._scope = value_type, what, scope

    def history(self) -> tuple[tuple[LibraryEntry[T], ...], ...]:
        """Return every revision of every entry, oldest entry first, each entry's newest revision first.

        Raises
        ------
        BadTag, DigestMismatch
            A revision is not what was saved, or is missing.
        """
        records, key = self._records, self._table.name
        with records.database.read() as connection:
            heads = records.rows(connection, self._table)
            rows = records.rows(connection, self._revisions, order="rev")
            withdrawn = {row[key] for row in rows if row["state"] == LibraryState.WITHDRAWN.value}
            reasons = self._reasons(connection, withdrawn)
        names = user_names(records)
        found = []
        for head in heads:
            own = [row for row in rows if row[key] == head["uuid"]]
            is_whole = [row["rev"] for row in own] == list(range(1, head["rev"] + 1))
            if not is_whole or (own[-1]["digest"], own[-1]["state"]) != (head["digest"], head["state"]):
                raise BadTag(
                    f"A {self._what} of this site is incomplete; it was not used.",
                    hint="Run 'ert check' and restore the site from a backup.",
                    detail=f"{key} {head['uuid']}",
                )
            found.append(
                tuple(self._entry(row, names, reasons.get((head["uuid"], row["rev"]), "")) for row in reversed(own))
            )
        return tuple(found)

    def save(
        self, value: T, *, base_revision: int, state: LibraryState = LibraryState.IN_USE, reason: str = ""
    ) -> LibraryEntry[T]:
        """Save a new revision.

        Parameters
        ----------
        base_revision : int
            The revision the edit began with; 0 for a new entry.
        state : LibraryState
            `WITHDRAWN` keeps it from being chosen.
        reason : str
            Goes into the history.

        Raises
        ------
        StaleRevision
            Somebody else saved in the meantime.
        Refused
            The name is taken, or an existing entry would change its name.
        LockHeld, LockLost
            A colleague works on what is locked with it, or took that over from here.
        """
        records, key, revision = self._records, self._table.name, base_revision + 1
        content = documents.to_content(value)
        if documents.from_content(content, self._type).digest != value.digest:
            raise DigestMismatch(f"The {self._what} could not be written exactly as it is; nothing was saved.")
        row_id = new_id()
        cell = records.encrypt_document(key, content, table=self._revisions, row_id=row_id)
        common = {"state": state.value, "saved_by": records.actor, "digest": value.digest}
        change = {"digest": value.digest, "state": state.value} | ({"reason": reason} if reason else {})
        with records.transaction() as connection:
            if self._scope:
                fence(records, connection, self._scope)
            self._move_head(connection, value, base_revision, common)
            row = {"uuid": row_id, key: value.id, "document_ct": cell} | common
            records.insert(connection, self._revisions, row, revision=revision)
            event = f"{self._what} saved" if state is LibraryState.IN_USE else self._withdrawn
            records.trail.append(connection, event, table=key, record=value.id, revision=revision, change=change)
        with records.database.read() as connection:
            (kept,) = records.rows(connection, self._revisions, self._revisions.c.uuid == row_id)
        return self._entry(kept, user_names(records), reason)

    def _move_head(self, connection: sa.Connection, value: T, base_revision: int, common: Row) -> None:
        records, table = self._records, self._table
        name_bi = records.guard.blind_index(f"{table.name}.name", value.name)
        same_name = records.rows(connection, table, table.c.name_bi == name_bi)
        found = records.rows(connection, table, table.c.uuid == value.id)
        if (found[0]["rev"] if found else 0) != base_revision:
            raise StaleRevision(
                f"The {self._what} '{value.name}' was saved by somebody else in the meantime; nothing was overwritten.",
                hint="Open it again.",
                detail=f"{table.name} {value.id} base {base_revision}",
            )
        if any(row["uuid"] != value.id for row in same_name):
            raise Refused(f"This site has a {self._what} named '{value.name}' already.", hint="Choose another name.")
        if not found:
            records.insert(connection, table, {"uuid": value.id, "name_bi": name_bi} | common)
        elif found[0]["name_bi"] != name_bi:
            raise Refused(f"A {self._what} keeps its name for life.", hint="Save it as a new one.")
        else:
            records.update(connection, table, found[0], common)

    @property
    def _withdrawn(self) -> str:
        """How the history calls a withdrawal."""
        return f"{self._what} withdrawn"

    def _reasons(self, connection: sa.Connection, ids: Set[str]) -> dict[tuple[str, int], str]:
        """Why entries were withdrawn, by id and revision; the history holds it, each row verified."""
        if not ids:
            return {}
        trail, history = self._records.trail, schema.history
        query = sa.select(history).where(history.c.record.in_(sorted(ids)), history.c.event == self._withdrawn)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        for row in rows:
            trail.check_row(row)
        return {(row["record"], row["record_rev"]): str(trail.change_of(row).get("reason", "")) for row in rows}

    def _entry(self, row: Row, names: dict[str, str], reason: str) -> LibraryEntry[T]:
        content = self._records.decrypt_document(self._table.name, row, table=self._revisions)
        value = documents.from_content(content, self._type)
        if value.digest != row["digest"] or value.id != row[self._table.name]:
            raise DigestMismatch(
                f"A {self._what} of this site is not what was saved; it was not used.",
                hint="Run 'ert check' and restore the site from a backup.",
                detail=f"{self._table.name} {row['uuid']}",
            )
        return LibraryEntry(
            value=value,
            revision=row["rev"],
            state=LibraryState(row["state"]),
            saved_by=names.get(row["saved_by"], str(row["saved_by"])),
            saved_at=dt.datetime.fromisoformat(row["created_utc"]),
            reason=reason,
        )


def ct_curves_of(records: Records) -> LibraryRepository[SiteCtCurve]:
    """The CT curves of a site."""
    return LibraryRepository(
        records,
        table=schema.ct_curve,
        revisions=schema.ct_curve_revision,
        value_type=SiteCtCurve,
        what="CT curve",
    )


def releases_of(records: Records) -> LibraryRepository[MachineRelease]:
    """The releases of machine packages."""
    return LibraryRepository(
        records,
        table=schema.machine_release,
        revisions=schema.machine_release_revision,
        value_type=MachineRelease,
        what="machine release",
        scope=MACHINES,
    )


def check_tolerances_of(records: Records) -> LibraryRepository[SiteTolerances]:
    """The limits of the second check."""
    return LibraryRepository(
        records,
        table=schema.check_tolerance,
        revisions=schema.check_tolerance_revision,
        value_type=SiteTolerances,
        what="set of second check limits",
    )


def materials_of(records: Records) -> LibraryRepository[SiteMaterial]:
    """The materials that a site defined itself."""
    return LibraryRepository(
        records,
        table=schema.material,
        revisions=schema.material_revision,
        value_type=SiteMaterial,
        what="material",
    )
