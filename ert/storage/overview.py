"""Courses of many patients at once, for lists: five queries, no voxels, no contours; every row verified as always."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import sqlalchemy as sa

from ert.domain.overview import CourseOverview
from ert.domain.patient import Course
from ert.domain.record import ImageHead, PlanHead
from ert.storage import documents, schema
from ert.storage.envelope import FileKind
from ert.storage.records import Records, Row, the_file

_AT_ONCE = 500  # ids in one query


def read_courses(
    records: Records, patient_ids: Sequence[str], plan_head: Callable[[Row], PlanHead]
) -> Mapping[str, tuple[CourseOverview, ...]]:
    """Return the courses of each patient as imported, oldest first, with the newest revisions of their plans.

    Raises
    ------
    BadTag
        A row was changed from outside.
    """
    found: dict[str, list[CourseOverview]] = {patient_id: [] for patient_id in patient_ids}
    for start in range(0, len(patient_ids), _AT_ONCE):
        for overview in _read(records, patient_ids[start : start + _AT_ONCE], plan_head):
            found[overview.course.patient_id].append(overview)
    return {patient_id: tuple(courses) for patient_id, courses in found.items()}


def _read(
    records: Records, patient_ids: Sequence[str], plan_head: Callable[[Row], PlanHead]
) -> Iterable[CourseOverview]:
    with records.database.read() as connection:
        courses = records.rows(connection, schema.course, schema.course.c.patient.in_(patient_ids))
        ids = [row["uuid"] for row in courses]
        images = _by_id(records, connection, schema.image, [row["image"] for row in courses])
        plans = [
            row for some in _some(ids) for row in records.rows(connection, schema.plan, schema.plan.c.course.in_(some))
        ]
        sets = _newest_sets(records, connection, [row["structure_set"] for row in courses])
    of_course: dict[str, list[Row]] = {}
    for row in plans:
        of_course.setdefault(row["course"], []).append(row)
    for row in courses:
        rows = (row, images[row["image"]], sets[row["structure_set"]], *of_course.get(row["uuid"], ()))
        yield records.decoded.value(functools.partial(_overview, records, plan_head, *rows), *rows)


def _overview(
    records: Records, plan_head: Callable[[Row], PlanHead], course: Row, image: Row, structures: Row, *plans: Row
) -> CourseOverview:
    content = records.decrypt_document("course", course, table=schema.course)
    return CourseOverview(
        course=documents.from_content(content, Course),
        image=image_head(records, image),
        structure_label=_label(records, structures),
        plans=tuple(plan_head(row) for row in plans),
    )


def image_head(records: Records, row: Row) -> ImageHead:
    """Return the description of an image from its verified row."""
    content = records.decrypt_document("ct_image", row, table=schema.image)
    grid = {name: content["grid"][name] for name in ("shape_zyx", "spacing_cm")}
    head = {"image_id": row["uuid"], "description": content["description"], **grid}
    return documents.from_content(head, ImageHead)


def _newest_sets(records: Records, connection: sa.Connection, ids: Sequence[str]) -> dict[str, Row]:
    """The newest revision of each structure set."""
    table = schema.structure_set_revision
    heads = _by_id(records, connection, schema.structure_set, ids)
    rows = [row for some in _some(ids) for row in records.rows(connection, table, table.c.structure_set.in_(some))]
    return {row["structure_set"]: row for row in rows if row["rev"] == heads[row["structure_set"]]["rev"]}


def _label(records: Records, row: Row) -> str:
    if row["document_ct"] is not None:
        content = records.decrypt_document("structure_set", row, table=schema.structure_set_revision)
    else:
        with records.database.read() as connection:
            files = records.files_of(connection, schema.structure_set, row["structure_set"], row["rev"])
        packed = records.blobs.read(the_file(files, FileKind.DOCUMENT))
        content = documents.read_document("structure_set", bytes(packed))
    return str(content["label"])


def _by_id(records: Records, connection: sa.Connection, table: sa.Table, ids: Sequence[str]) -> dict[str, Row]:
    rows = (row for some in _some(ids) for row in records.rows(connection, table, table.c.uuid.in_(some)))
    return {row["uuid"]: row for row in rows}


def _some(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
