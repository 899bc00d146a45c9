"""The two actions of a plan's approval: begin it, end it; and whether each is of use now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction

from ert.domain.account import Right
from ert.ui.widgets import plain_tip

if TYPE_CHECKING:
    from collections.abc import Callable

    from ert.ui.plan_page import PlanPage

_APPROVE_TIP = "See what an approval needs, and approve the plan"
_END_TIP = "Withdraw or supersede the approval"


class MakeAction(Protocol):
    """Makes an action of the page."""

    def __call__(self, text: str, icon_name: str, slot: Callable[[], None], /, *, tip: str) -> QAction:
        """The action."""


class ApprovalActions(QObject):
    """Actions of one planning page.

    Attributes
    ----------
    approve : always there where there is a plan to approve; its dialog says what is missing.
    end : of a valid approval.
    """

    def __init__(self, page: PlanPage, make: MakeAction) -> None:
        super().__init__(page)
        self._page = page
        self.approve = make("Approve…", "ok", self._approve, tip=_APPROVE_TIP)
        self.end = make("End approval…", "stop", self._end, tip=_END_TIP)

    def refresh(self) -> None:
        """What can be done now, and why not."""
        workspace, rights = self._page.workspace, self._page.session.account.rights
        is_closed = workspace.stored.status.is_locked or workspace.is_earlier
        self.approve.setEnabled(not is_closed)
        self.approve.setToolTip(plain_tip(workspace.why_read_only if is_closed else _APPROVE_TIP))
        is_valid = workspace.approval is not None and workspace.approval.is_valid and not workspace.is_earlier
        lacking = "That needs the feature Plan Approval" if is_valid else "This plan has no valid approval"
        may = is_valid and Right.APPROVE in rights
        self.end.setEnabled(may)
        self.end.setToolTip(plain_tip(_END_TIP if may else lacking))

    def _approve(self) -> None:
        from ert.ui.approval_dialog import ApprovalDialog

        page = self._page
        dialog = ApprovalDialog(page.session, page.workspace, page)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.approved.connect(self._show_anew)
        dialog.open()

    def _end(self) -> None:
        from ert.ui.end_approval_dialog import EndApprovalDialog

        page = self._page
        dialog = EndApprovalDialog(page.session, page.workspace, page)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.ended.connect(self._show_anew)
        dialog.open()

    def _show_anew(self) -> None:
        """The plan is opened again, so that what is shown is what was signed, verified."""
        self._page.saved_as.emit(self._page.workspace.plan.id)
