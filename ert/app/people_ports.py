"""What `ports.py` says of people working side by side: history, presence, unsaved edits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from ert.domain.activity import Activity, Presence, RevisionInfo
from ert.domain.draft import DraftsFound
from ert.domain.plan import Plan


class ActivityLog(Protocol):
    """The history of a site, for reading."""

    def entries(self, *, limit: int, record: str = "", before: int | None = None) -> tuple[Activity, ...]:
        """Rows, newest first, each verified; of one record if it is named, with a number below ``before``."""

    def revisions(self, plan_id: str) -> tuple[RevisionInfo, ...]:
        """The revisions of a plan, newest first, without their content."""


class People(Protocol):
    """Who has which plan open: a hint, from any thread, that never raises for trouble with the site's folder."""

    def enter(self, plan_id: str) -> None:
        """Show that this user has a plan open."""

    def beat(self) -> None:
        """Show that this process still lives; several times a minute."""

    def leave(self, plan_id: str) -> None:
        """The plan was closed."""

    def others(self, plan_id: str) -> tuple[Presence, ...]:
        """Who else has it open."""


class DraftJournal(Protocol):
    """The unsaved edits of one open plan, on this workstation; used by one thread at a time."""

    def keep(self, plan: Plan, *, base_revision: int, labels: Sequence[str]) -> dt.datetime | None:
        """Keep the plan as it is with what was edited; when, or None where no drafts are kept.

        Raises `DiskFull` or `StorageFailed` if this workstation could not.
        """

    def clear(self) -> None:
        """Nothing is unsaved any more."""

    def close(self) -> None:
        """The plan was closed: what is unsaved was given up."""


class DraftStore(Protocol):
    """Unsaved edits on this workstation; may be used from any one thread."""

    def begin(self) -> DraftJournal:
        """The journal of a plan that was opened."""

    def left_over(self) -> DraftsFound:
        """The drafts of this user whose programs ended without saving them."""

    def discard(self, draft_id: str) -> None:
        """Remove one of them."""
