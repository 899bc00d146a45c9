"""Output tables for monitor units by hand, out of a beam data folder: what was measured, and effective distances."""

from __future__ import annotations

import numpy as np

from ert.analysis.depth import smooth_curve
from ert.commissioning.measured import OPEN, BeamData, Curve, EnergyData, Field
from ert.domain.output_tables import (
    SAME_CM,
    EffectiveSsd,
    MeasuredDepthDose,
    MeasuredField,
    MeasuredInsert,
    MeasuredOutput,
    OutputTables,
)
from ert.dose.tg71 import fit_effective_ssd
from ert.errors import InvalidBeamData, OutsideModel

_STEP_CM = 0.1
_PERCENT_DIGITS = 3
_CALIBRATION_FRAC = 0.05


def output_tables(
    data: BeamData, energy: EnergyData, *, surface_energy_mev: float, practical_range_cm: float
) -> OutputTables:
    """The output tables of one energy.

    Parameters
    ----------
    surface_energy_mev, practical_range_cm : most probable energy at the surface and Rp, as the beam model has them.

    Raises
    ------
    InvalidBeamData
        The output of the reference field is not the calibration the folder states, or outputs do not fall with
        distance.
    """
    _require_calibration(data, energy)
    outputs = tuple(
        MeasuredOutput(
            field=_field(o.field),
            ssd_cm=o.field.ssd_cm,
            output_cgy_per_mu=o.cgy_per_mu,
            relative_sigma=o.relative_sigma,
            depth_of_maximum_cm=o.depth_of_maximum_cm,
        )
        for o in sorted(energy.outputs, key=lambda o: (o.field.applicator_id, o.field.ssd_cm, o.field.width_cm))
    )
    curves = [c for c in energy.curves if c.kind == "depth_dose"]
    return OutputTables(
        energy_mev=energy.energy_mev,
        reference_applicator_id=data.reference.applicator_id,
        reference_ssd_cm=data.reference.ssd_cm,
        reference_cgy_per_mu=data.reference_cgy_per_mu,
        surface_energy_mev=surface_energy_mev,
        outputs=outputs,
        inserts=tuple(
            MeasuredInsert(
                applicator_id=i.applicator_id,
                ssd_cm=i.ssd_cm,
                width_cm=i.width_cm,
                length_cm=i.length_cm,
                cutout_factor=i.cutout_factor,
                relative_sigma=i.relative_sigma,
            )
            for i in energy.inserts
        ),
        depth_doses=tuple(
            _depth_dose(c, practical_range_cm) for c in sorted(curves, key=lambda c: (c.field.name, c.file))
        ),
        effective_ssds=effective_ssds(outputs, data.reference.ssd_cm),
    )


def _require_calibration(data: BeamData, energy: EnergyData) -> None:
    """Refuse outputs that are not in the units of the calibration: relative ones, or per cent."""
    for output in energy.outputs:
        if output.field == data.reference:
            difference = output.cgy_per_mu / data.reference_cgy_per_mu - 1.0
            if abs(difference) > _CALIBRATION_FRAC:
                raise InvalidBeamData(
                    f"{energy.energy_mev:g} MeV: the reference field {data.reference.name} has an output of "
                    f"{output.cgy_per_mu:g} cGy/MU, the calibration is {data.reference_cgy_per_mu:g} cGy/MU.",
                    hint="Give outputs in cGy/MU of the same calibration.",
                )


def _field(field: Field) -> MeasuredField:
    return MeasuredField(
        applicator_id=field.applicator_id,
        width_cm=field.width_cm,
        height_cm=field.height_cm,
        is_open=field.cutout == OPEN,
    )


def _depth_dose(curve: Curve, range_cm: float) -> MeasuredDepthDose:
    """Smoothed within its noise, in per cent of its own maximum, every millimetre."""
    grid = np.arange(0.0, float(curve.position_cm[-1]) + _STEP_CM / 2, _STEP_CM)
    dose = smooth_curve(curve.position_cm, curve.dose, curve.sigma, range_cm=range_cm, grid_cm=grid)
    return MeasuredDepthDose(
        field=_field(curve.field),
        ssd_cm=curve.field.ssd_cm,
        depth_cm=np.round(grid, _PERCENT_DIGITS),
        percent_depth_dose=np.round(100.0 * dose / dose.max(), _PERCENT_DIGITS),
    )


def effective_ssds(outputs: tuple[MeasuredOutput, ...], standard_ssd_cm: float) -> tuple[EffectiveSsd, ...]:
    """Effective SSD of every field with outputs at the standard and at other distances.

    Raises
    ------
    InvalidBeamData
        If outputs of a field do not fall with distance.
    """
    found = []
    for base in outputs:
        others = [o for o in outputs if o.field == base.field and abs(o.ssd_cm - standard_ssd_cm) >= SAME_CM]
        if abs(base.ssd_cm - standard_ssd_cm) >= SAME_CM or not others:
            continue
        gaps = np.array([o.ssd_cm - standard_ssd_cm for o in others])
        ratios = np.array([base.output_cgy_per_mu / o.output_cgy_per_mu for o in others])
        sigmas = np.array([o.relative_sigma for o in others])
        try:
            source, sigma, worst = fit_effective_ssd(
                gaps,
                ratios,
                sigmas,
                relative_sigma=base.relative_sigma,
                depth_of_maximum_cm=base.depth_of_maximum_cm,
            )
        except OutsideModel as error:
            raise InvalidBeamData(f"{base.field.name}: {error.sentence}", hint="Check the output factors.") from error
        found.append(
            EffectiveSsd(
                field=base.field,
                standard_ssd_cm=standard_ssd_cm,
                effective_ssd_cm=source,
                sigma_cm=sigma,
                depth_of_maximum_cm=base.depth_of_maximum_cm,
                least_gap_cm=float(gaps.min()),
                largest_gap_cm=float(gaps.max()),
                worst_residual_pct=worst,
            )
        )
    return tuple(found)
