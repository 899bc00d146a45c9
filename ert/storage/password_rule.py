"""What a site asks of passwords: one row that administrators change, and the names passwords must not be made of."""

from __future__ import annotations

from ert.domain.password import DEFAULT_RULE, PasswordRule
from ert.storage.assembly import SITE_NAME_COLUMN
from ert.storage.passwords import check_password
from ert.storage.records import Records
from ert.storage.site_setting import SiteSetting

RULE_CHANGED = "password rule changed"


def password_rules(records: Records) -> SiteSetting[PasswordRule]:
    """The rule of an opened site (port ``PasswordRules``); passwords in use stay until they are changed."""
    return SiteSetting(records, "password_rule", default=DEFAULT_RULE, event=RULE_CHANGED)


def check_against_rule(records: Records, password: str, user_name: str) -> None:
    """Refuse a password that does not meet the site's rule (`InvalidSite`)."""
    with records.database.read() as connection:
        rule = password_rules(records).read_in(connection)
        cell = records.trail.read_meta(connection)[SITE_NAME_COLUMN]
    site_name = records.guard.decrypt(cell, table="store_meta", row_id="1", column=SITE_NAME_COLUMN).decode("utf-8")
    check_password(password, rule, names=(site_name, user_name))
