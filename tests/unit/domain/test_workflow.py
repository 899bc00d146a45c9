"""The life of a plan: every pair of states is allowed or refused exactly as the table of the documents says."""

from __future__ import annotations

import itertools

import pytest

from ert.domain.record import PlanStatus
from ert.domain.workflow import FIRST, TRANSITIONS, expect_transition
from ert.errors import PlanLocked, Refused

# docs/approval.md, written down once more
ALLOWED = {
    (None, "DRAFT"), (None, "READY"),
    ("DRAFT", "DRAFT"), ("DRAFT", "READY"),
    ("READY", "DRAFT"), ("READY", "READY"), ("READY", "APPROVED"),
    ("APPROVED", "WITHDRAWN"), ("APPROVED", "SUPERSEDED"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(itertools.product((None, *PlanStatus), PlanStatus)))
def test_every_step_is_allowed_or_refused_as_the_table_says(before, after):
    if (None if before is None else before.value, after.value) in ALLOWED:
        expect_transition(before, after)
        return
    with pytest.raises((PlanLocked, Refused)) as refused:
        expect_transition(before, after)
    assert (refused.type is PlanLocked) is (before is not None and before.is_locked)
    assert refused.value.hint


def test_nothing_leads_back_from_an_approval():
    assert set(TRANSITIONS) == set(PlanStatus)
    reached = {PlanStatus.APPROVED}
    while more := {after for state in reached for after in TRANSITIONS[state]} - reached:
        reached |= more
    assert reached == {s for s in PlanStatus if s.is_locked}
    assert not FIRST & reached
