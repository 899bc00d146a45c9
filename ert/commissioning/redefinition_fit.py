"""Fit of the redefinition engine: Gauss–Newton for its parameters, regularised linear least squares for C(E)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from ert.commissioning.correction import absolute_fields
from ert.commissioning.measured import BeamData, Curve, EnergyData
from ert.commissioning.measured import Field as MeasuredField
from ert.commissioning.reference import absolute
from ert.commissioning.side_by_side import Task, side_by_side
from ert.domain.beam_model import BeamModel, FittedParameter, OutputCorrection, RedefinitionModel
from ert.dose.fluence import PENCIL_PITCH_CM
from ert.dose.output import rectangle_cm
from ert.dose.pencil_beam import add_smooth_dose
from ert.dose.redefinition import Carrying
from ert.dose.redefinition_fan import Field, make_field, middle_spectra, water_rays

Float = NDArray[np.float64]
NODES = 13
MODEL_SIGMA_FRAC, FLOOR_CGY = 0.01, 0.006
_STEPS_PER_RANGE = 28
_STEP_BOUNDS_CM = (0.1, 0.25)
_COARSE_FROM_CM = 9.0
_DEPTH_FRAC = 1.25
_HARD_ANGLE_RAD, _SATURATION_RAD2 = 0.45, 0.08
_STRAGGLING_G_CM2 = 0.02
_BUILDUP_CM, _BUILDUP_RANGE_CM = 0.7, 6.0
_CURVATURE, _RIDGE, _DEPTH_DOSE_SIGMA = 30.0, 30.0, 0.005
_CORRELATED = 0.4
_FACTOR_BOUNDS = (0.3, 1.5)
_PROFILE_WEIGHT = 0.5
_CGY = 0.01

_ROUNDS, _HALVINGS = 4, 3
_DIFFERENCE = 0.15
_CONVERGED = 0.02

# name, start, spread, lower, upper, what it is fitted from; None: the start is taken from the pencil beam's fit
_ROWS: tuple[tuple[str, float | None, float, float, float, str], ...] = (
    ("peak_energy_mev", None, 0.5, 1.0, 60.0, "reference depth dose"),
    ("spread_above_frac", 0.06, 0.02, 0.01, 0.2, "reference depth dose, end of the fall-off"),
    ("spread_below_frac", 0.19, 0.05, 0.02, 0.5, "reference depth dose, fall-off"),
    ("buildup_frac", 0.13, 0.06, 0.0, 0.5, "reference depth dose, surface"),
    ("core_angle_rad", None, 0.02, 0.005, 0.15, "penumbra of shallow profiles"),
    ("scatter_factor", 1.2, 0.15, 0.5, 1.8, "cutout depth doses and profiles"),
    ("hard_frac", 0.33, 0.1, 0.0, 0.6, "cutout depth doses, profile tails"),
    ("edge_per_cm", 0.06, 0.03, 0.0, 0.5, "shallow dose of cutouts"),
    ("edge_angle_rad", None, 0.1, 0.1, 1.2, "shallow dose of cutouts, profile tails"),
)
NAMES = tuple(row[0] for row in _ROWS)
_BUILDUP = NAMES.index("buildup_frac")
SPREAD, LOWER, UPPER = (np.array([row[c] for row in _ROWS], dtype=np.float64) for c in (2, 3, 4))


def start_model(model: BeamModel) -> RedefinitionModel:
    """Where the fit starts: typical values, angles of the pencil beam's fit, spectrum from the practical range."""
    reach = model.practical_range_cm
    start = {name: value for name, value, *_ in _ROWS if value is not None}
    return RedefinitionModel(
        step_cm=min(max(reach / _STEPS_PER_RANGE, _STEP_BOUNDS_CM[0]), _STEP_BOUNDS_CM[1]),
        peak_energy_mev=0.97 * model.surface_energy_mev,
        core_angle_rad=model.source.core_angle_rad,
        edge_angle_rad=model.source.edge_angle_rad,
        spread_above_frac=start["spread_above_frac"],
        spread_below_frac=start["spread_below_frac"],
        buildup_frac=start["buildup_frac"],
        scatter_factor=start["scatter_factor"],
        hard_frac=start["hard_frac"],
        edge_per_cm=start["edge_per_cm"],
        hard_angle_rad=_HARD_ANGLE_RAD,
        saturation_rad2=_SATURATION_RAD2,
        straggling_g_cm2=_STRAGGLING_G_CM2,
        detour_factor=1.0,
        edge_range_frac=1.0,
        buildup_cm=_BUILDUP_CM * math.sqrt(reach / _BUILDUP_RANGE_CM),
        node_mev=np.linspace(0.0, 1.4 * model.surface_energy_mev, NODES),
        node_factor=np.ones(NODES),
        scale_gy_per_mu=1.0,
        output=OutputCorrection(side_cm=np.array([1.0, 40.0]), side_factor=np.ones(2), applicator_factors=()),
    )


