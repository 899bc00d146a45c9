"""Cutout factor by lateral build-up ratios: sectors of a Gaussian whose width a small measured cutout gives."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.device import Outline
from ert.domain.monitor_units import Factor, FactorSource
from ert.domain.output_tables import SAME_CM, MeasuredDepthDose, MeasuredField, OutputTables
from ert.dose.monotone import monotone_cubic
from ert.dose.tg71 import equilibrium_side_cm
from ert.dose.tg71_tables import WIDE_SIGMA
from ert.errors import OutsideModel
from ert.geometry.opening import SECTORS, OpeningShape, sector_radii

Float = NDArray[np.float64]
LARGEST_SMALL_CM = 4.0
SPREAD_SIGMA = 0.02
"""Stated standard deviation of the method; see the page of physics for what was found."""
_SHALLOW_CM = 0.15
_FROM_CM, _STEP_CM = 0.2, 0.1
_LEAST_PERCENT = 80.0
_SPREADS_CM = np.geomspace(0.02, 12.0, 400)
_ERF = np.vectorize(math.erf, otypes=[np.float64])


@attrs.frozen(kw_only=True)
class MeasuredSquare:
    """A square field's dose along the axis, cGy/MU: at the depths of the calculation, and at 1.5 mm (array (1,))."""

    field: MeasuredField
    dose: Float = attrs.field(eq=False)
    shallow: Float = attrs.field(eq=False)


def sector_cutout_factor(
    tables: OutputTables, applicator_id: str, outline_cm: Outline, shape: OpeningShape, at_cm: tuple[float, float]
) -> Factor:
    """D_max(cutout) / D_max(open) with D(d) = D_open(d) · LBR(d)/LBR_open(d) · Φ/Φ_open, equations (8)–(10).

    Parameters
    ----------
    at_cm : where the beam's axis (or the line taken instead) passes the outline.

    Raises
    ------
    OutsideModel
        No open field of this applicator, or no small cutout of this or the reference applicator, has depth dose and
        output; or the opening's equivalent square lies outside the measured ones.
    """
    fields = measured_squares(tables, applicator_id)
    whole = _open(fields)
    if whole is None:
        raise OutsideModel(
            f"The open applicator {applicator_id} has no measured depth dose with output.", hint="Measure it."
        )
    sigma, used = _spread_cm(tables, fields, shape.equivalent_square_cm)
    radius, sign = sector_radii(outline_cm, at_cm)
    inside = -np.expm1(-((radius / sigma[:, None]) ** 2))
    ratio = (sign * inside).sum(axis=1) / SECTORS / _square(whole.field, sigma)
    fluence, doubt, how = _fluence(tables, fields, whole, shape)
    dose = whole.dose * ratio * fluence
    return Factor(
        symbol="CF",
        name="Cutout factor",
        value=float(dose.max() / whole.dose.max()),
        relative_sigma=math.hypot(SPREAD_SIGMA, doubt),
        source=FactorSource.COMPUTED,
        detail=f"sectors of a Gaussian as wide as measured squares of {used} say{how}; maximum at "
        f"{_FROM_CM + _STEP_CM * int(np.argmax(dose)):.1f} cm",
    )


def _depths(tables: OutputTables) -> Float:
    """From shallow to where the open reference field has fallen to 80 %; empty without its depth dose."""
    for curve in _at_reference(tables, tables.reference_applicator_id):
        if curve.field.is_open:
            enough = curve.depth_cm[curve.percent_depth_dose >= _LEAST_PERCENT]
            return np.arange(_FROM_CM, float(enough[-1]) + _STEP_CM / 2, _STEP_CM)
    return np.empty(0)


def _at_reference(tables: OutputTables, applicator_id: str) -> list[MeasuredDepthDose]:
    """Depth doses of an applicator at the reference SSD."""
    return [
        c
        for c in tables.depth_doses
        if c.field.applicator_id == applicator_id and abs(c.ssd_cm - tables.reference_ssd_cm) < SAME_CM
    ]


def _open(fields: Sequence[MeasuredSquare]) -> MeasuredSquare | None:
    return next((f for f in fields if f.field.is_open), None)


