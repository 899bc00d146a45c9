"""The dose of a slice before it is painted: made beside the window, and kept until another dose is to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ert.app.dose_state import DoseState
from ert.ui.slice_geometry import SliceGeometry
from ert.ui.slice_layers import DoseLayer, layer_of
from ert.ui.view_state import DoseDisplay

if TYPE_CHECKING:
    from ert.ui.shown_plan import ShownPlan


@attrs.frozen(kw_only=True, eq=False)
class DoseQuestion:
    """Everything that the layer of a slice's dose depends on; frozen values, so that any thread may answer it."""

    dose: DoseState
    prescribed_gy: float
    geometry: SliceGeometry
    index: int
    display: DoseDisplay

    @classmethod
    def of(cls, shown: ShownPlan, geometry: SliceGeometry, index: int, display: DoseDisplay) -> DoseQuestion:
        """The question after what is open now."""
        prescribed_gy = shown.plan.prescription.dose_gy
        return cls(dose=shown.dose, prescribed_gy=prescribed_gy, geometry=geometry, index=index, display=display)

    def layer(self) -> DoseLayer | None:
        """Wash and isodose lines; None where there is nothing to show."""
        return layer_of(self.dose, self.prescribed_gy, self.geometry, self.index, self.display)

    def is_same(self, other: DoseQuestion) -> bool:
        """True if both have one answer: the very same arrays, by the same name, shown in the same way."""
        mine, others = self.dose, other.dose
        is_of_one_dose = (
            mine.plan_gy is others.plan_gy
            and mine.preview is others.preview
            and mine.uncertainty is others.uncertainty
            and mine.status is others.status
            and (mine.final_run is None) == (others.final_run is None)
        )
        shown = (self.prescribed_gy, self.geometry, self.index, self.display)
        return is_of_one_dose and shown == (other.prescribed_gy, other.geometry, other.index, other.display)


class DoseAhead:
    """The newest answer of one slice view; a question that it does not answer is answered at once."""

    def __init__(self) -> None:
        self._kept: tuple[DoseQuestion, DoseLayer | None] | None = None

    def keep(self, question: DoseQuestion, layer: DoseLayer | None) -> None:
        """Take what was made beside the window."""
        self._kept = question, layer

    def layer(self, question: DoseQuestion) -> DoseLayer | None:
        """What was kept, if it answers this very question; else the answer."""
        if self._kept is None or not self._kept[0].is_same(question):
            self._kept = question, question.layer()
        return self._kept[1]
