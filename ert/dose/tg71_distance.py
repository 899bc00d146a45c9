"""Output at another distance: effective source distance or air-gap factor, both from measured outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import attrs
import numpy as np

from ert.domain.monitor_units import Factor, FactorSource
from ert.domain.output_tables import SAME_CM, EffectiveSsd, OutputTables
from ert.dose.tg71 import effective_ssd_ratio, equilibrium_side_cm, inverse_square_ratio, square_root_rule
from ert.errors import OutsideModel

STANDARD_CM = 0.05
"""A distance this close to the standard SSD is the standard SSD."""
NEAR_CM = 1.0
"""Up to this gap an assumed effective SSD serves where none was measured for the field."""
_ASSUMED_CM, _ASSUMED_SIGMA_CM = 80.0, 15.0
_REACH_CM = 0.5
_WIDE_FIELD_SIGMA_CM = 3.0

_Share = tuple[EffectiveSsd, float]


@attrs.frozen(kw_only=True)
class Distance:
    """Both ways to the factor of a distance; `other` and `source_cm` are None at the standard SSD."""

    chosen: Factor
    other: Factor | None
    gap_cm: float
    source_cm: float | None


def distance_factor(
    tables: OutputTables, applicator_id: str, rectangle_cm: tuple[float, float], *, ssd_cm: float, depth_max_cm: float
) -> Distance:
    """S_e(SSD) / S_e(SSD0) of a field: by its effective SSD (chosen), and by its air-gap factor.

    For a rectangle both are the geometric mean of those of the squares of its sides. A square takes the effective SSD
    measured for its size; between two measured sizes that of linear interpolation; and where it has lateral equilibrium
    that of the nearest measured field of the applicator that has it too, with 3 cm added to its uncertainty. Where none
    of this holds, but the SSD is within 1 cm of the standard one, 80 ± 15 cm are assumed: that costs 0.5 % at most.

    Parameters
    ----------
    depth_max_cm : depth of maximum of the field at the standard SSD.

    Raises
    ------
    OutsideModel
        No measurement covers this size, or the SSD lies more than 0.5 cm outside the measured ones; unless it is within
        1 cm of the standard one.
    """
    gap = ssd_cm - tables.reference_ssd_cm
    if abs(gap) <= STANDARD_CM:
        standard = Factor(
            symbol="DF",
            name="Distance factor",
            value=1.0,
            relative_sigma=0.0,
            source=FactorSource.ENTERED,
            detail=f"standard SSD {tables.reference_ssd_cm:g} cm",
        )
        return Distance(chosen=standard, other=None, gap_cm=0.0, source_cm=None)
    try:
        shares = [_of_side(tables, applicator_id, side, gap) for side in rectangle_cm]
    except OutsideModel:
        if abs(gap) > NEAR_CM:
            raise
        return _assumed(gap, depth_max_cm)

    def mean(of_entry: Callable[[EffectiveSsd], float]) -> float:
        a, b = (sum(w * of_entry(e) for e, w in share) for share in shares)
        return square_root_rule(a, b)

    source = mean(lambda e: e.effective_ssd_cm)
    sigma = max(e.sigma_cm for share in shares for e, _ in share)
    chosen = effective_ssd_ratio(effective_ssd_cm=source, depth_of_maximum_cm=depth_max_cm, gap_cm=gap)
    whole = source + depth_max_cm
    measured = "; ".join(dict.fromkeys(e.field.name for share in shares for e, _ in share))
    effective = Factor(
        symbol="DF",
        name="Distance factor",
        value=chosen,
        relative_sigma=2.0 * abs(gap) * sigma / (whole * (whole + gap)),
        source=FactorSource.INTERPOLATED,
        detail=f"effective SSD {source:.1f} ± {sigma:.1f} cm, gap {gap:+.1f} cm, maximum at {depth_max_cm:.2f} cm "
        f"(measured: {measured})",
    )
    square = inverse_square_ratio(
        standard_ssd_cm=tables.reference_ssd_cm, ssd_cm=ssd_cm, depth_of_maximum_cm=depth_max_cm
    )
    air_gap = mean(lambda e: _air_gap_factor(tables, e, gap))
    other = attrs.evolve(
        effective,
        symbol="DF'",
        name="Distance factor by air gap",
        value=square * air_gap,
        detail=f"inverse square {square:.4f} × air-gap factor {air_gap:.4f}",
    )
    return Distance(chosen=effective, other=other, gap_cm=gap, source_cm=source)


def _assumed(gap_cm: float, depth_max_cm: float) -> Distance:
    """Factor of a small gap with an effective SSD that holds most that were published (TG-25, TG-71: 50 to 95 cm)."""
    whole = _ASSUMED_CM + depth_max_cm
    factor = Factor(
        symbol="DF",
        name="Distance factor",
        value=effective_ssd_ratio(effective_ssd_cm=_ASSUMED_CM, depth_of_maximum_cm=depth_max_cm, gap_cm=gap_cm),
        relative_sigma=2.0 * abs(gap_cm) * _ASSUMED_SIGMA_CM / (whole * (whole + gap_cm)),
        source=FactorSource.ASSUMED,
        detail=f"effective SSD {_ASSUMED_CM:g} ± {_ASSUMED_SIGMA_CM:g} cm for a gap of {gap_cm:+.2f} cm, because none "
        "was measured for this field",
    )
    return Distance(chosen=factor, other=None, gap_cm=gap_cm, source_cm=_ASSUMED_CM)


def _of_side(tables: OutputTables, applicator_id: str, side_cm: float, gap_cm: float) -> Sequence[_Share]:
    """Measured effective SSDs that stand for a square, with their shares."""
    known = sorted(
        (e for e in tables.effective_ssds if e.field.applicator_id == applicator_id and e.field.is_square),
        key=lambda e: e.field.width_cm,
    )
    chosen = _choose(known, side_cm, equilibrium_side_cm(tables.surface_energy_mev))
    ssd = tables.reference_ssd_cm + gap_cm
    if not chosen:
        sizes = ", ".join(e.field.name for e in known) or "none"
        raise OutsideModel(
            f"At SSD {ssd:.1f} cm the output of a {side_cm:.2f} cm wide field in applicator {applicator_id} cannot be "
            f"told from what was measured at several distances ({sizes}).",
            hint="Measure outputs at extended SSD for this size.",
        )
    for entry, _ in chosen:
        low, high = min(entry.least_gap_cm, 0.0) - _REACH_CM, max(entry.largest_gap_cm, 0.0) + _REACH_CM
        if not low <= gap_cm <= high:
            raise OutsideModel(
                f"SSD {ssd:.1f} cm lies outside the distances measured for {entry.field.name}: "
                f"{tables.reference_ssd_cm + min(entry.least_gap_cm, 0.0):g} to "
                f"{tables.reference_ssd_cm + max(entry.largest_gap_cm, 0.0):g} cm.",
                hint="Measure outputs there, or change the SSD.",
            )
    return chosen


def _choose(known: Sequence[EffectiveSsd], side_cm: float, equilibrium_cm: float) -> Sequence[_Share]:
    for entry in known:
        if abs(entry.field.width_cm - side_cm) < SAME_CM:
            return [(entry, 1.0)]
    for small, large in zip(known, known[1:], strict=False):
        if small.field.width_cm < side_cm < large.field.width_cm:
            share = (side_cm - small.field.width_cm) / (large.field.width_cm - small.field.width_cm)
            return [(small, 1.0 - share), (large, share)]
    wide = [e for e in known if e.field.width_cm >= equilibrium_cm - SAME_CM]
    if side_cm < equilibrium_cm - SAME_CM or not wide:
        return []
    nearest = min(wide, key=lambda e: abs(e.field.width_cm - side_cm))
    return [(attrs.evolve(nearest, sigma_cm=math.hypot(nearest.sigma_cm, _WIDE_FIELD_SIGMA_CM)), 1.0)]


def _air_gap_factor(tables: OutputTables, entry: EffectiveSsd, gap_cm: float) -> float:
    """f_air = measured ratio of outputs over the inverse square, linear in the gap between measured distances."""
    outputs = sorted(
        ((o.ssd_cm - entry.standard_ssd_cm, o) for o in tables.outputs if o.field == entry.field),
        key=lambda pair: pair[0],
    )
    base = next(o.output_cgy_per_mu for g, o in outputs if abs(g) < SAME_CM)
    gaps = [g for g, _ in outputs]
    factors = [
        o.output_cgy_per_mu
        / base
        / inverse_square_ratio(
            standard_ssd_cm=entry.standard_ssd_cm, ssd_cm=o.ssd_cm, depth_of_maximum_cm=entry.depth_of_maximum_cm
        )
        for _, o in outputs
    ]
    return float(np.interp(gap_cm, gaps, factors))
