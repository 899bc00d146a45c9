"""An anonymised copy of a patient's courses: what becomes of names, dates, ids and free texts. Nothing else is changed.

Voxels, contours, beams and monitor units stay bit for bit, so the copy's dose is the original's: a dose request holds
no identity. What a planner may have typed is replaced, or, if kept on request, refused where it repeats the identity.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterator

import attrs

from ert.domain.identity import new_id
from ert.domain.image import CtImage
from ert.domain.patient import Course, Patient
from ert.domain.plan import Plan
from ert.domain.structure import StructureSet
from ert.errors import Refused

Uid = Callable[[str], str]
_MOST_DAYS = 36_525
_TELLING_LETTERS = 3


class DateRule(enum.StrEnum):
    """What becomes of birth date and dates of acquisition."""

    REMOVE = "remove"
    SHIFT = "shift"
    KEEP = "keep"


@attrs.frozen(kw_only=True)
class Anonymisation:
    """How a copy is made.

    Attributes
    ----------
    number, family_name, given_name : the identity of the copy.
    dates : what becomes of dates.
    shift_days : for `DateRule.SHIFT`; intervals between dates stay.
    keeps_names : whether names of courses, plans, beams, structures and points stay; else they are numbered.
    """

    number: str
    family_name: str
    given_name: str = ""
    dates: DateRule = attrs.field(default=DateRule.REMOVE, converter=DateRule)
    shift_days: int = 0
    keeps_names: bool = False

    def __attrs_post_init__(self) -> None:
        if not self.number.strip() or not self.family_name.strip():
            raise Refused("The copy needs a record number and a name of its own.", hint="Enter both.")
        if (self.dates is DateRule.SHIFT) != (self.shift_days != 0) or abs(self.shift_days) > _MOST_DAYS:
            raise Refused(
                "Shifting dates needs a number of days other than 0 and within a century.",
                hint="Enter the days, or choose to remove the dates.",
            )

    def moved(self, date: dt.date | None) -> dt.date | None:
        """What a date becomes."""
        if date is None or self.dates is DateRule.REMOVE:
            return None
        return date if self.dates is DateRule.KEEP else date + dt.timedelta(days=self.shift_days)

    def moved_text(self, date: str) -> str:
        """What a DICOM date (YYYYMMDD) becomes; empty if it is removed or none."""
        if not date or self.dates is DateRule.REMOVE:
            return ""
        try:
            moved = self.moved(dt.datetime.strptime(date, "%Y%m%d").date())  # noqa: DTZ007 - a day has no zone
        except ValueError as exc:
            raise Refused(
                "A date of this CT is none, and cannot be shifted or kept.", hint="Choose to remove the dates."
            ) from exc
        return "" if moved is None else f"{moved:%Y%m%d}"


def anonymous_patient(source: Patient, how: Anonymisation) -> Patient:
    """The person of the copy: another identity, the same sex."""
    if how.number.strip().casefold() == source.medical_record_number.strip().casefold():
        raise Refused("The copy has the record number of the original.", hint="Enter another one.")
    return Patient(
        medical_record_number=how.number.strip(),
        family_name=how.family_name.strip(),
        given_name=how.given_name.strip(),
        birth_date=how.moved(source.birth_date),
        sex=source.sex,
    )


def anonymous_image(image: CtImage, how: Anonymisation, uid: Uid) -> CtImage:
    """The same voxels under other UIDs, without description."""
    return attrs.evolve(
        image,
        id=new_id(),
        frame_of_reference_uid=uid(image.frame_of_reference_uid),
        study_instance_uid=uid(image.study_instance_uid),
        series_instance_uid=uid(image.series_instance_uid),
        sop_instance_uids=tuple(uid(one) for one in image.sop_instance_uids),
        description="",
        acquisition_date=how.moved_text(image.acquisition_date),
    )


def anonymous_structures(structures: StructureSet, how: Anonymisation, uid: Uid) -> StructureSet:
    """The same contours under other UIDs, numbered unless names are kept."""
    named = tuple(
        s if how.keeps_names else attrs.evolve(s, name=f"{s.role.value.capitalize()} {s.number}")
        for s in structures.structures
    )
    return attrs.evolve(
        structures,
        id=new_id(),
        label="Structures",
        frame_of_reference_uid=uid(structures.frame_of_reference_uid),
        sop_instance_uid=uid(structures.sop_instance_uid),
        series_instance_uid=uid(structures.series_instance_uid) if structures.series_instance_uid else "",
        structures=named,
    )


def anonymous_course(course: Course, number: int, how: Anonymisation, *, patient: Patient, image: CtImage) -> Course:
    """The course of the copy; its structure set is put in by the caller."""
    name = course.name if how.keeps_names else f"Course {number}"
    return Course(patient_id=patient.id, name=name, image_id=image.id, structure_set_id=course.structure_set_id)


def anonymous_plan(plan: Plan, number: int, how: Anonymisation, course: Course) -> Plan:
    """The same beams on the copied course."""
    keeps = how.keeps_names
    points = tuple(attrs.evolve(p, name=p.name if keeps else f"Point {n}") for n, p in enumerate(plan.points, start=1))
    beams = tuple(
        attrs.evolve(b, id=new_id(), name=b.name if keeps else f"Beam {b.number}", reasons=()) for b in plan.beams
    )
    return attrs.evolve(
        plan,
        id=new_id(),
        course_id=course.id,
        image_id=course.image_id,
        structure_set_id=course.structure_set_id,
        name=plan.name if keeps else f"Plan {number}",
        description="",
        points=points,
        beams=beams,
    )


def expect_no_telling_names(source: Patient, course: Course, structures: StructureSet, plans: list[Plan]) -> None:
    """Refuse names that repeat the original's name or number.

    Raises
    ------
    Refused
        Naming the place, not the text.
    """
    telling = {
        "".join(text.casefold().split())
        for text in (source.family_name, source.given_name, source.middle_name, source.medical_record_number)
        if len(text.strip()) >= _TELLING_LETTERS
    }
    for place, text in _texts(course, structures, plans):
        if any(word in "".join(text.casefold().split()) for word in telling):
            raise Refused(
                f"The name of a {place} repeats the patient's name or number; no copy was made.",
                hint="Let names be replaced, or rename it first.",
            )


def _texts(course: Course, structures: StructureSet, plans: list[Plan]) -> Iterator[tuple[str, str]]:
    yield "course", course.name
    for structure in structures.structures:
        yield "structure", structure.name
    for plan in plans:
        yield "plan", plan.name
        yield from (("beam", beam.name) for beam in plan.beams)
        yield from (("point", point.name) for point in plan.points)
        yield from (("material", override.material.name) for override in plan.overrides)
