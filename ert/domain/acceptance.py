"""Acceptance tests of a beam model: a published tolerance, what was found, and the verdict."""

from __future__ import annotations

import enum

import attrs


class Verdict(enum.StrEnum):
    """Outcome of an acceptance test."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_MEASURED = "not measured"


@attrs.frozen(kw_only=True)
class AcceptanceTest:
    """One row of the acceptance table.

    Attributes
    ----------
    number, description, tolerance : as in the source (AAPM MPPG 5.b Table 10) or the project's own goals.
    found : the worst figure with its unit; where : the field or curve it belongs to.
    """

    number: str
    description: str
    tolerance: str
    found: str
    where: str
    verdict: Verdict


@attrs.frozen(kw_only=True)
class EnergyAcceptance:
    """The acceptance table of one energy and engine, as the commissioning that made the model found it."""

    energy_mev: float
    engine: str
    tests: tuple[AcceptanceTest, ...]