@attrs.frozen(kw_only=True, eq=False)
class _Measured:
    """One measured field: on its lattice, with a model that the fit replaces; its smooth dose, cGy/MU, and its curves.

    Attributes
    ----------
    background : [plane, x], what electrons of the open beam do not give.
    """

    field: MeasuredField
    made: Field
    background: Float
    curves: tuple[Curve, ...]


@attrs.frozen(kw_only=True, eq=False)
class _Line:
    """Computed dose of the middle of a field, cGy/MU: [plane, x], and where the planes and columns are."""

    depth_cm: Float
    x_cm: Float
    ssd_cm: float
    shift_cm: float
    virtual_cm: float
    dose: Float

    def at(self, curve: Curve) -> Float:
        """The dose at the points of a curve."""
        if curve.kind == "depth_dose":
            half = len(self.x_cm) // 2
            axis = self.dose[:, half - 1 : half + 1].mean(axis=1)
            return np.asarray(np.interp(curve.position_cm, self.depth_cm, axis))
        row = np.array([np.interp(curve.depth_cm, self.depth_cm, column) for column in self.dose.T])
        magnify = (self.ssd_cm + curve.depth_cm - self.shift_cm) / self.virtual_cm
        return np.asarray(np.interp(curve.position_cm, self.x_cm * magnify, row))


