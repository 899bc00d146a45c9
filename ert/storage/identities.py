"""The sign-in provider of a site, and which person there is which user (port ``IdentityStore``)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from ert.domain.account import Account, Grant, checked_name
from ert.domain.identity import new_id
from ert.domain.provider import Identity, IdentityLink, ProviderSettings, checked_subject
from ert.errors import InvalidSite, Refused
from ert.storage import documents, schema
from ert.storage.records import Records, Row
from ert.storage.users import add_user, read_user, refuse_taken_name

_PERSON = "identity_link.subject"
_NO_PERSON = "identity_link.none"
_DOCUMENT = "identity_provider"


class IdentityRepository:
    """Provider and links of one site.

    Parameters
    ----------
    records : Records
    clock : callable
        Returns the time in UTC.
    """

    def __init__(self, records: Records, clock: Callable[[], dt.datetime]) -> None:
        self._records, self._clock = records, clock

    # ---- the provider --------------------------------------------------------------------------------------------

    def provider(self) -> ProviderSettings | None:
        """Return the provider whose sign-ins the site accepts; None if there never was one."""
        with self._records.database.read() as connection:
            row = self._provider_row(connection)
        return None if row is None else self._settings(row)

    def save_provider(self, settings: ProviderSettings) -> None:
        """Accept sign-ins of a provider from now on, or no longer (``is_on``)."""
        records, table = self._records, schema.identity_provider
        with records.transaction() as connection:
            row = self._provider_row(connection)
            row_id = new_id() if row is None else str(row["uuid"])
            content = documents.to_content(settings)
            cell = records.encrypt_document(_DOCUMENT, content, table=table, row_id=row_id)
            before = None if row is None else _shown(documents.to_content(self._settings(row)))
            if row is None:
                records.insert(connection, table, {"uuid": row_id, "document_ct": cell})
            else:
                records.update(connection, table, row, {"document_ct": cell})
            records.trail.append(
                connection,
                "sign-in provider changed",
                table=table.name,
                record=row_id,
                revision=1 if row is None else row["rev"] + 1,
                change={"before": before, "after": _shown(content)},
            )

    def _provider_row(self, connection: sa.Connection) -> Row | None:
        return next(iter(self._records.rows(connection, schema.identity_provider)), None)

    def _settings(self, row: Row) -> ProviderSettings:
        content = self._records.decrypt_document(_DOCUMENT, row, table=schema.identity_provider)
        return documents.from_content(content, ProviderSettings)

    # ---- who is who ----------------------------------------------------------------------------------------------

    def links(self) -> tuple[IdentityLink, ...]:
        """Return who is known at a provider."""
        with self._records.database.read() as connection:
            rows = self._records.rows(connection, schema.identity_link)
        found = (self._link(row) for row in rows)
        return tuple(link for link in found if link.subject)

    def user_of(self, identity: Identity) -> str:
        """Return the id of the user a person is.

        Raises
        ------
        Refused
            The person is nobody's account here: signing in does not make one.
        """
        table, index = schema.identity_link, self._index(identity.issuer, identity.subject)
        with self._records.database.read() as connection:
            rows = self._records.rows(connection, table, table.c.subject_bi == index)
        link = self._link(rows[0]) if rows else None
        if link is None or (link.issuer, link.subject) != (identity.issuer, identity.subject):
            who = f"'{identity.name}'" if identity.name else "this person"
            raise Refused(
                f"The provider knows {who}, but no account of this site belongs to the subject '{identity.subject}'.",
                hint="An administrator gives this subject to an account: Site → Users…, or 'ert user link NAME "
                f"--subject {identity.subject}'.",
                detail="unknown subject",
            )
        return link.user_id

    def link(self, user_id: str, subject: str) -> IdentityLink:
        """Let a person at the provider be a user; "" for nobody.

        Raises
        ------
        InvalidSite
            The subject is none, or another user's.
        Refused
            The site has no provider.
        """
        with self._records.transaction() as connection:
            read_user(self._records, connection, user_id)
            return self._put_link(connection, user_id, subject)

    def add_account(self, name: str, *, grant: Grant, subject: str) -> Account:
        """Add an account without a password, for a person at the provider; raises `InvalidSite`, `Refused`."""
        name = checked_name(name)
        account = Account(id=new_id(), name=name, grant=grant)
        if not subject.strip():
            raise InvalidSite("An account without a password needs a subject at the provider.", hint="Enter it.")
        with self._records.transaction() as connection:
            refuse_taken_name(self._records, connection, name)
            add_user(self._records, connection, account=account, public_ed25519=b"", slots_since=self._clock())
            self._put_link(connection, account.id, subject)
        return account

    def _put_link(self, connection: sa.Connection, user_id: str, subject: str) -> IdentityLink:
        records, table = self._records, schema.identity_link
        row = self._provider_row(connection)
        if row is None:
            raise Refused(
                "This site has no sign-in provider.", hint="Enter one first: Site → Sign-in provider…, or 'ert site "
                "provider'."
            )  # fmt: skip
        issuer, subject = ("", "") if not subject.strip() else (self._settings(row).issuer, checked_subject(subject))
        index = self._index(issuer, subject) if subject else records.guard.blind_index(_NO_PERSON, user_id)
        taken = records.rows(connection, table, table.c.subject_bi == index, table.c.user != user_id)
        if taken:
            name = read_user(records, connection, str(taken[0]["user"])).account.name
            raise InvalidSite(f"The subject '{subject}' belongs to '{name}' already.", hint="Take it away there first.")
        link = IdentityLink(user_id=user_id, issuer=issuer, subject=subject)
        found = records.rows(connection, table, table.c.user == user_id)
        row_id = str(found[0]["uuid"]) if found else new_id()
        cell = records.encrypt_document("identity_link", documents.to_content(link), table=table, row_id=row_id)
        values = {"user": user_id, "subject_bi": index, "document_ct": cell}
        before = self._link(found[0]) if found else None
        if found:
            records.update(connection, table, found[0], values)
        else:
            records.insert(connection, table, {"uuid": row_id} | values)
        change = {"user": user_id, "before": before.subject if before else "", "after": subject, "issuer": issuer}
        records.trail.append(
            connection,
            "user linked to the sign-in provider" if subject else "user's link to the sign-in provider removed",
            table=table.name,
            record=row_id,
            revision=found[0]["rev"] + 1 if found else 1,
            change=change,
        )
        return link

    def _link(self, row: Row) -> IdentityLink:
        content = self._records.decrypt_document("identity_link", row, table=schema.identity_link)
        return documents.from_content(content, IdentityLink)

    def _index(self, issuer: str, subject: str) -> bytes:
        """The index of a person; a subject is compared exactly, so it is not folded like names are."""
        return self._records.guard.blind_index(_PERSON, f"{issuer} {subject.encode().hex()}")


def _shown(content: dict[str, Any]) -> dict[str, Any]:
    """What the history says of a provider: the certificates by their length."""
    return content | {"ca_pem": f"{len(content['ca_pem'])} characters"}
