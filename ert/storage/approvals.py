"""Signing plans and ending approvals (port ``ApprovalStore``): files first, then one transaction under the plan's lock.

The key that signs is the user's own, which only the own password opens (slots.py). What is signed names the doses by
their digests; they are pinned as files of the approval, which no cache and no sweep ever touches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import sqlalchemy as sa
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ert.domain.account import Right
from ert.domain.approval import (
    Approval,
    ApprovalEnd,
    ApprovalState,
    PinnedPlan,
    expect_pinned,
    signed_bytes,
    structures_digest,
)
from ert.domain.approval_rule import ApprovalRule, LastEdit
from ert.domain.dose import DoseResult
from ert.domain.plan import Plan
from ert.domain.record import PlanStatus
from ert.errors import DigestMismatch, ErtError, Refused, StaleRevision, Untrusted
from ert.logs import Public
from ert.storage import documents, schema, structure_sets
from ert.storage.approval_rule import approval_rules, expect_another_person, last_edit
from ert.storage.approved import APPROVAL, END, FIRST, put_pinned, read_pinned, read_state
from ert.storage.envelope import FileKind
from ert.storage.plans import PlanRepository
from ert.storage.records import Records, Row, Saving
from ert.storage.site_setting import SiteSetting
from ert.storage.users import User, need_right, read_user

INTEGRITY_ALARM = "approved plan failed its integrity check"
_LOG = logging.getLogger(__name__)
T = TypeVar("T")
S = TypeVar("S", Approval, ApprovalEnd)
Signer = Callable[[str], Ed25519PrivateKey]


class ApprovalRepository:
    """The approvals of one site.

    Parameters
    ----------
    records, plans : Records, PlanRepository
    signer : callable
        Gives the signing key of who is signed in for the own password (`WrongKey`, `SignInLocked`, `Refused`).
    """

    def __init__(self, records: Records, plans: PlanRepository, signer: Signer) -> None:
        self._records, self._plans, self._signer = records, plans, signer

    def state(self, plan_id: str) -> ApprovalState | None:
        """Return the approval of a plan, verified but for its doses; raises as `read_state`, and notes that."""
        return self._alarming(plan_id, lambda: read_state(self._records, plan_id))

    def pinned(self, plan: Plan) -> PinnedPlan | None:
        """Return the approval of a plan with its doses, all verified; raises as `read_pinned`, and notes that."""
        return self._alarming(plan.id, lambda: read_pinned(self._records, plan))

    @property
    def rules(self) -> SiteSetting[ApprovalRule]:
        """What the site asks of who approves."""
        return approval_rules(self._records)

    def last_edit(self, plan_id: str) -> LastEdit:
        """Return who brought a plan to its newest content."""
        return last_edit(self._records, plan_id)

    def approve(
        self, plan: Plan, approval: Approval, doses: Sequence[DoseResult], *, base_revision: int, password: str
    ) -> Approval:
        """Sign a plan as its next revision and pin its doses; returns what was signed.

        Parameters
        ----------
        plan : Plan
            As it is saved in `base_revision`.
        approval : Approval
            What is to be signed; who, when and by which key is filled in here.
        doses : sequence of DoseResult
            Of its beams, computed without caches.
        base_revision : int
            The plan's newest revision, marked ready for review.
        password : str
            Of who signs.

        Raises
        ------
        WrongKey, SignInLocked, NotPermitted, Refused
            Who is signed in cannot sign, or edited the plan last where another person must. Nothing was signed.
        StaleRevision, PlanLocked, LockHeld, LockLost
            A colleague was first. Nothing was signed.
        DigestMismatch
            The revision or the doses are not what the approval names.
        """
        expect_pinned(approval, plan, tuple(doses))
        key = self._signer(password)
        folder = self._plans.check_base(plan, base_revision, is_signing=True)
        structures = self._expect_content(plan, base_revision, approval)
        change = {"digest": plan.digest, "inputs": approval.inputs_digest, "dose": approval.plan_dose_digest}
        with self._records.saving() as save:
            beside = {"doses": put_pinned(self._records, save, approval.id, doses, folder)}
            named = evolve(approval, revision=base_revision + 1)
            return self._sign(
                save,
                plan,
                named,
                key,
                folder,
                PlanStatus.APPROVED,
                beside=beside,
                event="plan approved",
                change=change,
                expect=lambda connection: self._expect_in_transaction(connection, plan, structures),
            )

    def end(self, plan: Plan, end: ApprovalEnd, *, base_revision: int, password: str) -> ApprovalEnd:
        """Sign the end of an approval as the plan's next revision; its dose and its approval stay. Raises as `approve`.

        Raises
        ------
        DigestMismatch
            The plan is not as it was approved.
        """
        key = self._signer(password)
        folder = self._plans.check_base(plan, base_revision, is_signing=True)
        state = self.state(plan.id)
        if state is None or state.approval.id != end.approval_id:
            raise Refused("This plan has no such approval; nothing was signed.")
        if state.approval.plan_digest != plan.digest:
            raise StaleRevision("This is not the plan as it was approved; nothing was signed.")
        named = evolve(end, revision=base_revision + 1)
        event, change = f"approval {end.status.value.lower()}", {"state": end.status.value, "reason": end.reason}
        with self._records.saving() as save:
            return self._sign(save, plan, named, key, folder, end.status, beside={}, event=event, change=change)

    def _sign(  # noqa: PLR0913, PLR0917 - everything one signature writes
        self,
        save: Saving,
        plan: Plan,
        value: S,
        key: Ed25519PrivateKey,
        folder: tuple[str, str, str],
        status: PlanStatus,
        *,
        beside: Row,
        event: str,
        change: Row,
        expect: Callable[[sa.Connection], None] = lambda _connection: None,
    ) -> S:
        """Write the plan's next revision, the signed value and the event in one transaction."""
        records, revision = self._records, value.revision
        row = self._plans.put_revision(save, plan, revision, folder, status)
        with records.database.read() as connection:
            user = self._signing_user(connection, key)
        signed = evolve(
            value,
            user_id=user.account.id,
            user_name=user.account.name,
            at_utc=records.now().isoformat(),
            public_key=key.public_key().public_bytes_raw().hex(),
        )
        document = {"signature": self._signature(key, signed), "value": documents.to_content(signed)} | beside
        name = APPROVAL if status is PlanStatus.APPROVED else END
        context = records.context(schema.approval, signed.id, FIRST, FileKind.DOCUMENT)
        cell = save.put_document(
            name, document, table=schema.approval, row_id=signed.id, context=context, folder=folder
        )
        with save.transaction() as connection:
            self._signing_user(connection, key)
            expect(connection)
            self._plans.move_head(connection, plan, revision - 1, status)
            records.insert(connection, schema.plan_revision, row, revision=revision)
            self._insert(connection, signed, status, cell)
            table = schema.plan.name
            records.trail.append(connection, event, table=table, record=plan.id, revision=revision, change=change)
        return signed

    def _expect_content(self, plan: Plan, revision: int, approval: Approval) -> int:
        """Refuse to sign another content than the one that is saved, on other contours, or another patient's.

        Returns the revision of the structure set, which is to be the same when the rows are written.
        """
        saved = self._plans.load(plan.id, revision)
        with self._records.database.read() as connection:
            course = self._records.row(connection, schema.course, plan.course_id)
        structures, structures_revision = structure_sets.read_revision(self._records, plan.structure_set_id)
        if saved.plan.digest != plan.digest or saved.status is not PlanStatus.READY:
            raise StaleRevision("The plan is not saved as ready for review in that state; nothing was signed.")
        if structures_digest(structures) != approval.structures_digest:
            raise StaleRevision("The contours were changed since the dose was computed; nothing was signed.")
        if (course["uuid"], course["patient"]) != (approval.course_id, approval.patient_id):
            raise DigestMismatch("The plan belongs to another patient than the approval says; nothing was signed.")
        return structures_revision

    def _expect_in_transaction(self, connection: sa.Connection, plan: Plan, revision: int) -> None:
        expect_another_person(self._records, connection, plan.id)
        if self._records.row(connection, schema.structure_set, plan.structure_set_id)["rev"] != revision:
            raise StaleRevision("The structures were changed in this moment; nothing was signed.", hint="Sign again.")

    def _signing_user(self, connection: sa.Connection, key: Ed25519PrivateKey) -> User:
        """Return who signs, as the rows say now; refuses who may not, or whose key is not the row's."""
        user = read_user(self._records, connection, self._records.actor)
        need_right(user.account, Right.APPROVE, "Signing for a plan")
        if user.public_ed25519 != key.public_key().public_bytes_raw():
            raise Refused("Your signing key was replaced; nothing was signed.", hint="Sign in again, then sign.")
        return user

    def _signature(self, key: Ed25519PrivateKey, value: Approval | ApprovalEnd) -> str:
        return key.sign(signed_bytes(self._records.store_id, value)).hex()

    def _insert(
        self, connection: sa.Connection, value: Approval | ApprovalEnd, status: PlanStatus, cell: bytes | None
    ) -> None:
        row = {
            "uuid": value.id, "plan": value.plan_id, "plan_rev": value.revision, "state": status.value,
            "saved_by": value.user_id, "document_ct": cell,
        }  # fmt: skip
        self._records.insert(connection, schema.approval, row)

    def _alarming(self, plan_id: str, read: Callable[[], T]) -> T:
        """Note in the history that an approved plan is not what was signed; it is refused whether that works or not."""
        try:
            return read()
        except Untrusted as error:
            try:
                with self._records.transaction() as connection:
                    change = {"detail": error.detail}
                    table = schema.plan.name
                    self._records.trail.append(connection, INTEGRITY_ALARM, table=table, record=plan_id, change=change)
            except ErtError as failure:
                _LOG.warning("a failed integrity check was not noted: %s", Public(failure.code))
            raise
