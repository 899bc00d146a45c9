"""A plan's dose computed again by another engine, how far the two agree, and what that is judged by."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

from ert.domain.identity import digest_of, new_id
from ert.errors import Refused


class Light(enum.StrEnum):
    """Traffic light of a comparison."""

    GREEN = "GREEN"
    AMBER = "AMBER"
    RED = "RED"


_MOST_DOSE_PCT, _MOST_DISTANCE_CM, _MOST_THRESHOLD_PCT = 10.0, 1.0, 90.0
DEFAULT_SOURCE = "the program's own limits"
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
        if not 0 < self.gamma_dose_pct <= _MOST_DOSE_PCT or not 0 < self.gamma_distance_cm <= _MOST_DISTANCE_CM:
            raise Refused(
                f"The gamma criterion must be above 0 and at most {_MOST_DOSE_PCT:g} % and "
                f"{10 * _MOST_DISTANCE_CM:g} mm, not {self.gamma_dose_pct:g} % and {10 * self.gamma_distance_cm:g} mm."
            )
        if not 0 <= self.gamma_threshold_pct < _MOST_THRESHOLD_PCT:
            raise Refused(
                f"The dose above which gamma is judged must be 0 to below {_MOST_THRESHOLD_PCT:g} % of the largest, "
                f"not {self.gamma_threshold_pct:g} %."
            )
        if not 0 < self.amber_pass_pct <= self.green_pass_pct <= 100:  # noqa: PLR2004
            raise Refused("The limits of a second check's pass rate must rise from amber to green, at most 100 %.")
        if not 0 < self.green_difference_pct <= self.amber_difference_pct:
            raise Refused("The limits of a second check's differences must rise from green to amber.")

    @property
    def sentence(self) -> str:
        """All limits in one line."""
        return (
            f"gamma {self.gamma_dose_pct:g} % / {10 * self.gamma_distance_cm:g} mm above {self.gamma_threshold_pct:g} %"
            f": green from {self.green_pass_pct:g} %, amber from {self.amber_pass_pct:g} % of the points; points and "
            f"structures: green up to {self.green_difference_pct:g} %, amber up to {self.amber_difference_pct:g} % of "
            "the prescribed dose"
        )

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
    tolerances, tolerances_source : what it is judged by, and whose limits these are, for example
        ``the site's limits, revision 2``; empty for checks made before sites had limits of their own.
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
    tolerances_source: str = ""

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
class SiteTolerances:
    """Limits that a site set for its second checks; kept in revisions, of which the newest holds.

    Attributes
    ----------
    reason : why they are what they are, in the words of whoever set them.
    """

    id: str = attrs.field(factory=new_id)
    tolerances: CheckTolerances
    reason: str

    def __attrs_post_init__(self) -> None:
        if not self.reason.strip():
            raise Refused("Limits of the second check need a reason.", hint="Say whose they are, and why.")

    @property
    def name(self) -> str:
        """A site has one set of limits."""
        return "second check"

    @property
    def digest(self) -> str:
        """Digest of every field."""
        return digest_of(self)


@attrs.frozen(kw_only=True)
class KeptSecondCheck:
    """A second check as it stands in the store, with the plan's revision it was made on."""

    check: SecondCheck
    revision: int
    made_by: str
    made_at: dt.datetime
