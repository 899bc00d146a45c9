"""Plan, prescription, goals. Edits are functions from plan to plan."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable

import attrs

from ert.domain.algorithm import Algorithm
from ert.domain.beam import Beam
from ert.domain.identity import ADDED_LATER, digest_of, new_id
from ert.domain.image import CtCurve, DensityOverride
from ert.domain.monte_carlo_model import DEFAULT_UNCERTAINTY_PCT, LEAST_UNCERTAINTY_PCT, MOST_UNCERTAINTY_PCT
from ert.domain.structure import PointOfInterest
from ert.errors import InvalidPlan
from ert.geometry.grid import Float3

MAX_DOSE_GY = 100.0
MAX_FRACTIONS = 60


class Normalisation(enum.StrEnum):
    """What receives the prescribed dose (`Prescription`)."""

    ISODOSE = "ISODOSE"  # `percent` of the sum of given doses (each field's maximum in water) is the prescribed dose
    MAXIMUM = "MAXIMUM"  # `percent` of the plan's maximum dose is the prescribed dose
    POINT = "POINT"  # the dose at `point_id` is the prescribed dose
    D95 = "D95"  # 95 % of the target's volume receives at least the prescribed dose
    FIXED_MU = "FIXED_MU"  # monitor units as entered; nothing is scaled


class DoseTo(enum.StrEnum):
    """The medium in which dose is stated."""

    MEDIUM = "MEDIUM"
    WATER = "WATER"

    @property
    def phrase(self) -> str:
        """What a dose is called wherever it is shown: without its medium it is half a statement."""
        return f"dose to {self.value.lower()}"


@attrs.frozen(kw_only=True)
class Prescription:
    """What was ordered: total dose to a target in a number of fractions, and how the plan is normalised to it.

    Choices are made members of their enumerations, whatever they came as: Qt hands a `StrEnum` back as bare text, and
    text that only looks like a member must not pass for another choice.
    """

    target_number: int
    dose_gy: float
    fractions: int
    normalisation: Normalisation = attrs.field(default=Normalisation.ISODOSE, converter=Normalisation)
    percent: float = 90.0
    point_id: str | None = None

    def __attrs_post_init__(self) -> None:
        if not 0 < self.dose_gy <= MAX_DOSE_GY:
            raise InvalidPlan(
                f"The prescribed dose must be above 0 and at most {MAX_DOSE_GY:g} Gy, not {self.dose_gy}."
            )
        if not 1 <= self.fractions <= MAX_FRACTIONS:
            raise InvalidPlan(f"The number of fractions must be 1 to {MAX_FRACTIONS}, not {self.fractions}.")
        if not 50 <= self.percent <= 110:  # noqa: PLR2004
            raise InvalidPlan(f"The prescription percentage must be 50 to 110 %, not {self.percent}.")
        if self.normalisation is Normalisation.POINT and self.point_id is None:
            raise InvalidPlan("Normalisation to a point needs a point.", hint="Add a reference point and choose it.")


@attrs.frozen(kw_only=True)
class Goal:
    """A clinical goal as the planner writes it, for example ``Lung_L V20Gy <= 30 %``."""

    structure_number: int
    metric: str
    comparison: str
    value: float
    unit: str

    @property
    def text(self) -> str:
        """For people to read, without the structure: ``V20Gy ≤ 30 %``."""
        sign = {"<=": "≤", ">=": "≥"}.get(self.comparison, self.comparison)
        return f"{self.metric} {sign} {self.value:g} {self.unit}"


@attrs.frozen(kw_only=True)
class DoseGridSpec:
    """How the dose grid is laid out: spacing, and how far from the beams it reaches within EXTERNAL."""

    spacing_cm: float = 0.25
    margin_cm: float = 10.0

    def __attrs_post_init__(self) -> None:
        if not 0.1 <= self.spacing_cm <= 1.0:  # noqa: PLR2004
            raise InvalidPlan(f"The dose grid spacing must be 0.1 to 1.0 cm, not {self.spacing_cm}.")


@attrs.frozen(kw_only=True)
class Plan:
    """A treatment plan: a value. Two plans with equal fields are the same plan.

    Attributes
    ----------
    image_id, structure_set_id : records of the course the plan is made on.
    external_number : the structure that is the patient's outline; outside it is air.
    ct_curve, overrides, dose_to, algorithm, dose_grid : how dose is computed; a beam may name an algorithm of its own.
    uncertainty_pct : how certain each beam's Monte Carlo dose shall be; no other algorithm heeds it.
    beams : in order of their numbers.
    """

    id: str = attrs.field(factory=new_id)
    course_id: str
    name: str
    image_id: str
    structure_set_id: str
    external_number: int
    prescription: Prescription
    ct_curve: CtCurve
    overrides: tuple[DensityOverride, ...] = attrs.field(validator=attrs.validators.instance_of(tuple), factory=tuple)
    points: tuple[PointOfInterest, ...] = attrs.field(validator=attrs.validators.instance_of(tuple), factory=tuple)
    goals: tuple[Goal, ...] = attrs.field(validator=attrs.validators.instance_of(tuple), factory=tuple)
    beams: tuple[Beam, ...] = attrs.field(validator=attrs.validators.instance_of(tuple), factory=tuple)
    algorithm: Algorithm = attrs.field(default=Algorithm.PENCIL_BEAM, converter=Algorithm)
    dose_to: DoseTo = attrs.field(default=DoseTo.MEDIUM, converter=DoseTo)
    dose_grid: DoseGridSpec = attrs.field(factory=DoseGridSpec)
    description: str = ""
    uncertainty_pct: float = attrs.field(default=DEFAULT_UNCERTAINTY_PCT, metadata=ADDED_LATER)

    def __attrs_post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidPlan("A plan needs a name.")
        if not LEAST_UNCERTAINTY_PCT <= self.uncertainty_pct <= MOST_UNCERTAINTY_PCT:
            raise InvalidPlan(
                f"The Monte Carlo's uncertainty must be {LEAST_UNCERTAINTY_PCT:g} to {MOST_UNCERTAINTY_PCT:g} %, "
                f"not {self.uncertainty_pct:g} %."
            )
        numbers = [b.number for b in self.beams]
        if len(set(numbers)) != len(numbers):
            raise InvalidPlan(f"Plan '{self.name}' has two beams with the same number.")
        names = [b.name for b in self.beams]
        if len(set(names)) != len(names):
            raise InvalidPlan(f"Plan '{self.name}' has two beams with the same name.")
        wanted = self.prescription.point_id
        if wanted is not None and all(p.id != wanted for p in self.points):
            raise InvalidPlan("The prescription refers to a point that the plan does not have.")

    @property
    def digest(self) -> str:
        """Digest of every field of the plan."""
        return digest_of(self)

    def algorithm_of(self, beam: Beam) -> Algorithm:
        """The engine that computes a beam: its own choice, or the plan's."""
        return beam.algorithm or self.algorithm

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """The engines that compute its beams, the one to trust least first; the plan's choice if it has no beam."""
        used = {self.algorithm_of(beam) for beam in self.beams} or {self.algorithm}
        return tuple(algorithm for algorithm in Algorithm if algorithm in used)

    def beam(self, number: int) -> Beam:
        """The beam of that number; `InvalidPlan` if there is none."""
        for beam in self.beams:
            if beam.number == number:
                return beam
        raise InvalidPlan(f"Plan '{self.name}' has no beam number {number}.")

    def point(self, point_id: str) -> PointOfInterest:
        """The point of that id; `InvalidPlan` if there is none."""
        for point in self.points:
            if point.id == point_id:
                return point
        raise InvalidPlan(f"Plan '{self.name}' has no such point.")

    def point_cm(self, point_id: str) -> Float3:
        """Position of a point of this plan."""
        return self.point(point_id).position_cm


