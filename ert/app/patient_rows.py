"""What lists show of patients and their courses."""

from __future__ import annotations

import attrs

from ert.domain.overview import CourseOverview
from ert.domain.patient import Patient

CourseRow = CourseOverview


@attrs.frozen(kw_only=True)
class PatientRow:
    """A patient as a list shows it, with the courses of records merged into it; they may not be read yet."""

    patient: Patient
    courses: tuple[CourseRow, ...]
    is_active: bool = True
    merged: tuple[Patient, ...] = ()
    is_complete: bool = True
