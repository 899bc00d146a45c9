"""Measured against computed: depths, gamma along curves, outputs, identity self-test."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.analysis.depth import depth_quantities, smooth_curve
from ert.analysis.profile import width_and_penumbra_cm
from ert.commissioning.acceptance import acceptance_tests
from ert.commissioning.correction import absolute_fields
from ert.commissioning.gamma_along import gamma_along
from ert.commissioning.measured import BeamData, Curve, EnergyData, Field
from ert.commissioning.model import axis_cgy, field_fluence, middle_line, planes_cgy
from ert.commissioning.phantom_check import CheckResults
from ert.commissioning.redefinition_fit import FLOOR_CGY, MODEL_SIGMA_FRAC
from ert.commissioning.redefinition_model import RedefinedWaters
from ert.commissioning.reference import absolute
from ert.domain.algorithm import Algorithm
from ert.domain.beam_model import BeamModel, OutputCorrection
from ert.domain.commissioning import (
    CheckComparison,
    CurveComparison,
    DepthComparison,
    EnergyReport,
    OutputComparison,
    ProfileEdges,
)
from ert.dose.fluence import Fluence
from ert.dose.output import equivalent_square_cm, output_correction, rectangle_cm

Float = NDArray[np.float64]
_DEPTH_STEP_CM = 0.1
_DEPTHS = (("R90", "r90_cm"), ("R80", "r80_cm"), ("R50", "r50_cm"), ("Rp", "rp_cm"))


class _FieldDose:
    """Computed dose of one field in water, sampled wherever it was measured, output correction included."""

    def __init__(self, data: BeamData, model: BeamModel, field: Field, output: OutputCorrection | None = None) -> None:
        self._data, self._model, self._field = data, model, field
        self.fluence: Fluence = field_fluence(data, model, field)
        applicator = data.machine.applicator(field.applicator_id)
        self.correction = output_correction(
            model, rectangle_cm(field.width_cm, field.height_cm), applicator, field.ssd_cm, output
        )
        depths = np.linspace(0.05, model.practical_range_cm, 40)
        self.maximum_cgy = float(self.axis(depths).max())

    def planes(self, depths_cm: Float) -> NDArray[np.float32]:
        """Corrected dose planes, cGy/MU."""
        planes = planes_cgy(self._data, self._model, self.fluence, self._field, depths_cm)
        return np.asarray(planes * np.float32(self.correction))

    def axis(self, depths_cm: Float) -> Float:
        """Corrected depth dose on the axis, cGy/MU."""
        return self.correction * axis_cgy(self._data, self._model, self._field, depths_cm)

    def line(self, curve: Curve) -> Float:
        """Corrected profile, cGy/MU."""
        plane = self.planes(np.array([curve.depth_cm]))[0].astype(np.float64)
        return middle_line(self._data, self._model, self.fluence, curve, plane)


class _RedefinedDose(_FieldDose):
    """The same by the redefinition engine."""

    def __init__(
        self, data: BeamData, model: BeamModel, field: Field, output: OutputCorrection, waters: RedefinedWaters
    ) -> None:
        self._planes = waters.of(model, field)
        super().__init__(data, model, field, output)

    def planes(self, depths_cm: Float) -> NDArray[np.float32]:
        """Corrected dose planes, cGy/MU."""
        return np.asarray(self._planes.planes_cgy(depths_cm) * np.float32(self.correction))

    def axis(self, depths_cm: Float) -> Float:
        """Corrected depth dose on the axis, cGy/MU."""
        return self.correction * self._planes.axis_cgy(depths_cm)


def _compare_curve(curve: Curve, dose: _FieldDose) -> CurveComparison:
    if curve.kind == "depth_dose":
        depths = np.arange(0.0, curve.position_cm[-1] + _DEPTH_STEP_CM, _DEPTH_STEP_CM)
        computed = np.interp(curve.position_cm, depths, dose.axis(depths))
    else:
        computed = dose.line(curve)
    measured = curve.dose
    is_profile = curve.kind == "profile"
    return CurveComparison(
        name=curve.name,
        file=curve.file,
        kind=curve.kind,
        axis=curve.axis,
        depth_cm=curve.depth_cm,
        applicator_id=curve.field.applicator_id,
        cutout=curve.field.cutout,
        ssd_cm=curve.field.ssd_cm,
        position_cm=curve.position_cm,
        measured_cgy_per_mu=measured,
        sigma_cgy_per_mu=curve.sigma,
        computed_cgy_per_mu=computed,
        gamma_2_2_pct=gamma_along(
            curve.position_cm, measured, computed, dose_cgy=0.02 * dose.maximum_cgy, distance_cm=0.2
        ),
        gamma_3_3_pct=gamma_along(
            curve.position_cm, measured, computed, dose_cgy=0.03 * dose.maximum_cgy, distance_cm=0.3
        ),
        measured_edges=_edges(curve.position_cm, measured) if is_profile else None,
        computed_edges=_edges(curve.position_cm, computed) if is_profile else None,
    )


def _edges(position_cm: Float, dose: Float) -> ProfileEdges:
    width_cm, penumbra_cm = width_and_penumbra_cm(position_cm, dose)
    return ProfileEdges(width_cm=width_cm, penumbra_cm=penumbra_cm)


def _depths(data: BeamData, energy: EnergyData, model: BeamModel, dose: _FieldDose) -> tuple[DepthComparison, ...]:
    """Depths of the measured curve, smoothed within its noise, against those of the computed one."""
    measured = next(c for c in energy.curves if c.kind == "depth_dose" and c.field == data.reference)
    curve = absolute(measured, data, energy) or measured
    grid = np.arange(curve.position_cm[0], curve.position_cm[-1], 0.02)
    smooth = smooth_curve(curve.position_cm, curve.dose, curve.sigma, range_cm=model.practical_range_cm, grid_cm=grid)
    computed = dose.axis(grid)
    ours, theirs = (depth_quantities(grid, curve, needs_tail=False) for curve in (computed, smooth))
    return tuple(
        DepthComparison(name=name, measured_cm=getattr(theirs, key), computed_cm=getattr(ours, key))
        for name, key in _DEPTHS
    )


def _identity_error_pct(model: BeamModel, dose: _FieldDose) -> float:
    """Largest difference between the engine and the reference it was made from, percent of its maximum."""
    depths = np.arange(0.0, model.reference_depth_cm[-1], _DEPTH_STEP_CM / 2)
    wanted = 100.0 * np.interp(depths, model.reference_depth_cm, model.reference_dose_gy_per_mu)
    return float(100.0 * np.abs(dose.axis(depths) - wanted).max() / wanted.max())


def compare_energy(
    data: BeamData,
    energy: EnergyData,
    model: BeamModel,
    checks: CheckResults,
    *,
    waters: RedefinedWaters | None = None,
    smoothing_chi2: float = math.nan,
    fit_chi2: float = math.nan,
) -> EnergyReport:
    """The report of one energy, of both engines where both were fitted.

    Parameters
    ----------
    checks : of `ert.commissioning.phantom_check.compare_checks`.
    waters : redefinition's doses as far as they are known.
    smoothing_chi2, fit_chi2 : of the fit; nan for a model whose fit is not at hand.
    """
    fields = absolute_fields(data, energy)
    plain = {f: _FieldDose(data, model, f) for f in fields}
    report = _report(data, energy, model, plain, checks[Algorithm.PENCIL_BEAM])
    report = attrs.evolve(report, smoothing_chi2=smoothing_chi2, fit_chi2=fit_chi2)
    redefinition = model.redefinition
    if redefinition is None:
        return report
    waters = waters or RedefinedWaters(data)
    doses: dict[Field, _FieldDose] = {
        f: _RedefinedDose(data, model, f, redefinition.output, waters) for f in fields
    }  # fmt: skip
    other = _report(data, energy, model, doses, checks[Algorithm.PBRA])
    chi2 = _mean_square(other.curves)
    other = attrs.evolve(other, parameters=redefinition.parameters, smoothing_chi2=smoothing_chi2, fit_chi2=chi2)
    return attrs.evolve(report, redefinition=other)


def _mean_square(curves: Sequence[CurveComparison]) -> float:
    """Mean squared difference of all curves over the variance the fits give each point."""
    rows = [
        (c.computed_cgy_per_mu - c.measured_cgy_per_mu)
        / np.sqrt(c.sigma_cgy_per_mu**2 + FLOOR_CGY**2 + (MODEL_SIGMA_FRAC * c.measured_cgy_per_mu) ** 2)
        for c in curves
    ]
    return float(np.mean(np.concatenate(rows) ** 2))


def _report(
    data: BeamData,
    energy: EnergyData,
    model: BeamModel,
    doses: dict[Field, _FieldDose],
    checks: tuple[CheckComparison, ...],
) -> EnergyReport:
    """Of one engine, without what its fit says of itself."""
    curves = [(c, doses[c.field]) for c in (absolute(c, data, energy) for c in energy.curves) if c is not None]
    outputs = []
    for output in energy.outputs:
        dose = doses[output.field]
        depth = max(output.depth_of_maximum_cm, 0.1)
        outputs.append(
            OutputComparison(
                name=output.field.name,
                applicator_id=output.field.applicator_id,
                cutout=output.field.cutout,
                ssd_cm=output.field.ssd_cm,
                side_cm=equivalent_square_cm(rectangle_cm(output.field.width_cm, output.field.height_cm)),
                measured_cgy_per_mu=output.cgy_per_mu,
                relative_sigma=output.relative_sigma,
                computed_cgy_per_mu=float(dose.axis(np.array([depth]))[0]),
                correction=dose.correction,
            )
        )
    report = EnergyReport(
        energy_mev=energy.energy_mev,
        model_digest=model.digest,
        depths=_depths(data, energy, model, doses[data.reference]),
        curves=tuple(_compare_curve(c, dose) for c, dose in curves),
        outputs=tuple(outputs),
        parameters=model.parameters,
        identity_error_pct=_identity_error_pct(model, doses[data.reference]),
        smoothing_chi2=math.nan,
        fit_chi2=math.nan,
        ssd_min_cm=model.validity.ssd_min_cm,
        ssd_max_cm=model.validity.ssd_max_cm,
        min_side_cm=model.validity.min_side_cm,
        limits=model.validity.limits,
        measured_range=model.validity.measured,
        checks=checks,
    )
    return attrs.evolve(report, acceptance=acceptance_tests(report, reference_name=data.reference.name))