class RedefinitionObjective:
    """Weighted residuals of the measured curves of one energy for a vector of parameters."""

    def __init__(self, data: BeamData, energy: EnergyData, model: BeamModel) -> None:
        self._data, self._model = data, model
        self._first = start_model(model)
        self._depth_cm = _DEPTH_FRAC * model.practical_range_cm
        self._reference = data.reference
        self._fields = [self._measured(f, energy) for f in self._wanted(energy)]
        self.start = np.array([getattr(self._first, name) for name in NAMES])
        self._carried: dict[bytes, list[tuple[Field, Float]]] = {}

    def _wanted(self, energy: EnergyData) -> list[MeasuredField]:
        """Fields no larger than the reference field: larger ones say nothing new and take long."""
        most = max(self._reference.width_cm, self._reference.height_cm)
        found = [f for f in absolute_fields(self._data, energy) if max(f.width_cm, f.height_cm) <= most]
        return sorted(found, key=lambda f: f != self._reference)

    def _measured(self, field: MeasuredField, energy: EnergyData) -> _Measured:
        curves = [absolute(c, self._data, energy) for c in energy.curves if c.field == field]
        pitch = PENCIL_PITCH_CM * (2 if min(field.width_cm, field.height_cm) >= _COARSE_FROM_CM else 1)
        made = self._field(field, pitch)
        rays, _ = water_rays(made, ssd_cm=field.ssd_cm, depth_cm=self._depth_cm)
        smooth = np.zeros(rays.depth_cm.shape, dtype=np.float32)
        add_smooth_dose(
            self._model, made.fluence, rays, smooth, sad_cm=made.sad_cm, insert_distance_cm=made.insert_cm,
            has_edge=False,
        )  # fmt: skip
        half = len(made.fluence.x_cm) // 2
        return _Measured(
            field=field,
            made=attrs.evolve(made, moments=made.opening()),
            background=smooth[:, half - 1 : half + 1].mean(axis=1, dtype=np.float64) / _CGY,
            curves=tuple(c for c in curves if c is not None and c.axis != "inline"),
        )

    def _field(self, field: MeasuredField, pitch_cm: float) -> Field:
        return make_field(
            attrs.evolve(self._model, redefinition=self._first),
            rectangle_cm(field.width_cm, field.height_cm),
            self._data.machine.applicator(field.applicator_id),
            sad_cm=self._data.machine.sad_cm,
            insert_distance_cm=self._data.machine.insert_distance_cm,
            pitch_cm=pitch_cm,
        )

    def _spectra(
        self, redefinition: RedefinitionModel, measured: _Measured, *, carrying: Carrying
    ) -> tuple[Field, Float]:
        made = attrs.evolve(measured.made, model=attrs.evolve(self._model, redefinition=redefinition))
        return made, middle_spectra(
            made, ssd_cm=measured.field.ssd_cm, depth_cm=self._depth_cm, node_mev=redefinition.node_mev,
            carrying=carrying,
        )  # fmt: skip

    def carry(self, vectors: Sequence[Float], check: Callable[[], None] | None = None) -> None:
        """Find the spectra of all fields without build-up for these vectors and keep them, and no others.

        Fields go side by side, each on one thread: planes of one field, shared out between threads, are too short for
        that. Each is a rectangle about the axis on flat water, so that a quarter of its electrons tells of all. Vectors
        that differ in build-up alone, and those of the call before, are not carried once more.
        """
        wanted = {_key(vector): self._redefinition(vector) for vector in vectors}
        largest_first = sorted(range(len(self._fields)), key=lambda n: -self._fields[n].made.fluence.maps.size)
        jobs = [(key, n) for n in largest_first for key in wanted if key not in self._carried]

        def task(key: bytes, number: int) -> Task[tuple[Field, Float]]:
            yield
            return self._spectra(wanted[key], self._fields[number], carrying=Carrying.QUARTER)

        found = dict(zip(jobs, side_by_side([task(*job) for job in jobs], check), strict=True))
        numbers = range(len(self._fields))
        self._carried = {key: self._carried.get(key) or [found[key, n] for n in numbers] for key in wanted}

    def _redefinition(self, vector: Float) -> RedefinitionModel:
        return attrs.evolve(self._first, **dict(zip(NAMES, vector.tolist(), strict=True)))

    def closed(self, vector: Float) -> tuple[RedefinitionModel, Float]:
        """The model of a vector with C(E) and scale from the reference depth dose, and the weighted residuals."""
        if _key(vector) not in self._carried:
            self.carry([vector])
        redefinition, carried = self._redefinition(vector), self._carried[_key(vector)]
        rows: list[Float] = []
        for number, (measured, (made, without)) in enumerate(zip(self._fields, carried, strict=True)):
            spectra = without * _built(redefinition, len(without))
            if number == 0:
                redefinition = self.with_factors(redefinition, spectra, measured.background)
            per = redefinition.node_factor * (redefinition.scale_gy_per_mu / _CGY)
            line = self._line(made, measured, np.einsum("nmx,m->nx", spectra, per) + measured.background)
            rows.extend(_residuals(line.at(c), c) for c in measured.curves)
        rows.append(_RIDGE * (redefinition.node_factor - 1.0))
        rows.append((vector - self.start) / SPREAD)
        return redefinition, np.concatenate(rows)

    def _line(self, made: Field, measured: _Measured, dose: Float) -> _Line:
        return _Line(
            depth_cm=np.asarray(self._first.step_cm * np.arange(len(dose)), dtype=np.float64),
            x_cm=made.fluence.x_cm,
            ssd_cm=measured.field.ssd_cm,
            shift_cm=made.shift_cm,
            virtual_cm=self._model.source.virtual_sad_cm,
            dose=dose,
        )

    def with_factors(self, redefinition: RedefinitionModel, spectra: Float, background: Float) -> RedefinitionModel:
        """C(E) and scale that give back the smoothed reference depth dose (equation (14))."""
        half = spectra.shape[2] // 2
        matrix = spectra[:, :, half - 1 : half + 1].mean(axis=2)
        depths = redefinition.step_cm * np.arange(len(matrix))
        wanted = np.interp(depths, self._model.reference_depth_cm, self._model.reference_dose_gy_per_mu) / _CGY
        wanted -= background[:, half - 1 : half + 1].mean(axis=1)
        one = matrix.sum(axis=1)
        scale = float(one @ wanted / (one @ one))
        nodes = matrix.shape[1]
        bends = np.diff(np.eye(nodes), 2, axis=0)
        rows = [scale * matrix / _DEPTH_DOSE_SIGMA, _CURVATURE * bends, _RIDGE * np.eye(nodes)]
        right = [wanted / _DEPTH_DOSE_SIGMA, np.zeros(nodes - 2), np.full(nodes, _RIDGE)]
        found = lsq_linear(np.concatenate(rows), np.concatenate(right), bounds=_FACTOR_BOUNDS)
        return attrs.evolve(redefinition, node_factor=found.x, scale_gy_per_mu=scale * _CGY)

    def on_fine_lattice(self, redefinition: RedefinitionModel) -> RedefinitionModel:
        """C(E) once more, from the reference field on the engine's own lattice."""
        reference = attrs.evolve(self._fields[0], made=self._field(self._fields[0].field, PENCIL_PITCH_CM))
        spectra = self._spectra(redefinition, reference, carrying=Carrying.WHOLE)[1]
        spectra = spectra * _built(redefinition, len(spectra))
        half = reference.background.shape[1] // 2
        axis = reference.background[:, half - 1 : half + 1].mean(axis=1)
        return self.with_factors(redefinition, spectra, np.repeat(axis[:, None], spectra.shape[2], axis=1))


