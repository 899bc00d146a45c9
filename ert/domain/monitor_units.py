"""Monitor units checked by hand: every factor with where it comes from, and how two ways of reckoning compare."""

from __future__ import annotations

import enum
import math

import attrs

from ert.errors import Refused

PUBLISHED_LEVELS = "usual levels of AAPM TG-114 (Stern et al. 2011) and TG-71 (Gibbons et al. 2014)"
_ROUNDING_MU = 0.5
_LARGEST_PCT, _LARGEST_MU = 100.0, 1000.0


class FactorSource(enum.StrEnum):
    """Where a factor comes from."""

    ENTERED = "entered"  # a condition of the calculation: dose, calibration
    MEASURED = "measured"
    INTERPOLATED = "interpolated"
    COMPUTED = "computed"
    ASSUMED = "assumed"  # a stated property of all such fields, with the spread that was published


@attrs.frozen(kw_only=True)
class Factor:
    """One number of a monitor unit calculation.

    Attributes
    ----------
    symbol : in the formula; name : in words; meaning : a plain sentence what it is.
    value : in `unit`, "" for a ratio; relative_sigma : one standard deviation over the value.
    detail : from which measurements or by which method.
    """

    symbol: str
    name: str
    value: float
    unit: str = ""
    relative_sigma: float
    source: FactorSource
    detail: str
    meaning: str = ""

    @property
    def text(self) -> str:
        """Value with its unit, as it is put into the formula."""
        return f"{self.number_text} {self.unit}".rstrip()

    @property
    def number_text(self) -> str:
        """Value without its unit: per cent to hundredths, all else to four decimals."""
        return f"{self.value:.{2 if self.unit == '%' else 4}f}"


@attrs.frozen(kw_only=True)
class CutoutWay:
    """One of three independent ways to a cutout factor: the factor, or why there is none."""

    key: str
    name: str
    factor: Factor | None = None
    refusal: str = ""


