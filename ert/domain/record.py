"""What surrounds a value when it is kept: revision, status, who, when."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

from ert.domain.plan import Plan


class PlanStatus(enum.StrEnum):
    """Where a revision of a plan stands; `ert.domain.workflow` says what may follow what.

    READY is its planner's word that it may be reviewed: a second check begins by itself. From APPROVED on the content
    never changes again: a withdrawn or superseded plan is copied, not edited.
    """

    DRAFT = "DRAFT"
    READY = "READY"
    APPROVED = "APPROVED"
    WITHDRAWN = "WITHDRAWN"
    SUPERSEDED = "SUPERSEDED"

    @property
    def phrase(self) -> str:
        """What people read."""
        return {
            "DRAFT": "draft",
            "READY": "ready for review",
            "APPROVED": "approved",
            "WITHDRAWN": "approval withdrawn",
            "SUPERSEDED": "superseded",
        }[self.value]

    @property
    def is_locked(self) -> bool:
        """True once an approval froze the plan, for good."""
        return self in (PlanStatus.APPROVED, PlanStatus.WITHDRAWN, PlanStatus.SUPERSEDED)


@attrs.frozen(kw_only=True)
class StoredPlan:
    """A plan as it stands in the store; revision and status are not part of the plan's digest."""

    plan: Plan
    revision: int
    status: PlanStatus
    saved_by: str
    saved_at: dt.datetime


@attrs.frozen(kw_only=True)
class PlanHead:
    """The newest revision of a plan, without its content."""

    plan_id: str
    course_id: str
    name: str
    revision: int
    status: PlanStatus
    saved_by: str
    saved_at: dt.datetime


@attrs.frozen(kw_only=True)
class ImageHead:
    """What a list shows of an image without reading its voxels."""

    image_id: str
    description: str
    shape_zyx: tuple[int, int, int]
    spacing_cm: tuple[float, float, float]


@attrs.frozen(kw_only=True)
class DicomFile:
    """One original DICOM file, byte for byte as imported."""

    sop_instance_uid: str
    content: bytes


class Severity(enum.StrEnum):
    """How much a finding matters."""

    BLOCKER = "blocker"
    WARNING = "warning"
    NOTE = "note"


@attrs.frozen(kw_only=True)
class Finding:
    """Something a check, a scan or an import has to say.

    Attributes
    ----------
    code : stable, for tests and tables.
    sentence : for the user: what, where, what to do.
    subject : file, series, structure or beam it is about; may be empty.
    """

    severity: Severity
    code: str
    sentence: str
    subject: str = ""
