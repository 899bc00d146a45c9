"""Unsaved edits of a plan that a workstation kept, found again after the program ended without saving them."""

from __future__ import annotations

import datetime as dt

import attrs

from ert.domain.plan import Plan


@attrs.frozen(kw_only=True)
class Draft:
    """A plan as it was edited last, and how it got there.

    Attributes
    ----------
    draft_id : random id on this workstation.
    plan : with all edits.
    base_revision : the revision the edits began with.
    labels : what was edited since, oldest first, as undo names it.
    edited_at : when the last edit was kept, UTC.
    """

    draft_id: str
    plan: Plan
    base_revision: int
    labels: tuple[str, ...]
    edited_at: dt.datetime


@attrs.frozen(kw_only=True)
class DraftsFound:
    """What lay on this workstation for the user who signed in.

    Attributes
    ----------
    drafts : oldest first.
    unreadable : names of files that could not be read; they stay where they are.
    folder : where they lie.
    """

    drafts: tuple[Draft, ...] = ()
    unreadable: tuple[str, ...] = ()
    folder: str = ""
