"""What is known of a backup, which ones to keep, and when the next is due."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs

from ert.domain.record import Finding

OVERDUE_AFTER = 2  # intervals without a good backup
Progress = Callable[[float, str], None]
_BEFORE_ALL = dt.datetime.min.replace(tzinfo=dt.UTC)


class BackupState(enum.StrEnum):
    """What a backup can be used for."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # finished, but the site was damaged already
    UNFINISHED = "unfinished"  # interrupted; the next backup removes it
    UNREADABLE = "unreadable"  # its manifest is damaged, changed or too new


@attrs.frozen(kw_only=True)
class BackupInfo:
    """One backup in a backup folder.

    Attributes
    ----------
    backup_id : its name in the folder.
    created : when it began, UTC; None if that cannot be read.
    file_count, total_bytes : encrypted files it refers to, and the bytes of all it consists of.
    new_bytes : what it added to the folder.
    verified_level : level of the check it passed when it was made.
    epoch : of the site: how often it went back to a backup.
    head_seq : last row of the history it holds.
    flaws : what was wrong with the site already; empty if it is complete.
    """

    backup_id: str
    state: BackupState
    created: dt.datetime | None = None
    file_count: int = 0
    total_bytes: int = 0
    new_bytes: int = 0
    verified_level: int = 0
    epoch: int = 0
    head_seq: int = 0
    flaws: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether it holds everything."""
        return self.state is BackupState.COMPLETE

    @property
    def age_key(self) -> tuple[int, int, dt.datetime, str]:
        """Sorts backups by the state they hold, oldest first: clocks may have been wrong, the history only grows."""
        return self.epoch, self.head_seq, self.created or _BEFORE_ALL, self.backup_id


@attrs.frozen(kw_only=True)
class Retention:
    """How many of the newest backups are kept, and how many days, ISO weeks and months keep their newest (UTC)."""

    keep_last: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.keep_last or self.keep_daily or self.keep_weekly or self.keep_monthly)


@attrs.frozen(kw_only=True)
class Pruned:
    """What removing old backups did."""

    removed: tuple[str, ...]
    kept: tuple[str, ...]
    freed_bytes: int


@attrs.frozen(kw_only=True)
class Restored:
    """What was restored, and what a complete check of the copy found."""

    backup_id: str
    created: dt.datetime
    folder: Path
    findings: tuple[Finding, ...]


def backups_to_keep(backups: Iterable[BackupInfo], rule: Retention) -> frozenset[str]:
    """Return the ids of the good backups to keep: the newest of each of the last days, weeks and months with one.

    The newest good backup is always among them, by its content and by its date.
    """
    good = sorted((b for b in backups if b.is_good), key=lambda b: b.age_key, reverse=True)
    dated = [(b.created, b.backup_id) for b in good if b.created is not None]
    kept = {backup_id for _, backup_id in dated[: max(1, rule.keep_last)]}
    kept |= {backup_id for _, backup_id in sorted(dated)[-1:]}
    periods: tuple[tuple[int, Callable[[dt.datetime], object]], ...] = (
        (rule.keep_daily, lambda moment: moment.date()),
        (rule.keep_weekly, lambda moment: tuple(moment.isocalendar())[:2]),
        (rule.keep_monthly, lambda moment: (moment.year, moment.month)),
    )
    for count, period_of in periods:
        newest: dict[object, str] = {}
        for moment, backup_id in dated:
            newest.setdefault(period_of(moment), backup_id)
        kept |= set(list(newest.values())[:count])
    return frozenset(kept)


def newest_good(backups: Iterable[BackupInfo]) -> BackupInfo | None:
    """Return the complete backup with the newest content, None if there is none."""
    return max((b for b in backups if b.is_good), key=lambda b: b.age_key, default=None)


def is_due(last: dt.datetime | None, now: dt.datetime, every_hours: int) -> bool:
    """Whether a backup should be made now; a clock that was set back does not put it off."""
    return last is None or now < last or now - last >= dt.timedelta(hours=every_hours)


def is_overdue(last: dt.datetime | None, now: dt.datetime, every_hours: int) -> bool:
    """Whether backups have failed to appear for so long, or are dated so far ahead, that somebody must be told."""
    return last is None or abs(now - last) > dt.timedelta(hours=OVERDUE_AFTER * every_hours)
