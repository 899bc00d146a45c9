"""Settings of this workstation: where computed doses are cached, how much of them, and how the caches stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import attrs
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import JobContext, Lane
from ert.app.session import SiteSession
from ert.domain.cache_report import CacheReport
from ert.errors import Refused
from ert.settings import (
    MAXIMUM_LIMIT_GIGABYTES,
    MAXIMUM_SESSION_MINUTES,
    CacheSettings,
    SessionSettings,
    Settings,
    load_settings,
    save_settings,
)
from ert.ui.failures import sentence_of
from ert.ui.number_edit import NumberEdit
from ert.ui.widgets import MessageStrip, dim_label, push_button, section_title, tool_button

T = TypeVar("T")
_MEGABYTE = 1_000_000
_ABOUT = (
    "A dose that was computed once is found again when its plan is opened. Files are encrypted with the site's keys "
    "and hold no names; they may be removed at any time, then doses are computed again. What is saved with a plan is "
    "kept in the site and is not affected."
)


class CacheFields:
    """Folder, limit and state of one cache."""

    def __init__(self, what: str, *, placeholder: str, parent: QWidget) -> None:
        self.folder = QLineEdit()
        self.folder.setAccessibleName(f"{what}: folder")
        self.folder.setPlaceholderText(placeholder)
        self.browse = tool_button("folder", f"Choose the folder: {what}", text="Browse…")
        self.limit = NumberEdit(f"{what}: limit", "GB", decimals=0, minimum=1, maximum=MAXIMUM_LIMIT_GIGABYTES)
        self.limit.setMaximumWidth(110)
        self.state = dim_label("…")
        self.state.setAccessibleName(f"{what}: state")
        self.browse.clicked.connect(lambda _checked=False: self._choose(parent))

    def rows(self, form: QFormLayout) -> None:
        """Put the fields into a form."""
        line = QHBoxLayout()
        line.addWidget(self.folder, 1)
        line.addWidget(self.browse)
        form.addRow("Folder", line)
        form.addRow("Limit, all sites", self.limit)
        form.addRow("Now", self.state)

    def fill(self, folder: str, limit_gigabytes: int) -> None:
        """Show what is set."""
        self.folder.setText(folder)
        self.limit.set_value(limit_gigabytes)

    def read_limit(self) -> int:
        """The limit as typed; raises `Refused`."""
        value = self.limit.read()
        if value != int(value):
            raise Refused("A limit must be a whole number of GB.")
        return int(value)

    def show_report(self, report: CacheReport) -> None:
        """Say how the cache stands."""
        if report.size_bytes is None or report.entries is None:
            self.state.setText(report.state)
            return
        doses = "1 dose" if report.entries == 1 else f"{report.entries} doses"
        self.state.setText(f"{doses} of this site, {report.size_bytes / _MEGABYTE:.1f} MB. {report.state}")

    def _choose(self, parent: QWidget) -> None:
        chosen = QFileDialog.getExistingDirectory(parent, "Folder of cached doses", self.folder.text())
        if chosen:
            self.folder.setText(chosen)

    def set_enabled(self, is_enabled: bool) -> None:
        """Let the fields be changed, or not."""
        for widget in (self.folder, self.browse, self.limit):
            widget.setEnabled(is_enabled)


class SettingsDialog(QDialog):
    """The caches of doses."""

    def __init__(self, session: SiteSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings of this workstation")
        self._session = session
        self._settings: Settings | None = None
        self._jobs_under_way = 0
        self._is_closed = False
        self._layout = QVBoxLayout(self)
        self.message = MessageStrip()
        self.is_on = QCheckBox("Keep computed doses")
        default = str(CacheSettings().local_folder)
        self.local = CacheFields("Doses on this workstation", placeholder=default, parent=self)
        self.network = CacheFields("Doses on the network", placeholder="None", parent=self)
        self.lock_after = NumberEdit(
            "Lock the screen after", "min", decimals=0, minimum=1, maximum=MAXIMUM_SESSION_MINUTES
        )
        self.revalidate = NumberEdit(
            "Look at the account every", "min", decimals=0, minimum=1, maximum=MAXIMUM_SESSION_MINUTES
        )
        self.clear = push_button("Clear now", "remove", "Remove this site's cached doses here and on the network")
        self.save = push_button("Save", "save", "Use these settings from now on", is_default=True)
        self.cancel = push_button("Cancel", "cancel", "Leave the settings as they are")
        self._build()
        self._load()
        self.refresh()

    @property
    def is_busy(self) -> bool:
        """True while something is written, removed or looked at."""
        return self._jobs_under_way > 0

    def done(self, result: int) -> None:
        """Close; what is under way still comes back to this object, so it goes when that is over."""
        super().done(result)
        self._is_closed = True
        if not self.is_busy:
            self.deleteLater()

    def _build(self) -> None:
        layout = self._layout
        layout.setContentsMargins(20, 16, 20, 12)
        layout.addWidget(section_title("Cache of computed doses"))
        about = dim_label(_ABOUT)
        about.setMinimumWidth(600)
        layout.addWidget(about)
        layout.addWidget(self.is_on)
        for title, fields in (("This workstation", self.local), ("Network folder, for all workstations", self.network)):
            layout.addSpacing(8)
            layout.addWidget(section_title(title))
            form = QFormLayout()
            fields.rows(form)
            layout.addLayout(form)
        layout.addSpacing(8)
        layout.addWidget(section_title("Session"))
        session = QFormLayout()
        for name, field in (("Lock the screen after", self.lock_after), ("Look at the account every", self.revalidate)):
            field.setMaximumWidth(110)
            session.addRow(name, field)
        layout.addLayout(session)
        layout.addWidget(dim_label("Minutes without keyboard and mouse. A locked window loses nothing."))
        layout.addSpacing(8)
        layout.addWidget(self.message)
        buttons = QHBoxLayout()
        buttons.addWidget(self.clear)
        buttons.addStretch(1)
        buttons.addWidget(self.save)
        buttons.addWidget(self.cancel)
        layout.addLayout(buttons)
        self.is_on.toggled.connect(self._enable)
        self.clear.clicked.connect(lambda _checked=False: self.clear_now())
        self.save.clicked.connect(lambda _checked=False: self.submit())
        self.cancel.clicked.connect(lambda _checked=False: self.reject())

    def _enable(self, is_on: bool) -> None:
        self.local.set_enabled(is_on)
        self.network.set_enabled(is_on)

    def _load(self) -> None:
        try:
            self._settings = load_settings()
        except Refused as error:  # nothing is cached now, and the file is not overwritten
            self._tell(self.message.show_error, str(error))
            self.save.setEnabled(False)
        cache = CacheSettings(is_on=False) if self._settings is None else self._settings.cache
        self.is_on.setChecked(cache.is_on)
        self._enable(cache.is_on)
        self.local.fill(cache.folder, cache.limit_gigabytes)
        self.network.fill(cache.network_folder, cache.network_limit_gigabytes)
        session = SessionSettings() if self._settings is None else self._settings.session
        self.lock_after.set_value(session.lock_after_minutes)
        self.revalidate.set_value(session.revalidate_minutes)

    def _tell(self, show: Callable[[str], None], sentence: str) -> None:
        """Show a message and make room for it: Qt would take that from the fields, whose text is cut then."""
        show(sentence)
        self._layout.activate()
        self.resize(self.width(), max(self.height(), self._layout.totalHeightForWidth(self.width())))

    def submit(self) -> None:
        """Write the settings and use them; refusals are shown here."""
        if self._settings is None:
            return
        try:
            cache = CacheSettings(
                is_on=self.is_on.isChecked(),
                folder=self.local.folder.text().strip(),
                limit_gigabytes=self.local.read_limit(),
                network_folder=self.network.folder.text().strip(),
                network_limit_gigabytes=self.network.read_limit(),
            )
            session = SessionSettings(
                lock_after_minutes=_minutes(self.lock_after), revalidate_minutes=_minutes(self.revalidate)
            )
            save_settings(attrs.evolve(self._settings, cache=cache, session=session))
        except Refused as error:
            self._tell(self.message.show_error, str(error))
            return
        caches = self._session.caches
        self._run("Changing the caches", lambda _ctx: caches.apply(cache), lambda _none: self.accept())

    def clear_now(self) -> None:
        """Remove the cached doses of this site."""
        caches = self._session.caches

        def work(_ctx: JobContext) -> tuple[CacheReport, ...]:
            caches.clear()
            return caches.reports()

        self._run("Clearing the caches", work, self._cleared)

    def refresh(self) -> None:
        """Look again how the caches stand."""
        caches = self._session.caches
        self._run("Looking at the caches", lambda _ctx: caches.reports(), self._show_reports)

    def _cleared(self, reports: tuple[CacheReport, ...]) -> None:
        self._show_reports(reports)
        left = sum(report.size_bytes or 0 for report in reports)
        if left:
            self._tell(
                self.message.show_warning, f"{left / _MEGABYTE:.1f} MB could not be removed or came back meanwhile."
            )
        else:
            self._tell(self.message.show_note, "The cached doses of this site were removed.")

    def _show_reports(self, reports: tuple[CacheReport, ...]) -> None:
        for fields, report in zip((self.local, self.network), reports, strict=True):
            fields.show_report(report)

    def _run(self, title: str, work: Callable[[JobContext], T], on_done: Callable[[T], object]) -> None:
        self._jobs_under_way += 1
        self.clear.setEnabled(False)

        def over(tell: Callable[[], object]) -> None:
            self._jobs_under_way -= 1
            if not self._is_closed:
                self.clear.setEnabled(not self.is_busy)
                tell()
            elif not self.is_busy:
                self.deleteLater()

        self._session.jobs.submit(
            Lane.IO,
            work,
            title=title,
            can_stop=False,
            on_done=lambda value: over(lambda: on_done(value)),
            on_failed=lambda error: over(lambda: self._tell(self.message.show_error, sentence_of(error))),
        )


def _minutes(field: NumberEdit) -> int:
    """The minutes as typed; raises `Refused`."""
    value = field.read()
    if value != int(value):
        raise Refused("A time must be a whole number of minutes.")
    return int(value)