@attrs.frozen(kw_only=True)
class MuWorksheet:
    """Monitor units from measured factors: MU = D · 100 / (D'0 · PDD · S_e) (AAPM TG-71, equation (1)).

    Attributes
    ----------
    dose_cgy, depth_cm : dose of one fraction to the point at that depth in water.
    depth_of_normalisation_cm : of the field's maximum, where PDD = 100.
    calibration, applicator, cutout, distance, depth_dose : D'0, the three parts of S_e, PDD.
    other_distance : the distance factor by the way not chosen, for comparison; None where SSD is standard.
    tg71_mu : before rounding; relative_sigma : of the product.
    notes : what the numbers do not show; `assumptions` are apart from these.
    """

    dose_cgy: float
    depth_cm: float
    depth_of_normalisation_cm: float
    calibration: Factor
    applicator: Factor
    cutout: Factor
    distance: Factor
    other_distance: Factor | None
    depth_dose: Factor
    tg71_mu: float
    relative_sigma: float
    notes: tuple[str, ...] = ()

    @property
    def output_factor(self) -> float:
        """S_e: applicator factor × cutout factor × distance factor."""
        return self.applicator.value * self.cutout.value * self.distance.value

    @property
    def factors(self) -> tuple[Factor, ...]:
        """All factors in the order of the formula."""
        return (self.calibration, self.applicator, self.cutout, self.distance, self.depth_dose)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Which factors rest on no measurement of this machine, and on what instead."""
        return tuple(f"The {f.name.lower()} is assumed: {f.detail}." for f in self.factors if f.source == "assumed")

    @property
    def formula(self) -> str:
        """The formula with the numbers put in."""
        return (
            f"MU = {self.dose_cgy:.2f} × 100 / ({self.calibration.value:.4f} × {self.depth_dose.value:.2f} × "
            f"{self.applicator.value:.4f} × {self.cutout.value:.4f} × {self.distance.value:.4f}) = {self.tg71_mu:.2f}"
        )


class Verdict(enum.StrEnum):
    """How a check came out."""

    AGREES = "agrees"
    INVESTIGATE = "investigate"
    ACTION = "action"
    NOT_CHECKED = "not checked"


@attrs.frozen(kw_only=True)
class ActionLevels:
    """When a difference of monitor units must be looked into; part of a machine's configuration.

    Above `investigate_pct`, unless rounding to whole monitor units explains it: investigate. Above `action_pct` and
    above `action_mu`: act before treating. A beam of less than `minimum_mu` is questioned, because monitors are least
    linear there. The three ways to a cutout factor, and the factors of engine and worksheet, are compared by
    `ways_investigate_pct` and `ways_action_pct`. `source` says whose levels these are.

    Raises
    ------
    Refused
        A level is no positive number, investigating would come after acting, or levels other than the published ones
        name no source of their own.
    """

    investigate_pct: float = 3.0
    action_pct: float = 5.0
    action_mu: float = 2.0
    minimum_mu: float = 10.0
    ways_investigate_pct: float = 3.0
    ways_action_pct: float = 5.0
    source: str = PUBLISHED_LEVELS

    def __attrs_post_init__(self) -> None:
        numbers = {a.name: getattr(self, a.name) for a in attrs.fields(ActionLevels) if a.name != "source"}
        for name, value in numbers.items():
            largest = _LARGEST_PCT if name.endswith("_pct") else _LARGEST_MU
            if not (math.isfinite(value) and 0 < value <= largest):
                raise Refused(
                    f"The action level {name} is {value:g}; it must be above 0 and at most {largest:g}.",
                    hint="Correct the machine's configuration.",
                )
        if self.investigate_pct > self.action_pct or self.ways_investigate_pct > self.ways_action_pct:
            raise Refused(
                "The level for investigating lies above the one for acting.", hint="Exchange or correct the two."
            )
        is_published = all(attrs.fields_dict(ActionLevels)[n].default == v for n, v in numbers.items())
        if not self.source.strip() or (self.source == PUBLISHED_LEVELS and not is_published):
            raise Refused(
                "Action levels other than the published ones need a source of their own.",
                hint="Say whose levels they are, for example the policy of your department and its date.",
            )

    def verdict(self, *, engine_mu: float, tg71_mu: float) -> Verdict:
        """Judge the difference, in per cent of the monitor units checked by hand."""
        difference_mu = abs(engine_mu - tg71_mu)
        difference_pct = 100.0 * difference_mu / tg71_mu
        if difference_pct > self.action_pct and difference_mu > self.action_mu:
            return Verdict.ACTION
        is_rounding = difference_mu <= _ROUNDING_MU
        return Verdict.INVESTIGATE if difference_pct > self.investigate_pct and not is_rounding else Verdict.AGREES

    def verdict_on_factor(self, difference_pct: float) -> Verdict:
        """Judge the difference of a factor between two ways."""
        if abs(difference_pct) > self.ways_action_pct:
            return Verdict.ACTION
        return Verdict.INVESTIGATE if abs(difference_pct) > self.ways_investigate_pct else Verdict.AGREES

    @property
    def text(self) -> str:
        """All levels and whose they are, as a sentence."""
        return (
            f"Investigate above {self.investigate_pct:g} %; act above {self.action_pct:g} % and {self.action_mu:g} MU; "
            f"factors and the three ways above {self.ways_investigate_pct:g} % and {self.ways_action_pct:g} %; "
            f"at least {self.minimum_mu:g} MU. Levels: {self.source}."
        )


@attrs.frozen(kw_only=True)
class BeamMuCheck:
    """The monitor units of one beam and one fraction, from the dose engine and by hand.

    Attributes
    ----------
    engine_mu : of the plan, a whole number unless entered by hand.
    engine_factors : what the dose engine gives for the factors of the worksheet, in its order; without PDD.
    worksheet : None where measured data do not reach; `refusal` then says why.
    ways : the cutout factor three ways.
    width_cm, length_cm : of the opening's equivalent ellipse.
    """

    beam_number: int
    beam_name: str
    machine_name: str
    energy_mev: float
    applicator_id: str
    ssd_cm: float
    width_cm: float
    length_cm: float
    dose_basis: str
    engine_mu: float
    engine_factors: tuple[Factor, ...]
    worksheet: MuWorksheet | None
    refusal: str = ""
    ways: tuple[CutoutWay, ...]
    verdict: Verdict
    levels: ActionLevels

    @property
    def ways_difference_pct(self) -> float | None:
        """Largest difference of a way to the cutout factor from the first there is; None with fewer than two."""
        values = [w.factor.value for w in self.ways if w.factor is not None]
        return max((100.0 * (v / values[0] - 1.0) for v in values[1:]), key=abs, default=None)

    @property
    def difference_mu(self) -> float | None:
        """Engine minus hand check."""
        return None if self.worksheet is None else self.engine_mu - self.worksheet.tg71_mu

    @property
    def difference_pct(self) -> float | None:
        """Engine minus hand check in per cent of the hand check."""
        return None if self.worksheet is None else 100.0 * (self.engine_mu / self.worksheet.tg71_mu - 1.0)
