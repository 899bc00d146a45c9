"""Keeps what an open plan's overrides come to, computed beside the screen whenever they change."""

from __future__ import annotations

from collections.abc import Callable

from ert.app.changes import Changes
from ert.app.jobs import Job, JobContext, Jobs, Lane
from ert.domain.identity import digest_of
from ert.domain.image import CtImage
from ert.domain.plan import Plan
from ert.domain.structure import StructureSet
from ert.domain.tissue import TissueReview
from ert.dose.tissue_review import review_tissue
from ert.errors import ErtError


class TissueReviews:
    """The review of the present overrides; None while it is computed.

    Attributes
    ----------
    review : TissueReview or None
    failure : why there is none; empty otherwise.
    """

    def __init__(
        self, *, image: CtImage, structures: StructureSet, jobs: Jobs, publish: Callable[[Changes], None]
    ) -> None:
        self._image, self._structures, self._jobs, self._publish = image, structures, jobs, publish
        self._key = ""
        self._job: Job[TissueReview] | None = None
        self.review: TissueReview | None = None
        self.failure = ""

    def follow(self, plan: Plan) -> None:
        """Begin again if the overrides or EXTERNAL changed."""
        key = digest_of((plan.external_number, [o.structure_number for o in plan.overrides]))
        if key == self._key:
            return
        self.clear()
        self._key = key
        external = self._structures.structure(plan.external_number)
        drawn = tuple(
            o for o in plan.overrides if not self._structures.structure(o.structure_number).is_empty
        )  # an empty one is named by the checks

        def work(ctx: JobContext) -> TissueReview:
            return review_tissue(
                self._image, external=external, structures=self._structures, overrides=drawn, check=ctx.check
            )

        self._job = self._jobs.submit(
            Lane.IO,
            work,
            title="Checking materials",
            on_done=lambda review: self._arrived(key, review, ""),
            on_failed=lambda error: self._arrived(key, None, _sentence(error)),
        )

    def clear(self) -> None:
        """Forget the review and stop computing."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
        self._key, self.review, self.failure = "", None, ""

    def _arrived(self, key: str, review: TissueReview | None, failure: str) -> None:
        if key != self._key:
            return  # of overrides that are no longer the plan's
        self._job = None
        self.review, self.failure = review, failure
        self._publish(Changes(tissue=True))


def _sentence(error: BaseException) -> str:
    return str(error) if isinstance(error, ErtError) else "The materials could not be checked; see the log."
