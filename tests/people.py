"""Accounts for tests whose subject is something else."""

from __future__ import annotations

from ert.domain.account import FIRST_GRANT, Account

CHIEF = Account(id="u-chief", name="m.curie", grant=FIRST_GRANT)
PLANNER = Account(id="u-planner", name="anna")
