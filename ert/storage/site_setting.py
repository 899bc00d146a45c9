"""One value that counts for a whole site: a row that administrators change, every change in the history."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import sqlalchemy as sa

from ert.domain.identity import new_id
from ert.storage import documents, schema
from ert.storage.records import Records


class InWords(Protocol):
    """A value that the history can quote."""

    @property
    def text(self) -> str:
        """The value in words."""


V = TypeVar("V", bound=InWords)


class SiteSetting(Generic[V]):
    """One named setting of an opened site.

    Parameters
    ----------
    records : Records
    name : str
        Of the row and of its document.
    default : value
        What counts until somebody sets another; its class is that of all values.
    event : str
        What the history says of a change.
    """

    def __init__(self, records: Records, name: str, *, default: V, event: str) -> None:
        self._records, self._name, self._default, self._event = records, name, default, event

    def read(self) -> V:
        """Return the value that counts."""
        with self._records.database.read() as connection:
            return self.read_in(connection)

    def read_in(self, connection: sa.Connection) -> V:
        """Return the value that counts, as a transaction sees it."""
        table = schema.site_setting
        rows = self._records.rows(connection, table, table.c.name == self._name)
        if not rows:
            return self._default
        content = self._records.decrypt_document(self._name, rows[0], table=table)
        return documents.from_content(content, type(self._default))

    def save(self, value: V) -> None:
        """Have a value count from now on. Noted in the history, before and after."""
        records, table = self._records, schema.site_setting
        with records.transaction() as connection:
            before = self.read_in(connection)
            rows = records.rows(connection, table, table.c.name == self._name)
            row_id = rows[0]["uuid"] if rows else new_id()
            cell = records.encrypt_document(self._name, documents.to_content(value), table=table, row_id=row_id)
            if rows:
                records.update(connection, table, rows[0], {"document_ct": cell})
            else:
                records.insert(connection, table, {"uuid": row_id, "name": self._name, "document_ct": cell})
            records.trail.append(connection, self._event, change={"before": before.text, "after": value.text})
