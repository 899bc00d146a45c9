"""Angles and jaws as the treatment room shows them. Plans hold IEC 61217 values only; this is for showing them.

Conversions from IEC 61217 (gantry, collimator, couch), all modulo 360°:

* Varian IEC: the couch turns the other way, 360° − IEC; gantry and collimator are the same.
* Varian Standard: 180° − IEC for all three.
* Elekta native: gantry and collimator the same, couch the other way; all shown from −180° (excluded) to 180°.

Jaws: IEC 61217 positions are coordinates, so X1 and Y1 are negative on their own side of the axis. Varian IEC and
Varian Standard count every jaw as positive on its own side: X1 and Y1 change their sign.

Sources (two independent implementations agree on every Varian entry): pylinac, ``pylinac/core/scale.py`` (VARIAN_IEC,
VARIAN_STANDARD; ELEKTA_IEC for the couch's direction); TrajectoryLogReader, ``VarianIECScaleConverter`` and
``VarianNativeScaleConverter`` (angles and the signs of X1 and Y1); pymedphys, ``convert_IEC_angle_to_bipolar`` (gantry
and collimator of Elekta logs). No source was found for the jaws of Elekta native: they are not converted.
"""

from __future__ import annotations

import enum
import math

from ert.errors import Refused

Jaws = tuple[float, float, float, float]
_TURN_DEG, _HALF_DEG = 360.0, 180.0


class AngleScale(enum.StrEnum):
    """Scale of a treatment room."""

    IEC_61217 = "IEC 61217"
    VARIAN_IEC = "Varian IEC"
    VARIAN_STANDARD = "Varian Standard"
    ELEKTA_NATIVE = "Elekta native"


class AngleAxis(enum.StrEnum):
    """What turns."""

    GANTRY = "gantry"
    COLLIMATOR = "collimator"
    COUCH = "couch"


def _mapped(angle_deg: float, axis: AngleAxis, scale: AngleScale) -> float:
    """The conversion, which is its own inverse, within 0° … 360° (excluded)."""
    if not math.isfinite(angle_deg):
        raise Refused(f"The {axis.value} angle is not a finite number.")
    if scale is AngleScale.VARIAN_STANDARD:
        angle_deg = _HALF_DEG - angle_deg
    elif axis is AngleAxis.COUCH and scale in (AngleScale.VARIAN_IEC, AngleScale.ELEKTA_NATIVE):
        angle_deg = -angle_deg
    turned_deg = math.fmod(angle_deg, _TURN_DEG)
    if turned_deg < 0:
        turned_deg += _TURN_DEG
    return 0.0 if turned_deg >= _TURN_DEG else turned_deg + 0.0


def to_room_scale(angle_deg: float, axis: AngleAxis, scale: AngleScale) -> float:
    """What the room shows for an IEC 61217 angle: 0° … 360° (excluded); Elekta native −180° (excluded) … 180°.

    Raises
    ------
    Refused
        If the angle is not finite.
    """
    return _display_range(_mapped(angle_deg, axis, scale), scale)


def from_room_scale(room_deg: float, axis: AngleAxis, scale: AngleScale) -> float:
    """The IEC 61217 angle, 0° … 360° (excluded), of what the room shows; raises as `to_room_scale`."""
    return _mapped(room_deg, axis, scale)


def _display_range(angle_deg: float, scale: AngleScale) -> float:
    if scale is AngleScale.ELEKTA_NATIVE and angle_deg > _HALF_DEG:
        return angle_deg - _TURN_DEG
    return angle_deg


def room_angle_text(angle_deg: float, axis: AngleAxis, scale: AngleScale, decimals: int = 1) -> str:
    """The room's reading as text, rounded before it is wrapped so that no 360.0 appears."""
    rounded_deg = round(_mapped(angle_deg, axis, scale), decimals) % _TURN_DEG
    return f"{_display_range(rounded_deg, scale):.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def to_room_jaws(jaws_cm: Jaws, scale: AngleScale) -> Jaws:
    """X1, X2, Y1, Y2 as the room shows them, from IEC 61217 positions, cm; the conversion is its own inverse.

    Raises
    ------
    Refused
        For Elekta native, whose signs are not documented to us.
    """
    if scale is AngleScale.ELEKTA_NATIVE:
        raise Refused("Jaw positions are not converted to Elekta's native scale.", hint="Read them as IEC 61217.")
    if scale is AngleScale.IEC_61217:
        return jaws_cm
    x1_cm, x2_cm, y1_cm, y2_cm = jaws_cm
    return 0.0 - x1_cm, x2_cm, 0.0 - y1_cm, y2_cm
