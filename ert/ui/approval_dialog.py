"""Approval of a plan: what it needs and how that stands, what is confirmed, the dose once more, the password."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QListView,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from ert.app.approval_rules import Requirement
from ert.app.approval_service import ApprovalView, Recomputed
from ert.app.jobs import Job, Lane
from ert.domain.approval import MEANING, Approval, Confirmed
from ert.errors import ErtError
from ert.ui.failures import sentence_of
from ert.ui.icons import icon
from ert.ui.theme import BAD, GOOD, WARN
from ert.ui.widgets import MessageStrip, dim_label, password_line, plain_tip, push_button, section_title, text_label

if TYPE_CHECKING:
    from ert.app.session import SiteSession
    from ert.app.workspace import PlanWorkspace

_STEPS = "1. Confirm each line.   2. Recompute and compare.   3. Give your password and approve."
_CODE = Qt.ItemDataRole.UserRole


class _Lines(QListWidget):
    """Wrapped sentences with an icon, or with a box to tick."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setObjectName("checkLines")
        self.setWordWrap(True)
        self.setIconSize(QSize(16, 16))
        self.setSpacing(2)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)

    def show_requirements(self, found: Sequence[Requirement]) -> None:
        """What is not met first."""
        self.clear()
        for item in sorted(found, key=lambda r: r.is_met):
            name, colour = ("ok", GOOD) if item.is_met else ("stop", BAD)
            row = QListWidgetItem(icon(name, colour), f"{item.title}. {item.sentence}")
            row.setToolTip(plain_tip(("met: " if item.is_met else "NOT MET: ") + item.sentence))
            self.addItem(row)

    def show_boxes(self, lines: Sequence[Confirmed], *, icon_of: QIcon | None = None) -> None:
        """Lines to tick."""
        for line in lines:
            row = QListWidgetItem(line.sentence)
            if icon_of is not None:
                row.setIcon(icon_of)
            row.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable)
            row.setCheckState(Qt.CheckState.Unchecked)
            row.setData(_CODE, line.code)
            row.setToolTip(plain_tip(line.sentence))
            self.addItem(row)

    @property
    def ticked(self) -> frozenset[str]:
        """Codes of the ticked lines."""
        rows = [self.item(n) for n in range(self.count())]
        return frozenset(str(r.data(_CODE)) for r in rows if r.checkState() is Qt.CheckState.Checked)


