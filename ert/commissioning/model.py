"""Assemble a beam model from a fit: identity through the dose kernels, output correction, validity."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.commissioning.correction import OutputRatio, absolute_fields, fit_correction, measured_ratio
from ert.commissioning.distance import FRACTIONS, distance_ratios, distance_slopes_per_cm
from ert.commissioning.fit import FitResult
from ert.commissioning.measured import BeamData, Curve, EnergyData, Field
from ert.commissioning.plausible import energy_doubt
from ert.commissioning.reference import DEPTH_STEP_CM, is_plateau
from ert.domain.beam_model import (
    BeamModel,
    DepthDoseSummary,
    FittedParameter,
    OutputCorrection,
    PhotonModel,
    SourceModel,
    Validity,
)
from ert.dose.fluence import Fluence, build_fluence
from ert.dose.output import equivalent_square_cm, rectangle_cm
from ert.dose.pencil_beam import water_dose
from ert.dose.water import line_dose_gy_per_mu

Float = NDArray[np.float64]
_CGY = 0.01
_IDENTITY_ROUNDS = 3
_IDENTITY_DEPTH_CM = 0.1
_LEAST_CGY = 0.005
_LEAST_EDGE_CGY_CM = 1e-6
_WARN_SIDE = 0.75
_SSD_MARGIN_CM = 5.0


def _source(fit: FitResult, largest: Field) -> SourceModel:
    """Of a fit; the off-axis ratio, r squared alone, goes on to the corners of the largest field."""
    p = fit.parameters
    top = max(float(p.edge.max()), _LEAST_EDGE_CGY_CM)
    return SourceModel(
        virtual_sad_cm=p.virtual_sad_cm,
        core_angle_rad=p.core_angle_rad,
        wide_angle_rad=p.wide_angle_rad,
        off_axis=(p.off_axis_2, 0.0),
        off_axis_limit_cm=math.hypot(largest.width_cm, largest.height_cm) / 2,
        edge_gy_cm_per_mu=top * _CGY,
        edge_range_cm=float(p.edge_frac[-1]) * fit.setup.range_cm,
        edge_depth_frac=tuple(p.edge_frac.tolist()),
        edge_share=tuple((p.edge / top).tolist()),
        edge_angle_rad=p.edge_angle_rad,
        edge_growth_frac=p.edge_growth_frac,
        air_scatter_scale=p.air_scatter_scale,
        rim_angle_rad=p.rim_angle_rad,
        rim_depth_frac=p.rim_frac,
        rim_gy_cm_per_mu=p.rim * _CGY,
    )


def _photons(fit: FitResult) -> PhotonModel:
    p = fit.parameters
    return PhotonModel(
        open_gy_per_mu=fit.identity.photon_strength * _CGY,
        open_attenuation_per_cm=fit.identity.attenuation_per_cm,
        open_angle_rad=p.open_angle_rad,
        buildup_frac=p.buildup_frac,
        buildup_per_cm=p.buildup_per_cm,
        blocked_gy_per_mu=p.blocked_strength * _CGY,
        blocked_attenuation_per_cm=p.blocked_attenuation_per_cm,
        blocked_angle_rad=p.blocked_angle_rad,
        irradiated_margin_cm=p.irradiated_margin_cm,
    )


def _validity(data: BeamData, energy: EnergyData, r50_cm: float) -> Validity:
    """What was measured limits what may be asked; every gap is named."""
    fields = absolute_fields(data, energy)
    ssds = sorted({f.ssd_cm for f in fields})
    applicators = tuple(a.id for a in data.machine.applicators if any(f.applicator_id == a.id for f in fields))
    sides = [equivalent_square_cm(rectangle_cm(f.width_cm, f.height_cm)) for f in fields]
    doubt = energy_doubt(energy.energy_mev, r50_cm)
    limits = [*energy.missing, *([] if doubt is None else [doubt])]
    limits += [f"applicator {a.id} was not measured" for a in data.machine.applicators if a.id not in applicators]
    if len(ssds) == 1:
        limits.append(f"no SSD other than {ssds[0]:g} cm was measured")
    if all(f.cutout == "open" for f in fields):
        limits.append("no cutout was measured")
    if not energy.air_profiles:
        limits.append("no profile in air was measured: the virtual source rests on profiles in water")
    return Validity(
        ssd_min_cm=ssds[0] - _SSD_MARGIN_CM / 2,
        ssd_max_cm=ssds[-1] + _SSD_MARGIN_CM,
        applicator_ids=applicators,
        min_side_cm=min(sides),
        warn_side_cm=_WARN_SIDE * min(sides),
        limits=tuple(limits),
    )


def build_model(data: BeamData, energy: EnergyData, fit: FitResult, *, is_demo: bool) -> BeamModel:
    """The beam model of one energy."""
    q = fit.reference.quantities
    ratio = float(fit.parameters.wide_ratio.mean())
    last = int(np.nonzero(fit.identity.depth_dose > 0)[0][-1]) + 2
    largest = max(absolute_fields(data, energy), key=lambda f: math.hypot(f.width_cm, f.height_cm))
    model = BeamModel(
        machine_name=data.machine.name,
        energy_mev=energy.energy_mev,
        practical_range_cm=fit.setup.range_cm,
        surface_energy_mev=fit.setup.energy_mev,
        source=_source(fit, largest),
        photons=_photons(fit),
        output=OutputCorrection(side_cm=np.array([1.0, 40.0]), side_factor=np.ones(2), applicator_factors=()),
        depth_frac=fit.parameters.depth_frac,
        scatter_scale=fit.parameters.scatter_scale,
        wide_frac=fit.parameters.wide_frac,
        wide_ratio=ratio,
        wide_shape=tuple((fit.parameters.wide_ratio / ratio).tolist()),
        depth_step_cm=DEPTH_STEP_CM,
        electron_gy_per_mu=fit.identity.depth_dose[:last] * _CGY,
        reference_applicator_id=data.reference.applicator_id,
        reference_ssd_cm=data.reference.ssd_cm,
        reference_gy_per_mu=q.maximum * _CGY,
        reference_depth_cm=fit.reference.depth_cm,
        reference_dose_gy_per_mu=fit.reference.dose * _CGY,
        summary=DepthDoseSummary(
            depth_of_maximum_cm=q.depth_of_maximum_cm,
            r90_cm=q.r90_cm,
            r80_cm=q.r80_cm,
            r50_cm=q.r50_cm,
            rp_cm=q.rp_cm,
            surface_frac=q.surface_frac,
            photon_tail_frac=q.tail_frac,
        ),
        validity=_validity(data, energy, q.r50_cm),
        parameters=_parameters(fit),
        is_demo=is_demo,
    )
    model = _with_distance(data, energy, _close_identity(data, model))
    return _with_correction(data, energy, model)


def _parameters(fit: FitResult) -> tuple[FittedParameter, ...]:
    q = fit.reference.quantities
    closed = (
        ("practical_range_cm", q.rp_cm, "reference depth dose: steepest tangent and photon tail"),
        ("surface_energy_mev", fit.setup.energy_mev, "practical range (TG-25)"),
        ("open_photons_cgy_per_mu", fit.identity.photon_strength, "reference depth dose beyond 1.15 Rp"),
        ("open_attenuation_per_cm", fit.identity.attenuation_per_cm, "reference depth dose, slope of the tail"),
    )
    return fit.fitted + tuple(
        FittedParameter(name=name, value=float(value), uncertainty=0.0, source=source) for name, value, source in closed
    )


def field_fluence(data: BeamData, model: BeamModel, field: Field) -> Fluence:
    """Fluence of a measured field."""
    return build_fluence(
        model,
        rectangle_cm(field.width_cm, field.height_cm),
        data.machine.applicator(field.applicator_id),
        sad_cm=data.machine.sad_cm,
        insert_distance_cm=data.machine.insert_distance_cm,
    )


def planes_cgy(
    data: BeamData, model: BeamModel, fluence: Fluence, field: Field, depths_cm: Float
) -> NDArray[np.float32]:
    """Computed dose in water, cGy/MU without the output correction, on planes at the depths."""
    dose = water_dose(
        model,
        fluence,
        ssd_cm=field.ssd_cm,
        depths_cm=depths_cm,
        sad_cm=data.machine.sad_cm,
        insert_distance_cm=data.machine.insert_distance_cm,
    )
    return np.asarray(dose * np.float32(1.0 / _CGY))


def axis_cgy(data: BeamData, model: BeamModel, field: Field, depths_cm: Float) -> Float:
    """Computed depth dose on the axis, cGy/MU without the output correction."""
    dose = line_dose_gy_per_mu(
        model,
        field_fluence(data, model, field),
        ssd_cm=field.ssd_cm,
        depths_cm=depths_cm,
        sad_cm=data.machine.sad_cm,
        insert_distance_cm=data.machine.insert_distance_cm,
    )
    return dose / _CGY


def _close_identity(data: BeamData, model: BeamModel) -> BeamModel:
    """Scale g(z) until the dose kernels give back the reference depth dose (they sum pencils, the fit integrates)."""
    grid = model.reference_depth_cm
    table = np.arange(len(model.electron_gy_per_mu)) * model.depth_step_cm
    depths = np.arange(0.0, table[-1] + _IDENTITY_DEPTH_CM, _IDENTITY_DEPTH_CM)
    wanted = np.interp(depths, grid, model.reference_dose_gy_per_mu) / _CGY
    for _ in range(_IDENTITY_ROUNDS):
        computed = axis_cgy(data, model, data.reference, depths)
        electrons = np.interp(depths, table, model.electron_gy_per_mu) / _CGY
        share = np.where(electrons > _LEAST_CGY, (wanted - computed) / np.maximum(electrons, _LEAST_CGY), 0.0)
        factor = 1.0 + np.interp(table, depths, np.clip(share, -0.05, 0.05))
        model = attrs.evolve(model, electron_gy_per_mu=model.electron_gy_per_mu * factor)
    return model


def output_ratios(data: BeamData, energy: EnergyData, model: BeamModel) -> list[OutputRatio]:
    """Measured over computed outputs of every field, without the correction."""
    depths = np.linspace(0.0, 1.1 * model.practical_range_cm, 56)
    found = [
        measured_ratio(energy, f, depths, axis_cgy(data, model, f, depths), _plateaus(data, energy, model, f))
        for f in absolute_fields(data, energy)
    ]
    return [r for r in found if r is not None]


def _plateaus(data: BeamData, energy: EnergyData, model: BeamModel, field: Field) -> list[tuple[float, float]]:
    fluence = field_fluence(data, model, field)
    return plateau_ratios(energy, field, model, lambda curve: profile_cgy(data, model, fluence, curve))


def plateau_ratios(
    energy: EnergyData, field: Field, model: BeamModel, profile: Callable[[Curve], Float]
) -> list[tuple[float, float]]:
    """Measured over computed dose on the plateau of each absolute profile of a field, and its standard deviation.

    Parameters
    ----------
    profile : computed dose, cGy/MU, at the points of a measured profile.
    """
    found = []
    for curve in energy.curves:
        if curve.kind != "profile" or curve.field != field or not curve.is_absolute:
            continue
        use = is_plateau(curve, model.summary.r90_cm)
        if use.any():
            computed = profile(curve)[use]
            weight = (computed / curve.sigma[use]) ** 2
            ratio = float(np.average(curve.dose[use] / computed, weights=weight))
            found.append((ratio, float(weight.sum() ** -0.5)))
    return found


def profile_cgy(data: BeamData, model: BeamModel, fluence: Fluence, curve: Curve) -> Float:
    """Computed profile, cGy/MU without the output correction: the plane's middle line, then linear along it."""
    plane = planes_cgy(data, model, fluence, curve.field, np.array([curve.depth_cm]))[0].astype(np.float64)
    return middle_line(data, model, fluence, curve, plane)


