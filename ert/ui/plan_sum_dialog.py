"""Which plans of a course are added up."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from ert.app.jobs import Job, Lane
from ert.app.plan_sum import PlanSum, sum_plans
from ert.app.session import SiteSession
from ert.domain.record import PlanHead
from ert.ui.failures import sentence_of
from ert.ui.widgets import MessageStrip, dim_label, push_button, text_label

_FEWEST = 2


class PlanSumDialog(QDialog):
    """Asks for at least two plans and adds them.

    Signals
    -------
    summed(plan_sum) : the sum is there.
    """

    summed = Signal(object)

    def __init__(self, session: SiteSession, plans: Sequence[PlanHead], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Sum of plans")
        self.setMinimumWidth(460)
        self._session = session
        self._job: Job[PlanSum] | None = None
        self.plans = QListWidget()
        self.plans.setAccessibleName("Plans to add")
        for head in plans:
            item = QListWidgetItem(f"{head.name}   revision {head.revision}, {head.status.phrase}")
            item.setData(Qt.ItemDataRole.UserRole, head.plan_id)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked)
            self.plans.addItem(item)
        self.progress = QProgressBar()
        self.progress_text = dim_label()
        self.stop = push_button("Stop", "cancel", "Stop adding")
        self.message = MessageStrip()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.add_button = self.buttons.addButton("Add up", QDialogButtonBox.ButtonRole.AcceptRole)
        self.add_button.setDefault(True)
        self._build()
        self._follow_choice()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 12)
        layout.addWidget(text_label("Plans of this course, as they were saved:"))
        layout.addWidget(self.plans)
        layout.addWidget(dim_label("Unsaved edits are not part of the sum."))
        layout.addWidget(self.progress_text)
        row = QHBoxLayout()
        row.addWidget(self.progress, 1)
        row.addWidget(self.stop)
        layout.addLayout(row)
        layout.addWidget(self.message)
        layout.addWidget(self.buttons)
        self.plans.itemChanged.connect(lambda _item: self._follow_choice())
        self.buttons.accepted.connect(self.submit)
        self.buttons.rejected.connect(self.reject)
        self.stop.clicked.connect(self._stop)
        self._show_busy(is_busy=False)

    @property
    def chosen_ids(self) -> list[str]:
        """Ids of the checked plans, in the order of the course."""
        items = (self.plans.item(n) for n in range(self.plans.count()))
        return [i.data(Qt.ItemDataRole.UserRole) for i in items if i.checkState() == Qt.CheckState.Checked]

    def _follow_choice(self) -> None:
        is_enough = len(self.chosen_ids) >= _FEWEST
        self.add_button.setEnabled(is_enough and self._job is None)
        self.add_button.setToolTip("Add the checked plans" if is_enough else "Check at least two plans")

    def _show_busy(self, *, is_busy: bool) -> None:
        self.progress.setVisible(is_busy)
        self.progress_text.setVisible(is_busy)
        self.stop.setVisible(is_busy)
        self.plans.setEnabled(not is_busy)
        self._follow_choice()

    def submit(self) -> None:
        """Add up what is checked."""
        plan_ids, session = self.chosen_ids, self._session
        self.message.clear()
        self.progress.setValue(0)
        self._job = session.jobs.submit(
            Lane.DOSE,
            lambda ctx: sum_plans(session, plan_ids, ctx),
            title="Sum of plans",
            on_done=self._arrived,
            on_failed=self._failed,
            on_cancelled=lambda: self._failed(None),
            on_progress=self._progressed,
        )
        self._show_busy(is_busy=True)

    def _progressed(self, fraction: float, text: str) -> None:
        self.progress.setValue(round(100 * fraction))
        self.progress_text.setText(text)

    def _stop(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _arrived(self, plan_sum: PlanSum) -> None:
        self._job = None
        self.accept()
        self.summed.emit(plan_sum)

    def _failed(self, error: BaseException | None) -> None:
        self._job = None
        self._show_busy(is_busy=False)
        if error is not None:
            self.message.show_error(sentence_of(error))

    def reject(self) -> None:
        """Close; what is being added is stopped."""
        self._stop()
        super().reject()
