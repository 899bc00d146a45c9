"""From measured curves to a beam model: least squares with priors, g(z) by identity, output correction."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, least_squares

from ert.commissioning.air_edges import AirEdges
from ert.commissioning.common_depth import Ratios, common_ratio, point_of
from ert.commissioning.common_depth import joined as joined_ratios
from ert.commissioning.forward import Points, Setup, joined, make_setup, slanted_depth_cm
from ert.commissioning.measured import BeamData, Curve, EnergyData, Field
from ert.commissioning.parameters import LOWER, NAMES, SOURCES, SPREAD, START, UPPER, Parameters, bends, to_parameters
from ert.commissioning.reference import (
    DEPTH_STEP_CM,
    TAIL_FROM_FRAC,
    Reference,
    absolute,
    is_plateau,
    smooth_reference,
)
from ert.commissioning.shapes import Shapes
from ert.commissioning.shared_errors import SharedErrors
from ert.domain.beam_model import FittedParameter

Float = NDArray[np.float64]
_CUT_OFF = (TAIL_FROM_FRAC, 1.2)
_SHORT_TAIL_CM, _TYPICAL_ATTENUATION_PER_CM = 2.0, 0.05
_MOST_ATTENUATION_PER_CM = 0.2
_MODEL_SIGMA_FRAC = 0.006
_FLOOR_CGY = 0.003
_MOST_ROUNDS, _INSIDE = 40, 1e-6
_LEAST_FRAC, _LEAST_CGY = 0.1, 0.02
_FADE_U, _FADE_WIDTH = 1.05, 0.1


@attrs.frozen(kw_only=True)
class Identity:
    """g(z) in cGy/MU on the grid of the reference, level (cGy/MU) and attenuation of the open photons."""

    depth_dose: Float
    photon_strength: float
    attenuation_per_cm: float


@attrs.frozen(kw_only=True)
class FitResult:
    """What the fit found: parameters with uncertainties, and g(z) and photons that close the identity."""

    parameters: Parameters
    fitted: tuple[FittedParameter, ...]
    identity: Identity
    reference: Reference
    setup: Setup
    cost_per_point: float
    evaluations: int


def _points(curve: Curve, data: BeamData) -> Points:
    applicator = data.machine.applicator(curve.field.applicator_id)
    zero = np.zeros(len(curve.position_cm))
    is_depth = curve.kind == "depth_dose"
    return Points(
        width_cm=curve.field.width_cm,
        height_cm=curve.field.height_cm,
        applicator_x_cm=applicator.opening_x_cm,
        applicator_y_cm=applicator.opening_y_cm,
        x_cm=curve.position_cm if curve.axis == "crossline" else zero,
        y_cm=curve.position_cm if curve.axis == "inline" else zero,
        depth_cm=curve.position_cm if is_depth else zero + curve.depth_cm,
        ssd_cm=curve.field.ssd_cm,
    )


def _photon_line(depth_cm: Float, level: Float) -> tuple[float, float]:
    """Strength and attenuation of an exponential through the tail; (0, 0) where nothing is left.

    A tail of less than 2 cm does not tell a slope: carried to the surface, its noise would be half of the photons or
    twice as many.
    """
    usable = level > 0.1 * max(float(np.median(level)), 0.0)
    if float(np.median(level)) <= 0 or np.count_nonzero(usable) < 3:
        return 0.0, 0.0
    slope = float(np.polyfit(depth_cm[usable], np.log(level[usable]), 1, w=level[usable])[0])
    attenuation = min(max(-slope, 0.0), _MOST_ATTENUATION_PER_CM)
    if depth_cm[-1] - depth_cm[0] < _SHORT_TAIL_CM:
        attenuation = _TYPICAL_ATTENUATION_PER_CM
    return float(np.mean(level * np.exp(attenuation * depth_cm))), attenuation


class Objective:
    """Weighted residuals of all measured curves of one energy for a vector of parameters."""

    def __init__(self, data: BeamData, energy: EnergyData, reference: Reference) -> None:
        self.reference = reference
        self.setup = make_setup(
            sad_cm=data.machine.sad_cm,
            insert_cm=data.machine.insert_distance_cm,
            reference_ssd_cm=data.reference.ssd_cm,
            range_cm=reference.quantities.rp_cm,
        )
        curves = [c for c in (absolute(c, data, energy) for c in energy.curves) if c is not None]
        self.curves = [(c, _points(c, data)) for c in curves]
        self._all = joined([at for _, at in self.curves])
        self._dose = np.concatenate([c.dose for c in curves])
        sigma = np.concatenate([c.sigma for c in curves])
        self._sigma = np.sqrt(sigma**2 + _FLOOR_CGY**2 + (_MODEL_SIGMA_FRAC * self._dose) ** 2)
        self._shared = SharedErrors(data.reference, curves, self._sigma)
        whole = data.machine.applicator(data.reference.applicator_id)
        self._reference_field = data.reference
        self.axis = Points(
            width_cm=data.reference.width_cm,
            height_cm=data.reference.height_cm,
            applicator_x_cm=whole.opening_x_cm,
            applicator_y_cm=whole.opening_y_cm,
            x_cm=np.zeros(len(reference.depth_cm)),
            y_cm=np.zeros(len(reference.depth_cm)),
            depth_cm=reference.depth_cm,
            ssd_cm=data.reference.ssd_cm,
        )
        self._axis_shapes = Shapes(self.setup, self.axis)
        self._all_shapes = Shapes(self.setup, self._all)
        self._air_edges = AirEdges(self.setup, energy.air_profiles)

    def parameters(self, vector: Float) -> Parameters:
        """Named parameters of a vector."""
        return to_parameters(vector)

    def identity(self, p: Parameters) -> Identity:
        """g(z) and photons that give back the reference depth dose."""
        rest, photons = self._axis_shapes.background(p)
        u = self.axis.depth_cm / self.setup.range_cm
        tail = u > _CUT_OFF[0]
        strength, attenuation = _photon_line(
            self.axis.depth_cm[tail], (self.reference.dose[tail] - rest[tail]) / photons[tail]
        )
        photons = strength * np.exp(-attenuation * self.axis.depth_cm) * photons
        taper = np.clip((_CUT_OFF[1] - u) / (_CUT_OFF[1] - _CUT_OFF[0]), 0.0, 1.0)
        electrons = np.maximum(0.0, self.reference.dose - rest - photons) * taper
        return Identity(
            depth_dose=electrons / self._axis_shapes.core_share(p),
            photon_strength=strength,
            attenuation_per_cm=attenuation,
        )

    def curve(self, p: Parameters, closed: Identity, at: Points) -> Float:
        """Computed dose, cGy/MU, at the points of a curve."""
        return self._dose_of(p, closed, at, Shapes(self.setup, at))

    def _dose_of(self, p: Parameters, closed: Identity, at: Points, shapes: Shapes) -> Float:
        rest, photons = shapes.background(p)
        depth = slanted_depth_cm(self.setup, p, at)
        photons = closed.photon_strength * np.exp(-closed.attenuation_per_cm * depth) * photons
        electrons = np.interp(depth, self.axis.depth_cm, closed.depth_dose, right=0.0)
        return np.asarray(electrons * shapes.core_share(p) + rest + photons)

    def __call__(self, vector: Float) -> Float:
        """Residuals over their standard deviations, then the prior's."""
        p = self.parameters(vector)
        closed = self.identity(p)
        computed = self._dose_of(p, closed, self._all, self._all_shapes)
        rows = [self._shared.freed((computed - self._dose) / self._sigma)]
        rows.append(self._air_edges.residuals(p))
        rows.append((vector - START) / SPREAD)
        rows.append(bends(p))
        return np.concatenate(rows)

    def joint_reference(self, p: Parameters) -> Reference:
        """The reference depth dose once more, from all curves as the parameters relate them to the reference field.

        One line of points carries its own noise into every field; what the plateaus and the other fields say of the
        same depths, through the model, takes most of it out (`ert.commissioning.common_depth`).
        """
        fields: dict[Field, list[Ratios]] = {}
        closed = self.identity(p)
        for curve, at in self.curves:
            is_depth = curve.kind == "depth_dose"
            far = curve.position_cm < self.setup.range_cm
            use = far & (curve.dose > _LEAST_FRAC * curve.dose.max())
            use = use if is_depth else is_plateau(curve, self.setup.range_cm)
            if use.any():
                ratios = self._ratios(curve, at, use, closed, p)
                fields.setdefault(curve.field, []).append(ratios if is_depth else point_of(ratios))
        depth_cm, range_cm = self.reference.depth_cm, self.setup.range_cm
        factor = common_ratio([joined_ratios(rows) for rows in fields.values()], depth_cm=depth_cm, range_cm=range_cm)
        fade = np.clip((_FADE_U - depth_cm / range_cm) / _FADE_WIDTH, 0.0, 1.0)
        return attrs.evolve(self.reference, dose=self.reference.dose * factor**fade)

    def _ratios(self, curve: Curve, at: Points, use: NDArray[np.bool_], closed: Identity, p: Parameters) -> Ratios:
        """Measured over computed dose at the wanted points of a curve."""
        depth = at.depth_cm[use]
        share = np.interp(depth, self.axis.depth_cm, self._axis_shapes.core_share(p))
        fall = np.gradient(np.log(np.maximum(self.reference.dose, _LEAST_CGY)), DEPTH_STEP_CM)
        return Ratios(
            depth_cm=depth,
            log_ratio=np.log(curve.dose[use] / self.curve(p, closed, at)[use]),
            sigma=curve.sigma[use] / curve.dose[use],
            equilibrium=np.log(Shapes(self.setup, at).core_share(p)[use] / share),
            slope_per_cm=np.interp(depth, self.reference.depth_cm, fall),
            is_reference=curve.field == self._reference_field,
        )


