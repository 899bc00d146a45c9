"""What a site's history says: revisions of a plan, and who did what, when, where."""

from __future__ import annotations

import datetime as dt

import attrs

from ert.domain.record import PlanStatus


@attrs.frozen(kw_only=True)
class RevisionInfo:
    """One revision of a plan, without its content.

    Attributes
    ----------
    reason : why it was saved, for example ``autosave``; empty for a save by hand.
    """

    plan_id: str
    revision: int
    status: PlanStatus
    saved_by: str
    saved_at: dt.datetime
    host: str
    reason: str


@attrs.frozen(kw_only=True)
class Activity:
    """One row of the history.

    Attributes
    ----------
    number : in the history, without gaps.
    at : UTC.
    user, host, app_version : who, where, with what; the user is empty where nobody was signed in.
    event : for example ``plan saved``.
    kind, record, revision : what it happened to; the revision is None for reading.
    subject : the record in words, for example ``Plan 'Chest wall' of DOE, Jane (4711)``; empty if unknown.
    detail : what the history notes beside it.
    """

    number: int
    at: dt.datetime
    user: str
    host: str
    app_version: str
    event: str
    kind: str
    record: str
    revision: int | None
    subject: str
    detail: str


@attrs.frozen(kw_only=True)
class Presence:
    """Somebody who has a plan open."""

    user: str
    host: str
    plan_id: str
    since: dt.datetime
