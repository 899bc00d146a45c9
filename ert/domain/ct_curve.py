"""CT curves of a site: what is known of one, and what makes one implausible.

`CtCurve` is the bare table that a plan keeps. A site's curve adds where it comes from. The limits below are wide enough
for every material of the shipped library (`materials_ratios.csv`) and narrow enough to catch a swapped column, a
percent where a ratio belongs, or a shifted row.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from ert.domain.identity import digest_of, new_id
from ert.domain.image import CtCurve, CtCurvePoint
from ert.errors import Refused

METAL_HU = 2500
"""Above it a CT curve does not hold: metal, and what the scanner makes of it."""

AIR_HU = -1000
MAX_POINTS = 200
MIN_KVP, MAX_KVP = 40, 200
_HU_RANGE = (-32768.0, 32767.0)  # CT numbers are 16-bit integers
_MAX_DENSITY_G_CM3 = 23.0  # osmium, the densest element, has 22.6
_STOPPING_PER_DENSITY = (0.5, 1.2)  # cm³/g; the library spans 0.61 (lead) to 1.04 (polyethylene)
_SCATTERING_PER_DENSITY = (0.5, 8.0)  # cm³/g; the library spans 0.79 (polyethylene) to 6.8 (lead)
_TISSUE_SCATTERING_PER_DENSITY = (0.7, 1.6)  # cm³/g; adipose 0.87, cortical bone 1.37, aluminium 1.55
_TISSUE_G_CM3 = (0.1, 2.0)
_AIR_MAX_G_CM3 = 0.1
_WATER_FRAC, _WATER_WARN_FRAC = 0.1, 0.03
_STEEPEST_PER_HU = 0.02  # library: 0.0012 per HU in density, 0.0024 in scattering
_STEEP_PER_HU = 0.004
_FALL_FRAC, _FALL_WARN_FRAC = 0.05, 1e-9
_WIDE_GAP_HU = 1000.0
_DEVIATION_FRAC = {"density_g_cm3": 0.1, "relative_stopping": 0.1, "relative_scattering": 0.2}

COLUMN_NAMES = {
    "hu": "CT number",
    "density_g_cm3": "density",
    "relative_stopping": "relative stopping power",
    "relative_scattering": "relative scattering power",
}
_QUANTITIES = ("density_g_cm3", "relative_stopping", "relative_scattering")


class ProblemLevel(enum.StrEnum):
    """Whether a problem keeps a curve from being stored."""

    REFUSED = "refused"
    SUSPICIOUS = "suspicious"


@attrs.frozen(kw_only=True)
class CurveProblem:
    """Something wrong with a curve, and where: row from 0, column a field of `CtCurvePoint`; None is the whole."""

    level: ProblemLevel
    row: int | None
    column: str | None
    sentence: str


@attrs.frozen(kw_only=True)
class SiteCtCurve:
    """A CT curve with its provenance; its name is its identity for the user and does not change.

    Attributes
    ----------
    kvp : tube voltage, kV (DICOM KVP).
    measured_on : when the scanner was measured.
    author : who answers for the values.
    """

    id: str = attrs.field(factory=new_id)
    curve: CtCurve
    scanner: str
    kvp: int
    measured_on: dt.date
    author: str
    note: str = ""

    @property
    def name(self) -> str:
        """Name of the curve."""
        return self.curve.name

    @property
    def digest(self) -> str:
        """Digest of every field."""
        return digest_of(self)


def check_site_curve(curve: SiteCtCurve) -> None:
    """Refuse a curve that may not be stored.

    Raises
    ------
    Refused
        If name, scanner or author is missing, the voltage is impossible, or `curve_problems` refuses a point.
    """
    for text, what in ((curve.name, "a name"), (curve.scanner, "the scanner"), (curve.author, "an author")):
        if not text.strip():
            raise Refused(f"A CT curve needs {what}.", hint="Enter it beside the table.")
    if not MIN_KVP <= curve.kvp <= MAX_KVP:
        raise Refused(f"The tube voltage must be {MIN_KVP} to {MAX_KVP} kV, not {curve.kvp}.")
    refused = [p for p in curve_problems(curve.curve.points) if p.level is ProblemLevel.REFUSED]
    if refused:
        more = f" ({len(refused)} problems in all.)" if len(refused) > 1 else ""
        raise Refused(f"CT curve '{curve.name}' is refused: {refused[0].sentence}{more}")


def curve_warnings(points: Sequence[CtCurvePoint]) -> tuple[str, ...]:
    """What is suspicious or would be refused for a site, as sentences."""
    return tuple(p.sentence for p in curve_problems(points))


def curve_problems(points: Sequence[CtCurvePoint], *, usual: CtCurve | None = None) -> tuple[CurveProblem, ...]:
    """Everything refused or suspicious in the points of a curve, refusals first.

    Parameters
    ----------
    usual : a curve to compare tissue with; points that differ much from it are suspicious.
    """
    found = list(_cell_problems(points))
    if not found:  # the rest compares values with one another
        found = [*_order_problems(points)]
    if not found:
        found = [*_reach_problems(points), *_step_problems(points), *_ratio_problems(points)]
        if usual is not None:
            found += _deviations(points, usual)
    return tuple(sorted(found, key=lambda p: p.level is not ProblemLevel.REFUSED))


def _refused(row: int | None, column: str | None, sentence: str) -> CurveProblem:
    return CurveProblem(level=ProblemLevel.REFUSED, row=row, column=column, sentence=sentence)


def _suspicious(row: int | None, column: str | None, sentence: str) -> CurveProblem:
    return CurveProblem(level=ProblemLevel.SUSPICIOUS, row=row, column=column, sentence=sentence)


def _cell_problems(points: Sequence[CtCurvePoint]) -> Iterator[CurveProblem]:
    """Every value for itself."""
    if not 2 <= len(points) <= MAX_POINTS:  # noqa: PLR2004
        yield _refused(None, None, f"A curve needs 2 to {MAX_POINTS} points, not {len(points)}.")
    for row, point in enumerate(points):
        for column, name in COLUMN_NAMES.items():
            value = getattr(point, column)
            if not math.isfinite(value):
                yield _refused(row, column, f"Point {row + 1}: the {name} is no finite number.")
            elif column == "hu" and not _HU_RANGE[0] <= value <= _HU_RANGE[1]:
                yield _refused(row, column, f"Point {row + 1}: {value:g} HU is no CT number of 16 bits.")
            elif column != "hu" and value <= 0:
                yield _refused(row, column, f"Point {row + 1} ({point.hu:g} HU): the {name} must be above 0.")
        if point.density_g_cm3 > _MAX_DENSITY_G_CM3:
            yield _refused(
                row, "density_g_cm3", f"Point {row + 1}: no material has a density of {point.density_g_cm3:g} g/cm³."
            )


def _order_problems(points: Sequence[CtCurvePoint]) -> Iterator[CurveProblem]:
    for row in range(1, len(points)):
        if points[row].hu <= points[row - 1].hu:
            yield _refused(
                row, "hu", f"Point {row + 1}: {points[row].hu:g} HU does not rise above {points[row - 1].hu:g} HU."
            )


def _reach_problems(points: Sequence[CtCurvePoint]) -> Iterator[CurveProblem]:
    """The ends of the curve, and the two materials every scanner knows: air and water."""
    first, last = points[0], points[-1]
    if first.hu > AIR_HU:
        yield _refused(0, "hu", f"The curve begins at {first.hu:g} HU; it must begin at {AIR_HU} HU or below.")
    elif first.density_g_cm3 > _AIR_MAX_G_CM3:
        yield _refused(
            0, "density_g_cm3", f"At {first.hu:g} HU there is air; {first.density_g_cm3:g} g/cm³ is not its density."
        )
    if last.hu < METAL_HU:
        yield _refused(
            len(points) - 1,
            "hu",
            f"The curve ends at {last.hu:g} HU; it must reach {METAL_HU} HU, above which metal is warned of.",
        )
    at = [p.hu for p in points]
    row = int(np.argmin(np.abs(at)))
    for column in _QUANTITIES:
        water = float(np.interp(0.0, at, [getattr(p, column) for p in points]))
        if abs(water - 1) > _WATER_FRAC:
            yield _refused(row, column, f"At 0 HU there is water, whose {COLUMN_NAMES[column]} is 1, not {water:.3g}.")
        elif abs(water - 1) > _WATER_WARN_FRAC:
            yield _suspicious(row, column, f"At 0 HU the {COLUMN_NAMES[column]} is {water:.3g}; that of water is 1.")


def _step_problems(points: Sequence[CtCurvePoint]) -> Iterator[CurveProblem]:
    """From one point to the next."""
    for row, (a, b) in enumerate(zip(points, points[1:], strict=False), start=1):
        between = f"between {a.hu:g} and {b.hu:g} HU"
        for column in _QUANTITIES:
            low, high = getattr(a, column), getattr(b, column)
            per_hu, fall = (high - low) / (b.hu - a.hu), (low - high) / low
            name = COLUMN_NAMES[column]
            if per_hu > _STEEPEST_PER_HU:
                yield _refused(row, column, f"The {name} jumps from {low:g} to {high:g} {between}.")
            elif fall > _FALL_FRAC:
                yield _refused(row, column, f"The {name} falls from {low:g} to {high:g} {between}.")
            elif per_hu > _STEEP_PER_HU and a.hu < METAL_HU:
                yield _suspicious(row, column, f"The {name} rises steeply, from {low:g} to {high:g}, {between}.")
            elif fall > _FALL_WARN_FRAC:
                yield _suspicious(row, column, f"The {name} falls from {low:g} to {high:g} {between}.")
        if b.hu - a.hu > _WIDE_GAP_HU and a.hu < METAL_HU and a.hu >= AIR_HU and b.hu <= METAL_HU:
            yield _suspicious(row, "hu", f"There is no point {between}; what lies between is a straight line.")


def _ratio_problems(points: Sequence[CtCurvePoint]) -> Iterator[CurveProblem]:
    """Stopping and scattering must fit the density."""
    limits = (("relative_stopping", _STOPPING_PER_DENSITY), ("relative_scattering", _SCATTERING_PER_DENSITY))
    for row, point in enumerate(points):
        for column, (low, high) in limits:
            ratio = getattr(point, column) / point.density_g_cm3
            name = COLUMN_NAMES[column]
            if not low <= ratio <= high:
                yield _refused(
                    row,
                    column,
                    f"Point {row + 1} ({point.hu:g} HU): the {name} of {getattr(point, column):g} does not fit a "
                    f"density of {point.density_g_cm3:g} g/cm³.",
                )
        scattering = point.relative_scattering / point.density_g_cm3
        low, high = _TISSUE_SCATTERING_PER_DENSITY
        is_tissue = _TISSUE_G_CM3[0] <= point.density_g_cm3 <= _TISSUE_G_CM3[1]
        if is_tissue and not low <= scattering <= high and _SCATTERING_PER_DENSITY[0] <= scattering:
            yield _suspicious(
                row,
                "relative_scattering",
                f"Point {row + 1} ({point.hu:g} HU): a relative scattering power of {point.relative_scattering:g} is "
                "unusual for tissue of this density.",
            )


def _deviations(points: Sequence[CtCurvePoint], usual: CtCurve) -> Iterator[CurveProblem]:
    at = [p.hu for p in usual.points]
    for row, point in enumerate(points):
        if not AIR_HU < point.hu <= METAL_HU or point.density_g_cm3 < _TISSUE_G_CM3[0]:
            continue
        for column, limit in _DEVIATION_FRAC.items():
            expected = float(np.interp(point.hu, at, [getattr(p, column) for p in usual.points]))
            value = getattr(point, column)
            if abs(value / expected - 1) > limit:
                yield _suspicious(
                    row,
                    column,
                    f"Point {row + 1} ({point.hu:g} HU): the {COLUMN_NAMES[column]} of {value:g} differs by "
                    f"{100 * (value / expected - 1):+.0f} % from the default curve's {expected:.3g}.",
                )
