"""A plan's dose computed again by another engine, how far the two agree, and what that is judged by."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

from ert.errors import Refused


class Light(enum.StrEnum):
    """Traffic light of a comparison."""

    GREEN = "GREEN"
    AMBER = "AMBER"
    RED = "RED"


_RANK = {Light.GREEN: 0, Light.AMBER: 1, Light.RED: 2}


@attrs.frozen(kw_only=True)
class CheckTolerances:
    """Gamma criterion and limits; the defaults for gamma are those of AAPM TG-218 (Med Phys 45 (2018) e53).

    Attributes
    ----------
    gamma_dose_pct, gamma_distance_cm, gamma_threshold_pct : of the largest dose; global.
    green_pass_pct, amber_pass_pct : least share of points with gamma at most 1.
    green_difference_pct, amber_difference_pct : largest difference of a point or a structure, of the prescribed dose.
    """

    gamma_dose_pct: float = 3.0
    gamma_distance_cm: float = 0.2
    gamma_threshold_pct: float = 10.0
    green_pass_pct: float = 95.0
    amber_pass_pct: float = 90.0
    green_difference_pct: float = 3.0
    amber_difference_pct: float = 5.0

    def __attrs_post_init__(self) -> None:
        if not 0 < self.amber_pass_pct <= self.green_pass_pct <= 100:  # noqa: PLR2004
            raise Refused("The limits of a second check's pass rate must rise from amber to green, at most 100 %.")
        if not 0 < self.green_difference_pct <= self.amber_difference_pct:
            raise Refused("The limits of a second check's differences must rise from green to amber.")

    def of_pass_rate(self, pass_pct: float) -> Light:
        """Light of a gamma pass rate."""
        if pass_pct >= self.green_pass_pct:
            return Light.GREEN
        return Light.AMBER if pass_pct >= self.amber_pass_pct else Light.RED

    def of_difference(self, difference_pct: float) -> Light:
        """Light of a difference in percent of the prescribed dose."""
        if abs(difference_pct) <= self.green_difference_pct:
            return Light.GREEN
        return Light.AMBER if abs(difference_pct) <= self.amber_difference_pct else Light.RED


@attrs.frozen(kw_only=True)
class ComparedValue:
    """One figure by both engines; the difference is the second's minus the first's, in percent of the prescription."""

    subject: str
    quantity: str
    first_gy: float
    second_gy: float
    difference_pct: float
    light: Light


@attrs.frozen(kw_only=True)
class SecondCheck:
    """A comparison of two engines on one state of a plan.

    Attributes
    ----------
    plan_digest : of the plan as it was; a check says nothing of any other state.
    first_engine, second_engine : name, version and statistics; the first is the plan's own in a plan's second check.
    gamma_reference : which of the two is the reference of gamma: one with noise, whose criterion its errors widen.
    """

    plan_digest: str
    first_engine: str
    second_engine: str
    gamma_reference: str
    gamma_pass_pct: float
    gamma_mean_ratio: float
    gamma_points: int
    tolerances: CheckTolerances
    values: tuple[ComparedValue, ...] = attrs.field(validator=attrs.validators.instance_of(tuple))

    @property
    def light(self) -> Light:
        """The worst of all."""
        lights = [self.tolerances.of_pass_rate(self.gamma_pass_pct), *(v.light for v in self.values)]
        return max(lights, key=_RANK.__getitem__)

    @property
    def gamma_text(self) -> str:
        """Criterion and pass rate."""
        t = self.tolerances
        return (
            f"gamma {t.gamma_dose_pct:g} % / {10 * t.gamma_distance_cm:g} mm above {t.gamma_threshold_pct:g} %: "
            f"{self.gamma_pass_pct:.1f} % of {self.gamma_points:,} points"
        )


@attrs.frozen(kw_only=True)
class KeptSecondCheck:
    """A second check as it stands in the store, with the plan's revision it was made on."""

    check: SecondCheck
    revision: int
    made_by: str
    made_at: dt.datetime