def middle_line(data: BeamData, model: BeamModel, fluence: Fluence, curve: Curve, plane: Float) -> Float:
    """Values of a plane at the points of a profile."""
    rows = plane if curve.axis == "crossline" else plane.T
    half = len(rows) // 2
    # The axis lies between two rows: Lagrange weights of the four nearest, at their middle.
    middle = (9.0 * (rows[half - 1] + rows[half]) - rows[half - 2] - rows[half + 1]) / 16.0
    virtual = model.source.virtual_sad_cm
    distance = curve.field.ssd_cm + curve.depth_cm - data.machine.sad_cm + virtual
    return np.asarray(np.interp(curve.position_cm, fluence.x_cm * distance / virtual, middle))


def _with_distance(data: BeamData, energy: EnergyData, model: BeamModel) -> BeamModel:
    """How g changes with SSD, where another SSD was measured."""

    def computed(curve: Curve) -> Float:
        if curve.kind == "depth_dose":
            return axis_cgy(data, model, curve.field, curve.position_cm)
        return profile_cgy(data, model, field_fluence(data, model, curve.field), curve)

    ratios = distance_ratios(data, energy, range_cm=model.practical_range_cm, computed=computed)
    if not ratios:
        return model
    slopes = distance_slopes_per_cm(ratios)
    return attrs.evolve(model, distance_frac=tuple(FRACTIONS.tolist()), distance_slope_per_cm=tuple(slopes.tolist()))


def _with_correction(data: BeamData, energy: EnergyData, model: BeamModel) -> BeamModel:
    return attrs.evolve(model, output=fit_correction(data, output_ratios(data, energy, model)))
