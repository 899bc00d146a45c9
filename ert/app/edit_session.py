"""Undo and redo of an open plan: snapshots of values, drags merged to one step."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ert.domain.plan import Plan

UNDO_LIMIT = 200


@attrs.frozen
class _Step:
    label: str
    before: Plan
    after: Plan
    stroke: str | None


class EditSession:
    """The edits of one open plan.

    Parameters
    ----------
    plan : Plan
        As opened.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._saved = plan
        self._done: list[_Step] = []
        self._undone: list[_Step] = []

    @property
    def plan(self) -> Plan:
        """The plan as it is now."""
        return self._plan

    @property
    def is_dirty(self) -> bool:
        """True if the plan differs from what was saved last."""
        return self._plan != self._saved

    @property
    def undo_label(self) -> str | None:
        """What undo would take back; None if nothing."""
        return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        """What redo would bring back; None if nothing."""
        return self._undone[-1].label if self._undone else None

    def apply(self, label: str, edit: Callable[[Plan], Plan], *, stroke: str | None = None) -> bool:
        """Replace the plan by ``edit(plan)``; edits that share a stroke key in a row are one undo step.

        Returns
        -------
        bool
            False if the edit changed nothing.
        """
        after = edit(self._plan)
        if after == self._plan:
            return False
        last = self._done[-1] if self._done else None
        if last is not None and stroke is not None and last.stroke == stroke and not self._undone:
            self._done[-1] = attrs.evolve(last, after=after)
        else:
            self._done.append(_Step(label, self._plan, after, stroke))
            del self._done[:-UNDO_LIMIT]
        self._undone.clear()
        self._plan = after
        return True

    def replace(self, plan: Plan) -> None:
        """Set a derived value (SSD, monitor units) without an undo step of its own; the last step takes it along."""
        if self._done and not self._undone:
            self._done[-1] = attrs.evolve(self._done[-1], after=plan)
        self._plan = plan

    def undo(self) -> bool:
        """Take the last step back; False if there is none."""
        if not self._done:
            return False
        step = self._done.pop()
        self._undone.append(step)
        self._plan = step.before
        return True

    def redo(self) -> bool:
        """Bring the last undone step back; False if there is none."""
        if not self._undone:
            return False
        step = self._undone.pop()
        self._done.append(step)
        self._plan = step.after
        return True

    def mark_saved(self, plan: Plan) -> None:
        """Remember what the store now holds."""
        self._saved = plan
