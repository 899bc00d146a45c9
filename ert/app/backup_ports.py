"""What making and keeping backups needs from the site's store; parts of ``SiteStore`` (ports.py)."""

from __future__ import annotations

from typing import Protocol

from ert.domain.backup import BackupInfo, Progress, Pruned, Retention
from ert.domain.record import Finding


class PendingBackup(Protocol):
    """A backup whose database is copied. What follows may be done by any one thread while the site is in use."""

    def finish(self, *, level: int, progress: Progress) -> BackupInfo:
        """Copy new files, verify (3: every file is compared, 4: decrypted), complete; ``progress`` may cancel."""

    def discard(self) -> None:
        """Remove what is not a backup yet; nothing after `finish`."""


class BackupShelf(Protocol):
    """A folder of backups of one site, its keys at hand."""

    def backups(self) -> tuple[BackupInfo, ...]:
        """All of them, oldest first; interrupted and unreadable ones too."""

    def newest_good(self) -> BackupInfo | None:
        """The newest complete one."""

    def verify(self, backup_id: str, *, level: int, progress: Progress) -> tuple[Finding, ...]:
        """What is wrong with one; empty if nothing is."""

    def prune(self, rule: Retention, progress: Progress) -> Pruned:
        """Remove what the rule does not keep; never the newest good one."""
