"""From measured curves to a beam model: least squares with priors, g(z) by identity, output correction."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ert.commissioning.depth_dose import DepthQuantities, depth_quantities, smooth_curve
from ert.commissioning.forward import Points, Setup, air_share, background, core_share, make_setup, slanted_depth_cm
from ert.commissioning.measured import BeamData, Curve, EnergyData
from ert.commissioning.parameters import LOWER, NAMES, SOURCES, SPREAD, START, UPPER, Parameters, to_parameters
from ert.domain.beam_model import FittedParameter

Float = NDArray[np.float64]
DEPTH_STEP_CM = 0.025
_CUT_OFF = (1.12, 1.2)
_LEAST_TAIL_POINTS = 40
_MOST_ATTENUATION_PER_CM = 0.2
MODEL_SIGMA_FRAC = 0.01
FLOOR_CGY = 0.006
_PROFILE_WEIGHT = 0.5
_AIR_WEIGHT = 0.5


@attrs.frozen(kw_only=True)
class Reference:
    """The smoothed depth dose of the open reference field, cGy/MU, on a grid of `DEPTH_STEP_CM`."""

    depth_cm: Float
    dose: Float
    quantities: DepthQuantities
    chi2_per_point: float


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


def absolute(curve: Curve, data: BeamData, energy: EnergyData) -> Curve | None:
    """The curve in cGy/MU; percent depth doses are scaled by their field's output; None without an output."""
    if curve.is_absolute:
        return curve
    outputs = [o.cgy_per_mu for o in energy.outputs if o.field == curve.field]
    if not outputs:
        return None
    scale = outputs[0] / float(curve.dose.max())
    return attrs.evolve(curve, dose=curve.dose * scale, sigma=curve.sigma * scale, is_absolute=True)


