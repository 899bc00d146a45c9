"""From ionisation to dose: effective point of measurement and water-to-air stopping-power ratios.

Sources: Burns, Ding, Rogers, Med Phys 23:383 (1996) for the ratios; AAPM TG-51, Med Phys 26:1847 (1999) for R50 from
I50 and for the effective point of a cylindrical chamber, 0.5 r_cav towards the source.
"""

from __future__ import annotations

import math

import numpy as np

from ert.analysis.curve import last_crossing_cm
from ert.commissioning.curve_files import refuse
from ert.commissioning.scans.scan import DIAMOND, DIODE, Float
from ert.commissioning.scans.working import WorkingCurve

_LEAST_X, _MOST_X = 0.02, 1.2
_LEAST_I50_CM, _MOST_R50_CM = 2.0, 20.0
_EFFECTIVE_SHARE = 0.5


def stopping_power_ratio(depth_cm: Float | float, r50_cm: float) -> Float:
    """Ratio of restricted collision stopping powers of water to air in realistic electron beams.

    (a + b y + c y² + d x) / (1 + e y + f y² + g y³ + h x) with y = ln R50 and x = z/R50 (Burns, Ding, Rogers 1996).

    Parameters
    ----------
    depth_cm : (n,) within 0.02 … 1.2 R50; outside the formula is not defined.
    r50_cm : 1 … 20.

    Raises
    ------
    InvalidBeamData
        Outside that range.
    """
    x = np.asarray(depth_cm, dtype=np.float64) / r50_cm
    if not 1.0 <= r50_cm <= _MOST_R50_CM or np.any(x < _LEAST_X - 1e-9) or np.any(x > _MOST_X + 1e-9):
        raise refuse(
            f"Stopping-power ratio at R50 {r50_cm:g} cm",
            "Burns' formula holds for R50 of 1 to 20 cm and depths of 0.02 to 1.2 R50.",
            "Convert within that range.",
        )
    y = math.log(r50_cm)
    top = 1.0752 - 0.50867 * y + 0.088670 * y**2 - 0.08402 * x
    return np.asarray(top / (1.0 - 0.42806 * y + 0.064627 * y**2 + 0.003085 * y**3 - 0.12460 * x))


def r50_from_i50_cm(i50_cm: float) -> float:
    """R50 of the dose from I50 of the ionisation: 1.029 I50 − 0.06 up to 10 cm, 1.059 I50 − 0.37 beyond (TG-51).

    Raises
    ------
    InvalidBeamData
        Below 2 cm, where the relation was not established.
    """
    if i50_cm < _LEAST_I50_CM:
        raise refuse(
            f"I50 {i50_cm:.3g} cm",
            "the relation of I50 to R50 holds from 2 cm.",
            "Measure this energy with a diode or diamond detector, whose signal is dose.",
        )
    return 1.029 * i50_cm - 0.06 if i50_cm <= 10.0 else 1.059 * i50_cm - 0.37


def shift_effective_point(curve: WorkingCurve, radius_cm: float) -> WorkingCurve:
    """Depths of a cylindrical chamber's effective point instead of its centre: 0.5 r_cav closer to the source."""
    shift_cm = _EFFECTIVE_SHARE * radius_cm
    sentence = (
        f"Depths are those of the effective point of measurement: {shift_cm:.3g} cm less than the chamber's centre, "
        f"half the cavity radius of {radius_cm:g} cm (TG-51)."
    )
    if curve.is_depth_dose:
        return curve.after(sentence, position_cm=curve.position_cm - shift_cm)
    return curve.after(sentence, depth_cm=None if curve.depth_cm is None else curve.depth_cm - shift_cm)


def ionisation_to_dose(curve: WorkingCurve) -> WorkingCurve:
    """Multiply a depth ionisation by the stopping-power ratio at each depth.

    Nothing is done to a diode or diamond detector, whose signal is dose, nor to a profile: the ratio is the same all
    over a plane, and profiles are normalised to their depth dose. Shallower than 0.02 R50 and deeper than 1.2 R50,
    where the formula is not defined, the ratio of that end is used; the history tells how many points that concerns.

    Raises
    ------
    InvalidBeamData
        The curve does not fall to half, or I50 is below 2 cm.
    """
    if not curve.is_depth_dose:
        return curve
    if curve.scan.detector_kind in (DIODE, DIAMOND):
        return curve.after(f"Not converted: the signal of a {curve.scan.detector_kind} detector is taken as dose.")
    i50_cm = last_crossing_cm(curve.position_cm, curve.value, 0.5 * float(curve.value.max()))
    if i50_cm is None:
        raise refuse(curve.scan.name, "the ionisation does not fall to half.", "Measure 2 cm beyond the range.")
    r50_cm = r50_from_i50_cm(i50_cm)
    x = curve.position_cm / r50_cm
    ratio = stopping_power_ratio(np.clip(x, _LEAST_X, _MOST_X) * r50_cm, r50_cm)
    deep, shallow = int(np.count_nonzero(x > _MOST_X)), int(np.count_nonzero(x < _LEAST_X))
    return curve.after(
        f"Ionisation to dose: stopping-power ratios after Burns 1996 with R50 {r50_cm:.3f} cm from I50 {i50_cm:.3f} cm "
        f"(TG-51); {deep} points beyond 1.2 R50 and {shallow} before 0.02 R50 with the ratio of that depth.",
        value=curve.value * ratio,
    )
