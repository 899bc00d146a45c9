"""What a list of patients shows of their courses, without voxels and contours."""

from __future__ import annotations

import attrs

from ert.domain.patient import Course
from ert.domain.record import ImageHead, PlanHead


@attrs.frozen(kw_only=True)
class CourseOverview:
    """A course as a list shows it."""

    course: Course
    image: ImageHead
    structure_label: str
    plans: tuple[PlanHead, ...]