@attrs.frozen(kw_only=True)
class FitStep:
    """How far a running fit has come: the best parameters so far.

    Attributes
    ----------
    evaluations : of the objective, those for its derivatives included.
    cost_per_point : mean squared residual, in the measurements' variances.
    curves : the measured curves; computed_cgy_per_mu : what the parameters give at their points.
    """

    energy_mev: float
    evaluations: int
    cost_per_point: float
    curves: tuple[Curve, ...]
    computed_cgy_per_mu: tuple[Float, ...]


class _Watch:
    """Tells of every parameter vector that is better than all before it."""

    def __init__(self, energy_mev: float, objective: Objective, on_step: Callable[[FitStep], None]) -> None:
        self._energy_mev, self._objective, self._on_step = energy_mev, objective, on_step
        self._evaluations, self._best = 0, np.inf

    def saw(self, vector: Float, residuals: Float) -> None:
        """Take note of one evaluation."""
        self._evaluations += 1
        cost = float(residuals @ residuals) / (len(residuals) - len(vector))
        if cost >= 0.999 * self._best:  # noqa: PLR2004 - steps for derivatives differ by less
            return
        self._best = cost
        parameters = self._objective.parameters(vector)
        closed = self._objective.identity(parameters)
        curves = self._objective.curves
        computed = tuple(self._objective.curve(parameters, closed, at) for _, at in curves)
        self._on_step(
            FitStep(
                energy_mev=self._energy_mev,
                evaluations=self._evaluations,
                cost_per_point=cost,
                curves=tuple(curve for curve, _ in curves),
                computed_cgy_per_mu=computed,
            )
        )


