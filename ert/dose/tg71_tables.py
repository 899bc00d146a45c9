"""Factors for monitor units out of measured tables: measured, interpolated, or refused; never extrapolated."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.monitor_units import Factor, FactorSource
from ert.domain.output_tables import SAME_CM, MeasuredOutput, OutputTables
from ert.dose.insert_model import LEAST_INSERTS, fit_insert_model
from ert.dose.monotone import monotone_cubic
from ert.dose.tg71 import equilibrium_side_cm, square_root_rule
from ert.errors import OutsideModel
from ert.geometry.opening import OpeningShape

Float = NDArray[np.float64]
LEAST_SQUARES = 3
LEAST_SOLIDITY_FRAC = 0.9
"""Of the convex hull: 75 of 76 published cutouts, from which the equivalent ellipse has its right, fill more."""
SHAPE_SIGMA = 0.012
"""Floor of the uncertainty of taking an irregular opening as a rectangle: root mean square over 23 published shapes."""
WIDE_SIGMA = 0.015
"""Spread about 1 of cutout factors of openings with lateral equilibrium (docs/physics/monitor_units.md)."""


@attrs.frozen(kw_only=True)
class Reading:
    """A value read from squares: value, relative standard deviation, whether it was measured as it is."""

    value: float
    relative_sigma: float
    is_measured: bool


def applicator_factor(tables: OutputTables, applicator_id: str) -> Factor:
    """Output of the open applicator over D'0, both at the reference SSD; refused if it was not measured."""
    output = tables.open_output(applicator_id, tables.reference_ssd_cm)
    if output is None:
        raise OutsideModel(
            f"The output of open applicator {applicator_id} at {tables.reference_ssd_cm:g} cm was not measured for "
            f"{tables.energy_mev:g} MeV."
        )
    is_reference = applicator_id == tables.reference_applicator_id
    return Factor(
        symbol="AF",
        name="Applicator factor",
        value=1.0 if is_reference else output.output_cgy_per_mu / tables.reference_cgy_per_mu,
        relative_sigma=0.0 if is_reference else output.relative_sigma,
        source=FactorSource.ENTERED if is_reference else FactorSource.MEASURED,
        detail="reference applicator" if is_reference else f"open applicator at SSD {output.ssd_cm:g} cm",
    )


def cutout_factor(tables: OutputTables, applicator_id: str, shape: OpeningShape) -> Factor:
    """Cutout factor from measured cutouts: the cutout itself, the surface through inserts, or squares.

    Raises
    ------
    OutsideModel
        Naming what was measured and what would be needed.
    """
    exact = _measured_as_it_is(tables, applicator_id, shape)
    if exact is not None:
        return exact
    if shape.solidity_frac < LEAST_SOLIDITY_FRAC:
        raise OutsideModel(
            f"The opening has notches: it fills {100 * shape.solidity_frac:.0f} % of its convex hull. Measured factors "
            f"speak for openings that fill {100 * LEAST_SOLIDITY_FRAC:.0f} % and more.",
            hint="Measure this cutout.",
        )
    inserts = [
        i
        for i in tables.inserts
        if i.applicator_id == applicator_id and abs(i.ssd_cm - tables.reference_ssd_cm) < SAME_CM
    ]
    if len(inserts) >= LEAST_INSERTS:
        model = fit_insert_model(
            [i.width_cm for i in inserts],
            [i.length_cm for i in inserts],
            [i.cutout_factor for i in inserts],
            [i.relative_sigma for i in inserts],
        )
        value, sigma = model.predict(width_cm=shape.width_cm, length_cm=shape.length_cm)
        detail = (
            f"surface through {len(inserts)} measured inserts at an ellipse of {shape.width_cm:.2f} × "
            f"{shape.length_cm:.2f} cm; each left out is found to {100 * float(model.leave_one_out_sigma):.2f} %"
        )
        return _factor(Reading(value=value, relative_sigma=sigma, is_measured=False), detail)
    return _from_squares(tables, applicator_id, shape, len(inserts))


def _factor(reading: Reading, detail: str) -> Factor:
    return Factor(
        symbol="CF",
        name="Cutout factor",
        value=reading.value,
        relative_sigma=reading.relative_sigma,
        source=FactorSource.MEASURED if reading.is_measured else FactorSource.INTERPOLATED,
        detail=detail,
    )


def _measured_as_it_is(tables: OutputTables, applicator_id: str, shape: OpeningShape) -> Factor | None:
    """The factor of a rectangle that was measured; exactly 1 for the open applicator."""
    if not shape.is_rectangle:
        return None
    whole = tables.open_output(applicator_id, tables.reference_ssd_cm)
    for output in tables.outputs if whole is not None else ():
        field = output.field
        sides = sorted((field.width_cm, field.height_cm))
        is_here = field.applicator_id == applicator_id and abs(output.ssd_cm - tables.reference_ssd_cm) < SAME_CM
        if whole is None or not is_here or max(abs(a - b) for a, b in zip(sides, shape.box_cm, strict=True)) > SAME_CM:
            continue
        if field.is_open:
            return _factor(Reading(value=1.0, relative_sigma=0.0, is_measured=True), "open applicator")
        reading = Reading(
            value=output.output_cgy_per_mu / whole.output_cgy_per_mu,
            relative_sigma=math.hypot(output.relative_sigma, whole.relative_sigma),
            is_measured=True,
        )
        return _factor(reading, f"cutout {field.width_cm:g} × {field.height_cm:g} cm in {applicator_id}")
    return None


