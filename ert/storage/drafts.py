"""Drafts: the unsaved edits of open plans, kept on this workstation, encrypted with the site's keys.

Each open plan has one file that holds the plan as it is now and what was done since the revision it began with. It is
replaced as a whole, flushed, after every edit (live_files.py): there is no tail that a crash could tear. It is removed
when there is nothing unsaved. What a process that ended leaves behind is offered to the same user at the next sign-in.
"""

from __future__ import annotations

import datetime as dt
import logging
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from ert.domain.draft import Draft, DraftsFound
from ert.domain.plan import Plan
from ert.errors import BadTag, DiskFull, ErtError, StorageFailed, Unavailable
from ert.storage import documents
from ert.storage.atomic import remove_left_unfinished, storage_error
from ert.storage.envelope import FileKind
from ert.storage.keys import Vault
from ert.storage.live_files import LiveFile, LiveShelf

SUFFIX = ".ertd"
_NAME = "draft"
_LENGTH = struct.Struct("<I")
_LOG = logging.getLogger(__name__)


class DraftJournal:
    """The draft of one open plan (port ``DraftJournal``); used by one thread at a time.

    Parameters
    ----------
    shelf : LiveShelf or None
        None keeps nothing.
    actor : str
        Id of the user.
    clock : callable
        Returns the time in UTC.
    """

    def __init__(self, shelf: LiveShelf | None, *, actor: str, clock: Callable[[], dt.datetime]) -> None:
        self._shelf, self._actor, self._clock = shelf, actor, clock
        self._file: LiveFile | None = None

    def keep(self, plan: Plan, *, base_revision: int, labels: Sequence[str]) -> dt.datetime | None:
        """Keep a plan with its edits; return when, or None if this workstation keeps no drafts.

        Raises
        ------
        DiskFull, StorageFailed
            This workstation could not keep it; the draft before stands.
        """
        if self._shelf is None:
            return None
        now = self._clock()
        head = {
            "actor": self._actor,
            "base_revision": base_revision,
            "labels": list(labels),
            "edited_utc": now.isoformat(),
        }
        document = documents.write_document(_NAME, head)
        content = _LENGTH.pack(len(document)) + document + documents.write_document("plan", documents.to_content(plan))
        try:
            if self._file is None:
                self._file = self._shelf.begin()
            self._file.write(content)
        except OSError as exc:
            raise _not_kept(exc) from exc
        return now

    def clear(self) -> None:
        """Nothing is unsaved: remove the draft. Raises `StorageFailed`."""
        self._without_error(None if self._file is None else self._file.clear)

    def close(self) -> None:
        """Remove it for good. Raises `StorageFailed`."""
        file, self._file = self._file, None
        self._without_error(None if file is None else file.close)

    @staticmethod
    def _without_error(action: Callable[[], None] | None) -> None:
        try:
            if action is not None:
                action()
        except OSError as exc:
            raise _not_kept(exc) from exc


class Drafts:
    """All drafts of one site on this workstation (port ``DraftStore``).

    Parameters
    ----------
    folder : Path or None
        Of this site; None keeps nothing.
    vault : Vault
    actor : str
        Id of the user: drafts are offered to nobody else.
    clock : callable
        Returns the time in UTC.
    """

    def __init__(self, folder: Path | None, vault: Vault, *, actor: str, clock: Callable[[], dt.datetime]) -> None:
        self._shelf = None if folder is None else LiveShelf(folder, vault, kind=FileKind.DRAFT, suffix=SUFFIX)
        self._actor, self._clock = actor, clock

    def begin(self) -> DraftJournal:
        """Give the journal of a plan that was opened; nothing is written before its first edit."""
        return DraftJournal(self._shelf, actor=self._actor, clock=self._clock)

    def left_over(self) -> DraftsFound:
        """Return the drafts of this user whose programs ended, oldest first.

        Raises
        ------
        StorageFailed
            The folder cannot be read.
        """
        if self._shelf is None:
            return DraftsFound()
        drafts, unreadable = [], []
        try:
            self._shelf.remove_stale_locks()
            remove_left_unfinished(self._shelf.folder)
            for draft_id, is_live in self._shelf.files():
                if is_live:
                    continue
                try:
                    actor, draft = self._read(draft_id)
                except FileNotFoundError:
                    continue  # saved or given up since the folder was listed
                except ErtError as error:
                    _LOG.warning("a draft cannot be read: %s", error.detail)
                    unreadable.append(self._shelf.path(draft_id).name)
                    continue
                if actor == self._actor:
                    drafts.append(draft)
        except OSError as exc:
            raise storage_error(exc, "looking for unsaved edits on this workstation") from exc
        return DraftsFound(drafts=tuple(drafts), unreadable=tuple(unreadable), folder=str(self._shelf.folder))

    def discard(self, draft_id: str) -> None:
        """Remove a draft that was left behind. Raises `StorageFailed`."""
        if self._shelf is not None:
            try:
                self._shelf.remove(draft_id)
            except OSError as exc:
                raise storage_error(exc, "removing unsaved edits from this workstation") from exc

    def _read(self, draft_id: str) -> tuple[str, Draft]:
        if self._shelf is None:
            raise ValueError("no drafts are kept")
        data = self._shelf.read(draft_id)
        if len(data) < _LENGTH.size:
            raise _damaged()
        end = _LENGTH.size + _LENGTH.unpack_from(data)[0]
        head = documents.read_document(_NAME, data[_LENGTH.size : end])
        plan = documents.from_content(documents.read_document("plan", data[end:]), Plan)
        try:
            draft = Draft(
                draft_id=draft_id,
                plan=plan,
                base_revision=int(head["base_revision"]),
                labels=tuple(str(label) for label in head["labels"]),
                edited_at=dt.datetime.fromisoformat(head["edited_utc"]),
            )
            return str(head["actor"]), draft
        except (KeyError, TypeError, ValueError) as exc:
            raise _damaged() from exc


def _damaged() -> BadTag:
    return BadTag("Unsaved edits kept on this workstation cannot be read; they were not used.", detail="draft: fields")


def _not_kept(exc: OSError) -> Unavailable:
    found = storage_error(exc, "keeping the edit")
    if isinstance(found, DiskFull):
        return DiskFull(
            "The disk of this workstation is full: the last edits are not kept against a crash.",
            hint="Save the plan now, then free some space on this workstation.",
            detail=found.detail,
        )
    return StorageFailed(
        "This workstation could not keep the last edits against a crash.",
        hint="Save the plan now, then have the disk of this workstation checked.",
        detail=found.detail,
    )
