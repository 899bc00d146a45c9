"""Cutout factor by lateral build-up ratios: sectors of a Gaussian whose width a small measured cutout gives."""

from __future__ import annotations

import math

import attrs
import numpy as np
from numpy.typing import NDArray

from ert.domain.device import Outline
from ert.domain.monitor_units import Factor, FactorSource
from ert.domain.output_tables import SAME_CM, MeasuredDepthDose, MeasuredField, OutputTables
from ert.dose.monotone import monotone_cubic
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
        No small cutout, or no open field, of this applicator has depth dose and output; or the opening's equivalent
        square lies outside the measured ones.
    """
    fields = _measured(tables, applicator_id)
    whole = next((f for f in fields if f.field.is_open), None)
    if whole is None:
        raise OutsideModel(
            f"The open applicator {applicator_id} has no measured depth dose with output.", hint="Measure it."
        )
    sigma, used = _spread_cm(fields, whole, shape.equivalent_square_cm)
    radius, sign = sector_radii(outline_cm, at_cm)
    inside = -np.expm1(-((radius / sigma[:, None]) ** 2))
    ratio = (sign * inside).sum(axis=1) / SECTORS / _square(whole.field, sigma)
    fluence = _fluence(fields, whole, shape.equivalent_square_cm)
    dose = whole.dose * ratio * fluence
    return Factor(
        symbol="CF",
        name="Cutout factor",
        value=float(dose.max() / whole.dose.max()),
        relative_sigma=SPREAD_SIGMA,
        source=FactorSource.COMPUTED,
        detail=f"sectors of a Gaussian as wide as measured squares of {used} cm say; maximum at "
        f"{_FROM_CM + _STEP_CM * int(np.argmax(dose)):.1f} cm",
    )


def _depths(open_curve: MeasuredDepthDose) -> Float:
    """From shallow to where the open field has fallen to 80 %."""
    enough = open_curve.depth_cm[open_curve.percent_depth_dose >= _LEAST_PERCENT]
    return np.arange(_FROM_CM, float(enough[-1]) + _STEP_CM / 2, _STEP_CM)


def _measured(tables: OutputTables, applicator_id: str) -> list[MeasuredSquare]:
    """Square fields of an applicator at the reference SSD that have both output and depth dose."""
    curves = [
        c
        for c in tables.depth_doses
        if c.field.applicator_id == applicator_id and abs(c.ssd_cm - tables.reference_ssd_cm) < SAME_CM
    ]
    opened = next((c for c in curves if c.field.is_open), None)
    if opened is None:
        return []
    depths = _depths(opened)
    found = []
    for curve in curves:
        level = [
            o.output_cgy_per_mu / 100.0
            for o in tables.outputs
            if o.field == curve.field and abs(o.ssd_cm - curve.ssd_cm) < SAME_CM
        ]
        if level and curve.field.is_square:
            dose, shallow = (np.interp(d, curve.depth_cm, curve.percent_depth_dose) for d in (depths, [_SHALLOW_CM]))
            found.append(MeasuredSquare(field=curve.field, dose=level[0] * dose, shallow=level[0] * shallow))
    return found


def _spread_cm(fields: list[MeasuredSquare], whole: MeasuredSquare, side_cm: float) -> tuple[Float, str]:
    """σ_r at each depth, between the measured small squares around a side, and which squares those are."""
    small = sorted(
        (f for f in fields if not f.field.is_open and f.field.width_cm <= LARGEST_SMALL_CM),
        key=lambda f: f.field.width_cm,
    )
    if not small:
        raise OutsideModel(
            f"No square cutout of applicator {whole.field.applicator_id} up to {LARGEST_SMALL_CM:g} cm has a measured "
            "depth dose with output.",
            hint="Measure one of 2 to 3 cm.",
        )
    sides = np.array([f.field.width_cm for f in small])
    at = float(np.interp(side_cm, sides, np.arange(len(sides), dtype=np.float64)))
    low, high = math.floor(at), math.ceil(at)
    sigma = (1.0 - at + low) * spread_of_square_cm(small[low], whole) + (at - low) * spread_of_square_cm(
        small[high], whole
    )
    return sigma, " and ".join(f"{sides[n]:g}" for n in dict.fromkeys((low, high)))


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


def _fluence(fields: list[MeasuredSquare], whole: MeasuredSquare, side_cm: float) -> float:
    """Φ/Φ_open: dose at 1.5 mm over that of the open field, between measured squares by side 4 A/P."""
    ordered = sorted(fields, key=lambda f: f.field.width_cm)
    sides = np.array([f.field.width_cm for f in ordered])
    if not sides[0] - SAME_CM <= side_cm <= sides[-1] + SAME_CM:
        raise OutsideModel(
            f"The opening is equivalent to a {side_cm:.2f} cm square; in applicator {whole.field.applicator_id} "
            f"squares of {sides[0]:g} to {sides[-1]:g} cm were measured.",
            hint="Measure this cutout.",
        )
    values = np.array([float((f.shallow / whole.shallow)[0]) for f in ordered])
    return float(monotone_cubic(sides, values, np.array([min(max(side_cm, sides[0]), sides[-1])]))[0])
