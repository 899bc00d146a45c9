"""Depth of maximum and percentage depth dose of a field out of measured tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ert.domain.monitor_units import Factor, FactorSource
from ert.domain.output_tables import SAME_CM, MeasuredDepthDose, OutputTables
from ert.dose.tg71 import depth_dose_at_distance, equilibrium_side_cm
from ert.dose.tg71_tables import between, of_rectangle, square_outputs
from ert.errors import OutsideModel

Float = NDArray[np.float64]
_DEPTH_SIGMA_CM, _PDD_SIGMA = 0.1, 0.005
_LEAST_PDD_PCT = 20.0


def _wide(side_cm: float, sides_cm: Float, tables: OutputTables) -> float:
    """The side itself; the smallest measured one for a smaller side if both have lateral equilibrium.

    Depth doses of such fields do not depend on size: that is what lateral equilibrium means.
    """
    return max(side_cm, sides_cm[0]) if side_cm >= equilibrium_side_cm(tables.surface_energy_mev) else side_cm


def depth_of_maximum_cm(tables: OutputTables, applicator_id: str, rectangle_cm: tuple[float, float]) -> float:
    """Depth of maximum at the reference SSD between measured squares, mean of both sides.

    A side with lateral equilibrium below the smallest measured one that has it too counts as that.
    """
    squares = square_outputs(tables, applicator_id, tables.reference_ssd_cm)
    if not squares:
        raise OutsideModel(f"No square field of applicator {applicator_id} has a measured depth of maximum.")
    sides = np.array([o.field.width_cm for o in squares])
    depths = np.array([o.depth_of_maximum_cm for o in squares])
    a, b = (_wide(side, sides, tables) for side in rectangle_cm)
    if not sides[0] - SAME_CM <= a <= b <= sides[-1] + SAME_CM:
        raise OutsideModel(
            f"Depths of maximum of applicator {applicator_id} are known for squares of {sides[0]:g} to {sides[-1]:g} "
            f"cm, not for {a:.2f} × {b:.2f} cm.",
            hint="Measure this cutout.",
        )
    return float(np.interp([a, b], sides, depths).mean())


def percent_depth_dose(
    tables: OutputTables,
    applicator_id: str,
    rectangle_cm: tuple[float, float],
    depth_cm: float,
    *,
    gap_cm: float,
    source_cm: float,
) -> Factor:
    """PDD at a depth, per cent: square-root rule between measured squares of this applicator, carried to this SSD.

    Parameters
    ----------
    source_cm : effective SSD of the field, for `gap_cm` ≠ 0.

    Raises
    ------
    OutsideModel
        Sides or depth lie outside what was measured, or the PDD is below 20 %, where a millimetre decides.
    """
    curves = _square_curves(tables, applicator_id)
    sides = np.array([c.field.width_cm for c in curves])
    if not len(curves) or depth_cm < 0 or depth_cm > min(float(c.depth_cm[-1]) for c in curves):
        raise OutsideModel(
            f"No square field of applicator {applicator_id} has a depth dose measured to {depth_cm:g} cm.",
            hint="Measure one.",
        )

    def at(depth: float) -> float:
        values = np.array([_percent_at(c, depth, gap_cm, source_cm) for c in curves])
        read = of_rectangle(
            _wide(rectangle_cm[0], sides, tables),
            _wide(rectangle_cm[1], sides, tables),
            lambda s: between(sides, values, np.zeros(len(sides)), s, what="depth doses of squares"),
        )
        return read.value

    value = at(depth_cm)
    if value < _LEAST_PDD_PCT:
        raise OutsideModel(f"At {depth_cm:g} cm the depth dose is {value:.1f} %: too steep for monitor units by hand.")
    low = max(0.0, depth_cm - _DEPTH_SIGMA_CM)
    slope = abs(at(low) - value) / max(depth_cm - low, 1e-6) if depth_cm > 0 else 0.0
    names = ", ".join(f"{s:g}" for s in sides)
    return Factor(
        symbol="PDD",
        name="Percentage depth dose",
        value=value,
        unit="%",
        relative_sigma=math.hypot(_PDD_SIGMA, slope * _DEPTH_SIGMA_CM / value),
        source=FactorSource.INTERPOLATED,
        detail=f"at {depth_cm:g} cm, between measured squares of {names} cm; uncertainty: 0.5 % and 1 mm",
    )


def _percent_at(curve: MeasuredDepthDose, depth_cm: float, gap_cm: float, source_cm: float) -> float:
    top = float(curve.depth_cm[int(np.argmax(curve.percent_depth_dose))])
    percent = curve.percent_depth_dose
    if gap_cm != 0.0:
        percent = depth_dose_at_distance(
            curve.depth_cm, percent, source_cm=source_cm, gap_cm=gap_cm, depth_of_maximum_cm=top
        )
    return float(np.interp(depth_cm, curve.depth_cm, percent))


def _square_curves(tables: OutputTables, applicator_id: str) -> Sequence[MeasuredDepthDose]:
    found = [
        c
        for c in tables.depth_doses
        if c.field.applicator_id == applicator_id
        and c.field.is_square
        and abs(c.ssd_cm - tables.reference_ssd_cm) < SAME_CM
    ]
    return sorted(found, key=lambda c: c.field.width_cm)