def _key(vector: Float) -> bytes:
    """Of a vector without build-up."""
    return np.delete(vector, _BUILDUP).tobytes()


def _built(redefinition: RedefinitionModel, planes: int) -> Float:
    """Factor of build-up on the spectra of each plane, [plane, 1, 1]."""
    depths = redefinition.step_cm * np.arange(planes)
    return np.asarray(1.0 - redefinition.buildup_frac * np.exp(-depths / redefinition.buildup_cm))[:, None, None]


def _residuals(computed: Float, curve: Curve) -> Float:
    sigma = np.sqrt(curve.sigma**2 + FLOOR_CGY**2 + (MODEL_SIGMA_FRAC * curve.dose) ** 2)
    weight = _CORRELATED * (_PROFILE_WEIGHT if curve.kind == "profile" else 1.0)
    return np.asarray(weight * (computed - curve.dose) / sigma)


def fit_redefinition(
    data: BeamData, energy: EnergyData, model: BeamModel, *, check: Callable[[], None] | None = None
) -> RedefinitionModel:
    """Fit the redefinition engine of one energy by Gauss–Newton steps; deterministic.

    Parameters
    ----------
    model : the same energy's pencil beam; its virtual source, off-axis ratio, photons and smoothed reference are used.
    """
    objective = RedefinitionObjective(data, energy, model)
    vector = objective.start
    objective.carry([vector], check)
    found, residuals = objective.closed(vector)
    jacobian = np.zeros((len(residuals), len(vector)))
    for _ in range(_ROUNDS):
        steps = np.where(vector + SPREAD < UPPER, 1.0, -1.0) * _DIFFERENCE * SPREAD
        moved = vector + np.diag(steps)
        objective.carry(list(moved), check)
        for column, step in enumerate(steps):
            jacobian[:, column] = (objective.closed(moved[column])[1] - residuals) / step
        full = np.linalg.lstsq(jacobian, -residuals, rcond=None)[0]
        before = float(residuals @ residuals)
        for halving in range(_HALVINGS):
            trial = np.clip(vector + full * 0.5**halving, LOWER, UPPER)
            objective.carry([trial], check)
            model_now, now = objective.closed(trial)
            if float(now @ now) < before:
                vector, found, residuals = trial, model_now, now
                break
        if before - float(residuals @ residuals) < _CONVERGED * before:
            break
    return attrs.evolve(objective.on_fine_lattice(found), parameters=_parameters(vector, jacobian))


def _parameters(vector: Float, jacobian: Float) -> tuple[FittedParameter, ...]:
    """Parameters with one standard deviation of the linearised posterior."""
    sigma = np.sqrt(np.maximum(np.diag(np.linalg.pinv(jacobian.T @ jacobian)), 0.0))
    return tuple(
        FittedParameter(name=row[0], value=float(x), uncertainty=float(s), source=row[5])
        for row, x, s in zip(_ROWS, vector, sigma, strict=True)
    )
