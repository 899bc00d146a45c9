"""Where backups of a site go on this computer and how often; paths and numbers only, kept per site."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings

from ert.app.backup_service import BackupPlan
from ert.domain.backup import Retention

SUGGESTED_HOURS = 4
SUGGESTED_RULE = Retention(keep_last=24, keep_daily=30, keep_weekly=12, keep_monthly=24)
_NUMBERS = ("every_hours", "keep_last", "keep_daily", "keep_weekly", "keep_monthly")


def backup_plan(site_id: str) -> BackupPlan:
    """What was chosen for a site on this computer; a plan without a folder before that."""
    settings = QSettings("ert", "ert")
    folder = settings.value(f"backup/{site_id}/folder", "")
    texts = [str(settings.value(f"backup/{site_id}/{name}", 0)) for name in _NUMBERS]
    hours, last, daily, weekly, monthly = (int(text) if text.isdecimal() else 0 for text in texts)
    return BackupPlan(
        folder=Path(folder) if isinstance(folder, str) and folder else None,
        every_hours=hours,
        rule=Retention(keep_last=last, keep_daily=daily, keep_weekly=weekly, keep_monthly=monthly),
    )


def remember_backup_plan(site_id: str, plan: BackupPlan) -> None:
    """Keep what was chosen."""
    settings = QSettings("ert", "ert")
    settings.setValue(f"backup/{site_id}/folder", "" if plan.folder is None else str(plan.folder))
    rule = plan.rule
    numbers = (plan.every_hours, rule.keep_last, rule.keep_daily, rule.keep_weekly, rule.keep_monthly)
    for name, number in zip(_NUMBERS, numbers, strict=True):
        settings.setValue(f"backup/{site_id}/{name}", number)