class ApprovalDialog(QDialog):
    """One plan before it is approved.

    Signals
    -------
    approved : the plan was signed.
    """

    approved = Signal()

    def __init__(self, session: SiteSession, workspace: PlanWorkspace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._workspace = session, workspace
        self._job: Job[Recomputed] | None = None
        self._made: Recomputed | None = None
        self._is_signing = False
        self.view: ApprovalView = session.approvals.view(workspace)
        self.setWindowTitle("Approve plan")
        self.resize(1180, 690)
        self.requirements = _Lines("What an approval needs")
        self.checklist = _Lines("Checklist and warnings")
        self.head, self.steps, self.state = text_label(), dim_label(_STEPS), text_label()
        self.progress = QProgressBar()
        self.password = password_line("Your password")
        self.message = MessageStrip()
        self.recompute_button = push_button("Recompute and compare", "compute", "Compute every beam without caches")
        self.stop_button = push_button("Stop", "cancel", "Stop the computation; nothing is approved")
        self.approve_button = push_button("Approve", "ok", "Approve this plan in your name")
        self.close_button = push_button("Close", "close", "Close; nothing is approved")
        self._build()
        self.checklist.show_boxes(self.view.checklist)
        self.checklist.show_boxes(self.view.warnings, icon_of=icon("warning", WARN))
        self._unsubscribe = workspace.subscribe(lambda changes: self._changed(is_plan=changes.plan or changes.dose))
        self.finished.connect(lambda _result: self._left())
        self._show()

    # ---- layout --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        plan, patient = self._workspace.plan, self._workspace.patient
        self.head.setObjectName("pageTitle")
        self.head.setText(f"{plan.name}  ·  {patient.display_name} ({patient.medical_record_number})")
        self.password.setMaximumWidth(220)
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setMaximumWidth(220)
        meaning = dim_label(f"Your signature says: “{MEANING}”")
        meaning.setWordWrap(True)
        self.state.setWordWrap(True)
        lists = QGridLayout()
        lists.setHorizontalSpacing(14)
        lists.addWidget(section_title("What an approval needs"), 0, 0)
        lists.addWidget(section_title("What you confirm"), 0, 1)
        lists.addWidget(self.requirements, 1, 0)
        lists.addWidget(self.checklist, 1, 1)
        lists.setColumnStretch(0, 46)
        lists.setColumnStretch(1, 54)
        lists.setRowStretch(1, 1)
        computed = QHBoxLayout()
        for widget in (self.recompute_button, self.progress, self.stop_button):
            computed.addWidget(widget)
        computed.addWidget(self.state, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(text_label("Your password"))
        buttons.addWidget(self.password)
        buttons.addStretch(1)
        for button in (self.approve_button, self.close_button):
            buttons.addWidget(button)
        for button in (self.recompute_button, self.stop_button, self.approve_button, self.close_button):
            button.setAutoDefault(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.addWidget(self.head)
        layout.addWidget(self.steps)
        layout.addLayout(lists, 1)
        layout.addWidget(meaning)
        layout.addLayout(computed)
        layout.addWidget(self.message)
        layout.addLayout(buttons)
        self.recompute_button.clicked.connect(self.recompute)
        self.stop_button.clicked.connect(self.stop)
        self.approve_button.clicked.connect(self.approve)
        self.close_button.clicked.connect(self.reject)
        self.password.textChanged.connect(self._refresh)
        self.password.returnPressed.connect(self.approve)
        self.checklist.itemChanged.connect(lambda _item: self._refresh())

    # ---- what is shown -------------------------------------------------------------------------------------------

    def _changed(self, *, is_plan: bool) -> None:
        """A second check arrived, for example: what is met may be different now."""
        if is_plan and self._job is None and self._made is None and not self._is_signing:
            self._show()

    def _show(self) -> None:
        view = self._session.approvals.view(self._workspace)
        if view.codes != self.view.codes:
            self.checklist.clear()
            self.checklist.show_boxes(view.checklist)
            self.checklist.show_boxes(view.warnings, icon_of=icon("warning", WARN))
        self.view = view
        self.requirements.show_requirements(view.requirements)
        self._refresh()

    @property
    def reason(self) -> str:
        """What keeps the plan from being approved at this moment; empty if nothing does."""
        unmet, left = len(self.view.unmet), len(self.view.codes - self.checklist.ticked)
        if unmet:
            return f"{unmet} of {len(self.view.requirements)} requirements are not met: see the list."
        if self._job is not None or self._is_signing:
            return "Wait for the computation." if self._job is not None else "Being signed."
        if self._made is None:
            return "Recompute the dose and have it compared first."
        if left:
            return f"{left} line{'s' * (left != 1)} to confirm."
        return "" if self.password.text() else "Your password is missing."

    def _refresh(self) -> None:
        is_busy = self._job is not None or self._is_signing
        self.recompute_button.setEnabled(not self.view.unmet and not is_busy and self._made is None)
        self.recompute_button.setToolTip(plain_tip(self.reason if self.view.unmet else "Compute every beam anew"))
        self.progress.setVisible(self._job is not None)
        self.stop_button.setVisible(self._job is not None)
        self.close_button.setEnabled(not is_busy)
        self.password.setEnabled(self._made is not None and not self._is_signing)
        self.approve_button.setEnabled(not self.reason)
        self.approve_button.setToolTip(plain_tip(self.reason or "Approve this plan in your name"))
        if self._job is None and self._made is None:
            self.state.setText(self.reason)
        elif self._made is not None:
            said = f"Computed once more, every byte is the same ({self._made.engine})."
            self.state.setText(f"{said} {self.reason}".strip())

    # ---- what is done --------------------------------------------------------------------------------------------

    def recompute(self) -> None:
        """Compute every beam without caches, on the dose lane."""
        desk = self._session.approvals
        self.message.clear()
        try:
            question = desk.begin(self._workspace)
        except ErtError as error:
            self.message.show_error(sentence_of(error))
            self._show()
            return
        self._job = self._session.jobs.submit(
            Lane.DOSE,
            lambda ctx: desk.recompute(question, ctx),
            title=f"Recomputing {question.plan.name} for approval",
            on_done=self._compared,
            on_failed=self._failed,
            on_cancelled=lambda: self._ended("Stopped; nothing was approved."),
            on_progress=self._progressed,
        )
        self.progress.setValue(0)
        self._refresh()

    def _progressed(self, fraction: float, text: str) -> None:
        if self._job is not None:
            self.progress.setValue(int(1000 * fraction))
            self.state.setText(text)

    def stop(self) -> None:
        """Stop the computation."""
        if self._job is not None:
            self._job.cancel()

    def _compared(self, made: Recomputed) -> None:
        self._made = made
        self._ended("")
        self.password.setFocus()

    def _ended(self, sentence: str) -> None:
        self._job = None
        if sentence:
            self.message.show_note(sentence)
        self._refresh()

    def _failed(self, error: BaseException) -> None:
        self._is_signing = False
        self.password.clear()
        self.message.show_error(sentence_of(error))
        self._ended("")

    def approve(self) -> None:
        """Sign, in the background."""
        made, password, ticked = self._made, self.password.text(), self.checklist.ticked
        if made is None or self.reason:
            return
        desk = self._session.approvals
        self._is_signing = True
        self.message.clear()
        self._refresh()
        self._session.jobs.submit(
            Lane.IO,
            lambda _ctx: desk.sign(made, confirmed=ticked, password=password),
            title=f"Approving {made.question.plan.name}",
            can_stop=False,
            on_done=self._signed,
            on_failed=self._failed,
        )

    def _signed(self, _approval: Approval) -> None:
        self._is_signing = False
        self.accept()
        self.approved.emit()

    def done(self, result: int) -> None:
        """Close, but not while a signature is under way; a computation that still runs is stopped."""
        if self._is_signing:
            return
        self.stop()
        super().done(result)

    def _left(self) -> None:
        self._unsubscribe()