def with_beam(plan: Plan, beam: Beam) -> Plan:
    """The plan with this beam added, or replaced if its number is there already."""
    others = [b for b in plan.beams if b.number != beam.number]
    beams = tuple(sorted([*others, beam], key=lambda b: b.number))
    return attrs.evolve(plan, beams=beams)


def without_beam(plan: Plan, number: int) -> Plan:
    """The plan without that beam."""
    plan.beam(number)
    return attrs.evolve(plan, beams=tuple(b for b in plan.beams if b.number != number))


def with_algorithm(plan: Plan, algorithm: Algorithm) -> Plan:
    """The plan with all of its beams computed by one engine."""
    beams = tuple(attrs.evolve(beam, algorithm=None) for beam in plan.beams)
    return attrs.evolve(plan, algorithm=algorithm, beams=beams)


def with_algorithms(plan: Plan, choose: Callable[[Algorithm], Algorithm]) -> Plan:
    """The plan with each beam's engine put in place of the one that computes it now."""
    beams = tuple(attrs.evolve(beam, algorithm=choose(plan.algorithm_of(beam))) for beam in plan.beams)
    return attrs.evolve(plan, algorithm=choose(plan.algorithm), beams=beams)


def next_beam_number(plan: Plan) -> int:
    """The lowest number above all used ones."""
    return max((b.number for b in plan.beams), default=0) + 1


def with_point(plan: Plan, point: PointOfInterest) -> Plan:
    """The plan with this point added at the end, or put in place of the one of the same id.

    Raises
    ------
    InvalidPlan
        If its name is empty or another point's.
    """
    if not point.name.strip():
        raise InvalidPlan("A point needs a name.")
    if any(p.name == point.name and p.id != point.id for p in plan.points):
        raise InvalidPlan(f"The plan has a point named '{point.name}' already.", hint="Choose another name.")
    if any(p.id == point.id for p in plan.points):
        return attrs.evolve(plan, points=tuple(point if p.id == point.id else p for p in plan.points))
    return attrs.evolve(plan, points=(*plan.points, point))


def without_point(plan: Plan, point_id: str) -> Plan:
    """The plan without that point; `InvalidPlan` while the prescription is normalised to it."""
    point = plan.point(point_id)
    if plan.prescription.point_id == point_id:
        raise InvalidPlan(
            f"The prescription refers to point '{point.name}'.", hint="Normalise to something else, then remove it."
        )
    return attrs.evolve(plan, points=tuple(p for p in plan.points if p.id != point_id))


def free_point_name(plan: Plan) -> str:
    """The first of "Ref 1", "Ref 2", … that no point of the plan has."""
    taken = {p.name for p in plan.points}
    return next(f"Ref {n}" for n in itertools.count(1) if f"Ref {n}" not in taken)
