"""Edits that were not saved when the program ended: what they were, and what becomes of them."""

from __future__ import annotations

import attrs
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QListWidget, QSplitter, QVBoxLayout, QWidget

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.domain.draft import Draft, DraftsFound
from ert.domain.patient import Patient
from ert.domain.plan_difference import Change
from ert.domain.record import PlanHead
from ert.ui.change_tree import ChangeTree
from ert.ui.failures import sentence_of
from ert.ui.page_header import birth_text
from ert.ui.widgets import MessageStrip, dim_label, push_button, section_title, text_label

_MOST_LABELS = 6


@attrs.frozen
class _Judged:
    """A draft beside the site: whose it is, what it changes, and whether somebody saved since."""

    changes: tuple[Change, ...]
    head: PlanHead
    patient: Patient


class DraftsDialog(QDialog):
    """The drafts found at sign-in, one at a time: look, restore, discard, or leave them for later.

    Signals
    -------
    restore_wanted(draft) : open the plan with these edits.
    """

    restore_wanted = Signal(object)

    def __init__(self, session: SiteSession, found: DraftsFound, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._drafts = session, list(found.drafts)
        self.setWindowTitle("Unsaved edits were found")
        self.resize(900, 520)
        self.message = MessageStrip()
        self.list = QListWidget()
        self.list.setAccessibleName("Plans with unsaved edits")
        self.changes = ChangeTree("What the edits change")
        self.patient, self.about, self.stale = section_title(""), dim_label(), MessageStrip()
        self.restore = push_button("Restore", "undo", "Open the plan with these edits, unsaved", is_default=True)
        self.discard = push_button("Discard", "remove", "Remove these edits from this workstation for good")
        self.later = push_button("Later", "stale", "Keep them; they are offered again at the next sign-in")
        self._build()
        if found.unreadable:
            self.message.show_warning(
                f"{len(found.unreadable)} more cannot be read (damaged, or kept with other keys). They were left in "
                f"{found.folder}: {', '.join(found.unreadable)}"
            )
        self._fill(0)

    def _build(self) -> None:
        self.list.currentRowChanged.connect(self._chosen)
        self.restore.clicked.connect(self._restore)
        self.discard.clicked.connect(self._discard)
        self.later.clicked.connect(self.reject)
        for button in (self.discard, self.later):
            button.setAutoDefault(False)
        head = text_label("The program ended before these edits were saved")
        head.setObjectName("pageTitle")
        head.setWordWrap(True)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(8, 0, 0, 0)
        column.addWidget(self.patient)
        column.addWidget(self.about)
        column.addWidget(self.stale)
        column.addWidget(section_title("What they change"))
        column.addWidget(self.changes, 1)
        split = QSplitter()
        split.addWidget(self.list)
        split.addWidget(right)
        split.setSizes([260, 640])
        split.setChildrenCollapsible(False)
        bottom = QHBoxLayout()
        bottom.addWidget(self.discard)
        bottom.addStretch(1)
        bottom.addWidget(self.later)
        bottom.addWidget(self.restore)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 12)
        layout.addWidget(head)
        layout.addWidget(self.message)
        layout.addWidget(split, 1)
        layout.addLayout(bottom)

    # ---- content -------------------------------------------------------------------------------------------------

    def _fill(self, row: int) -> None:
        self.list.clear()
        for draft in self._drafts:
            self.list.addItem(f"{draft.plan.name}\n{draft.edited_at.astimezone():%Y-%m-%d %H:%M:%S}")
        has_any = bool(self._drafts)
        self.restore.setEnabled(has_any)
        self.discard.setEnabled(has_any)
        if has_any:
            self.list.setCurrentRow(min(row, len(self._drafts) - 1))

    @property
    def chosen(self) -> Draft | None:
        """The draft shown."""
        row = self.list.currentRow()
        return self._drafts[row] if 0 <= row < len(self._drafts) else None

    def _chosen(self, _row: int) -> None:
        draft = self.chosen
        self.changes.clear()
        self.stale.clear()
        self.patient.setText("")
        if draft is None:
            self.about.setText("")
            return
        labels = list(draft.labels[-_MOST_LABELS:])
        more = f"{len(draft.labels) - len(labels)} more before, then " if len(draft.labels) > len(labels) else ""
        count = f"{len(draft.labels)} edit{'s' if len(draft.labels) != 1 else ''}"
        self.about.setText(f"{count} since revision {draft.base_revision}: {more}{', '.join(labels)}")
        history = self._session.history

        def judge(_ctx: object) -> _Judged:
            plan = draft.plan
            changes = history.changes(history.plan(plan.id, draft.base_revision).plan, plan)
            return _Judged(changes, history.head(plan.id), history.patient(plan.course_id))

        self._session.jobs.submit(
            Lane.IO,
            judge,
            title="Comparing the edits",
            supersedes="judge draft",
            on_done=lambda judged: self._show(draft, judged),
            on_failed=lambda error: self.message.show_error(sentence_of(error)),
        )

    def _show(self, draft: Draft, judged: _Judged) -> None:
        if draft is not self.chosen:
            return
        base, patient = draft.base_revision, judged.patient
        who = f"{patient.display_name}   {patient.medical_record_number}   born {birth_text(patient)}"
        self.patient.setText(f"{who}   ·   {draft.plan.name}")
        self.changes.show_changes(judged.changes, before=f"saved r{base}", after="unsaved")
        if judged.head.revision != base:
            self.stale.show_warning(
                f"{judged.head.saved_by} saved revision {judged.head.revision} since. When the restored edits are "
                "saved, both are shown beside each other and you are asked."
            )

    # ---- actions -------------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        draft = self.chosen
        if draft is not None:
            self.accept()
            self.restore_wanted.emit(draft)

    def _discard(self) -> None:
        draft, drafts = self.chosen, self._session.store.drafts
        if draft is None:
            return
        self._session.jobs.submit(
            Lane.JOURNAL,
            lambda _ctx: drafts.discard(draft.draft_id),
            title="Discarding the edits",
            can_stop=False,
            on_done=lambda _none: self._discarded(draft),
            on_failed=lambda error: self.message.show_error(sentence_of(error)),
        )

    def _discarded(self, draft: Draft) -> None:
        row = self._drafts.index(draft)
        self._drafts.remove(draft)
        self._fill(row)
        if not self._drafts:
            self.accept()
