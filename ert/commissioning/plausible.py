"""Refusals of beam data that cannot be in the units the folder must have: they would be fitted without complaint.

Limits are factors of two or so: what is asked is cm or mm, cGy/MU or percent, this energy or that, never whether a
measurement is good.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ert.commissioning.curve_files import refuse
from ert.commissioning.measured import Curve, EnergyData, Field
from ert.domain.electron_energy import mean_energy_mev

Float = NDArray[np.float64]
_ENERGY_FACTOR, _WIDTH_FACTOR, _DOSE_FACTOR = 2.0, 1.7, 2.0
_LEAST_FRAC = 0.1
_MOST_DOUBT = 0.25


def require_plausible(energy: EnergyData, reference: Field, sad_cm: float) -> None:
    """Look at depths, positions and doses of all curves of an energy.

    Raises
    ------
    InvalidBeamData
        R50 of the reference field is that of less than half or more than twice the nominal energy (2.33 R50), a profile
        is 1.7 times wider or narrower than its field, or doses of one field differ by more than a factor of two between
        its curves and its output.
    """
    curve = next(c for c in energy.curves if c.kind == "depth_dose" and c.field == reference)
    r50_cm = half_dose_depth_cm(curve)
    if r50_cm is None:
        return  # the fit says what such a curve lacks
    if _is_off(mean_energy_mev(r50_cm) / energy.energy_mev, _ENERGY_FACTOR):
        raise refuse(
            curve.file,
            f"dose falls to one half at a depth of {r50_cm:.3g} cm, which no beam of {energy.energy_mev:g} MeV does.",
            "Give depths in cm, or correct the energy.",
        )
    for profile in (c for c in energy.curves if c.kind == "profile" and c.depth_cm < r50_cm):
        _require_width(profile, sad_cm)
    depth_doses = {c.field: c for c in energy.curves if c.kind == "depth_dose" and c.is_absolute}
    for output in energy.outputs:
        if output.field in depth_doses:
            _require_output(depth_doses[output.field], output.cgy_per_mu)
    for profile in (c for c in energy.curves if c.kind == "profile" and c.field in depth_doses):
        _require_level(profile, depth_doses[profile.field])


def energy_doubt(energy_mev: float, r50_cm: float) -> str | None:
    """A sentence, without its full stop, where the mean energy 2.33 R50 is more than a quarter off the nominal one."""
    mean_mev = mean_energy_mev(r50_cm)
    if abs(mean_mev / energy_mev - 1.0) <= _MOST_DOUBT:
        return None
    return f"R50 of {r50_cm:.2f} cm belongs to about {mean_mev:.1f} MeV, it is said to be {energy_mev:g} MeV"


def half_dose_depth_cm(curve: Curve) -> float | None:
    """Depth beyond the maximum where a depth dose first lies below one half of it; None if it never does."""
    top = int(np.argmax(curve.dose))
    below = np.flatnonzero(curve.dose[top:] < 0.5 * curve.dose[top])
    return float(curve.position_cm[top + below[0]]) if len(below) else None


def _is_off(ratio: float, factor: float) -> bool:
    return not 1.0 / factor <= ratio <= factor


def _require_width(profile: Curve, sad_cm: float) -> None:
    """Refuse a profile whose half-value positions cannot be those of its field."""
    field = profile.field
    width = field.width_cm if profile.axis == "crossline" else field.height_cm
    expected = 0.5 * width * (field.ssd_cm + profile.depth_cm) / sad_cm
    outside = np.abs(profile.position_cm[profile.dose < 0.5 * profile.dose.max()])
    nearest = float(outside.min()) if len(outside) else float(np.abs(profile.position_cm).max())
    is_narrow, is_wide = nearest < expected / _WIDTH_FACTOR, nearest > expected * _WIDTH_FACTOR
    if is_wide or (is_narrow and len(outside)):
        raise refuse(
            f"{profile.file}, {profile.depth_cm:g} cm",
            f"dose falls to one half {nearest:.3g} cm from the axis, the field's edge is at {expected:.3g} cm.",
            "Give positions in cm from the beam's axis, or correct applicator and cutout.",
        )


def _require_level(profile: Curve, depth_dose: Curve) -> None:
    """Refuse a profile that is not in the unit of its field's depth dose."""
    positions = depth_dose.position_cm
    if not positions[0] <= profile.depth_cm <= positions[-1]:
        return
    there = float(np.interp(profile.depth_cm, positions, depth_dose.dose))
    here = float(np.interp(0.0, profile.position_cm, profile.dose))
    if there > _LEAST_FRAC * depth_dose.dose.max() and _is_off(here / there, _DOSE_FACTOR):
        raise refuse(
            f"{profile.file}, {profile.depth_cm:g} cm",
            f"its dose on the axis is {here:.3g}, that of the field's depth dose {there:.3g} cGy/MU.",
            "Give profiles in cGy/MU: scale each to the depth dose of its field.",
        )


def _require_output(depth_dose: Curve, output_cgy_per_mu: float) -> None:
    """Refuse a depth dose in cGy/MU whose maximum is not its field's output."""
    top = float(depth_dose.dose.max())
    if _is_off(top / output_cgy_per_mu, _DOSE_FACTOR):
        raise refuse(
            depth_dose.file,
            f"its maximum is {top:.3g}, the output of the field {output_cgy_per_mu:.3g} cGy/MU.",
            "Give it in cGy/MU, or name its column dose_percent.",
        )