def _from_squares(tables: OutputTables, applicator_id: str, shape: OpeningShape, inserts: int) -> Factor:
    """Square-root rule on the equivalent rectangle, between measured squares."""
    whole = tables.open_output(applicator_id, tables.reference_ssd_cm)
    squares = square_outputs(tables, applicator_id, tables.reference_ssd_cm)
    equilibrium = equilibrium_side_cm(tables.surface_energy_mev)
    if whole is not None and not inserts and len(squares) == 1 and shape.width_cm >= equilibrium:
        return _assumed(applicator_id, shape, equilibrium)
    if whole is None or len(squares) < LEAST_SQUARES:
        raise OutsideModel(
            f"For applicator {applicator_id} at {tables.energy_mev:g} MeV {inserts} inserts and {len(squares)} squares "
            f"were measured; a cutout factor needs {LEAST_INSERTS} inserts or {LEAST_SQUARES} squares.",
            hint="Measure this cutout.",
        )
    sides = np.array([o.field.width_cm for o in squares])
    values = np.array([1.0 if o.field.is_open else o.output_cgy_per_mu / whole.output_cgy_per_mu for o in squares])
    sigmas = np.array([0.0 if o.field.is_open else math.hypot(o.relative_sigma, whole.relative_sigma) for o in squares])

    def rule(a_cm: float, b_cm: float) -> Reading:
        return of_rectangle(a_cm, b_cm, lambda side: between(sides, values, sigmas, side, what="squares"))

    a, b = shape.rectangle_cm
    reading = rule(a, b)
    detail = f"square-root rule on {a:.2f} × {b:.2f} cm between squares of {', '.join(f'{s:g}' for s in sides)} cm"
    if shape.is_rectangle:
        return _factor(attrs.evolve(reading, is_measured=False), detail)
    sigma = math.hypot(reading.relative_sigma, _shape_sigma(rule, shape, reading.value))
    return _factor(attrs.evolve(reading, relative_sigma=sigma, is_measured=False), f"equal area, {detail}")


def _assumed(applicator_id: str, shape: OpeningShape, equilibrium_cm: float) -> Factor:
    """1 for an opening with lateral equilibrium in an applicator of which no cutout was measured."""
    factor = _factor(
        Reading(value=1.0, relative_sigma=WIDE_SIGMA, is_measured=False),
        f"no cutout of applicator {applicator_id} was measured; the opening's {shape.width_cm:.1f} cm keep lateral "
        f"equilibrium (from {equilibrium_cm:.1f} cm), where published factors lie between 0.99 and 1.03",
    )
    return attrs.evolve(factor, source=FactorSource.ASSUMED)


def _shape_sigma(rule: Callable[[float, float], Reading], shape: OpeningShape, value: float) -> float:
    """Half of what it would matter to take the largest circle's diameter as the shorter side; floor `SHAPE_SIGMA`."""
    try:
        other = rule(shape.width_cm, max(shape.width_cm, shape.area_cm2 / shape.width_cm)).value
    except OutsideModel:
        return SHAPE_SIGMA
    return max(SHAPE_SIGMA, 0.5 * abs(other / value - 1.0))


def square_outputs(tables: OutputTables, applicator_id: str, ssd_cm: float) -> list[MeasuredOutput]:
    """Measured square fields of an applicator at a distance, by rising side."""
    found = [
        o
        for o in tables.outputs
        if o.field.applicator_id == applicator_id and o.field.is_square and abs(o.ssd_cm - ssd_cm) < SAME_CM
    ]
    return sorted(found, key=lambda o: o.field.width_cm)


def of_rectangle(a_cm: float, b_cm: float, of_square: Callable[[float], Reading]) -> Reading:
    """Square-root rule (equation (4)) on what squares read; uncertainties of both sides count in full."""
    first, second = of_square(a_cm), of_square(b_cm)
    return Reading(
        value=square_root_rule(first.value, second.value),
        relative_sigma=0.5 * (first.relative_sigma + second.relative_sigma),
        is_measured=first.is_measured and second.is_measured and abs(a_cm - b_cm) < SAME_CM,
    )


def between(sides_cm: Float, values: Float, sigmas: Float, side_cm: float, *, what: str) -> Reading:
    """A value at one side by monotone cubics; refused outside the measured sides.

    The uncertainty is the larger one of the two neighbours and the difference between the cubic and the straight line.
    """
    at = int(np.argmin(np.abs(sides_cm - side_cm)))
    if abs(sides_cm[at] - side_cm) < SAME_CM:
        return Reading(value=float(values[at]), relative_sigma=float(sigmas[at]), is_measured=True)
    if not sides_cm[0] < side_cm < sides_cm[-1]:
        raise OutsideModel(
            f"A side of {side_cm:.2f} cm lies outside the measured {what} of {sides_cm[0]:g} to {sides_cm[-1]:g} cm.",
            hint="Measure this cutout.",
        )
    value = float(monotone_cubic(sides_cm, values, np.array([side_cm]))[0])
    i = int(np.searchsorted(sides_cm, side_cm))
    straight = float(np.interp(side_cm, sides_cm, values))
    sigma = math.hypot(float(max(sigmas[i - 1], sigmas[i])), abs(value / straight - 1.0))
    return Reading(value=value, relative_sigma=sigma, is_measured=False)