def fit_energy(
    data: BeamData,
    energy: EnergyData,
    *,
    check: Callable[[], None] | None = None,
    on_step: Callable[[FitStep], None] | None = None,
) -> FitResult:
    """Fit the pencil beam of one energy (trust-region least squares, deterministic).

    Parameters
    ----------
    check : may raise `Cancelled`; on_step : told of every improvement, to be watched on screen.

    Raises
    ------
    InvalidBeamData
        The reference depth dose does not reach behind the electrons' range.
    """
    reference = smooth_reference(data, energy)
    objective = Objective(data, energy, reference)
    watch = None if on_step is None else _Watch(energy.energy_mev, objective, on_step)

    def residuals(vector: Float) -> Float:
        if check is not None:
            check()
        found = objective(vector)
        if watch is not None:
            watch.saw(vector, found)
        return found

    first = _minimise(residuals, START)
    reference = objective.reference = objective.joint_reference(objective.parameters(first.x))
    found = _minimise(residuals, np.clip(first.x, LOWER + _INSIDE, UPPER - _INSIDE))
    p = objective.parameters(found.x)
    points = len(found.fun) - len(START)
    return FitResult(
        parameters=p,
        fitted=_uncertainties(found.x, found.jac),
        identity=objective.identity(p),
        reference=reference,
        setup=objective.setup,
        cost_per_point=float(2.0 * found.cost / points),
        evaluations=int(first.nfev + found.nfev),
    )


def _minimise(residuals: Callable[[Float], Float], start: Float) -> OptimizeResult:
    return least_squares(
        residuals, start, bounds=(LOWER, UPPER), x_scale=SPREAD, diff_step=1e-3, max_nfev=_MOST_ROUNDS, method="trf"
    )


def _uncertainties(vector: Float, jacobian: Float) -> tuple[FittedParameter, ...]:
    """One standard deviation from the curvature of the objective (prior included)."""
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    sigma = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return tuple(
        FittedParameter(name=name, value=float(x), uncertainty=float(s), source=source)
        for name, x, s, source in zip(NAMES, vector, sigma, SOURCES, strict=True)
    )
