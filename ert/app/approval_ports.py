"""What approving needs from the site's store; part of ``SiteStore`` (ports.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ert.domain.approval import Approval, ApprovalEnd, ApprovalState, PinnedPlan
from ert.domain.approval_rule import ApprovalRule, LastEdit
from ert.domain.dose import DoseResult
from ert.domain.plan import Plan


class ApprovalRules(Protocol):
    """What a site asks of who approves."""

    def read(self) -> ApprovalRule:
        """The rule that counts."""

    def save(self, value: ApprovalRule) -> None:
        """Have a rule count from now on."""


class ApprovalStore(Protocol):
    """What was signed of plans; each reading verifies everything again and raises `DigestMismatch` if it must."""

    def state(self, plan_id: str) -> ApprovalState | None:
        """The approval of a plan with its end; None if it has none."""

    def pinned(self, plan: Plan) -> PinnedPlan | None:
        """The approval of a plan with its pinned doses; None if it has none."""

    @property
    def rules(self) -> ApprovalRules:
        """What the site asks of who approves."""

    def last_edit(self, plan_id: str) -> LastEdit:
        """Who brought a plan to its newest content."""

    def approve(
        self, plan: Plan, approval: Approval, doses: Sequence[DoseResult], *, base_revision: int, password: str
    ) -> Approval:
        """Sign a plan as its next revision and pin its doses; who, when and by which key is filled in.

        Raises `WrongKey`, `SignInLocked`, `NotPermitted`, `Refused`, `StaleRevision`, `LockHeld`.
        """

    def end(self, plan: Plan, end: ApprovalEnd, *, base_revision: int, password: str) -> ApprovalEnd:
        """Sign the end of an approval; raises as `approve`."""
