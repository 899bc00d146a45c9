"""Making a plan: name, target, dose, fractions, external contour."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QVBoxLayout, QWidget

from ert.app.jobs import Lane
from ert.app.session import SiteSession
from ert.domain.plan import MAX_DOSE_GY, MAX_FRACTIONS, Prescription
from ert.domain.record import StoredPlan
from ert.domain.structure import StructureRole, StructureSet
from ert.errors import Refused
from ert.ui.failures import sentence_of
from ert.ui.number_edit import NumberEdit
from ert.ui.numbers import format_quantity
from ert.ui.prescription_panel import combo
from ert.ui.widgets import MessageStrip, dim_label, text_label


class NewPlanDialog(QDialog):
    """Asks for what a plan cannot be without.

    Signals
    -------
    created(stored) : the plan is kept as revision 1.
    """

    created = Signal(object)

    def __init__(
        self,
        session: SiteSession,
        course_id: str,
        structures: StructureSet,
        taken_names: Sequence[str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("New plan")
        self.setMinimumWidth(430)
        self._session, self._course_id = session, course_id
        drawn = [s for s in structures.structures if not s.is_empty]
        targets = [s for s in drawn if s.role.is_target] or [s for s in drawn if s.role is not StructureRole.EXTERNAL]
        self.name = QLineEdit(_free_name(taken_names))
        self.name.setAccessibleName("Plan name")
        self.target = combo("Target", [(s.number, s.name) for s in targets])
        self.dose = NumberEdit("The prescribed dose", "Gy", minimum=0.01, maximum=MAX_DOSE_GY)
        self.fractions = NumberEdit("The number of fractions", "", decimals=0, minimum=1, maximum=MAX_FRACTIONS)
        self.per_fraction = text_label("–")
        externals = [s for s in drawn if s.role is StructureRole.EXTERNAL] or drawn
        self.external = combo("External contour", [(s.number, s.name) for s in externals])
        self.message = MessageStrip()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Create")
        self._build(has_role=any(s.role is StructureRole.EXTERNAL for s in drawn))

    def _build(self, *, has_role: bool) -> None:
        form = QFormLayout()
        form.addRow("Name", self.name)
        form.addRow("Target", self.target)
        form.addRow("Dose, Gy", self.dose)
        form.addRow("Fractions", self.fractions)
        form.addRow("Per fraction", self.per_fraction)
        form.addRow("External", self.external)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        if not has_role:
            layout.addWidget(
                dim_label("No structure is marked EXTERNAL: choose the one that is the patient's outline.")
            )
        layout.addWidget(self.message)
        layout.addWidget(self.buttons)
        self.buttons.accepted.connect(self.submit)
        self.buttons.rejected.connect(self.reject)
        for edit in (self.dose, self.fractions):
            edit.textChanged.connect(lambda _text: self._show_per_fraction())
        self.name.selectAll()

    def _show_per_fraction(self) -> None:
        try:
            self.per_fraction.setText(format_quantity(self.dose.read() / self.fractions.read(), 2, "Gy"))
        except Refused:
            self.per_fraction.setText("–")

    def submit(self) -> None:
        """Make the plan; refusals are shown here."""
        try:
            fractions = self.fractions.read()
            if fractions != int(fractions):
                raise Refused("The number of fractions must be a whole number.")  # noqa: TRY301
            if self.target.currentData() is None:
                raise Refused("This course has no contoured structure to prescribe to.")  # noqa: TRY301
            prescription = Prescription(
                target_number=self.target.currentData(), dose_gy=self.dose.read(), fractions=int(fractions)
            )
        except Refused as error:
            self.message.show_error(str(error))
            return
        name, external = self.name.text().strip(), self.external.currentData()
        self.message.clear()
        self.buttons.setEnabled(False)
        self._session.jobs.submit(
            Lane.IO,
            lambda _ctx: self._session.create_plan(self._course_id, name, prescription, external_number=external),
            title="Making the plan",
            can_stop=False,
            on_done=self._created,
            on_failed=self._failed,
        )

    def _created(self, stored: StoredPlan) -> None:
        self.accept()
        self.created.emit(stored)

    def _failed(self, error: BaseException) -> None:
        self.buttons.setEnabled(True)
        self.message.show_error(sentence_of(error))


def _free_name(taken: Sequence[str]) -> str:
    number = 1
    while f"Plan {number}" in taken:
        number += 1
    return f"Plan {number}"
