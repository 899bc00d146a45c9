"""The backups of the site: where they go, how often, which are kept, and what there is."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ert.app.backup_service import BackupPlan
from ert.app.jobs import JobContext, Lane
from ert.app.session import FULL_LEVEL, SiteSession
from ert.domain.backup import BackupInfo, BackupState, Retention
from ert.domain.record import Finding, Severity
from ert.ui.backup_settings import SUGGESTED_HOURS, SUGGESTED_RULE, backup_plan, remember_backup_plan
from ert.ui.failures import sentence_of
from ert.ui.studio_tables import FactTable
from ert.ui.theme import BAD, GOOD, TEXT_DIM, WARN
from ert.ui.widgets import MessageStrip, dim_label, push_button

_COLOURS = {
    BackupState.COMPLETE: GOOD,
    BackupState.INCOMPLETE: WARN,
    BackupState.UNFINISHED: TEXT_DIM,
    BackupState.UNREADABLE: BAD,
}
_HEAD = ("Id (UTC)", "Begun", "Files", "MB", "New MB", "Verified to level", "State")
_MOST_HOURS, _MOST_KEPT = 24 * 7, 999
_MB = 1e6


class BackupsDialog(QDialog):
    """Settings above, list below.

    Signals
    -------
    backup_wanted : make one now.
    plan_changed : where or how often.
    """

    backup_wanted = Signal()
    plan_changed = Signal()

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown: tuple[BackupInfo, ...] = ()
        self._damaged: set[str] = set()
        self.setWindowTitle("Backups")
        self.resize(940, 600)
        plan = backup_plan(session.store.site_id)
        suggested = plan if plan.folder is not None else BackupPlan(every_hours=SUGGESTED_HOURS, rule=SUGGESTED_RULE)
        self.folder = QLineEdit("" if plan.folder is None else str(plan.folder))
        self.hours = _spin(suggested.every_hours, _MOST_HOURS, "Hours between backups", never="never")
        self.last = _spin(suggested.rule.keep_last, _MOST_KEPT, "Newest backups to keep")
        self.daily = _spin(suggested.rule.keep_daily, _MOST_KEPT, "Days to keep")
        self.weekly = _spin(suggested.rule.keep_weekly, _MOST_KEPT, "Weeks to keep")
        self.monthly = _spin(suggested.rule.keep_monthly, _MOST_KEPT, "Months to keep")
        self.table = FactTable("Backups", _HEAD)
        self.message = MessageStrip()
        self.verify_button = push_button("Verify", "ok", "Read the chosen backup completely and check it like the site")
        self.now_button = push_button("Back up now", "save", "Save the settings and make a backup", is_default=True)
        self._build()
        self.refresh()

    @property
    def plan(self) -> BackupPlan:
        """What the fields say."""
        text = self.folder.text().strip()
        rule = Retention(
            keep_last=self.last.value(),
            keep_daily=self.daily.value(),
            keep_weekly=self.weekly.value(),
            keep_monthly=self.monthly.value(),
        )
        return BackupPlan(folder=Path(text) if text else None, every_hours=self.hours.value(), rule=rule)

    def _build(self) -> None:
        self.folder.setAccessibleName("Backup folder")
        self.folder.setPlaceholderText("A folder on another disk or computer")
        choose = push_button("Choose…", "folder", "Choose the folder")
        choose.clicked.connect(self._choose)
        place = QHBoxLayout()
        place.addWidget(self.folder, 1)
        place.addWidget(choose)
        schedule = QHBoxLayout()
        _fill(schedule, "every", self.hours, "hours, while this window is open")
        schedule.addStretch(1)
        kept = QHBoxLayout()
        _fill(kept, "the last", self.last, "and the newest of", self.daily, "days,", self.weekly, "weeks,")
        _fill(kept, self.monthly, "months (all zero: every backup)")
        kept.addStretch(1)
        form = QFormLayout()
        form.addRow("Folder", place)
        form.addRow("Back up", schedule)
        form.addRow("Keep", kept)
        save = push_button("Save settings", "ok", "Keep folder, schedule and rule")
        save.clicked.connect(self.save_plan)
        close = push_button("Close", "close", "Close")
        close.clicked.connect(self.reject)
        self.verify_button.clicked.connect(self.verify)
        self.now_button.clicked.connect(self._back_up)
        buttons = QHBoxLayout()
        buttons.addWidget(self.verify_button)
        buttons.addStretch(1)
        for button in (close, save, self.now_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.message)
        layout.addWidget(self.table, 1)
        layout.addWidget(dim_label("Backups are encrypted like the site. Restoring: ert restore, see docs/backup.md."))
        layout.addLayout(buttons)

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for backups", self.folder.text())
        if chosen:
            self.folder.setText(chosen)
            self.refresh()

    def save_plan(self) -> None:
        """Keep the settings and show what is in the folder."""
        remember_backup_plan(self._session.store.site_id, self.plan)
        self.plan_changed.emit()
        self.refresh()

    def _back_up(self) -> None:
        if self.plan.folder is None:
            self.message.show_error("Choose a folder for the backups first.")
            return
        self.save_plan()
        self.backup_wanted.emit()

    def refresh(self) -> None:
        """Read the folder again, in the background."""
        plan = self.plan
        if plan.folder is None or not plan.folder.is_dir():
            self._show(())
            return
        self._session.jobs.submit(
            Lane.IO,
            lambda _ctx: self._session.backups.backups(plan),
            title="Listing backups",
            supersedes="list backups",
            on_done=self._show,
            on_failed=self._failed,
        )

    def _show(self, found: tuple[BackupInfo, ...]) -> None:
        self._shown = tuple(reversed(found))
        rows = [
            (*_row(info)[:-1], "DAMAGED") if info.backup_id in self._damaged else _row(info) for info in self._shown
        ]
        colours = [BAD if info.backup_id in self._damaged else _COLOURS[info.state] for info in self._shown]
        self.table.show_rows(rows, colours)
        self.verify_button.setEnabled(bool(rows))
        if rows:
            self.table.selectRow(0)

    def verify(self) -> None:
        """Verify the chosen backup completely, in the background."""
        row = self.table.currentRow()
        if not 0 <= row < len(self._shown):
            self.message.show_error("Choose a backup in the list first.")
            return
        backup_id, plan = self._shown[row].backup_id, self.plan

        def work(ctx: JobContext) -> tuple[Finding, ...]:
            return self._session.backups.verify(plan, backup_id, ctx, level=FULL_LEVEL)

        self.message.show_note(f"Verifying {backup_id}…")
        self._session.jobs.submit(
            Lane.IO,
            work,
            title="Verifying the backup",
            on_done=lambda findings: self._verified(backup_id, findings),
            on_failed=self._failed,
            on_cancelled=self.message.clear,
        )

    def _verified(self, backup_id: str, findings: tuple[Finding, ...]) -> None:
        wrong = [f for f in findings if f.severity is not Severity.NOTE]
        self._damaged.discard(backup_id)
        if wrong:
            self._damaged.add(backup_id)
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            self.message.show_error(f"{backup_id} is damaged: {wrong[0].sentence} {wrong[0].subject}{more}")
        else:
            self.message.show_note(f"{backup_id} is sound: every record was verified, every file decrypted.")
        self._show(tuple(reversed(self._shown)))

    def _failed(self, error: BaseException) -> None:
        self._show(())
        self.message.show_error(sentence_of(error))


def _row(info: BackupInfo) -> tuple[str, ...]:
    begun = "" if info.created is None else f"{info.created.astimezone():%Y-%m-%d %H:%M}"
    if not info.file_count and info.created is None:
        return (info.backup_id, begun, "", "", "", "", info.state.value)
    return (
        info.backup_id,
        begun,
        str(info.file_count),
        f"{info.total_bytes / _MB:.1f}",
        f"{info.new_bytes / _MB:.1f}",
        str(info.verified_level),
        info.state.value,
    )


def _fill(row: QHBoxLayout, *parts: str | QWidget) -> None:
    for part in parts:
        label = dim_label(part) if isinstance(part, str) else part
        if isinstance(label, QLabel):
            label.setWordWrap(False)
        row.addWidget(label)


def _spin(value: int, most: int, name: str, *, never: str = "") -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(0, most)
    spin.setValue(value)
    spin.setAccessibleName(name)
    spin.setSpecialValueText(never)
    return spin