def smooth_reference(data: BeamData, energy: EnergyData) -> Reference:
    """Smooth the reference depth dose; its maximum is scaled to nothing: the measured doses are absolute."""
    measured = next(c for c in energy.curves if c.kind == "depth_dose" and c.field == data.reference)
    curve = absolute(measured, data, energy)
    assert curve is not None  # noqa: S101 - read_beam_data refuses an energy without reference output
    rough = depth_quantities(curve.position_cm, curve.dose)
    grid = np.arange(0.0, float(curve.position_cm[-1]) + DEPTH_STEP_CM / 2, DEPTH_STEP_CM)
    dose = smooth_curve(curve.position_cm, curve.dose, curve.sigma, range_cm=rough.rp_cm, grid_cm=grid)
    residual = (np.interp(curve.position_cm, grid, dose) - curve.dose) / curve.sigma
    quantities = depth_quantities(grid, dose)
    return Reference(
        depth_cm=grid,
        dose=dose,
        quantities=attrs.evolve(quantities, rp_cm=rough.rp_cm),
        chi2_per_point=float(np.mean(residual**2)),
    )


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
    """Strength and attenuation of an exponential through the tail; (0, 0) where nothing is left."""
    usable = level > 0.1 * max(float(np.median(level)), 0.0)
    if float(np.median(level)) <= 0 or np.count_nonzero(usable) < 3:
        return 0.0, 0.0
    slope = float(np.polyfit(depth_cm[usable], np.log(level[usable]), 1, w=level[usable])[0])
    attenuation = min(max(-slope, 0.0), _MOST_ATTENUATION_PER_CM)
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
        self.air = energy.air_profiles
        whole = data.machine.applicator(data.reference.applicator_id)
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

    def parameters(self, vector: Float) -> Parameters:
        """Named parameters of a vector."""
        return to_parameters(vector)

    def identity(self, p: Parameters) -> Identity:
        """g(z) and photons that give back the reference depth dose."""
        rest, photons = background(self.setup, p, self.axis)
        u = self.axis.depth_cm / self.setup.range_cm
        tail = u > min(_CUT_OFF[0], u[-_LEAST_TAIL_POINTS])
        strength, attenuation = _photon_line(
            self.axis.depth_cm[tail], (self.reference.dose[tail] - rest[tail]) / photons[tail]
        )
        photons = strength * np.exp(-attenuation * self.axis.depth_cm) * photons
        taper = np.clip((_CUT_OFF[1] - u) / (_CUT_OFF[1] - _CUT_OFF[0]), 0.0, 1.0)
        electrons = np.maximum(0.0, self.reference.dose - rest - photons) * taper
        return Identity(
            depth_dose=electrons / core_share(self.setup, p, self.axis),
            photon_strength=strength,
            attenuation_per_cm=attenuation,
        )

    def curve(self, p: Parameters, closed: Identity, at: Points) -> Float:
        """Computed dose, cGy/MU, at the points of a curve."""
        rest, photons = background(self.setup, p, at)
        depth = slanted_depth_cm(self.setup, p, at)
        photons = closed.photon_strength * np.exp(-closed.attenuation_per_cm * depth) * photons
        electrons = np.interp(depth, self.axis.depth_cm, closed.depth_dose, right=0.0)
        return np.asarray(electrons * core_share(self.setup, p, at) + rest + photons)

    def __call__(self, vector: Float) -> Float:
        """Residuals over their standard deviations, then the prior's."""
        p = self.parameters(vector)
        closed = self.identity(p)
        rows = []
        for curve, at in self.curves:
            sigma = np.sqrt(curve.sigma**2 + FLOOR_CGY**2 + (MODEL_SIGMA_FRAC * curve.dose) ** 2)
            weight = _PROFILE_WEIGHT if curve.kind == "profile" else 1.0
            rows.append(weight * (self.curve(p, closed, at) - curve.dose) / sigma)
        rows.extend(self._air_residuals(p))
        rows.append((vector - START) / SPREAD)
        return np.concatenate(rows)

    def _air_residuals(self, p: Parameters) -> list[Float]:
        """In air only the penumbra of each profile counts; its level is taken from its own plateau."""
        rows = []
        for air in self.air:
            shape = air_share(self.setup, p, width_cm=air.width_cm, x_cm=air.position_cm, distance_cm=air.distance_cm)
            plateau = (shape > 0.9 * shape.max()) & (np.abs(air.position_cm) < 0.35 * air.width_cm)
            if not plateau.any() or air.distance_cm < self.setup.insert_cm + 1.0:
                rows.append(np.zeros(len(shape)))
                continue
            level = float(np.mean(air.fluence[plateau]) / np.mean(shape[plateau]))
            is_edge = (shape > 0.15 * shape.max()) & ~plateau
            sigma = np.hypot(air.sigma, 0.02 * level * shape.max())
            rows.append(_AIR_WEIGHT * is_edge * (level * shape - air.fluence) / sigma)
        return rows


def fit_energy(data: BeamData, energy: EnergyData, *, check: Callable[[], None] | None = None) -> FitResult:
    """Fit the pencil beam of one energy (trust-region least squares, deterministic).

    Raises
    ------
    InvalidBeamData
        The reference depth dose does not reach behind the electrons' range.
    """
    reference = smooth_reference(data, energy)
    objective = Objective(data, energy, reference)

    def residuals(vector: Float) -> Float:
        if check is not None:
            check()
        return objective(vector)

    found = least_squares(
        residuals, START, bounds=(LOWER, UPPER), x_scale=SPREAD, diff_step=1e-3, max_nfev=40, method="trf"
    )
    p = objective.parameters(found.x)
    points = len(found.fun) - len(START)
    return FitResult(
        parameters=p,
        fitted=_uncertainties(found.x, found.jac),
        identity=objective.identity(p),
        reference=reference,
        setup=objective.setup,
        cost_per_point=float(2.0 * found.cost / points),
        evaluations=int(found.nfev),
    )


def _uncertainties(vector: Float, jacobian: Float) -> tuple[FittedParameter, ...]:
    """One standard deviation from the curvature of the objective (prior included)."""
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    sigma = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return tuple(
        FittedParameter(name=name, value=float(x), uncertainty=float(s), source=source)
        for name, x, s, source in zip(NAMES, vector, sigma, SOURCES, strict=True)
    )
