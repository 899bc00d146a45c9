"""The dose of an approved plan: what was pinned, whatever caches hold and whatever later numerics would compute."""

from __future__ import annotations

from ert.app.dose_service import DoseService, Models
from ert.app.final_dose import FinalWatch
from ert.app.jobs import JobContext
from ert.app.no_cache import NoCache
from ert.domain.approval import PinnedPlan
from ert.domain.dose import DoseResult
from ert.domain.image import CtImage
from ert.domain.plan import Plan
from ert.domain.structure import StructureSet


class PinnedDoseService(DoseService):
    """Doses of an approved plan and, for comparing it, of the same plan by other engines.

    The approved plan itself is answered with its pinned doses and nothing else, also when the program's numerics have
    another version by now. Anything else is computed here and kept nowhere.

    Parameters
    ----------
    pinned : PinnedPlan
        Verified when it was read.
    """

    def __init__(self, *, image: CtImage, structures: StructureSet, models: Models, pinned: PinnedPlan) -> None:
        super().__init__(
            image=image, structures=structures, models=models, kept=lambda _digest: None, cache=NoCache(), runs=None
        )
        self._pinned = pinned

    def _is_approved(self, plan: Plan) -> bool:
        return plan.digest == self._pinned.state.approval.plan_digest

    def remembered(self, plan: Plan) -> tuple[DoseResult, ...] | None:
        """The pinned doses of the approved plan; of others what is in memory."""
        return self._pinned.doses if self._is_approved(plan) else super().remembered(plan)

    def found(self, plan: Plan) -> tuple[DoseResult, ...] | None:
        """The pinned doses of the approved plan; of others what is in memory."""
        return self._pinned.doses if self._is_approved(plan) else super().found(plan)

    def compute(self, plan: Plan, ctx: JobContext, watch: FinalWatch | None = None) -> tuple[DoseResult, ...]:
        """The pinned doses of the approved plan, never computed; others as `DoseService.compute`."""
        return self._pinned.doses if self._is_approved(plan) else super().compute(plan, ctx, watch)
