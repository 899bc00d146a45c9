"""What a site asks of passwords: one row that administrators change, and the names passwords must not be made of."""

from __future__ import annotations

import sqlalchemy as sa

from ert.domain.identity import new_id
from ert.domain.password import DEFAULT_RULE, PasswordRule
from ert.storage import documents, schema
from ert.storage.assembly import SITE_NAME_COLUMN
from ert.storage.passwords import check_password
from ert.storage.records import Records

RULE_CHANGED = "password rule changed"
_NAME = "password_rule"


class SitePasswordRules:
    """The rule of an opened site (port ``PasswordRules``)."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def read(self) -> PasswordRule:
        """Return the rule that counts; the default one if none was set."""
        with self._records.database.read() as connection:
            return _read(self._records, connection)

    def save(self, rule: PasswordRule) -> None:
        """Have a rule count from now on; passwords in use stay until they are changed. Noted in the history."""
        records, table = self._records, schema.site_setting
        with records.transaction() as connection:
            before = _read(records, connection)
            rows = records.rows(connection, table, table.c.name == _NAME)
            row_id = rows[0]["uuid"] if rows else new_id()
            cell = records.encrypt_document(_NAME, documents.to_content(rule), table=table, row_id=row_id)
            if rows:
                records.update(connection, table, rows[0], {"document_ct": cell})
            else:
                records.insert(connection, table, {"uuid": row_id, "name": _NAME, "document_ct": cell})
            records.trail.append(connection, RULE_CHANGED, change={"before": before.text, "after": rule.text})


def _read(records: Records, connection: sa.Connection) -> PasswordRule:
    rows = records.rows(connection, schema.site_setting, schema.site_setting.c.name == _NAME)
    if not rows:
        return DEFAULT_RULE
    content = records.decrypt_document(_NAME, rows[0], table=schema.site_setting)
    return documents.from_content(content, PasswordRule)


def check_against_rule(records: Records, password: str, user_name: str) -> None:
    """Refuse a password that does not meet the site's rule (`InvalidSite`)."""
    with records.database.read() as connection:
        rule = _read(records, connection)
        cell = records.trail.read_meta(connection)[SITE_NAME_COLUMN]
    site_name = records.guard.decrypt(cell, table="store_meta", row_id="1", column=SITE_NAME_COLUMN).decode("utf-8")
    check_password(password, rule, names=(site_name, user_name))
