"""The reference depth dose: smoothed within its noise; and which measured points are absolute and on a plateau."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.analysis.depth import DepthQuantities, depth_quantities, smooth_curve
from ert.commissioning.measured import BeamData, Curve, EnergyData
from ert.errors import InvalidBeamData

Float = NDArray[np.float64]
DEPTH_STEP_CM = 0.025
TAIL_FROM_FRAC, _LEAST_TAIL_CM = 1.12, 0.4
"""Depth over Rp beyond which a depth dose is the photons', and how much of that must have been measured."""
_PLATEAU_FRAC, _EDGE_CM, _EDGE_PER_DEPTH = 0.4, 1.0, 0.35
_LEAST_PLATEAU_CM = 4.0
INDEPENDENT = 3
"""Points along a curve whose noise is independent: the rest of its noise, and drifts, are common to neighbours."""


@attrs.frozen(kw_only=True)
class Reference:
    """The smoothed depth dose of the open reference field, cGy/MU, on a grid of `DEPTH_STEP_CM`."""

    depth_cm: Float
    dose: Float
    quantities: DepthQuantities
    chi2_per_point: float


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
    """Smooth the reference depth dose; its maximum is scaled to nothing: the measured doses are absolute.

    Raises
    ------
    InvalidBeamData
        It ends before the photon tail. Electrons at the end of their range would be taken for photons.
    """
    measured = next(c for c in energy.curves if c.kind == "depth_dose" and c.field == data.reference)
    curve = absolute(measured, data, energy)
    assert curve is not None  # noqa: S101 - read_beam_data refuses an energy without reference output
    rough = depth_quantities(curve.position_cm, curve.dose, needs_tail=False)
    last_cm, needed_cm = float(curve.position_cm[-1]), TAIL_FROM_FRAC * rough.rp_cm + _LEAST_TAIL_CM
    if last_cm < needed_cm:
        raise InvalidBeamData(
            f"{curve.file}: the depth dose ends at {last_cm:g} cm, the practical range is {rough.rp_cm:.1f} cm; what "
            f"photons give is read from {needed_cm - _LEAST_TAIL_CM:.1f} to at least {needed_cm:.1f} cm.",
            hint="Measure the depth dose to at least 2 cm beyond the practical range.",
        )
    grid = np.arange(0.0, last_cm + DEPTH_STEP_CM / 2, DEPTH_STEP_CM)
    dose = smooth_curve(curve.position_cm, curve.dose, curve.sigma, range_cm=rough.rp_cm, grid_cm=grid)
    residual = (np.interp(curve.position_cm, grid, dose) - curve.dose) / curve.sigma
    quantities = depth_quantities(grid, dose, needs_tail=False)
    return Reference(
        depth_cm=grid,
        dose=dose,
        quantities=attrs.evolve(quantities, rp_cm=rough.rp_cm),
        chi2_per_point=float(np.mean(residual**2)),
    )


def is_plateau(curve: Curve, deepest_cm: float) -> NDArray[np.bool_]:
    """Points of a profile down to a depth that say something about output, of fields of 4 cm and more.

    Within 0.4 half-widths; in large fields up to 0.8, where that is further from the edge than electrons have spread.
    """
    width = curve.field.width_cm if curve.axis == "crossline" else curve.field.height_cm
    usable = curve.depth_cm <= deepest_cm and min(curve.field.width_cm, curve.field.height_cm) >= _LEAST_PLATEAU_CM
    reach = max(0.2 * width, min(_PLATEAU_FRAC * width, 0.5 * width - _EDGE_CM - _EDGE_PER_DEPTH * curve.depth_cm))
    return np.asarray((np.abs(curve.position_cm) < reach) & usable)