def measured_squares(tables: OutputTables, applicator_id: str) -> list[MeasuredSquare]:
    """Square fields of an applicator at the reference SSD that have both output and depth dose."""
    depths = _depths(tables)
    found = []
    for curve in _at_reference(tables, applicator_id) if len(depths) else ():
        level = [
            o.output_cgy_per_mu / 100.0
            for o in tables.outputs
            if o.field == curve.field and abs(o.ssd_cm - curve.ssd_cm) < SAME_CM
        ]
        if level and curve.field.is_square:
            dose, shallow = (np.interp(d, curve.depth_cm, curve.percent_depth_dose) for d in (depths, [_SHALLOW_CM]))
            found.append(MeasuredSquare(field=curve.field, dose=level[0] * dose, shallow=level[0] * shallow))
    return found


def _spread_cm(tables: OutputTables, own: Sequence[MeasuredSquare], side_cm: float) -> tuple[Float, str]:
    """σ_r at each depth, between the measured small squares around a side, and which squares those are.

    Squares of the same applicator, else of the reference applicator: how electrons spread in water depends on energy
    and depth. A side above the largest small square takes that one's: its ratio is near 1 whatever the spread.
    """
    for fields in (own, measured_squares(tables, tables.reference_applicator_id)):
        whole = _open(fields)
        small = sorted(
            (f for f in fields if not f.field.is_open and f.field.width_cm <= LARGEST_SMALL_CM),
            key=lambda f: f.field.width_cm,
        )
        if small and whole is not None:
            break
    else:
        raise OutsideModel(
            f"No square cutout up to {LARGEST_SMALL_CM:g} cm has a measured depth dose with output.",
            hint="Measure one of 2 to 3 cm.",
        )
    sides = np.array([f.field.width_cm for f in small])
    at = float(np.interp(side_cm, sides, np.arange(len(sides), dtype=np.float64)))
    low, high = math.floor(at), math.ceil(at)
    below, above = (spread_of_square_cm(small[n], whole) for n in (low, high))
    names = " and ".join(f"{sides[n]:g}" for n in dict.fromkeys((low, high)))
    return below + (at - low) * (above - below), f"{names} cm in {whole.field.applicator_id}"


def spread_of_square_cm(small: MeasuredSquare, whole: MeasuredSquare) -> Float:
    """σ_r(d): the width with which erf²(a/2σ) of a small square over that of the open field is what was measured.

    Both are freed of the incident fluence by their doses at 1.5 mm, where no electron has spread yet; the spread never
    falls with depth.
    """
    measured = small.dose / whole.dose * (whole.shallow / small.shallow)
    possible = _square(small.field, _SPREADS_CM) / _square(whole.field, _SPREADS_CM)
    last = int(np.argmin(possible)) + 1
    sigma = np.interp(-np.minimum(measured, possible[0]), -possible[:last], _SPREADS_CM[:last])
    return np.asarray(np.maximum.accumulate(sigma))


def _square(field: MeasuredField, sigma_cm: Float) -> Float:
    """Lateral build-up ratio in the middle of a rectangle: erf(a/2σ) erf(b/2σ)."""
    return np.asarray(_ERF(field.width_cm / (2 * sigma_cm)) * _ERF(field.height_cm / (2 * sigma_cm)))


def _fluence(
    tables: OutputTables, fields: Sequence[MeasuredSquare], whole: MeasuredSquare, shape: OpeningShape
) -> tuple[float, float, str]:
    """Φ/Φ_open, dose at 1.5 mm over that of the open field, between measured squares by side 4 A/P.

    Returns
    -------
    The ratio, its relative standard deviation beyond the method's, and words where it is assumed: 1 for an opening with
    lateral equilibrium in an applicator of which no cutout was measured.
    """
    ordered = sorted(fields, key=lambda f: f.field.width_cm)
    sides, side = np.array([f.field.width_cm for f in ordered]), shape.equivalent_square_cm
    if sides[0] - SAME_CM <= side <= sides[-1] + SAME_CM:
        if len(ordered) == 1:
            return 1.0, 0.0, ""
        values = np.array([float((f.shallow / whole.shallow)[0]) for f in ordered])
        at = np.array([min(max(side, sides[0]), sides[-1])])
        return float(monotone_cubic(sides, values, at)[0]), 0.0, ""
    if len(ordered) == 1 and shape.width_cm >= equilibrium_side_cm(tables.surface_energy_mev):
        return 1.0, WIDE_SIGMA, ", fluence as of the open applicator"
    raise OutsideModel(
        f"The opening is equivalent to a {side:.2f} cm square; in applicator {whole.field.applicator_id} squares of "
        f"{sides[0]:g} to {sides[-1]:g} cm were measured.",
        hint="Measure this cutout.",
    )
