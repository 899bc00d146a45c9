"""Reading approvals: signatures, digests and pinned doses are verified each time; nothing of it is remembered.

A row of ``approval`` is a signed value: the approval of a plan, or the end of one. The doses of an approval are files
of that row. Nothing here asks a cache, or the doses kept with plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from ert.domain.approval import (
    DO_NOT_TREAT,
    Approval,
    ApprovalEnd,
    ApprovalState,
    PinnedPlan,
    expect_pinned,
    not_as_approved,
    signed_bytes,
    structures_digest,
)
from ert.domain.dose import DoseResult
from ert.domain.plan import Plan
from ert.domain.record import PlanStatus
from ert.errors import NotFound, Untrusted
from ert.storage import codec, documents, schema, structure_sets
from ert.storage.blobs import StoredFile
from ert.storage.dose_content import dose_content, dose_from, has_errors
from ert.storage.envelope import FileKind
from ert.storage.records import Records, Row, Saving, the_file
from ert.storage.users import signing_keys

T = TypeVar("T")
APPROVAL, END = "approval", "approval_end"
FIRST = 1


@frozen(kw_only=True)
class _Signed:
    """A row of the table: its document and its files."""

    row: Row
    content: Row
    files: tuple[StoredFile, ...]


def put_pinned(
    records: Records, save: Saving, approval_id: str, doses: Sequence[DoseResult], folder: Sequence[str]
) -> list[Row]:
    """Put the files of the doses that an approval pins; return what its document says of each."""
    for dose in doses:
        arrays = [(FileKind.PINNED_DOSE, dose.gy_per_mu)]
        if dose.statistics is not None:
            arrays.append((FileKind.PINNED_ERRORS, dose.statistics.relative_sigma))
        for kind, array in arrays:
            context = records.context(schema.approval, approval_id, FIRST, kind)
            save.put(codec.array_to_buffers(array), folder=folder, context=context, item_size=array.itemsize)
    return [dose_content(dose) for dose in doses]


def read_state(records: Records, plan_id: str) -> ApprovalState | None:
    """Return the approval of a plan with its end, signatures and the plan's revisions verified; None if it has none.

    Raises
    ------
    DigestMismatch
        What is there is not what was signed: the plan must not be treated.
    """
    return _strictly(lambda: _read(records, plan_id)[0])


def read_pinned(records: Records, plan: Plan) -> PinnedPlan | None:
    """Return the approval of a plan with its pinned doses, all of it verified; None if the plan has none.

    Raises
    ------
    DigestMismatch
        Plan, images, structures or doses are not what was signed: the plan must not be treated.
    """

    def read() -> PinnedPlan | None:
        state, signed = _read(records, plan.id)
        if state is None or signed is None:
            return None
        _expect_inputs(records, state.approval, plan)
        doses = tuple(_doses(records, signed))
        expect_pinned(state.approval, plan, doses)
        return PinnedPlan(state=state, doses=doses)

    return _strictly(read)


def approved_plans(records: Records) -> tuple[str, ...]:
    """Return the ids of all plans that are approved, or were: by their heads, or by an approval that names them."""
    plan, approval = schema.plan, schema.approval
    frozen_states = [status.value for status in PlanStatus if status.is_locked]
    with records.database.read() as connection:
        found = set(connection.execute(sa.select(plan.c.uuid).where(plan.c.state.in_(frozen_states))).scalars())
        found |= set(connection.execute(sa.select(approval.c.plan)).scalars())
    return tuple(sorted(found))


def _strictly(read: Callable[[], T]) -> T:
    """Whatever is untrusted about an approved plan says that it must not be treated."""
    try:
        return read()
    except (Untrusted, NotFound) as error:
        if error.sentence.startswith(DO_NOT_TREAT):
            raise
        raise not_as_approved("record", f"{error.code} {error.detail}") from error


def _read(records: Records, plan_id: str) -> tuple[ApprovalState | None, _Signed | None]:
    with records.database.read() as connection:
        head = records.row(connection, schema.plan, plan_id)
        table = schema.approval
        rows = records.rows(connection, table, table.c.plan == plan_id, order="plan_rev")
        status = PlanStatus(head["state"])
        if not rows:
            if status.is_locked:
                raise not_as_approved("approval", f"plan {plan_id} is {status.value} without an approval")
            return None, None
        signed = [_signed(records, connection, row) for row in rows]
        state = _state(signed)
        _expect_revisions(records, connection, head, state)
        for item, value in zip(signed, (state.approval, state.end), strict=False):
            _expect_signature(records, connection, item, value)
    return state, signed[0]


def _signed(records: Records, connection: sa.Connection, row: Row) -> _Signed:
    name = APPROVAL if row["state"] == PlanStatus.APPROVED.value else END
    files = tuple(records.files_of(connection, schema.approval, row["uuid"], FIRST))
    if row["document_ct"] is not None:
        content = records.decrypt_document(name, row, table=schema.approval)
    else:
        content = documents.read_document(name, bytes(records.blobs.read(the_file(files, FileKind.DOCUMENT))))
    return _Signed(row=row, content=content, files=files)


def _state(signed: Sequence[_Signed]) -> ApprovalState:
    """One approval, and at most one end that names it."""
    approval = documents.from_content(signed[0].content["value"], Approval)
    end = None if len(signed) == 1 else documents.from_content(signed[1].content["value"], ApprovalEnd)
    values: list[tuple[Approval | ApprovalEnd, PlanStatus]] = [(approval, PlanStatus.APPROVED)]
    if end is not None:
        values.append((end, end.status))
    if len(values) != len(signed) or (end is not None and end.approval_id != approval.id):
        raise not_as_approved("approval", "rows that do not follow one another")
    for (value, status), item in zip(values, signed, strict=True):
        row = item.row
        said = (value.id, value.plan_id, value.revision, value.user_id, status.value)
        if said != (row["uuid"], row["plan"], row["plan_rev"], row["saved_by"], row["state"]):
            raise not_as_approved("approval", f"row {row['uuid']} and its document differ")
    return ApprovalState(approval=approval, end=end)


def _expect_revisions(records: Records, connection: sa.Connection, head: Row, state: ApprovalState) -> None:
    """The plan's revisions from the approval on are those that were signed, and nothing came after."""
    approval, table = state.approval, schema.plan_revision
    rows = records.rows(connection, table, table.c.plan == head["uuid"], table.c.rev >= approval.revision, order="rev")
    wanted = [(approval.revision, PlanStatus.APPROVED.value)]
    if state.end is not None:
        wanted.append((approval.revision + 1, state.end.status.value))
    found = [(row["rev"], row["state"]) for row in rows]
    is_same = all(row["digest"] == approval.plan_digest for row in (*rows, head))
    if found != wanted or (head["rev"], head["state"]) != wanted[-1] or not is_same:
        raise not_as_approved("plan", f"revisions {found}, signed {wanted}")
    course = records.row(connection, schema.course, head["course"])
    if (course["uuid"], course["patient"]) != (approval.course_id, approval.patient_id):
        raise not_as_approved("course", f"course {course['uuid']}")


