"""What a site asks of who approves a plan, beyond the right to do so."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class ApprovalRule:
    """One rule for all plans of a site.

    Attributes
    ----------
    needs_another_person : whoever edited a plan last does not approve it.
    """

    needs_another_person: bool = False

    @property
    def text(self) -> str:
        """The rule in words."""
        if self.needs_another_person:
            return "the approver must be another person than who edited the plan last"
        return "whoever edited a plan last may approve it, too"


DEFAULT_APPROVAL_RULE = ApprovalRule()


@attrs.frozen(kw_only=True)
class LastEdit:
    """Who brought a plan to its newest content; marking it ready, or keeping doses, edits nothing.

    Attributes
    ----------
    user_id, user_name : of who saved it.
    revision : the first one with that content.
    """

    user_id: str
    user_name: str
    revision: int

    def own_words(self) -> str:
        """Why who edited last is refused, and what to do."""
        return (
            f"You edited this plan last (revision {self.revision}), and this site wants another person to approve it: "
            "ask a colleague with the feature Plan Approval."
        )