def _expect_signature(
    records: Records, connection: sa.Connection, signed: _Signed, value: Approval | ApprovalEnd | None
) -> None:
    if value is None:
        return
    if value.public_key not in signing_keys(records, connection, value.user_id):
        raise not_as_approved("signature", "a key that was never this user's")
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(value.public_key))
    try:
        key.verify(bytes.fromhex(str(signed.content["signature"])), signed_bytes(records.store_id, value))
    except (InvalidSignature, ValueError) as exc:
        raise not_as_approved("signature", f"approval {signed.row['uuid']}") from exc


def _expect_inputs(records: Records, approval: Approval, plan: Plan) -> None:
    """Images and structures are those the plan was approved on."""
    with records.database.read() as connection:
        image = records.row(connection, schema.image, plan.image_id)
    if image["digest"] != approval.image_digest:
        raise not_as_approved("CT", f"image {plan.image_id}")
    structures, _ = structure_sets.read_revision(records, plan.structure_set_id)
    if structures_digest(structures) != approval.structures_digest:
        raise not_as_approved("structure set", f"structure set {plan.structure_set_id}")


def _doses(records: Records, signed: _Signed) -> Iterator[DoseResult]:
    """Read the pinned doses in order: each array of its file, each document as it was written."""
    values = [f for f in signed.files if f.context.kind is FileKind.PINNED_DOSE]
    errors = [f for f in signed.files if f.context.kind is FileKind.PINNED_ERRORS]
    contents = [dict(content) for content in signed.content["doses"]]
    if len(values) != len(contents) or len(errors) != sum(has_errors(content) for content in contents):
        raise not_as_approved("pinned dose", f"{len(values)} and {len(errors)} files for {len(contents)} beams")
    remaining = iter(errors)
    for content, stored in zip(contents, values, strict=True):
        sigma = _array(records, next(remaining)) if has_errors(content) else None
        yield dose_from(content, _array(records, stored), sigma)


def _array(records: Records, stored: StoredFile) -> NDArray[Any]:
    if not records.blobs.place(stored).exists():
        raise not_as_approved("pinned dose", f"file {stored.file_id} is missing")
    return codec.bytes_to_array(records.blobs.read(stored))
